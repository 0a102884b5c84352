// @acme/plain-backend: what a backend by somebody else looks like, and a decorator for any backend.

export { plain } from './backend.ts'
export { profiled, type Profiled, type Tally } from './profiled.ts'
export type { View } from './view.ts'
