// The command line as a function: arguments in, lines out, an exit code back.

import { BpError, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { type Command, help, readArguments, UsageError } from './command.ts'
import { diff } from './diff.ts'
import { inspect } from './inspect.ts'
import { optimise } from './optimise.ts'
import { run } from './run.ts'

const commands: Readonly<Record<string, Command>> = { inspect, run, diff, optimise }

const overview = (): string => `Looks into ONNX models, runs them, compares them and makes them smaller.\n\n${Object.entries(commands).map(([name, { usage, about }]) => `  bp-onnx ${name} ${usage}\n      ${about}`).join('\n')}\n\nbp-onnx COMMAND --help lists the options of each.`

function execute([name, ...argv]: readonly string[], say: (text: string) => void): number {
  if (name === '--help' || name === '-h') {
    say(overview())
    return 0
  }
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name]! : null
  if (!command) throw new UsageError(`there is no command ${name ?? '(nothing)'}; there are ${Object.keys(commands).join(', ')}`)
  const args = readArguments(argv, command)
  if (args) {
    use(cpu())
    return command.run(args, say)
  }
  say(help(name!, command))
  return 0
}

/**
 * Runs `bp-onnx` with its arguments. The exit code is 0, 1 where a model is damaged, unsupported, too large, or different from the other, and 2
 * where the command line is wrong or a file cannot be read or written; what is wrong goes to `complain`.
 */
export function cli(argv: readonly string[], say: (text: string) => void, complain: (text: string) => void): number {
  try {
    return execute(argv, say)
  } catch (error) {
    if (isOfSystem(error) || error instanceof RangeError) {
      complain(error instanceof RangeError ? `this does not fit into memory (${error.message})` : error.message)
      return error instanceof RangeError ? 1 : 2
    }
    if (!(error instanceof UsageError || error instanceof BpError)) throw error
    complain(`${error.message}${error instanceof UsageError ? '\nbp-onnx --help lists the commands and their options.' : ''}`)
    return error instanceof UsageError ? 2 : 1
  }
}

/** Whether the operating system refused something, such as to write a file; the message names it. */
const isOfSystem = (error: unknown): error is Error => error instanceof Error && 'syscall' in error
