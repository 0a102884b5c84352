// Command lines of `--name value`: declared once, read with their types, and explained by --help.

import { parseArgs } from 'node:util'

/** A command line that cannot be run; the message says what to write instead. */
export class UsageError extends Error {}

/** One option: what it is by default, what it is for, and how its text is read. */
export interface OptionSpec<T> {
  readonly fallback: T
  /** What `--help` says of it. */
  readonly about: string
  /** What stands for the value in `--help`; a flag has none. */
  readonly placeholder?: string
  readonly read: (name: string, text: string) => T
}

/** What an option list reads as. */
export type OptionValues<S extends Readonly<Record<string, OptionSpec<unknown>>>> = { readonly [K in keyof S]: S[K] extends OptionSpec<infer T> ? T : never }

/** A whole number from `least` on. */
export const whole = (fallback: number, about: string, least = 1): OptionSpec<number> => ({
  fallback, about, placeholder: 'N',
  read: (name, given) => {
    const value = Number(given)
    if (given.trim() === '' || !Number.isInteger(value) || value < least || value >= 2 ** 31) throw new UsageError(`--${name} must be a whole number ≥ ${least}, got '${given}'`)
    return value
  },
})

/** A number above 0, or from 0 on where `zero`. */
export const positive = (fallback: number, about: string, zero = false): OptionSpec<number> => ({
  fallback, about, placeholder: 'X',
  read: (name, given) => {
    const value = Number(given)
    if (!((zero ? value >= 0 : value > 0) && value < Infinity) || given.trim() === '') throw new UsageError(`--${name} must be a number ${zero ? '≥' : '>'} 0, got '${given}'`)
    return value
  },
})

/** Any text, such as the name of a folder. */
export const text = (fallback: string, about: string, placeholder = 'TEXT'): OptionSpec<string> => ({ fallback, about, placeholder, read: (_name, given) => given })

/** One of a few words. */
export const choice = <T extends string>(words: readonly [T, ...T[]], about: string, placeholder = 'WORD'): OptionSpec<T> => ({
  fallback: words[0], about, placeholder,
  read: (name, given) => {
    const found = words.find(word => word === given)
    if (found === undefined) throw new UsageError(`--${name} ${given} is not available; use ${words.join(' or ')}`)
    return found
  },
})

/** Something that is done only where it is asked for. */
export const flag = (about: string): OptionSpec<boolean> => ({ fallback: false, about, read: () => true })

/**
 * Reads a command line; where it asks for `--help`, the text of that instead. Throws a {@link UsageError} on anything that it
 * cannot mean.
 */
export function readOptions<const S extends Readonly<Record<string, OptionSpec<unknown>>>>(argv: readonly string[], specs: S, about: string, command: string): OptionValues<S> | string {
  const names = Object.keys(specs)
  const options = Object.fromEntries(names.map(name => [name, { type: specs[name]!.placeholder === undefined ? 'boolean' as const : 'string' as const }]))
  const values = parse(argv, { ...options, help: { type: 'boolean', short: 'h' } })
  if (values.help !== undefined) return help(specs, about, command)
  const read = names.map(name => {
    const { fallback, read } = specs[name]!
    const given = values[name]
    return [name, given === undefined ? fallback : read(name, typeof given === 'string' ? given : '')]
  })
  return Object.fromEntries(read) as OptionValues<S>
}

function parse(argv: readonly string[], options: NonNullable<Parameters<typeof parseArgs>[0]>['options'] & object): Record<string, unknown> {
  try {
    return parseArgs({ args: [...argv], options }).values
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error })
  }
}

function help(specs: Readonly<Record<string, OptionSpec<unknown>>>, about: string, command: string): string {
  const lines = [
    ...Object.entries(specs).map(([name, { placeholder, fallback, about: what }]) => [`--${name}${placeholder === undefined ? '' : ` ${placeholder}`}`, what, placeholder === undefined ? '' : `(${String(fallback)})`] as const),
    ['--help', 'this text', ''] as const,
  ]
  const [names, whats] = [0, 1].map(i => Math.max(...lines.map(line => line[i as 0 | 1].length))) as [number, number]
  const rows = lines.map(([name, what, fallback]) => `  ${name.padEnd(names)}  ${what.padEnd(whats)}  ${fallback}`.trimEnd())
  return `${about}\n\n  ${command} -- [options]\n\n${rows.join('\n')}\n`
}
