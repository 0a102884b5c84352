// @bp/backend-cpu: tensors in typed arrays, computed in TypeScript; runs wherever JavaScript does.

import type { Backend } from '@bp/core'
import { allocate } from '@bp/core/extend'
import type { KernelTable } from '@bp/ops/extend'
import { conv, convInput, convWeight, dot } from './contract.ts'
import { gather, scatterAdd } from './indexing.ts'
import { maps } from './maps.ts'
import { amax, argMax, argSort, cumSum, sumTo } from './reduce.ts'
import { fill, iota, randomBits } from './source.ts'
import type { CpuStorage } from './storage.ts'
import { broadcastTo, concat, flip, pad, share, slice, transpose } from './view.ts'
import { poolArgMax } from './windows.ts'

export type { CpuStorage } from './storage.ts'

const kernels = {
  ...maps,
  fill, iota, randomBits,
  broadcastTo, reshape: share, detach: share, transpose, slice, pad, concat, flip,
  sumTo, amax, argMax, argSort, cumSum,
  dot, conv, convInput, convWeight,
  gather, scatterAdd, poolArgMax,
} satisfies KernelTable<CpuStorage>

/**
 * The CPU backend: float64, float32, int32, uint8 and bool throughout, int64 for arithmetic and movement. Reads are
 * synchronous; nothing needs to be disposed of.
 *
 * @example
 * ```ts
 * import { tensor, use } from '@bp/core'
 * import { cpu } from '@bp/backend-cpu'
 * use(cpu())
 * tensor([1, 2]).backend.name // => cpu
 * ```
 */
export const cpu = (): Backend<CpuStorage> => backend

/* One for all: it has no state, so tensors from any two calls work together. */
const backend: Backend<CpuStorage> = {
  name: 'cpu',
  write(data, aval) {
    const storage = allocate(aval.dtype, data.length)
    storage.set(data as never)
    return storage
  },
  read: storage => Promise.resolve(storage.slice()),
  readSync: storage => storage.slice(),
  bytes: storage => storage.byteLength,
  kernels,
}
