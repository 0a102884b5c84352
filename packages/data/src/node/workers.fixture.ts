// Datasets that the tests of worker threads make in threads.

import { type NdArray, ndarray } from '../array.ts'
import type { Dataset } from '../dataset.ts'
import { MapDataset } from '../datasets/map.ts'
import { TensorDataset } from '../datasets/tensor.ts'
import { RandomStream } from '../random.ts'

/** Rows with random numbers of their own in each epoch. */
export function noisy(length: number): Dataset<[NdArray, NdArray]> {
  const random = new RandomStream(3)
  const rows = new TensorDataset(ndarray(Array.from({ length: length * 3 }, () => random.uniform()), [length, 3]), Int32Array.from({ length }, (_, i) => i))
  return new MapDataset(rows, ([x, y], stream) => [ndarray(Array.from(x.data as Float32Array, value => value + stream.uniform())), y], { seed: 5 })
}

/** Fails at one index. */
export const broken = (at: number): Dataset<number> => ({ length: 20, get: i => {
  if (i === at) throw new Error('the file is damaged')
  return i
} })

/** Takes its thread along at one index. */
export const fatal = (at: number): Dataset<number> => ({ length: 20, get: i => i === at ? process.exit(3) : i })

/** Cannot be made. */
export const impossible = (): Dataset<number> => { throw new Error('no such folder') }

/** Is none. */
export const nothing = (): number => 7
