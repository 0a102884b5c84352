#!/usr/bin/env node
// bp-onnx: inspect, run, diff and optimise ONNX models from a command line.

import { BpError, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { type Command, help, readArguments, UsageError } from './command.ts'
import { diff } from './diff.ts'
import { inspect } from './inspect.ts'
import { optimise } from './optimise.ts'
import { run } from './run.ts'

const commands: Readonly<Record<string, Command>> = { inspect, run, diff, optimise }

const say = (text: string): void => { process.stdout.write(`${text}\n`) }

const overview = (): string => `Looks into ONNX models, runs them, compares them and makes them smaller.\n\n${Object.entries(commands).map(([name, { usage, about }]) => `  bp-onnx ${name} ${usage}\n      ${about}`).join('\n')}\n\nbp-onnx COMMAND --help lists the options of each.`

function main([name, ...argv]: readonly string[]): number {
  if (name === '--help' || name === '-h') {
    say(overview())
    return 0
  }
  const command = Object.hasOwn(commands, name ?? '') ? commands[name!]! : null
  if (!command) throw new UsageError(`there is no command ${name ?? '(nothing)'}; there are ${Object.keys(commands).join(', ')}`)
  const args = readArguments(argv, command)
  if (!args) say(help(name!, command))
  else {
    use(cpu())
    return command.run(args, say)
  }
  return 0
}

try {
  process.exitCode = main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError || error instanceof BpError)) throw error
  process.stderr.write(`${error.message}\n${error instanceof UsageError ? 'bp-onnx --help lists the commands and their options.\n' : ''}`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
