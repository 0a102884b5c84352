// Samplers: in which order a loader asks for samples.

import { fail } from '@bp/core/extend'
import type { Stateful } from '@bp/nn'
import { purposes, RandomStream } from './random.ts'

/** What a checkpoint keeps of a sampler. */
export interface SamplerState {
  /** How many orders it has given. */
  readonly epoch: number
  /** What its orders are drawn from; `null` where they are not random. */
  readonly seed: number | null
}

/** Anything with a length, or the length itself. */
export type Sized = number | { readonly length: number }

const lengthOf = (source: Sized): number => typeof source === 'number' ? source : source.length

/**
 * An order of indices, a new one each time it is iterated. An author of one writes `order`, a function of the epoch alone.
 *
 * @example
 * ```ts
 * import { Sampler } from '@bp/data'
 * class Backwards extends Sampler {
 *   length = 3
 *   order() { return [2, 1, 0] }
 * }
 * [...new Backwards()] // => [2, 1, 0]
 * ```
 */
export abstract class Sampler implements Iterable<number>, Stateful {
  /** Which order comes next. Set it to repeat or to skip orders. */
  epoch = 0
  /** How many indices an order has. */
  abstract readonly length: number

  /** What orders are drawn from; `null` unless a sampler says otherwise. */
  protected readonly seed: number | null = null

  /** The indices of an epoch. */
  protected abstract order(epoch: number): Iterable<number>

  stateDict(): SamplerState {
    return { epoch: this.epoch, seed: this.seed }
  }

  loadStateDict(state: SamplerState): void {
    if (!Number.isInteger((state as Partial<SamplerState> | null)?.epoch)) fail('data', this.constructor.name, `the state must have an epoch, got ${JSON.stringify(state)}. Give what stateDict returned`)
    if (state.seed !== this.seed) fail('data', this.constructor.name, `the state is of ${ofSeed(state.seed)}, the sampler gives ${ofSeed(this.seed)}. Make it as the one that was saved`)
    this.epoch = state.epoch
  }

  [Symbol.iterator](): Iterator<number> {
    return this.order(this.epoch++)[Symbol.iterator]()
  }
}

/** 0, 1, … in order. */
export class SequentialSampler extends Sampler {
  readonly length: number

  constructor(source: Sized) {
    super()
    this.length = lengthOf(source)
  }

  protected override* order(): Iterable<number> {
    for (let i = 0; i < this.length; i++) yield i
  }
}

/** Options of {@link RandomSampler}. */
export interface RandomSamplerOptions {
  readonly seed?: number
  /** Draws each index anew from all, so that some come twice; false unless given. */
  readonly replacement?: boolean
  /** How many indices; as many as there are samples unless given. Without replacement, more are taken from further permutations. */
  readonly numSamples?: number
}

/**
 * Indices at random.
 *
 * @example
 * ```ts
 * import { RandomSampler } from '@bp/data'
 * const sampler = new RandomSampler(4, { seed: 1 })
 * const [first, second] = [[...sampler], [...sampler]]
 * first.toSorted() // => [0, 1, 2, 3]
 * String(first) === String(second) // => false
 * ```
 */
export class RandomSampler extends Sampler {
  readonly length: number
  private readonly count: number
  protected override readonly seed: number
  private readonly replacement: boolean

  constructor(source: Sized, { seed = 0, replacement = false, numSamples }: RandomSamplerOptions = {}) {
    super()
    this.count = lengthOf(source)
    this.length = numSamples ?? this.count
    this.seed = seed
    this.replacement = replacement
    if (this.count === 0 && this.length > 0) fail('value', 'RandomSampler', `cannot draw ${this.length} of no samples`)
  }

  protected override* order(epoch: number): Iterable<number> {
    const random = new RandomStream(this.seed, epoch, 0, purposes.order)
    for (let left = this.length; left > 0; left -= this.count) {
      if (this.replacement) for (let i = 0; i < Math.min(left, this.count); i++) yield random.int(this.count)
      else yield* random.permutation(this.count).subarray(0, left)
    }
  }
}

/** The indices given, in random order. */
export class SubsetRandomSampler extends Sampler {
  private readonly indices: readonly number[]
  protected override readonly seed: number

  constructor(indices: readonly number[], { seed = 0 }: { readonly seed?: number } = {}) {
    super()
    this.indices = indices
    this.seed = seed
  }

  get length(): number {
    return this.indices.length
  }

  protected override order(epoch: number): Iterable<number> {
    return new RandomStream(this.seed, epoch, 0, purposes.order).shuffle([...this.indices])
  }
}

/** Options of {@link WeightedRandomSampler}. */
export interface WeightedRandomSamplerOptions {
  readonly seed?: number
  /** Whether an index may come again; true unless given. */
  readonly replacement?: boolean
}

/**
 * Indices drawn by weights, which need not add up to 1: classes of which there are few can be made to come as often as others.
 *
 * @example
 * ```ts
 * import { WeightedRandomSampler } from '@bp/data'
 * [...new WeightedRandomSampler([0, 1, 0], 4)] // => [1, 1, 1, 1]
 * ```
 */
export class WeightedRandomSampler extends Sampler {
  readonly length: number
  private readonly weights: readonly number[]
  protected override readonly seed: number
  private readonly replacement: boolean

  constructor(weights: ArrayLike<number>, numSamples: number, { seed = 0, replacement = true }: WeightedRandomSamplerOptions = {}) {
    super()
    this.weights = Array.from(weights)
    this.length = numSamples
    this.seed = seed
    this.replacement = replacement
    const wrong = this.weights.findIndex(weight => !(weight >= 0 && weight < Infinity))
    if (wrong >= 0) fail('value', 'WeightedRandomSampler', `weight ${wrong} must be a number of at least 0, got ${this.weights[wrong]!}`)
    const positive = this.weights.filter(weight => weight > 0).length
    if (positive < (replacement ? Math.min(1, numSamples) : numSamples)) fail('value', 'WeightedRandomSampler', `cannot draw ${numSamples} indices of ${positive} with a weight above 0. Draw with replacement, or fewer`)
  }

