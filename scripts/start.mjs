// npm start: installs, builds, and trains the digits network.

import { build, install, runApp } from './toolchain.mjs'

const installed = await install(process.stderr)
if (installed.code !== 0) process.exit(installed.code)
const built = await build(process.stderr, '@bp/digits')
if (built.code !== 0) process.exit(built.code)
runApp('digits', process.argv.slice(2))
