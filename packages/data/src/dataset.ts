// What a dataset is: samples by index, or samples in a row.

import { BpError } from '@bp/core'
import { fail } from '@bp/core/extend'
import { type Stacked, stackSamples } from './collate.ts'

/**
 * Samples by index. T may be a promise, where a sample has to be fetched: such a dataset is loaded by `for await`.
 *
 * @example
 * ```ts
 * import { DataLoader, type Dataset } from '@bp/data'
 * const squares: Dataset<number> = { length: 4, get: i => i * i }
 * const [x] = [...new DataLoader(squares, { batchSize: 4 })]
 * x // => tensor([0, 1, 4, 9], float32)
 * ```
 */
export interface Dataset<T> {
  /** How many samples. */
  readonly length: number
  /** Sample `index`, as it is in `epoch`: what is random in it is a function of both. */
  get(index: number, epoch?: number): T
  /** The samples stacked, in new memory, where that is faster than one by one. */
  getBatch?(indices: readonly number[], epoch: number): MaybePromise<Stacked<Awaited<T>>>
  /** How many batches a loader should ask for ahead, where batches are made elsewhere. */
  readonly prefetch?: number
}

/** Samples in a row, of which the number need not be known: a stream, a generator, a database's answer. */
export interface IterableDataset<T> {
  /** The samples of an epoch, from the first; the same whenever the same epoch is asked for. */
  iterate(epoch: number): Iterable<T> | AsyncIterable<T>
}

/** A value now or later. */
export type MaybePromise<T> = T | Promise<T>

/** Whether a value comes later. */
export const isPromise = <T>(value: MaybePromise<T>): value is Promise<T> => value instanceof Promise

/** `f` of a value, now or when it has come. */
export const whenReady = <A, B>(value: MaybePromise<A>, f: (value: A) => B): MaybePromise<B> => isPromise(value) ? value.then(f) : f(value)

/** Values, all of them later where one of them comes later. */
export const together = <T>(values: readonly T[]): MaybePromise<Awaited<T>[]> => values.some(isPromise) ? Promise.all(values) : values as Awaited<T>[]

/** Sample `index`; an error in making it names it. */
export function sampleOf<T>(dataset: Dataset<T>, index: number, epoch: number): T {
  try {
    const sample = dataset.get(index, epoch)
    return isPromise(sample) ? sample.catch((error: unknown) => blame(dataset, index, error)) as T : sample
  } catch (error) {
    return blame(dataset, index, error)
  }
}

/** Samples by index, one after another or all at once where they are promises. */
export const samplesOf = <T>(dataset: Dataset<T>, indices: readonly number[], epoch: number): MaybePromise<Awaited<T>[]> =>
  together(indices.map(index => sampleOf(dataset, index, epoch)))

/** The samples stacked, by the dataset's own means where it has them. */
export const batchOf = <T>(dataset: Dataset<T>, indices: readonly number[], epoch: number): MaybePromise<Stacked<Awaited<T>>> =>
  dataset.getBatch ? dataset.getBatch(indices, epoch) : whenReady(samplesOf(dataset, indices, epoch), stackSamples)

function blame(dataset: object, index: number, error: unknown): never {
  const name = dataset.constructor === Object ? 'dataset' : dataset.constructor.name
  return fail(error instanceof BpError ? error.code : 'data', name, `sample ${index} could not be made: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
}

/** Refuses an index that is not in a dataset. */
export function checkIndex(op: string, index: number, length: number): number {
  if (!Number.isInteger(index) || index < 0 || index >= length) fail('value', op, length === 0 ? `no index is in range, for it is empty, got ${index}` : `the index must be a whole number from 0 to ${length - 1}, got ${index}`)
  return index
}
