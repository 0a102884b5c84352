// @bp/backend-cpu: tensors in typed arrays, computed in TypeScript; runs wherever JavaScript does.

import type { Backend } from '@bp/core'
import { allocate, type Program, throughFloat32 } from '@bp/core/extend'
import type { KernelTable } from '@bp/ops/extend'
import { conv, convInput, convWeight, dot } from './contract.ts'
import { sharedEngine, snapshot } from './engine.ts'
import { lower } from './program/lower.ts'
import { gather, scatterAdd } from './indexing.ts'
import { maps } from './maps.ts'
import { amax, argMax, argSort, cumSum, sumTo } from './reduce.ts'
import { fill, iota, randomBits } from './source.ts'
import type { CpuKernel, CpuStorage } from './storage.ts'
import { broadcastTo, concat, flip, pad, share, slice, transpose } from './view.ts'
import { poolArgMax } from './windows.ts'

export type { CpuStorage } from './storage.ts'

/* What computes goes through float32 in float16; what only moves elements moves the bits. */
const kernels = {
  ...throughAll(maps),
  ...throughAll({ fill, iota, sumTo, amax, argMax, argSort, cumSum, dot, conv, convInput, convWeight, scatterAdd, poolArgMax }),
  randomBits, broadcastTo, reshape: share, detach: share, transpose, slice, pad, concat, flip, gather,
} satisfies KernelTable<CpuStorage>

function throughAll<T extends Record<string, CpuKernel<never>>>(table: T): T {
  return Object.fromEntries(Object.entries(table).map(([name, kernel]) => [name, throughFloat32(kernel)])) as unknown as T
}

/**
 * The CPU backend: float64, float32, int32, uint8 and bool throughout, float16 stored as such and computed in float32, int64
 * for arithmetic and movement. Reads are
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
  snapshot,
  bytes: storage => storage.byteLength,
  kernels,
  lower(graph, options) {
    const engine = sharedEngine()
    if (!engine) return null
    engine.backend = backend
    return lower(engine, graph, options) as Program<CpuStorage> | null
  },
}
