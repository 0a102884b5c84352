// @bp/backend-cpu: tensors in typed arrays, computed in TypeScript op by op, and in WebAssembly when compiled.

import type { Backend } from '@bp/core'
import type { Program } from '@bp/core/extend'
import type { KernelTable } from '@bp/ops/extend'
import { backendOf, throughAll } from './backend.ts'
import { conv, convInput, convWeight, dot } from './contract.ts'
import { sharedEngine } from './engine.ts'
import { gather, scatterAdd } from './indexing.ts'
import { erfMap, maps } from './maps.ts'
import { lower, plan } from './program/lower.ts'
import { amax, argMax, argSort, cumSum, sumTo } from './reduce.ts'
import { fill, iota, randomBits } from './source.ts'
import type { CpuStorage } from './storage.ts'
import { broadcastTo, concat, flip, pad, share, slice, transpose } from './view.ts'
import { poolArgMax } from './windows.ts'

export type { CpuStorage } from './storage.ts'

/* What computes goes through float32 in float16; what only moves elements moves the bits. */
const kernels = {
  ...throughAll({ ...maps, ...erfMap }),
  ...throughAll({ fill, iota, sumTo, amax, argMax, argSort, cumSum, dot, conv, convInput, convWeight, scatterAdd, poolArgMax }),
  randomBits, broadcastTo, reshape: share, detach: share, transpose, slice, pad, concat, flip, gather,
} satisfies KernelTable<CpuStorage>

/**
 * The CPU backend: float64, float32, int32, uint8 and bool throughout, float16 stored as such and computed in float32, int64
 * for arithmetic and movement. Reads are synchronous; nothing needs to be disposed of.
 *
 * Functions that `compile` makes run as WebAssembly, on all threads where memory may be shared; where WebAssembly is
 * forbidden, by the same kernels as op by op.
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

/* One for all: it has no state of its own, so tensors from any two calls work together. */
const backend: Backend<CpuStorage> = /* @__PURE__ */ backendOf(kernels, {
  lower(graph) {
    const engine = sharedEngine()
    if (!engine) return null
    engine.backend = backend
    return lower(engine, graph) as Program<CpuStorage> | null
  },
  plan(graph) {
    const engine = sharedEngine()
    return engine && plan(engine, graph)
  },
})
