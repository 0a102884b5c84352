// Iterable datasets made of iterable datasets: mapped, and shuffled as far as a buffer reaches.

import { fail } from '@bp/core/extend'
import type { IterableDataset } from '../dataset.ts'
import { purposes, RandomStream } from '../random.ts'
import type { MapOptions } from './map.ts'

/** Takes a sample in; gives those that come out then. */
type Step<T, U> = (sample: T) => Iterable<U>

/** Samples through a step, and what `rest` still holds at the end: at once where they come at once. */
function through<T, U>(samples: Iterable<T> | AsyncIterable<T>, step: Step<T, U>, rest: () => Iterable<U> = () => []): Iterable<U> | AsyncIterable<U> {
  function* now(source: Iterable<T>): Generator<U, void, undefined> {
    for (const sample of source) yield* step(sample)
    yield* rest()
  }
  async function* later(source: AsyncIterable<T>): AsyncGenerator<U, void, undefined> {
    for await (const sample of source) yield* step(sample)
    yield* rest()
  }
  return Symbol.iterator in samples ? now(samples) : later(samples)
}

/**
 * Each sample of an iterable dataset put through a function, whose random numbers are a stream of (seed, epoch, place in it).
 *
 * @example
 * ```ts
 * import { MapStream } from '@bp/data'
 * const doubled = new MapStream({ iterate: () => [1, 2] }, x => 2 * x)
 * [...doubled.iterate(0) as Iterable<number>] // => [2, 4]
 * ```
 */
export class MapStream<T, U> implements IterableDataset<U> {
  private readonly dataset: IterableDataset<T>
  private readonly f: (sample: T, random: RandomStream) => U
  private readonly seed: number

  constructor(dataset: IterableDataset<T>, f: (sample: T, random: RandomStream) => U, { seed = 0 }: MapOptions = {}) {
    this.dataset = dataset
    this.f = f
    this.seed = seed
  }

  iterate(epoch: number): Iterable<U> | AsyncIterable<U> {
    let place = 0
    return through(this.dataset.iterate(epoch), sample => [this.f(sample, new RandomStream(this.seed, epoch, place++, purposes.transform))])
  }
}

/** Options of {@link ShuffleBuffer}. */
export interface ShuffleBufferOptions {
  /** How many samples it holds: the more, the nearer to an even order. */
  readonly size: number
  readonly seed?: number
}

/**
 * The samples of an iterable dataset in an order that is random as far as a buffer reaches: each that comes takes the place of
 * one drawn from it, which goes out. A new order each epoch.
 *
 * @example
 * ```ts
 * import { ShuffleBuffer } from '@bp/data'
 * const shuffled = new ShuffleBuffer({ iterate: () => [1, 2, 3, 4] }, { size: 2 })
 * [...shuffled.iterate(0) as Iterable<number>].toSorted() // => [1, 2, 3, 4]
 * ```
 */
export class ShuffleBuffer<T> implements IterableDataset<T> {
  private readonly dataset: IterableDataset<T>
  private readonly size: number
  private readonly seed: number

  constructor(dataset: IterableDataset<T>, { size, seed = 0 }: ShuffleBufferOptions) {
    if (!Number.isInteger(size) || size < 1) fail('value', 'ShuffleBuffer', `the size must be a whole number above 0, got ${size}`)
    this.dataset = dataset
    this.size = size
    this.seed = seed
  }

  iterate(epoch: number): Iterable<T> | AsyncIterable<T> {
    const random = new RandomStream(this.seed, epoch, 0, purposes.order)
    const held: T[] = []
    return through(this.dataset.iterate(epoch), sample => {
      if (held.length < this.size) {
        held.push(sample)
        return []
      }
      return held.splice(random.int(this.size), 1, sample)
    }, () => Array.from(random.permutation(held.length), i => held[i]!))
  }
}
