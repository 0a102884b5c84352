// DataLoader: its orders, its place in them, and what it refuses.

import { type Tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { beforeEach, describe, expect, it } from 'vitest'
import { ndarray } from './array.ts'
import type { Dataset, IterableDataset } from './dataset.ts'
import { ConcatDataset, Subset, ZipDataset } from './datasets/combine.ts'
import { MapDataset } from './datasets/map.ts'
import { MapStream, ShuffleBuffer } from './datasets/stream.ts'
import { ListDataset, TensorDataset } from './datasets/tensor.ts'
import { DataLoader, type DataLoaderOptions, type DataLoaderState } from './loader.ts'
import { BatchSampler, RandomSampler, SubsetRandomSampler, WeightedRandomSampler } from './samplers.ts'

beforeEach(() => { use(cpu()) })

const counting: Dataset<number> = { length: 10, get: i => i }
const later: Dataset<Promise<number>> = { length: 10, get: async i => {
  // the later ones are ready first
  await new Promise(done => setTimeout(done, (10 - i) % 4))
  return i
} }
const random = new MapDataset(counting, (x, stream) => x + stream.uniform(), { seed: 2 })

const textsOf = async (batches: AsyncIterable<unknown>): Promise<string[]> => {
  const out: string[] = []
  for await (const batch of batches) out.push(String(batch))
  return out
}
const numbers = (loader: Iterable<Tensor>): number[][] => Array.from(loader, batch => Array.from(batch.dataSync(), Number))

describe('batches', () => {
  it('come in order, the last one shorter or left out', () => {
    expect(numbers(new DataLoader(counting, { batchSize: 4 }))).toEqual([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]])
    const loader = new DataLoader(counting, { batchSize: 4, dropLast: true })
    expect(numbers(loader)).toEqual([[0, 1, 2, 3], [4, 5, 6, 7]])
    expect(loader.length).toBe(2)
  })

  it('come in another order each epoch, the same for the same seed', () => {
    const make = (seed: number): number[][][] => {
      const loader = new DataLoader(counting, { batchSize: 5, shuffle: true, seed })
      return [numbers(loader), numbers(loader)]
    }
    const [first, second] = make(1)
    expect(first!.flat().sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(second).not.toEqual(first)
    expect(make(1)).toEqual([first, second])
    expect(make(2)[0]).not.toEqual(first)
  })

  it('are the same whether samples come now or later, and whatever is asked for ahead', async () => {
    const options = { batchSize: 3, shuffle: true, seed: 4 }
    const want = Array.from(new DataLoader(counting, options), String)
    for (const prefetch of [0, 1, 2, 20]) expect(await textsOf(new DataLoader(later, { ...options, prefetch }))).toEqual(want)
    expect(await textsOf(new DataLoader(counting, { ...options, prefetch: 2 }))).toEqual(want)
  })

  it('are copied at once where a dataset can, with the result of stacking', () => {
    const rows = new TensorDataset(ndarray(Array.from({ length: 20 }, (_, i) => i), [10, 2]), Int32Array.from({ length: 10 }, (_, i) => i))
    const oneByOne: Dataset<ReturnType<typeof rows.get>> = { length: 10, get: i => rows.get(i) }
    const both = [new Subset(rows, [7, 3, 1]), new Subset(oneByOne, [7, 3, 1])].map(dataset => Array.from(new DataLoader(dataset, { batchSize: 2 }), String))
    expect(both[0]).toEqual(both[1])
    const zipped = new ZipDataset(rows, new ListDataset(Array.from('abcdefghij')))
    expect(String([...new DataLoader(zipped, { batchSize: 2, sampler: [3, 1] })][0])).toBe('tensor([[6, 7], [2, 3]], float32),tensor([3, 1], int32),d,b')
    expect(numbers(new DataLoader(new ConcatDataset(counting, counting), { batchSize: 4, sampler: [1, 12, 19, 9] }))).toEqual([[1, 2, 9, 9]])
  })

  it('zip what comes now with what comes later', async () => {
    expect(await textsOf(new DataLoader(new ZipDataset(counting, later), { batchSize: 10 }))).toEqual(['tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], float32),tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], float32)'])
  })

  it('are collated as asked', () => {
    expect([...new DataLoader(counting, { batchSize: 4, collate: samples => samples.join('+') })]).toEqual(['0+1+2+3', '4+5+6+7', '8+9'])
  })
})

describe('a state', () => {
  const kinds: Record<string, () => DataLoaderOptions<number, Tensor>> = {
    'in order': () => ({ batchSize: 3 }),
    shuffled: () => ({ batchSize: 3, shuffle: true, seed: 9 }),
    weighted: () => ({ batchSize: 3, sampler: new WeightedRandomSampler([1, 2, 3, 4], 8, { seed: 1 }) }),
    'of a subset': () => ({ batchSize: 3, sampler: new SubsetRandomSampler([5, 4, 3, 2, 1, 0, 9], { seed: 1 }) }),
    'by a batch sampler': () => ({ batchSampler: new BatchSampler(new RandomSampler(10, { seed: 3 }), 4) }),
    'of batches given': () => ({ batchSampler: [[3, 4], [1], [0, 9]] }),
  }
  for (const [name, options] of Object.entries(kinds)) {
    it(`goes on exactly from any batch, ${name}`, async () => {
      const whole = new DataLoader(random, options())
      const epochs = [[...whole], [...whole], [...whole]].map(batches => batches.map(String))
      const perEpoch = epochs[0]!.length
      for (let stop = 0; stop <= 2 * perEpoch; stop++) {
        const loader = new DataLoader(random, options())
        let state: DataLoaderState = loader.stateDict()
        let given = 0
        for (let epoch = 0; epoch < 2 && given < stop; epoch++) for await (const _ of loader) {
          if (++given === stop) {
            state = loader.stateDict()
            break
          }
        }
        const resumed = new DataLoader(random, { ...options(), prefetch: stop % 3 })
        resumed.loadStateDict(JSON.parse(JSON.stringify(state)) as DataLoaderState)
        const rest = epochs.flat().slice(stop)
        const got: string[] = []
        // a state after the last batch of an epoch leaves an epoch without batches
        while (got.length < rest.length) got.push(...stop % 2 ? await textsOf(resumed) : Array.from(resumed, String))
        expect(got).toEqual(rest)
      }
    })
  }

  it('after break tells where that was, and the next for begins the next epoch', async () => {
    const make = (): DataLoader<number> => new DataLoader(counting, { batchSize: 4, shuffle: true, seed: 1 })
    const whole = make()
    const [first, second] = [numbers(whole), numbers(whole)]
    const loader = make()
    for (const _ of loader) break
    const state = loader.stateDict()
    expect(state).toEqual({ epoch: 0, batch: 1, sampler: { epoch: 0, seed: 1 }, batchSize: 4, samples: 10 })
    expect(numbers(loader)).toEqual(second)
    loader.loadStateDict(state)
    expect(await textsOf(loader)).toEqual(first.slice(1).map(batch => `tensor([${batch.join(', ')}], float32)`))
    expect(numbers(loader)).toEqual(second)
  })

  it('of a loader made otherwise is refused', () => {
    const state = new DataLoader(counting, { batchSize: 4 }).stateDict()
    expect(() => { new DataLoader(counting, { batchSize: 5 }).loadStateDict(state) }).toThrowErrorMatchingInlineSnapshot('[BpError: DataLoader: the state is of a loader with batchSize 4 over 10 samples, this one has batchSize 5 over 10. Make it as the one that was saved]')
    expect(() => { new DataLoader(counting, { batchSize: 4, shuffle: true, seed: 2 }).loadStateDict(state) }).toThrowErrorMatchingInlineSnapshot('[BpError: RandomSampler: the state is of an order that is not random, the sampler gives orders of the seed 2. Make it as the one that was saved]')
    expect(() => { new DataLoader(counting).loadStateDict({} as DataLoaderState) }).toThrowErrorMatchingInlineSnapshot('[BpError: DataLoader: no state of a loader: {}. Give what stateDict returned]')
  })
})

describe('an iterable dataset', () => {
  let open = 0
  const rows = (epoch: number): number[] => Array.from({ length: 7 }, (_, i) => 10 * epoch + i)
  const now: IterableDataset<number> = { * iterate(epoch) {
    open++
    try {
      yield* rows(epoch)
    } finally {
      open--
    }
  } }
  const stream: IterableDataset<number> = { async* iterate(epoch) {
    open++
    try {
      for (const row of rows(epoch)) yield await Promise.resolve(row)
    } finally {
      open--
    }
  } }

  it('gives batches, goes on from a state, and is closed after break', async () => {
    for (const dataset of [now, stream]) {
      const loader = new DataLoader(dataset, { batchSize: 3 })
      const want = ['tensor([0, 1, 2], float32)', 'tensor([3, 4, 5], float32)', 'tensor([6], float32)']
      expect(await textsOf(loader)).toEqual(want)
      let state: DataLoaderState | undefined
      for await (const batch of loader) {
        expect(String(batch)).toBe('tensor([10, 11, 12], float32)')
        state = loader.stateDict()
        break
      }
      expect(open).toBe(0)
      const resumed = new DataLoader(dataset, { batchSize: 3 })
      resumed.loadStateDict(state!)
      expect(await textsOf(resumed)).toEqual(['tensor([13, 14, 15], float32)', 'tensor([16], float32)'])
      expect(await textsOf(new DataLoader(dataset, { batchSize: 3, dropLast: true }))).toEqual(want.slice(0, 2))
    }
    for (const _ of new DataLoader(now)) break
    expect(open).toBe(0)
  })

  it('is mapped and shuffled, in another order each epoch and the same in a run that goes on', async () => {
    const many = Array.from({ length: 100 }, (_, i) => i)
    const kinds: IterableDataset<number>[] = [{ iterate: () => many }, { async* iterate() { for (const i of many) yield await Promise.resolve(i) } }]
    const orders = await Promise.all(kinds.map(async source => {
      const make = (): DataLoader<number> => new DataLoader(new MapStream(new ShuffleBuffer(source, { size: 20, seed: 1 }), (x, stream) => x + stream.int(2) * 1000), { batchSize: 7 })
      const loader = make()
      const epochs = [await textsOf(loader), await textsOf(loader)]
      const resumed = make()
      resumed.loadStateDict({ ...resumed.stateDict(), epoch: 1, batch: 9 })
      expect(await textsOf(resumed)).toEqual(epochs[1]!.slice(9))
      return epochs
    }))
    expect(orders[0]).toEqual(orders[1])
    expect(orders[0]![0]).not.toEqual(orders[0]![1])
    const drawn = [...new ShuffleBuffer(kinds[0]!, { size: 20 }).iterate(0) as Iterable<number>]
    expect(drawn.toSorted((a, b) => a - b)).toEqual(many)
    // nothing comes before it has been read
    expect(drawn.every((value, place) => value <= place + 20)).toBe(true)
    expect(() => new ShuffleBuffer(kinds[0]!, { size: 0 })).toThrowErrorMatchingInlineSnapshot(`[BpError: ShuffleBuffer: the size must be a whole number above 0, got 0]`)
  })

  it('has no order but its own, no length, and no for where it is a stream', () => {
    expect(() => new DataLoader(now, { shuffle: true })).toThrowErrorMatchingInlineSnapshot('[BpError: DataLoader: shuffle cannot be given with an iterable dataset, which has its own order. Shuffle in the dataset, or make it a Dataset with get and length]')
    expect(() => new DataLoader(now).length).toThrowErrorMatchingInlineSnapshot('[BpError: DataLoader: the dataset has no length, so that the number of batches is not known. Count them as they come]')
    expect(() => [...new DataLoader(stream)]).toThrowErrorMatchingInlineSnapshot('[BpError: DataLoader: its samples come one by one as promises. Iterate by `for await`]')
  })
})

describe('errors', () => {
  class Images implements Dataset<number> {
    readonly length = 9
    get(i: number): number {
      if (i === 5) throw new Error('the file is damaged')
      return i
    }
  }

  it('name the sample, and come in their turn', async () => {
    const seen: string[] = []
    const run = async (): Promise<void> => { for await (const batch of new DataLoader(new Images(), { batchSize: 2, prefetch: 4 })) seen.push(String(batch)) }
    await expect(run()).rejects.toThrowErrorMatchingInlineSnapshot('[BpError: Images: sample 5 could not be made: the file is damaged]')
    expect(seen).toHaveLength(2)
    expect(() => [...new DataLoader(new Images(), { batchSize: 2 })]).toThrow('Images: sample 5 could not be made: the file is damaged')
    const failing: Dataset<Promise<number>> = { length: 4, get: i => i === 2 ? Promise.reject(new Error('gone')) : Promise.resolve(i) }
    await expect(textsOf(new DataLoader(failing, { batchSize: 4 }))).rejects.toThrow('dataset: sample 2 could not be made: gone')
  })

  it('of batches that nobody waits for any more are no one\'s', async () => {
    for await (const _ of new DataLoader(new Images(), { batchSize: 2, prefetch: 4 })) break
    await new Promise(done => setTimeout(done, 5))
  })

  it('say what is wrong with the options', () => {
    expect(() => [...new DataLoader(later)]).toThrowErrorMatchingInlineSnapshot('[BpError: DataLoader: its samples are promises. Iterate by `for await`]')
    expect(() => new DataLoader(counting, { batchSize: 0 })).toThrowErrorMatchingInlineSnapshot('[BpError: DataLoader: batchSize must be a whole number above 0, got 0]')
    expect(() => new DataLoader(counting, { batchSampler: [[1]], dropLast: true })).toThrowErrorMatchingInlineSnapshot('[BpError: DataLoader: dropLast cannot be given with batchSampler, which decides it already. Leave one of them out]')
    expect(() => new DataLoader(counting, { sampler: [1], shuffle: true })).toThrowErrorMatchingInlineSnapshot('[BpError: DataLoader: shuffle cannot be given with sampler, which decides the order already. Leave one of them out]')
    expect(() => [...new DataLoader(new ListDataset([1]), { sampler: [1] })]).toThrowErrorMatchingInlineSnapshot('[BpError: ListDataset: sample 1 could not be made: ListDataset: the index must be a whole number from 0 to 0, got 1]')
  })
})
