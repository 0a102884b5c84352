// What batches are in the types: of tuples, records, promises, and transforms of them.

import type { Tensor } from '@bp/core'
import type { Stateful } from '@bp/nn'
import { expectTypeOf } from 'vitest'
import { at, classIndex, compose, CsvStream, DataLoader, ListDataset, MapDataset, type NdArray, normalize, randomHorizontalFlip, randomSplit, RandomSampler, TensorDataset, toFloat, type WorkerDataset, ZipDataset } from '@bp/data'

declare const x: Tensor
declare const y: Int32Array
declare const remote: WorkerDataset<[NdArray, string]>

const rows = new TensorDataset(x, y)
expectTypeOf(rows.get(0)).toEqualTypeOf<[NdArray, NdArray]>()
const loader = new DataLoader(rows, { batchSize: 2, shuffle: true })
for (const batch of loader) expectTypeOf(batch).toEqualTypeOf<[Tensor, Tensor]>()
for await (const [images, labels] of loader) expectTypeOf([images, labels]).toEqualTypeOf<Tensor[]>()
expectTypeOf(loader).toExtend<Stateful>()
expectTypeOf(new RandomSampler(3)).toExtend<Stateful>()

for (const batch of new DataLoader(new ListDataset([{ pixels: new Float32Array(4), label: classIndex(1), name: 'a' }]))) {
  expectTypeOf(batch).toEqualTypeOf<{ pixels: Tensor; label: Tensor; name: string[] }>()
}
for (const batch of new DataLoader(new ListDataset([1, 2]), { collate: samples => samples.length })) expectTypeOf(batch).toEqualTypeOf<number>()

for await (const batch of new DataLoader(remote)) expectTypeOf(batch).toEqualTypeOf<[Tensor, string[]]>()

const augmented = new MapDataset(rows, at(0, compose(toFloat(), randomHorizontalFlip(), normalize(0.5, 0.25))))
expectTypeOf(augmented.get(0)).toEqualTypeOf<[NdArray, NdArray]>()
const lengths = new MapDataset(rows, at(0, (image: NdArray) => image.shape.length))
expectTypeOf(lengths.get(0)).toEqualTypeOf<[number, NdArray]>()
expectTypeOf(new MapDataset(remote, ([image]) => image).get(0)).toEqualTypeOf<Promise<NdArray>>()

expectTypeOf(new ZipDataset(rows, new ListDataset(['a'])).get(0)).toEqualTypeOf<[[NdArray, NdArray], string]>()
expectTypeOf(new ZipDataset(rows, remote).get(0)).toEqualTypeOf<Promise<[[NdArray, NdArray], [NdArray, string]]>>()

const parts = randomSplit(rows, [0.9, 0.1])
for (const batch of new DataLoader(parts[0]!)) expectTypeOf(batch).toEqualTypeOf<[Tensor, Tensor]>()

const stream = new CsvStream(() => [''], { columns: { age: 'float32', name: 'string', kind: { type: 'category', categories: ['a'] } } })
for await (const batch of new DataLoader(stream)) expectTypeOf(batch).toEqualTypeOf<{ age: Tensor; name: string[]; kind: Tensor }>()

// @ts-expect-error -- the sample has no field 2
new MapDataset(rows, at(2, toFloat()))
// @ts-expect-error -- a dataset of numbers is none of arrays
new DataLoader<NdArray>(new ListDataset([1]))
