// A dataset seen through a function, which may draw random numbers.

import { checkIndex, type Dataset, type MaybePromise, whenReady } from '../dataset.ts'
import { purposes, RandomStream } from '../random.ts'

/** Options of {@link MapDataset}. */
export interface MapOptions {
  /** Of the random numbers that the function draws; 0 unless given. */
  readonly seed?: number
}

/**
 * Each sample of a dataset put through a function when it is asked for. The function's random numbers are a stream of
 * (seed, epoch, index): they do not depend on workers, order or prefetching, and differ from epoch to epoch. Datasets
 * with the same seed draw the same numbers, so that an image and its mask, each mapped in a {@link ZipDataset}, turn alike;
 * one mapped right over another draws its own.
 *
 * @example
 * ```ts
 * import { ListDataset, MapDataset } from '@bp/data'
 * const noisy = new MapDataset(new ListDataset([1, 2]), (x, random) => x + random.uniform(-0.1, 0.1), { seed: 3 })
 * noisy.get(0) === noisy.get(0, 0) // => true
 * noisy.get(0) === noisy.get(0, 1) // => false
 * ```
 */
export class MapDataset<T, U> implements Dataset<T extends Promise<unknown> ? Promise<Awaited<U>> : U> {
  readonly dataset: Dataset<T>
  private readonly f: (sample: Awaited<T>, random: RandomStream) => U
  private readonly seed: number
  /** How many map datasets lie directly under this one. */
  private readonly depth: number

  constructor(dataset: Dataset<T>, f: (sample: Awaited<T>, random: RandomStream) => U, { seed = 0 }: MapOptions = {}) {
    this.dataset = dataset
    this.f = f
    this.seed = seed
    this.depth = dataset instanceof MapDataset ? dataset.depth + 1 : 0
  }

  get length(): number {
    return this.dataset.length
  }

  get prefetch(): number {
    return this.dataset.prefetch ?? 0
  }

  get(index: number, epoch = 0): T extends Promise<unknown> ? Promise<Awaited<U>> : U {
    checkIndex('MapDataset', index, this.length)
    const random = new RandomStream(this.seed, epoch, index, purposes.transform + this.depth)
    return whenReady(this.dataset.get(index, epoch) as MaybePromise<Awaited<T>>, sample => this.f(sample, random)) as T extends Promise<unknown> ? Promise<Awaited<U>> : U
  }
}
