// The backend: memory, and the table of kernels, which does not compile where one is missing.

import type { Backend, TypedArray } from '@bp/core'
import { allocate, type Aval } from '@bp/core/extend'
import type { KernelTable } from '@bp/ops/extend'
import { conv, convInput, convWeight, dot } from './contract.ts'
import { gather, scatterAdd } from './indexing.ts'
import { maps } from './maps.ts'
import { amax, argMax, argSort, cumSum, poolArgMax, sumTo } from './reduce.ts'
import { fill, iota, randomBits } from './sources.ts'
import { dense, listOf, roundingOf, type View } from './view.ts'
import { broadcastTo, concat, detach, flip, pad, reshape, slice, transpose } from './views.ts'

const kernels = {
  ...maps,
  reshape, detach, broadcastTo, transpose, slice, flip, pad, concat,
  sumTo, amax, argMax, argSort, cumSum, poolArgMax,
  dot, conv, convInput, convWeight,
  gather, scatterAdd,
  fill, iota, randomBits,
} satisfies KernelTable<View>

function readSync(storage: View, { shape, dtype }: Aval): TypedArray {
  const list = listOf(storage, shape)
  const data = allocate(dtype, list.length)
  data.set(list as never)
  return data
}

/**
 * A backend of plain lists of numbers: float64, float32, int32, uint8 and bool. Transposing, slicing, reversing and repeating
 * copy nothing.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { transpose } from '@bp/ops'
 * import { plain } from '@acme/plain-backend'
 * transpose(tensor([[1, 2], [3, 4]], { backend: plain() })) // => tensor([[1, 3], [2, 4]], float32)
 * ```
 */
export const plain = (): Backend<View> => backend

const backend: Backend<View> = {
  name: 'plain',
  write(data, { shape, dtype }) {
    const round = roundingOf(dtype)
    return dense(Float64Array.from(data as ArrayLike<number>, round), shape)
  },
  read: (storage, aval) => Promise.resolve(readSync(storage, aval)),
  readSync,
  bytes: ({ data }) => 8 * data.length,
  kernels,
}