  protected override order(epoch: number): Iterable<number> {
    const random = new RandomStream(this.seed, epoch, 0, purposes.order)
    return this.replacement ? this.again(random) : this.once(random)
  }

  private* again(random: RandomStream): Iterable<number> {
    let total = 0
    const ends = this.weights.map(weight => total += weight)
    for (let i = 0; i < this.length; i++) yield firstAbove(ends, random.uniform(0, total))
  }

  /** The largest u^(1/w), which come as if drawn one after another (Efraimidis & Spirakis 2006), by their logarithms. */
  private once(random: RandomStream): Iterable<number> {
    const keys = this.weights.map(weight => Math.log(1 - random.uniform()) / weight)
    const drawn = keys.map((_, i) => i).filter(i => this.weights[i]! > 0)
    return drawn.sort((i, j) => keys[j]! - keys[i]!).slice(0, this.length)
  }
}

/** The first index whose end is above `x`, which is below the last. */
function firstAbove(ends: readonly number[], x: number): number {
  let low = 0
  let high = ends.length - 1
  while (low < high) {
    const middle = low + high >>> 1
    if (ends[middle]! > x) high = middle
    else low = middle + 1
  }
  return low
}

/** Options of {@link DistributedSampler}. */
export interface DistributedSamplerOptions {
  /** How many readers there are. */
  readonly replicas: number
  /** Which of them this is, from 0. */
  readonly rank: number
  /** true unless given. */
  readonly shuffle?: boolean
  readonly seed?: number
  /** Leaves out what does not divide evenly; otherwise the first samples come again at the end. */
  readonly dropLast?: boolean
}

/**
 * The share of one of several readers: every `replicas`-th index from `rank` on, of an order that all readers have alike.
 *
 * @example
 * ```ts
 * import { DistributedSampler } from '@bp/data'
 * [...new DistributedSampler(5, { replicas: 2, rank: 1, shuffle: false })] // => [1, 3, 0]
 * ```
 */
export class DistributedSampler extends Sampler {
  readonly length: number
  protected override readonly seed: number | null
  private readonly count: number
  private readonly options: DistributedSamplerOptions

  constructor(source: Sized, options: DistributedSamplerOptions) {
    super()
    const { replicas, rank, shuffle = true, seed = 0, dropLast = false } = options
    if (!Number.isInteger(replicas) || replicas < 1 || !Number.isInteger(rank) || rank < 0 || rank >= replicas) fail('value', 'DistributedSampler', `rank must be from 0 to replicas − 1, got rank ${rank} of ${replicas}`)
    this.count = lengthOf(source)
    this.length = dropLast ? Math.floor(this.count / replicas) : Math.ceil(this.count / replicas)
    this.options = options
    this.seed = shuffle ? seed : null
  }

  protected override* order(epoch: number): Iterable<number> {
    const { replicas, rank } = this.options
    const all = this.seed !== null ? new RandomStream(this.seed, epoch, 0, purposes.order).permutation(this.count) : undefined
    for (let i = 0; i < this.length; i++) {
      const at = (i * replicas + rank) % this.count
      yield all ? all[at]! : at
    }
  }
}

/**
 * Indices in groups of `batchSize`.
 *
 * @example
 * ```ts
 * import { BatchSampler, SequentialSampler } from '@bp/data'
 * [...new BatchSampler(new SequentialSampler(5), 2)] // => [[0, 1], [2, 3], [4]]
 * ```
 */
export class BatchSampler implements Iterable<number[]>, Stateful {
  private readonly sampler: Iterable<number> & { readonly length?: number }
  private readonly batchSize: number
  private readonly dropLast: boolean

  constructor(sampler: Iterable<number> & { readonly length?: number }, batchSize: number, dropLast = false) {
    if (!Number.isInteger(batchSize) || batchSize < 1) fail('value', 'BatchSampler', `batchSize must be a whole number above 0, got ${batchSize}`)
    this.sampler = sampler
    this.batchSize = batchSize
    this.dropLast = dropLast
  }

  /** How many batches. */
  get length(): number {
    const { length } = this.sampler
    if (length === undefined) fail('value', 'BatchSampler', 'the sampler has no length, so that the number of batches is not known')
    return this.dropLast ? Math.floor(length / this.batchSize) : Math.ceil(length / this.batchSize)
  }

  [Symbol.iterator](): Iterator<number[]> {
    return inGroups(this.sampler, this.batchSize, this.dropLast)[Symbol.iterator]()
  }

  stateDict(): unknown {
    return isStateful(this.sampler) ? this.sampler.stateDict() : null
  }

  loadStateDict(state: unknown): void {
    if (isStateful(this.sampler)) this.sampler.loadStateDict(state as never)
  }
}

const ofSeed = (seed: number | null): string => seed === null ? 'an order that is not random' : `orders of the seed ${seed}`

/** Items in lists of `size`, the last of which may be shorter. */
export function* inGroups<T>(items: Iterable<T>, size: number, dropLast: boolean): Generator<T[], void, undefined> {
  let group: T[] = []
  for (const item of items) {
    group.push(item)
    if (group.length < size) continue
    yield group
    group = []
  }
  if (group.length > 0 && !dropLast) yield group
}

/** Whether something can be saved and gone on from. */
export const isStateful = (value: object): value is Stateful => 'stateDict' in value && 'loadStateDict' in value
