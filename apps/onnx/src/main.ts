#!/usr/bin/env node
// bp-onnx: inspect, run, diff and optimise ONNX models from a command line.

import { cli } from './cli.ts'

process.exitCode = cli(process.argv.slice(2), text => { process.stdout.write(`${text}\n`) }, text => { process.stderr.write(`${text}\n`) })
