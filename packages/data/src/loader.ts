// DataLoader: batches of a dataset, in an order that can be gone on from.

import { fail } from '@bp/core/extend'
import type { Json, Stateful } from '@bp/nn'
import { type Collated, type Stacked, stackSamples, toTensors } from './collate.ts'
import { batchOf, type Dataset, isPromise, type IterableDataset, type MaybePromise, samplesOf, together, whenReady } from './dataset.ts'
import { BatchSampler, inGroups, isStateful, RandomSampler, SequentialSampler } from './samplers.ts'

/** Options of {@link DataLoader}. */
export interface DataLoaderOptions<T, B> {
  /** Samples in a batch; 1 unless given. */
  readonly batchSize?: number
  /** A new random order each epoch, from `seed`. */
  readonly shuffle?: boolean
  /** Of the orders that `shuffle` makes; 0 unless given. */
  readonly seed?: number
  /** The order of the samples: any indices that can be iterated once an epoch. Not together with `shuffle`. */
  readonly sampler?: Iterable<number> & { readonly length?: number }
  /** The indices of each batch. Not together with `batchSize`, `shuffle`, `sampler` and `dropLast`. */
  readonly batchSampler?: Iterable<readonly number[]> & { readonly length?: number }
  /** Leaves out the last batch where it would be smaller. */
  readonly dropLast?: boolean
  /** Makes a batch of samples; `collate` unless given. */
  readonly collate?: (samples: Awaited<T>[]) => B
  /** How many batches to ask for ahead in `for await`: what the dataset suggests unless given, 2 a worker, and otherwise 0. */
  readonly prefetch?: number
}

/** What a checkpoint keeps of a {@link DataLoader}: where it is, as JSON. */
export interface DataLoaderState {
  readonly epoch: number
  /** Batches of the epoch that have been given out. */
  readonly batch: number
  /** The sampler's state at the beginning of the epoch. */
  readonly sampler: Json
  readonly batchSize: number
  /** Samples in the dataset; `null` where that is not known. */
  readonly samples: number | null
}

/**
 * Batches of a dataset, as PyTorch's: each `for` is an epoch. By `for await` always, by `for` where samples are not promises.
 *
 * `stateDict()` may be called at any time. Loaded into a loader made alike, the next `for` gives the rest of the epoch: exactly
 * the batches that had not been given out. After `break`, a state still tells where that was, and the next `for` begins the next
 * epoch. Of an {@link IterableDataset} the samples that had been given out are made again and skipped.
 *
 * @example
 * ```ts
 * import { DataLoader, ListDataset } from '@bp/data'
 * const make = () => new DataLoader(new ListDataset([1, 2, 3, 4, 5]), { batchSize: 2, shuffle: true, seed: 1 })
 * const loader = make()
 * loader.length // => 3
 * const [, second, third] = [...make()].map(String)
 * for (const batch of loader) break
 * const resumed = make()
 * resumed.loadStateDict(loader.stateDict())
 * String([...resumed]) === String([second, third]) // => true
 * ```
 */
export class DataLoader<T, B = Collated<Awaited<T>>> implements Iterable<B>, AsyncIterable<B>, Stateful {
  readonly dataset: Dataset<T> | IterableDataset<T>
  readonly batchSize: number
  private readonly dropLast: boolean
  private readonly collate: ((samples: Awaited<T>[]) => B) | undefined
  private readonly prefetch: number
  /** `null` for an iterable dataset. */
  private readonly batches: Iterable<readonly number[]> & { readonly length?: number } | null
  /** The epoch that is being given out, or the next. */
  private at: { readonly epoch: number; batch: number; readonly sampler: Json }
  /** Whether it has begun, so that the next `for` begins another. */
  private begun = false

  constructor(dataset: Dataset<T> | IterableDataset<T>, options: DataLoaderOptions<T, B> = {}) {
    check(dataset, options)
    const { batchSize = 1, shuffle = false, seed = 0, sampler, batchSampler, dropLast = false, collate, prefetch } = options
    this.dataset = dataset
    this.batchSize = batchSize
    this.dropLast = dropLast
    this.collate = collate
    this.prefetch = prefetch ?? (isIterable(dataset) ? 0 : dataset.prefetch ?? 0)
    this.batches = isIterable(dataset) ? null : batchSampler ?? new BatchSampler(sampler ?? (shuffle ? new RandomSampler(dataset, { seed }) : new SequentialSampler(dataset)), batchSize, dropLast)
    this.at = { epoch: 0, batch: 0, sampler: this.samplerState() }
  }

  /** Batches in an epoch. Throws where the dataset or the sampler does not know. */
  get length(): number {
    return this.batches?.length ?? fail('value', 'DataLoader', `the ${this.batches ? 'batch sampler' : 'dataset'} has no length, so that the number of batches is not known. Count them as they come`)
  }

  stateDict(): DataLoaderState {
    return { ...this.at, batchSize: this.batchSize, samples: this.samples() }
  }

  loadStateDict(state: DataLoaderState): void {
    const { epoch, batch, sampler, batchSize, samples }: Partial<DataLoaderState> = state
    if (!isCount(epoch) || !isCount(batch)) fail('data', 'DataLoader', `no state of a loader: ${JSON.stringify(state)}. Give what stateDict returned`)
    if (batchSize !== this.batchSize || samples !== this.samples()) {
      fail('data', 'DataLoader', `the state is of a loader with batchSize ${String(batchSize)} over ${samples ?? 'any number of'} samples, this one has batchSize ${this.batchSize} over ${this.samples() ?? 'any number of'}. Make it as the one that was saved`)
    }
    if (this.batches && isStateful(this.batches)) this.batches.loadStateDict(sampler as never)
    this.at = { epoch, batch, sampler }
    this.begun = false
  }

