// npm run xor, iris, maml, chars: builds what it needs and runs one of the examples.

import { build, install, runApp } from './toolchain.mjs'

const installed = await install(process.stderr)
if (installed.code !== 0) process.exit(installed.code)
const built = await build(process.stderr, '@bp/examples')
if (built.code !== 0) process.exit(built.code)
runApp('examples', process.argv.slice(2))
