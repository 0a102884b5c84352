// Datasets made of datasets: parts of one, several in a row or side by side.

import { fail } from '@bp/core/extend'
import type { Stacked } from '../collate.ts'
import { batchOf, checkIndex, type Dataset, isPromise, type MaybePromise, sampleOf, together } from '../dataset.ts'

/**
 * The samples of a dataset at the indices given.
 *
 * @example
 * ```ts
 * import { ListDataset, Subset } from '@bp/data'
 * new Subset(new ListDataset(['a', 'b', 'c']), [2, 0]).get(0) // => c
 * ```
 */
export class Subset<T> implements Dataset<T> {
  readonly dataset: Dataset<T>
  readonly indices: ArrayLike<number>

  constructor(dataset: Dataset<T>, indices: ArrayLike<number>) {
    for (let i = 0; i < indices.length; i++) checkIndex('Subset', indices[i]!, dataset.length)
    this.dataset = dataset
    this.indices = indices
  }

  get length(): number {
    return this.indices.length
  }

  get prefetch(): number {
    return this.dataset.prefetch ?? 0
  }

  get(index: number, epoch = 0): T {
    return this.dataset.get(this.indices[checkIndex('Subset', index, this.length)]!, epoch)
  }

  getBatch(indices: readonly number[], epoch: number): MaybePromise<Stacked<Awaited<T>>> {
    return batchOf(this.dataset, indices.map(index => this.indices[checkIndex('Subset', index, this.length)]!), epoch)
  }
}

const mostAhead = (datasets: readonly { readonly prefetch?: number }[]): number => Math.max(...datasets.map(({ prefetch = 0 }) => prefetch))

/**
 * Datasets one after another.
 *
 * @example
 * ```ts
 * import { ConcatDataset, ListDataset } from '@bp/data'
 * const both = new ConcatDataset(new ListDataset(['a', 'b']), new ListDataset(['c']))
 * both.get(2) // => c
 * ```
 */
export class ConcatDataset<T> implements Dataset<T> {
  readonly datasets: readonly Dataset<T>[]
  readonly length: number
  /** Where each dataset ends. */
  private readonly ends: readonly number[]

  constructor(...datasets: readonly Dataset<T>[]) {
    if (datasets.length === 0) fail('value', 'ConcatDataset', 'needs at least one dataset')
    this.datasets = datasets
    let end = 0
    this.ends = datasets.map(({ length }) => end += length)
    this.length = end
  }

  get prefetch(): number {
    return mostAhead(this.datasets)
  }

  get(index: number, epoch = 0): T {
    checkIndex('ConcatDataset', index, this.length)
    const k = this.ends.findIndex(end => index < end)
    return this.datasets[k]!.get(index - (this.ends[k - 1] ?? 0), epoch)
  }
}

type SampleOf<D> = D extends { get(index: number): infer T } ? T : never

/** What the datasets of a tuple give; a promise where one of them gives promises. */
export type SamplesOf<D extends readonly Dataset<unknown>[]> = [Extract<SampleOf<D[number]>, Promise<unknown>>] extends [never]
  ? { -readonly [K in keyof D]: SampleOf<D[K]> }
  : Promise<{ -readonly [K in keyof D]: Awaited<SampleOf<D[K]>> }>

/**
 * Datasets of one length side by side: sample i is a tuple of their samples i (PyTorch's `StackDataset`).
 *
 * @example
 * ```ts
 * import { ListDataset, ZipDataset } from '@bp/data'
 * new ZipDataset(new ListDataset([1, 2]), new ListDataset(['one', 'two'])).get(1) // => [2, two]
 * ```
 */
export class ZipDataset<const D extends readonly Dataset<unknown>[]> implements Dataset<SamplesOf<D>> {
  readonly datasets: D
  readonly length: number

  constructor(...datasets: D) {
    if (datasets.length === 0) fail('value', 'ZipDataset', 'needs at least one dataset')
    this.datasets = datasets
    this.length = datasets[0]!.length
    const odd = datasets.findIndex(({ length }) => length !== this.length)
    if (odd >= 0) fail('shape', 'ZipDataset', `dataset 0 has ${this.length} samples and dataset ${odd} has ${datasets[odd]!.length}. Take a Subset of the longer ones`)
  }

  get prefetch(): number {
    return mostAhead(this.datasets)
  }

  get(index: number, epoch = 0): SamplesOf<D> {
    checkIndex('ZipDataset', index, this.length)
    return together(this.datasets.map(dataset => sampleOf(dataset, index, epoch))) as SamplesOf<D>
  }

  getBatch(indices: readonly number[], epoch: number): MaybePromise<Stacked<Awaited<SamplesOf<D>>>> {
    return together(this.datasets.map(dataset => batchOf(dataset, indices, epoch))) as MaybePromise<Stacked<Awaited<SamplesOf<D>>>>
  }
}

/**
 * A dataset whose samples are kept once they have been made. What was random in a sample stays as it was.
 *
 * @example
 * ```ts
 * import { CachedDataset } from '@bp/data'
 * let reads = 0
 * const slow = { length: 1, get: () => ++reads }
 * const cached = new CachedDataset(slow)
 * cached.get(0) + cached.get(0) // => 2
 * ```
 */
export class CachedDataset<T> implements Dataset<T> {
  readonly dataset: Dataset<T>
  private readonly kept = new Map<number, T>()

  constructor(dataset: Dataset<T>) {
    this.dataset = dataset
  }

  get length(): number {
    return this.dataset.length
  }

  get(index: number, epoch = 0): T {
    if (this.kept.has(index)) return this.kept.get(index)!
    const sample = this.dataset.get(index, epoch)
    this.kept.set(index, sample)
    // what failed is tried again
    if (isPromise(sample)) sample.catch(() => { this.kept.delete(index) })
    return sample
  }
}
