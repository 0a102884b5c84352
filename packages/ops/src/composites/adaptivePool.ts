// Pooling to a given size: windows that divide the input as evenly as whole numbers allow.

import { add, type Tensor, tensor } from '@bp/core'
import { fail, sizeOf, stridesOf } from '@bp/core/extend'
import { sub } from '../rows/arithmetic.ts'
import { take } from '../rows/indexing.ts'
import { argMax } from '../rows/reduce.ts'
import { reshape } from '../rows/view.ts'
import { takeAlong } from './along.ts'
import { avgPool, maxPool, maxPoolWithIndices, planeStarts } from './pooling.ts'
import { resample } from './resample.ts'
import { batched, spatialAxes } from './spatial.ts'

/** The sizes to pool to: one number for all spatial axes of [n, c, …], or one for each; `null` keeps an axis. */
export type AdaptiveSize = number | readonly (number | null)[]

/** The places of window i of an axis: from ⌊i·n/m⌋ up to ⌈(i + 1)·n/m⌉, exclusive. */
function windows(n: number, m: number): number[][] {
  return Array.from({ length: m }, (_, i) => {
    const start = Math.floor(i * n / m)
    return Array.from({ length: Math.ceil((i + 1) * n / m) - start }, (_, j) => start + j)
  })
}

function sizesOf(op: string, x: Tensor, size: AdaptiveSize): { readonly axes: number; readonly from: readonly number[]; readonly to: readonly number[] } {
  const axes = spatialAxes(op, x, size)
  const from = x.shape.slice(-axes)
  const to = from.map((n, i) => (typeof size === 'number' ? size : size[i]) ?? n)
  const bad = to.find(n => !Number.isInteger(n) || n < 0)
  if (bad !== undefined) fail('value', op, `the sizes must be whole numbers ≥ 0 or null, got ${bad}`)
  if (from.some((n, i) => n === 0 && to[i]! > 0)) fail('shape', op, `the spatial axes [${from.join(',')}] are empty and cannot be pooled to [${to.join(',')}]`)
  return { axes, from, to }
}

/** The window of an ordinary pooling that does the same, where all windows are of one size. */
function even(from: readonly number[], to: readonly number[]): number[] | null {
  const sizes = from.map((n, i) => n / to[i]!)
  return sizes.every(size => Number.isInteger(size)) ? sizes : null
}

/**
 * The mean of each of m windows an axis, evenly laid over x: [n, c, …], as `torch.nn.functional.adaptive_avg_pool1d` to
 * `adaptive_avg_pool3d`. With a list as `size`, x may be [c, …].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { adaptiveAvgPool } from '@bp/ops'
 * adaptiveAvgPool(tensor([[[1, 2, 3, 4, 6]]]), 2) // => tensor([[[2, 4.33333]]], float32)
 * ```
 */
export function adaptiveAvgPool(x: Tensor, size: AdaptiveSize): Tensor {
  const { axes, from, to } = sizesOf('adaptiveAvgPool', x, size)
  const kernel = even(from, to)
  if (kernel) return avgPool(x, { kernel })
  return from.reduce((y, n, i) => {
    const m = to[i]!
    const places = windows(n, m)
    return n === m ? y : resample(y, x.rank - axes + i, { places, weights: places.map(row => row.map(() => 1 / row.length)) })
  }, x)
}

/**
 * The largest element of each of m windows an axis, evenly laid over x: [n, c, …], as
 * `torch.nn.functional.adaptive_max_pool1d` to `adaptive_max_pool3d`. With a list as `size`, x may be [c, …].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { adaptiveMaxPool } from '@bp/ops'
 * adaptiveMaxPool(tensor([[[1, 2, 3, 4, 6]]]), 2) // => tensor([[[3, 6]]], float32)
 * ```
 */
export function adaptiveMaxPool(x: Tensor, size: AdaptiveSize): Tensor {
  const { from, to } = sizesOf('adaptiveMaxPool', x, size)
  const kernel = even(from, to)
  return kernel ? maxPool(x, { kernel }) : adaptiveMaxPoolWithIndices(x, size)[0]
}

/**
 * {@link adaptiveMaxPool} and, as int32, where in its channel's spatial axes, counted row by row, each largest element lies.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { adaptiveMaxPoolWithIndices } from '@bp/ops'
 * adaptiveMaxPoolWithIndices(tensor([[[1, 2, 3, 4, 6]]]), 2)[1] // => tensor([[[2, 4]]], int32)
 * ```
 */
export function adaptiveMaxPoolWithIndices(x: Tensor, size: AdaptiveSize): [values: Tensor, indices: Tensor] {
  const { axes, from, to } = sizesOf('adaptiveMaxPool', x, size)
  const kernel = even(from, to)
  if (kernel) return maxPoolWithIndices(x, { kernel })
  const strides = stridesOf(from)
  const rows = from.map((n, i) => windows(n, to[i]!))
  const widths = rows.map(list => Math.max(1, ...list.map(row => row.length)))
  // a shorter window reads its last place again, which cannot become the first largest
  const offsets = rows.map((list, i) => list.flatMap(row => Array.from({ length: widths[i]! }, (_, j) => row[Math.min(j, row.length - 1)]! * strides[i]!)))
  const places = offsets.map((list, i) => tensor(Int32Array.from(list), { backend: x.backend, shape: [...to.map((m, j) => i === j ? m : 1), ...widths.map((w, j) => i === j ? w : 1)] }))
  const table = reshape(places.reduce((a, b) => add(a, b)), [1, 1, ...to, sizeOf(widths)])
  return batched(x, axes, z => largestOf(z, table))
}

/**
 * The largest of the elements of x: [n, c, …] that an int32 table [n, c, …, k] names by their flat places in a plane, and
 * those places; a table's first two axes may be 1. The first of several wins.
 */
export function largestOf(x: Tensor, table: Tensor): [values: Tensor, indices: Tensor] {
  const flat = reshape(x, [x.size])
  const starts = planeStarts(x, sizeOf(x.shape.slice(2)))
  const places = add(table, reshape(starts, [...starts.shape, 1]))
  const best = argMax(take(flat, places), -1)
  const chosen = reshape(takeAlong(places, reshape(best, [...best.shape, 1]), -1), best.shape)
  return [take(flat, chosen), sub(chosen, starts)]
}
