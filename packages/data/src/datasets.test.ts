// Datasets, what becomes of samples in a batch, samplers and splits.

import { tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { beforeEach, describe, expect, it } from 'vitest'
import { classIndex, ndarray } from './array.ts'
import { collate } from './collate.ts'
import { CachedDataset, ConcatDataset, Subset, ZipDataset } from './datasets/combine.ts'
import { MapDataset } from './datasets/map.ts'
import { ListDataset, TensorDataset } from './datasets/tensor.ts'
import { RandomStream } from './random.ts'
import { BatchSampler, DistributedSampler, RandomSampler, SubsetRandomSampler, WeightedRandomSampler } from './samplers.ts'
import { randomSplit, trainTestSplit } from './split.ts'

beforeEach(() => { use(cpu()) })

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

describe('collate', () => {
  it('stacks every kind of leaf, in tuples and records', () => {
    expect(String(collate([[1, true], [2.5, false]]))).toBe('tensor([1, 2.5], float32),tensor([true, false], bool)')
    expect(String(collate([1n, 2n]))).toBe('tensor([1, 2], int64)')
    expect(String(collate([tensor([1, 2]), tensor([3, 4])]))).toBe('tensor([[1, 2], [3, 4]], float32)')
    expect(collate([{ a: Uint8Array.of(1), b: ['x', classIndex(3)] as const }, { a: Uint8Array.of(2), b: ['y', classIndex(4)] as const }])).toMatchObject({ b: [['x', 'y'], { shape: [2], dtype: 'int32' }] })
    expect(collate([ndarray([1.5], [1], 'float16'), ndarray([2], [1], 'float16')]).toArray()).toEqual([[1.5], [2]])
  })

  it('says which sample is unlike the first', () => {
    expect(() => collate([[new Float32Array(2), 1], [new Float32Array(3), 1]])).toThrowErrorMatchingInlineSnapshot('[BpError: collate: sample[0] is f32[2] in the first sample of the batch and f32[3] in sample 1. Crop, resize, pad or cast samples to one shape and type, or give a collate function of your own]')
    expect(() => collate<unknown>([{ x: 1 }, { y: 1 }])).toThrowErrorMatchingInlineSnapshot('[BpError: collate: sample.x is a number in the first sample of the batch and undefined in sample 1. Give all samples one form, or a collate function of your own]')
    expect(() => collate<unknown>([[1, 2], [1]])).toThrowErrorMatchingInlineSnapshot('[BpError: collate: sample is a list of 2 in the first sample of the batch and a list of 1 in sample 1. Give all samples one form, or a collate function of your own]')
    expect(() => collate<unknown>([null])).toThrowErrorMatchingInlineSnapshot('[BpError: collate: sample is null, which has no batch. Give arrays, numbers, strings, tuples or records, or a collate function of your own]')
    expect(() => collate([])).toThrowErrorMatchingInlineSnapshot('[BpError: collate: a batch of no samples. Give batches of at least one]')
  })
})

describe('datasets', () => {
  it('refuse what does not fit together, and indices out of range', () => {
    expect(() => new TensorDataset(tensor([[1], [2]]), new Int32Array(3))).toThrowErrorMatchingInlineSnapshot('[BpError: TensorDataset: array 0 has 2 rows and array 1 has 3. Every array needs a row for each sample]')
    expect(() => new TensorDataset(tensor(1))).toThrowErrorMatchingInlineSnapshot('[BpError: TensorDataset: needs arrays with at least one axis. Give numbers as an array]')
    expect(() => new TensorDataset(new Int32Array(3)).getBatch([3])).toThrowErrorMatchingInlineSnapshot('[BpError: TensorDataset: the index must be a whole number from 0 to 2, got 3]')
    expect(() => new Subset(new ListDataset([1]), [1])).toThrowErrorMatchingInlineSnapshot('[BpError: Subset: the index must be a whole number from 0 to 0, got 1]')
    expect(() => new ZipDataset(new ListDataset([1]), new ListDataset([]))).toThrowErrorMatchingInlineSnapshot('[BpError: ZipDataset: dataset 0 has 1 samples and dataset 1 has 0. Take a Subset of the longer ones]')
    expect(() => new ConcatDataset(new ListDataset([1]), new ListDataset([2])).get(2)).toThrowErrorMatchingInlineSnapshot('[BpError: ConcatDataset: the index must be a whole number from 0 to 1, got 2]')
    expect(() => new ListDataset([]).get(0)).toThrowErrorMatchingInlineSnapshot('[BpError: ListDataset: no index is in range, for it is empty, got 0]')
    expect(range(3).map(i => new ConcatDataset(new ListDataset(['a']), new ListDataset<string>([]), new ListDataset(['b', 'c'])).get(i))).toEqual(['a', 'b', 'c'])
  })

  it('draw alike for one seed, epoch and index, and otherwise not', () => {
    const draws = (seed: number) => new MapDataset(new ListDataset(range(3)), (_, random) => random.next(), { seed })
    expect(draws(1).get(2, 5)).toBe(draws(1).get(2, 5))
    expect(new Set([draws(1).get(2, 5), draws(2).get(2, 5), draws(1).get(1, 5), draws(1).get(2, 6)]).size).toBe(4)
    const twice = new MapDataset(new MapDataset(new ListDataset([0]), (_, random) => random.next()), (first, random) => [first, random.next()])
    expect(twice.get(0)[0]).not.toBe(twice.get(0)[1])
  })

  it('are cached until making a sample fails', async () => {
    let calls = 0
    const cached = new CachedDataset({ length: 1, get: () => ++calls === 1 ? Promise.reject(new Error('once')) : Promise.resolve(calls) })
    await expect(cached.get(0)).rejects.toThrow('once')
    expect(await cached.get(0)).toBe(2)
    expect(await cached.get(0)).toBe(2)
  })
})

describe('random streams', () => {
  it('are Philox words with the epoch, index and purpose as counter', () => {
    // of counters (0, 1, 2, 3) and (1, 1, 2, 3) with key (seed, 0), by whole-number arithmetic in Python
    const stream = new RandomStream(0x12345678, 1, 2, 3)
    expect(range(5).map(() => stream.next())).toEqual([1092017368, 2999723725, 2409258901, 4223079413, 3641931285])
  })

  it('are even: every residue and every permutation as often as the others', () => {
    const stream = new RandomStream(3)
    const counts = new Array<number>(6).fill(0)
    const orders = new Map<string, number>()
    for (let i = 0; i < 12000; i++) {
      counts[stream.int(6)]!++
      const order = String(stream.permutation(3))
      orders.set(order, (orders.get(order) ?? 0) + 1)
    }
    // χ² with 5 degrees of freedom is below 20.5 in 999 of 1000 draws (Abramowitz & Stegun 1964, table 26.8)
    const chi2 = (all: readonly number[]): number => all.reduce((sum, n) => sum + (n - 2000) ** 2 / 2000, 0)
    expect(chi2(counts)).toBeLessThan(20.5)
    expect(orders.size).toBe(6)
    expect(chi2([...orders.values()])).toBeLessThan(20.5)
    expect(() => new RandomStream(0.5)).toThrowErrorMatchingInlineSnapshot('[BpError: RandomStream: the seed must be a whole number that fits 32 bits, got 0.5]')
  })
})

describe('samplers', () => {
  it('go on from their state', () => {
    const makers = [
      () => new RandomSampler(9, { seed: 1 }),
      () => new RandomSampler(9, { seed: 1, replacement: true, numSamples: 20 }),
      () => new SubsetRandomSampler([3, 5, 7, 9]),
      () => new WeightedRandomSampler(range(9), 5, { replacement: false }),
      () => new BatchSampler(new RandomSampler(9), 2, true),
      () => new DistributedSampler(9, { replicas: 2, rank: 1 }),
    ]
    for (const make of makers) {
      const sampler = make()
      const first = [...sampler]
      const state = sampler.stateDict()
      const second = [...sampler]
      expect(second).not.toEqual(first)
      expect(second).toHaveLength(sampler.length)
      const other = make()
      other.loadStateDict(state as never)
      expect([...other]).toEqual(second)
    }
  })

  it('draw further permutations where more is asked for', () => {
    const drawn = [...new RandomSampler(4, { numSamples: 10 })]
    expect(drawn.slice(0, 4).sort()).toEqual(range(4))
    expect(drawn.slice(4, 8).sort()).toEqual(range(4))
    expect(drawn).toHaveLength(10)
  })

  it('draw by weight', () => {
    const counts = [0, 0, 0]
    for (const i of new WeightedRandomSampler([1, 0, 3], 8000)) counts[i]!++
    expect(counts[1]).toBe(0)
    // 2000 expected; four standard deviations of 39
    expect(Math.abs(counts[0]! - 2000)).toBeLessThan(160)
    expect([...new WeightedRandomSampler([1, 0, 3, 0.5], 3, { replacement: false })].sort()).toEqual([0, 2, 3])
    // the heavier comes first in 3 of 4
    let heavyFirst = 0
    const once = new WeightedRandomSampler([1, 3], 2, { replacement: false })
    for (let i = 0; i < 4000; i++) if ([...once][0] === 1) heavyFirst++
    expect(Math.abs(heavyFirst - 3000)).toBeLessThan(110)
    expect(() => new WeightedRandomSampler([1, 0], 2, { replacement: false })).toThrowErrorMatchingInlineSnapshot('[BpError: WeightedRandomSampler: cannot draw 2 indices of 1 with a weight above 0. Draw with replacement, or fewer]')
    expect(() => new WeightedRandomSampler([1, -1], 2)).toThrowErrorMatchingInlineSnapshot('[BpError: WeightedRandomSampler: weight 1 must be a number of at least 0, got -1]')
  })

  it('share what there is as PyTorch 2.15 does', () => {
    const shares = (count: number, replicas: number, dropLast: boolean): number[][] => range(replicas).map(rank => [...new DistributedSampler(count, { replicas, rank, shuffle: false, dropLast })])
    expect(shares(7, 3, false)).toEqual([[0, 3, 6], [1, 4, 0], [2, 5, 1]])
    expect(shares(7, 3, true)).toEqual([[0, 3], [1, 4], [2, 5]])
    expect(shares(2, 5, false)).toEqual([[0], [1], [0], [1], [0]])
    const shuffled = range(3).flatMap(rank => [...new DistributedSampler(9, { replicas: 3, rank })])
    expect(shuffled.sort()).toEqual(range(9))
    expect(() => new DistributedSampler(7, { replicas: 2, rank: 2 })).toThrowErrorMatchingInlineSnapshot('[BpError: DistributedSampler: rank must be from 0 to replicas − 1, got rank 2 of 2]')
  })
})

describe('splits', () => {
  const lengths = (parts: readonly { readonly length: number }[]): number[] => parts.map(({ length }) => length)

  it('have the lengths of PyTorch 2.15, and every sample once', () => {
    expect(lengths(randomSplit(new ListDataset(range(10)), [0.35, 0.35, 0.3]))).toEqual([4, 3, 3])
    expect(lengths(randomSplit(new ListDataset(range(11)), [0.25, 0.25, 0.25, 0.25]))).toEqual([3, 3, 3, 2])
    const parts = randomSplit(new ListDataset(range(10)), [7, 3], { seed: 5 })
    expect(lengths(parts)).toEqual([7, 3])
    expect(parts.flatMap(part => range(part.length).map(i => part.get(i))).sort()).toEqual(range(10))
    expect(() => randomSplit(new ListDataset(range(10)), [7, 2])).toThrowErrorMatchingInlineSnapshot('[BpError: randomSplit: the lengths [7, 2] add up to 9. Give whole numbers that add up to the dataset\'s 10 samples, or fractions that add up to 1]')
  })

  it('keep the proportions of classes', () => {
    const labels = [...new Array<number>(50).fill(0), ...new Array<number>(30).fill(1), ...new Array<number>(7).fill(2)]
    const [train, test] = trainTestSplit(new ListDataset(labels), { test: 20, stratify: labels, seed: 3 })
    const counts = (part: Subset<number>): number[] => range(3).map(c => range(part.length).filter(i => part.get(i) === c).length)
    // shares of 20 are 11.49, 6.90 and 1.61
    expect(counts(test)).toEqual([11, 7, 2])
    expect(counts(train)).toEqual([39, 23, 5])
    expect(lengths(trainTestSplit(new ListDataset(labels)))).toEqual([65, 22])
    expect(() => trainTestSplit(new ListDataset([1, 2]), { test: 3 })).toThrowErrorMatchingInlineSnapshot('[BpError: trainTestSplit: test must be a fraction below 1 or a number of the 2 samples, got 3]')
  })
})
