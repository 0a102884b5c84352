// npm run bench: builds what it needs and runs the bench app. Nothing but the app writes to standard output.

import { build, install, runApp } from './toolchain.mjs'

const installed = await install(process.stderr)
if (installed.code !== 0) process.exit(2)
const built = await build(process.stderr, '@bp/bench')
if (built.code !== 0) process.exit(2)
runApp('bench', process.argv.slice(2))
