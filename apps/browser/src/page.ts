// What a page or a worker of it runs: trains as soon as it is loaded, and leaves the result where a test finds it.

import { train } from './train.ts'

/** What pages and workers have: workers send, pages are looked into. */
const scope = globalThis as unknown as { trained?: ReturnType<typeof train>; document?: object; navigator: { hardwareConcurrency: number }; postMessage?(message: unknown): void }
const all = new URL(import.meta.url).searchParams.get('threads') === 'all'

scope.trained = train(all ? Math.min(8, scope.navigator.hardwareConcurrency) : 1)
if (!scope.document) scope.postMessage!(await scope.trained)
