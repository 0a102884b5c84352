// Splitting a dataset into parts at random.

import { fail } from '@bp/core/extend'
import type { Dataset } from './dataset.ts'
import { Subset } from './datasets/combine.ts'
import { purposes, RandomStream } from './random.ts'

/**
 * Parts of a dataset, without overlap, in random order: by lengths that add up to the dataset's, or by fractions that add up
 * to 1, of which each part gets the whole number below, and the first parts one more until none is left (as PyTorch's).
 *
 * @example
 * ```ts
 * import { ListDataset, randomSplit } from '@bp/data'
 * const [train, rest] = randomSplit(new ListDataset([1, 2, 3, 4, 5]), [0.7, 0.3], { seed: 1 })
 * train!.length // => 4
 * rest!.length // => 1
 * ```
 */
export function randomSplit<T>(dataset: Dataset<T>, lengths: readonly number[], { seed = 0 }: { readonly seed?: number } = {}): Subset<T>[] {
  const counts = countsOf(dataset.length, lengths)
  const order = new RandomStream(seed, 0, 0, purposes.split).permutation(dataset.length)
  let at = 0
  return counts.map(count => new Subset(dataset, order.subarray(at, at += count)))
}

function countsOf(total: number, lengths: readonly number[]): readonly number[] {
  const sum = lengths.reduce((a, b) => a + b, 0)
  const wrong = lengths.find(length => !(length >= 0))
  if (wrong !== undefined) fail('value', 'randomSplit', `every length must be at least 0, got ${wrong}`)
  if (sum === total && lengths.every(Number.isInteger)) return lengths
  if (Math.abs(sum - 1) > 1e-6) fail('value', 'randomSplit', `the lengths [${lengths.join(', ')}] add up to ${sum}. Give whole numbers that add up to the dataset's ${total} samples, or fractions that add up to 1`)
  const counts = lengths.map(fraction => Math.floor(total * fraction))
  const left = total - counts.reduce((a, b) => a + b, 0)
  return counts.map((count, i) => count + Math.floor(left / counts.length) + (i < left % counts.length ? 1 : 0))
}

/** Options of {@link trainTestSplit}. */
export interface TrainTestSplitOptions {
  /** The part that is kept for testing: a fraction below 1, or a number of samples; 0.25 unless given. */
  readonly test?: number
  readonly seed?: number
  /** The class of each sample: both parts then have each class in the proportions of the whole, as nearly as whole numbers can. */
  readonly stratify?: ArrayLike<number>
}

/**
 * A training and a test part, at random.
 *
 * @example
 * ```ts
 * import { ListDataset, trainTestSplit } from '@bp/data'
 * const labels = [0, 0, 0, 0, 1, 1, 1, 1]
 * const [train, test] = trainTestSplit(new ListDataset(labels), { test: 0.25, stratify: labels })
 * Array.from({ length: test.length }, (_, i) => test.get(i)).sort() // => [0, 1]
 * ```
 */
export function trainTestSplit<T>(dataset: Dataset<T>, { test = 0.25, seed = 0, stratify }: TrainTestSplitOptions = {}): [train: Subset<T>, test: Subset<T>] {
  const total = dataset.length
  const count = test < 1 ? Math.ceil(total * test) : test
  if (!Number.isInteger(count) || count < 0 || count > total) fail('value', 'trainTestSplit', `test must be a fraction below 1 or a number of the ${total} samples, got ${test}`)
  if (stratify && stratify.length !== total) fail('shape', 'trainTestSplit', `stratify has ${stratify.length} classes for ${total} samples. Give one a sample`)
  const order = new RandomStream(seed, 0, 0, purposes.split).permutation(total)
  const taken = stratify ? stratified(order, stratify, count) : new Set(order.subarray(0, count))
  return [new Subset(dataset, order.filter(i => !taken.has(i))), new Subset(dataset, order.filter(i => taken.has(i)))]
}

/** `count` indices, of each class its share rounded down, and one more of those with the largest remainders (Hamilton 1792). */
function stratified(order: Uint32Array, labels: ArrayLike<number>, count: number): Set<number> {
  const classes = new Map<number, number[]>()
  for (const i of order) {
    const members = classes.get(labels[i]!)
    if (members) members.push(i)
    else classes.set(labels[i]!, [i])
  }
  const shares = [...classes].sort(([a], [b]) => a - b).map(([, members]) => ({ members, share: members.length * count / order.length }))
  const left = count - shares.reduce((n, { share }) => n + Math.floor(share), 0)
  const byRemainder = [...shares].sort((a, b) => b.share % 1 - a.share % 1).slice(0, left)
  return new Set(shares.flatMap(part => part.members.slice(0, Math.floor(part.share) + (byRemainder.includes(part) ? 1 : 0))))
}
