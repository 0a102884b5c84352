// What the commands share: their arguments, and errors that say how to call them.

import { parseArgs } from 'node:util'

/** A command line that cannot be run; the message says what to write instead. */
export class UsageError extends Error {}

/** One command: what it takes, what it does, and how `--help` tells of it. */
export interface Command {
  /** What follows the command's name. */
  readonly usage: string
  readonly about: string
  /** The options with a value, by name: what stands for the value, and what it is for. */
  readonly options: Readonly<Record<string, readonly [placeholder: string, about: string]>>
  /** The options without one. */
  readonly flags?: Readonly<Record<string, string>>
  /** Runs it on its files and options and returns the exit code; what it has to say goes to `say`. */
  readonly run: (args: Arguments, say: (text: string) => void) => number
}

/** The arguments of a command. */
export interface Arguments {
  readonly files: readonly string[]
  /** Every value that was given for an option, in order. */
  readonly all: (name: string) => readonly string[]
  /** The last value given for an option. */
  readonly last: (name: string) => string | undefined
  readonly on: (name: string) => boolean
}

/** Reads what follows a command's name; `null` where it asks for `--help`. */
export function readArguments(argv: readonly string[], { options, flags = {} }: Command): Arguments | null {
  const specs = {
    ...Object.fromEntries(Object.keys(options).map(name => [name, { type: 'string' as const, multiple: true as const }])),
    ...Object.fromEntries([...Object.keys(flags), 'help'].map(name => [name, { type: 'boolean' as const }])),
  }
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options: specs, allowPositionals: true })
    if (values.help) return null
    const all = (name: string): readonly string[] => (values[name] as string[] | undefined) ?? []
    return { files: positionals, all, last: name => all(name).at(-1), on: name => values[name] === true }
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error })
  }
}

/** The text of `--help`. */
export function help(name: string, { usage, about, options, flags = {} }: Command): string {
  const rows = [...Object.entries(options).map(([option, [placeholder, what]]) => [`--${option} ${placeholder}`, what] as const), ...Object.entries(flags).map(([flag, what]) => [`--${flag}`, what] as const)]
  const width = Math.max(...rows.map(([option]) => option.length))
  return `${about}\n\n  bp-onnx ${name} ${usage}\n\n${rows.map(([option, what]) => `  ${option.padEnd(width)}  ${what}`).join('\n')}\n`
}

/** The number that an option says; throws where it is none that is at least `least`. */
export function numberOf({ last }: Arguments, name: string, fallback: number, least = 0): number {
  const given = last(name)
  const value = given === undefined ? fallback : Number(given)
  if (given?.trim() === '' || !(value >= least)) throw new UsageError(`--${name} must be a number ≥ ${least}, got '${given}'`)
  return value
}

/** The pairs `name=value` of an option. */
export function pairsOf({ all }: Arguments, name: string): Map<string, string> {
  return new Map(all(name).map(text => {
    const at = text.lastIndexOf('=')
    if (at < 1 || at === text.length - 1) throw new UsageError(`--${name} must be name=value, got '${text}'`)
    return [text.slice(0, at), text.slice(at + 1)]
  }))
}