  * [Symbol.iterator](): Generator<B, void, undefined> {
    const { at, end } = this.begin()
    for (const make of this.makers(at.epoch, at.batch)) {
      const batch = make()
      if (isPromise(batch)) {
        batch.catch(ignore)
        fail('value', 'DataLoader', 'its samples are promises. Iterate by `for await`')
      }
      at.batch++
      yield batch
    }
    end()
  }

  async* [Symbol.asyncIterator](): AsyncGenerator<B, void, undefined> {
    const { at, end } = this.begin()
    const samples = isIterable(this.dataset) ? this.dataset.iterate(at.epoch) : []
    for await (const batch of Symbol.asyncIterator in samples ? this.stream(samples, at.batch) : this.ahead(at.epoch, at.batch)) {
      at.batch++
      yield batch
    }
    end()
  }

  /** Begins an epoch, or goes on with the one that was loaded. */
  private begin(): { readonly at: { readonly epoch: number; batch: number }; readonly end: () => void } {
    if (this.begun) this.at = { epoch: this.at.epoch + 1, batch: 0, sampler: this.samplerState() }
    this.begun = true
    const { at } = this
    const end = (): void => {
      // unless another has begun meanwhile
      if (this.at !== at) return
      this.at = { epoch: at.epoch + 1, batch: 0, sampler: this.samplerState() }
      this.begun = false
    }
    return { at, end }
  }

  /** What makes each batch of an epoch when it is called. */
  private* makers(epoch: number, skip: number): Generator<() => MaybePromise<B>, void, undefined> {
    const { dataset } = this
    let count = 0
    if (isIterable(dataset)) {
      const samples = dataset.iterate(epoch)
      if (!(Symbol.iterator in samples)) return fail('value', 'DataLoader', 'its samples come one by one as promises. Iterate by `for await`')
      for (const group of inGroups(samples, this.batchSize, this.dropLast)) if (count++ >= skip) yield () => whenReady(together(group), this.finish)
    } else {
      for (const indices of this.batches!) if (count++ >= skip) yield () => this.fetch(dataset, indices, epoch)
    }
  }

  /** Batches that are asked for before they are due; what fails does so in its turn. */
  private async* ahead(epoch: number, skip: number): AsyncGenerator<B, void, undefined> {
    const makers = this.makers(epoch, skip)
    const queue: Promise<B>[] = []
    try {
      for (;;) {
        while (queue.length <= this.prefetch) {
          const next = makers.next()
          if (next.done) break
          const batch = (async () => next.value())()
          // a batch that nobody waits for any more may fail
          batch.catch(ignore)
          queue.push(batch)
        }
        const batch = queue.shift()
        if (!batch) return
        yield await batch
      }
    } finally {
      makers.return()
    }
  }

  private async* stream(samples: AsyncIterable<T>, skip: number): AsyncGenerator<B, void, undefined> {
    let count = 0
    let group: Awaited<T>[] = []
    for await (const sample of samples) {
      group.push(sample)
      if (group.length < this.batchSize) continue
      if (count++ >= skip) yield this.finish(group)
      group = []
    }
    if (group.length > 0 && !this.dropLast && count >= skip) yield this.finish(group)
  }

  private fetch(dataset: Dataset<T>, indices: readonly number[], epoch: number): MaybePromise<B> {
    return this.collate ? whenReady(samplesOf(dataset, indices, epoch), this.finish) : whenReady(batchOf(dataset, indices, epoch), toBatch<T, B>)
  }

  private readonly finish = (samples: Awaited<T>[]): B => this.collate ? this.collate(samples) : toBatch(stackSamples(samples))

  private samplerState(): Json {
    return this.batches && isStateful(this.batches) ? this.batches.stateDict() as Json : null
  }

  private samples(): number | null {
    return isIterable(this.dataset) ? null : this.dataset.length
  }
}

/** Without a collate function of its own, a loader's B is what is collated. */
const toBatch = <T, B>(batch: Stacked<Awaited<T>>): B => toTensors<Awaited<T>>(batch) as B

const ignore = (): void => undefined

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const isIterable = <T>(dataset: Dataset<T> | IterableDataset<T>): dataset is IterableDataset<T> => 'iterate' in dataset

function check<T, B>(dataset: Dataset<T> | IterableDataset<T>, options: DataLoaderOptions<T, B>): void {
  const { batchSize = 1, prefetch = 0 } = options
  if (!Number.isInteger(batchSize) || batchSize < 1) fail('value', 'DataLoader', `batchSize must be a whole number above 0, got ${batchSize}`)
  if (!Number.isInteger(prefetch) || prefetch < 0) fail('value', 'DataLoader', `prefetch must be a whole number of at least 0, got ${prefetch}`)
  const given = (names: readonly (keyof DataLoaderOptions<T, B>)[]): string | undefined => names.find(name => options[name] !== undefined && options[name] !== false)
  const refuse = (name: string | undefined, why: string): void => { if (name) fail('value', 'DataLoader', `${name} cannot be given with ${why}`) }
  if (isIterable(dataset)) refuse(given(['shuffle', 'sampler', 'batchSampler']), 'an iterable dataset, which has its own order. Shuffle in the dataset, or make it a Dataset with get and length')
  if (options.batchSampler) refuse(given(['batchSize', 'shuffle', 'sampler', 'dropLast']), 'batchSampler, which decides it already. Leave one of them out')
  if (options.sampler) refuse(given(['shuffle']), 'sampler, which decides the order already. Leave one of them out')
}
