// npm run webgl: builds what it needs and serves a page that trains in the browser.

import { build, install, runApp } from './toolchain.mjs'

const installed = await install(process.stderr)
if (installed.code !== 0) process.exit(installed.code)
const built = await build(process.stderr, '@bp/webgl-digits')
if (built.code !== 0) process.exit(built.code)
runApp('webgl-digits', process.argv.slice(2))
