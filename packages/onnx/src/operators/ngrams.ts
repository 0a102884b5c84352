// TfIdfVectorizer: sequences of tokens, numbers or strings, to counts of the n-grams of a vocabulary.

import { tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import type { Attributes } from '../import/attributes.ts'
import { entries } from '../import/budget.ts'
import type { ModelNode } from '../import/load.ts'
import { StringTensor, toNumbers } from '../import/value.ts'
import { only, onValues, type Operator, type Operators } from './operator.ts'

/**
 * A vocabulary: the number of each n-gram, by its tokens joined, and where in a row of `size` counts it is counted. The weights are
 * those of the counts, as in onnxruntime, though the standard speaks of n-grams.
 */
interface Vocabulary {
  readonly numbers: ReadonlyMap<string, number>
  readonly size: number
  readonly places: readonly number[]
  readonly weights: readonly number[] | null
}

/* Joins tokens so that no two lists of them give one string. */
const joined = (tokens: readonly (string | number)[]): string => JSON.stringify(tokens)

/* A node's vocabulary is built once. */
const vocabularies = /* @__PURE__ */ new WeakMap<ModelNode, Vocabulary>()

function vocabularyOf(attributes: Attributes, node: ModelNode): Vocabulary {
  const known = vocabularies.get(node)
  if (known) return known
  const missing = (name: string): never => fail('data', node.operator, `it has no ${name}. The file is damaged`)
  const pool: readonly (string | number)[] = attributes.strings('pool_strings') ?? attributes.ints('pool_int64s') ?? missing('pool_strings or pool_int64s')
  const starts = attributes.ints('ngram_counts') ?? missing('ngram_counts')
  const places = attributes.ints('ngram_indexes') ?? missing('ngram_indexes')
  if (!starts.every((start, i) => start >= (starts[i - 1] ?? 0) && start <= pool.length)) fail('data', node.operator, `ngram_counts ${starts.join(', ')} do not ascend within the ${pool.length} entries of the pool. The file is damaged`)
  const numbers = new Map<string, number>()
  let number = 0
  starts.forEach((start, i) => {
    const n = i + 1
    for (let at = start; at + n <= (starts[i + 1] ?? pool.length); at += n) {
      const key = joined(pool.slice(at, at + n))
      if (!numbers.has(key)) numbers.set(key, number)
      number++
    }
  })
  if (places.length < number || !places.every(place => place >= 0 && Number.isSafeInteger(place))) fail('data', node.operator, `ngram_indexes has ${places.length} places for ${number} n-grams, which must not be negative. The file is damaged`)
  const made = { numbers, size: Math.max(...places) + 1, places, weights: attributes.floats('weights') }
  vocabularies.set(node, made)
  return made
}

/** How often each n-gram of the vocabulary stands in a row, with up to `skips` tokens left out between its own. */
function countsOf(row: readonly (string | number)[], { numbers, size, places }: Vocabulary, least: number, most: number, skips: number): number[] {
  const counts = new Array<number>(size).fill(0)
  for (let apart = 1; apart <= Math.min(skips + 1, row.length); apart++) {
    // single tokens have nothing between them to skip
    for (let n = apart === 1 ? least : Math.max(2, least); n <= Math.min(most, row.length); n++) {
      for (let start = 0; start + apart * (n - 1) < row.length; start++) {
        const number = numbers.get(joined(Array.from({ length: n }, (_, i) => row[start + apart * i]!)))
        if (number !== undefined) counts[places[number]!]!++
      }
    }
  }
  return counts
}

/** Rows of tokens, or one, to counts (TF), to whether there is any times a weight (IDF), or to counts times weights (TFIDF). */
const vectorised: Operator = onValues(1, ([x], attributes, node) => {
  const mode = attributes.string('mode', '')
  only(node, 'mode', mode, 'TF', 'IDF', 'TFIDF')
  const { shape } = x!
  if (shape.length > 2) fail('shape', node.operator, `needs one row of tokens or a matrix of them, got ${x instanceof StringTensor ? `[${shape.join(',')}]` : describe(x!)}`)
  const tokens: readonly (string | number)[] = x instanceof StringTensor ? x.data : toNumbers(x!)
  const vocabulary = vocabularyOf(attributes, node)
  const width = shape.at(-1) ?? 1
  const rows = shape.length === 2 ? shape[0]! : 1
  const [least, most, skips] = [attributes.int('min_gram_length', 1), attributes.int('max_gram_length', 1), attributes.int('max_skip_count', 0)]
  const { size, weights } = vocabulary
  if (!(least >= 1 && most >= least && skips >= 0)) fail('data', node.operator, `n-grams of ${least} to ${most} tokens with ${skips} skipped are none. The file is damaged`)
  const y = new Float32Array(entries(node.operator, rows * size))
  for (let r = 0; r < rows; r++) {
    countsOf(tokens.slice(r * width, (r + 1) * width), vocabulary, least, most, skips).forEach((count, i) => {
      y[r * size + i] = (mode === 'IDF' ? Math.min(1, count) : count) * (mode === 'TF' ? 1 : weights?.[i] ?? 1)
    })
  }
  return tensor(y, { shape: shape.length === 2 ? [rows, size] : [size] })
})

/** Text by name. */
export const ngrams: Operators = { TfIdfVectorizer: vectorised }
