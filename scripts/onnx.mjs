// npm run bp-onnx: builds what it needs and runs the command line for ONNX models.

import { build, install, runApp } from './toolchain.mjs'

const installed = await install(process.stderr)
if (installed.code !== 0) process.exit(installed.code)
const built = await build(process.stderr, '@bp/onnx-cli')
if (built.code !== 0) process.exit(built.code)
runApp('onnx', process.argv.slice(2))
