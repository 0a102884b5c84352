// @bp/browser: Chromium for the other apps of this repository: found, started, and served to. It is not published.

export { findChromium, rendererOf, startChromium, whyNot, type Adapter } from './chromium.ts'
export { serve, texts, type Content } from './server.ts'
