// @bp/backend-cpu/pick: a CPU backend of chosen kernels, for pages where every kilobyte counts.

import type { Backend } from '@bp/core'
import { backendOf, type CpuKernels, throughAll } from './backend.ts'
import { conv, convInput, convWeight, dot } from './contract.ts'
import { gather, scatterAdd } from './indexing.ts'
import { erfMap, maps } from './maps.ts'
import { amax, argMax, argSort, cumSum, sumTo } from './reduce.ts'
import { fill, iota, randomBits } from './source.ts'
import type { CpuStorage } from './storage.ts'
import { broadcastTo, concat, flip, pad, share, slice, transpose } from './view.ts'
import { poolArgMax } from './windows.ts'

export type { CpuStorage } from './storage.ts'
export type { CpuKernels } from './backend.ts'

/** The ops of one element each: arithmetic, comparisons, elementary functions. */
export const elementwise = (): CpuKernels => throughAll(maps)
/** The error function, which the exact gelu needs. */
export const errorFunction = (): CpuKernels => throughAll(erfMap)
/** Tensors of one number. */
export const constants = (): CpuKernels => throughAll({ fill })
/** Tensors of counted and random numbers. */
export const sources = (): CpuKernels => ({ ...throughAll({ iota }), randomBits })
/** What moves elements, or only says where they are. */
export const views = (): CpuKernels => ({ broadcastTo, reshape: share, detach: share, transpose, slice, pad, concat, flip })
/** Sums, maxima and sorting. */
export const reductions = (): CpuKernels => throughAll({ sumTo, amax, argMax, argSort, cumSum })
/** Matrix products. */
export const products = (): CpuKernels => throughAll({ dot })
/** Convolutions and pooling. */
export const convolutions = (): CpuKernels => throughAll({ conv, convInput, convWeight, poolArgMax })
/** Reading and adding by index. */
export const indexing = (): CpuKernels => ({ ...throughAll({ scatterAdd }), gather })

/**
 * A CPU backend that has only the kernels given, so that a bundler leaves out the others, and WebAssembly: everything runs in
 * TypeScript. An op without a kernel is an error that names it.
 *
 * @example
 * ```ts
 * import { grad, tensor, use } from '@bp/core'
 * import { sin } from '@bp/ops'
 * import { constants, cpuOf, elementwise } from '@bp/backend-cpu/pick'
 * use(cpuOf(elementwise(), constants()))
 * grad(sin)(tensor(0)) // => tensor(1, float32)
 * ```
 */
export const cpuOf = (...kernels: readonly CpuKernels[]): Backend<CpuStorage> => backendOf(Object.assign({}, ...kernels) as CpuKernels)
