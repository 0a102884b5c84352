// @bp/browser: Chromium for the other apps of this repository: found, started, and served to. It is not published.

export { findChromium, findDrawing, noChromiumHint, rendererOf, startChromium, whyNot, type Adapter } from './chromium.ts'
export { scriptPage, sibling, type Script } from './script.ts'
export { serve, texts, type Content } from './server.ts'
