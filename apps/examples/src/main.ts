// npm run xor, iris, maml, chars: one of the examples, by the name that comes first.

import { BpError } from '@bp/core'
import { UsageError } from '@bp/kit'
import { chars } from './chars/main.ts'
import { iris } from './iris/main.ts'
import { maml } from './maml/main.ts'
import { xor } from './xor/main.ts'

const examples: Readonly<Record<string, (argv: readonly string[], say: (text: string) => void) => number | Promise<number>>> = { xor, iris, maml, chars }

const [name, ...argv] = process.argv.slice(2)
const example = Object.hasOwn(examples, name ?? '') ? examples[name!] : undefined
try {
  if (!example) throw new UsageError(`there is no example named ${name ?? '(nothing)'}; there are ${Object.keys(examples).join(', ')}`)
  process.exitCode = await example(argv, text => { process.stdout.write(`${text.trimEnd()}\n`) })
} catch (error) {
  if (error instanceof UsageError) process.stderr.write(`${error.message}\n${example ? `npm run ${name} -- --help lists the options.\n` : ''}`)
  else if (error instanceof BpError) process.stderr.write(`${error.message}\n`)
  else throw error
  process.exitCode = error instanceof UsageError ? 2 : 1
}
