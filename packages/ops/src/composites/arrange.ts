// Arranging elements: stacking, splitting, padding modes, tiling, rolling, triangles, one-hot.

import { add, broadcastTo, type DType, type Tensor } from '@bp/core'
import { describe, fail, normaliseAxes, normaliseAxis } from '@bp/core/extend'
import { abs, sub } from '../rows/arithmetic.ts'
import { cast, equal, greaterEqual, less, lessEqual, logicalAnd, select } from '../rows/compare.ts'
import { take } from '../rows/indexing.ts'
import { iota } from '../rows/source.ts'
import { concat, narrow, padInterior, reshape } from '../rows/view.ts'
import { clamp } from './activations.ts'

/** Adds an axis of size 1, so that it becomes the given one. */
export function unsqueeze(x: Tensor, axis: number): Tensor {
  const at = normaliseAxis('unsqueeze', axis, x.rank + 1)
  return reshape(x, x.shape.toSpliced(at, 0, 1))
}

/** Drops axes of size 1: the given ones, or all. */
export function squeeze(x: Tensor, axes?: number | readonly number[]): Tensor {
  const list = axes === undefined ? x.shape.flatMap((size, i) => size === 1 ? i : []) : normaliseAxes('squeeze', axes, x.rank)
  for (const axis of list) if (x.shape[axis] !== 1) fail('shape', 'squeeze', `axis ${axis} of ${describe(x)} has ${x.shape[axis]} entries; only axes of size 1 can go. Use reshape`)
  return reshape(x, x.shape.filter((_, i) => !list.includes(i)))
}

/**
 * Tensors of one shape side by side along a new axis.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { stack } from '@bp/ops'
 * stack([tensor([1, 2]), tensor([3, 4])]) // => tensor([[1, 2], [3, 4]], float32)
 * ```
 */
export const stack = (xs: readonly Tensor[], axis = 0): Tensor => concat(xs.map(x => unsqueeze(x, axis)), xs.length > 0 ? normaliseAxis('stack', axis, xs[0]!.rank + 1) : 0)

/**
 * Cuts an axis into parts of the given sizes, or of one size with a smaller last part.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { split } from '@bp/ops'
 * split(tensor([1, 2, 3]), 2) // => [tensor([1, 2], float32), tensor([3], float32)]
 * ```
 */
export function split(x: Tensor, sizes: number | readonly number[], axis = 0): Tensor[] {
  const at = normaliseAxis('split', axis, x.rank)
  const total = x.shape[at]!
  if (typeof sizes === 'number' && !(sizes >= 1)) fail('value', 'split', `the part size must be ≥ 1, got ${sizes}`)
  const list = typeof sizes === 'number' ? Array.from({ length: Math.ceil(total / sizes) }, (_, i) => Math.min(sizes, total - i * sizes)) : sizes
  if (list.reduce((a, b) => a + b, 0) !== total) fail('shape', 'split', `the parts [${list.join(',')}] do not add up to axis ${at} of ${describe(x)}`)
  return list.map((size, i) => narrow(x, at, list.slice(0, i).reduce((a, b) => a + b, 0), size))
}

/** Options of {@link pad}. */
export interface PadOptions {
  /** What fills the margin: `value`, the mirror image without its edge, the edge itself (also `replicate`), or the other end. */
  readonly mode?: 'constant' | 'reflect' | 'edge' | 'replicate' | 'circular'
  readonly value?: number
}

/**
 * A margin around a tensor: for each axis how many entries before and after. Negative numbers crop in mode `constant`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { pad } from '@bp/ops'
 * pad(tensor([1, 2, 3]), [[1, 1]], { mode: 'reflect' }) // => tensor([2, 1, 2, 3, 2], float32)
 * ```
 */
export function pad(x: Tensor, widths: readonly (readonly [number, number])[], { mode = 'constant', value = 0 }: PadOptions = {}): Tensor {
  if (widths.length !== x.rank) fail('value', 'pad', `needs a pair for each of the ${x.rank} axes of ${describe(x)}, got ${widths.length}`)
  if (mode === 'constant') return padConstant(x, widths, value)
  return widths.reduce((y, [low, high], axis) => low === 0 && high === 0 ? y : take(y, marginIndex(y, axis, low, high, mode), axis), x)
}

function padConstant(x: Tensor, widths: readonly (readonly [number, number])[], value: number): Tensor {
  const cropped = widths.reduce((y, [low, high], axis) => {
    const start = Math.max(0, -low)
    return low >= 0 && high >= 0 ? y : narrow(y, axis, start, y.shape[axis]! - start - Math.max(0, -high))
  }, x)
  const low = widths.map(([n]) => Math.max(0, n))
  const high = widths.map(([, n]) => Math.max(0, n))
  const padded = padInterior(cropped, low, high, low.map(() => 0))
  return value === 0 || padded === cropped ? padded : select(inside(padded, low, high), padded, value)
}

/** true where an element is not in the margin. */
function inside({ shape, backend }: Tensor, low: readonly number[], high: readonly number[]): Tensor {
  return shape.map((size, axis) => {
    const i = along(iota(size, 'int32', backend), axis, shape.length)
    return logicalAnd(greaterEqual(i, low[axis]!), less(i, size - high[axis]!))
  }).reduce((a, b) => logicalAnd(a, b))
}

/** A vector laid along one axis of a tensor of the given rank. */
const along = (x: Tensor, axis: number, rank: number): Tensor => reshape(x, Array.from({ length: rank }, (_, i) => i === axis ? x.size : 1))

/** Where each entry of the padded axis comes from: 0 … n−1 mirrored at both ends, or held there. */
function marginIndex(x: Tensor, axis: number, low: number, high: number, mode: 'reflect' | 'edge' | 'replicate' | 'circular'): Tensor {
  const last = x.shape[axis]! - 1
  if (Math.min(low, high) < 0) fail('value', 'pad', `mode ${mode} cannot crop, got [${low}, ${high}] for axis ${axis}. Use narrow`)
  const most = mode === 'reflect' ? last : mode === 'circular' ? last + 1 : Infinity
  if (last < 0 || Math.max(low, high) > most) fail('value', 'pad', `mode ${mode} cannot pad axis ${axis} of ${describe(x)} by [${low}, ${high}]: at most ${last < 0 ? 0 : most} on each side. Use mode edge or constant`)
  const at = sub(iota(last + 1 + low + high, 'int32', x.backend), low)
  if (mode === 'circular') return select(less(at, 0), add(at, last + 1), select(lessEqual(at, last), at, sub(at, last + 1)))
  return mode === 'reflect' ? sub(last, abs(sub(last, abs(at)))) : clamp(at, 0, last)
}

/**
 * The tensor repeated along each axis, as NumPy's `tile`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { tile } from '@bp/ops'
 * tile(tensor([1, 2]), [2]) // => tensor([1, 2, 1, 2], float32)
 * ```
 */
export function tile(x: Tensor, repeats: readonly number[]): Tensor {
  const rank = Math.max(x.rank, repeats.length)
  const shape = [...new Array<number>(rank - x.rank).fill(1), ...x.shape]
  const times = [...new Array<number>(rank - repeats.length).fill(1), ...repeats]
  const spreadOut = broadcastTo(reshape(x, shape.flatMap(size => [1, size])), shape.flatMap((size, i) => [times[i]!, size]))
  return reshape(spreadOut, shape.map((size, i) => size * times[i]!))
}

/**
 * The entries of an axis moved on by `shift`, the last ones coming in at the front. Several axes take a shift each.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { roll } from '@bp/ops'
 * roll(tensor([1, 2, 3]), 1) // => tensor([3, 1, 2], float32)
 * ```
 */
export function roll(x: Tensor, shift: number | readonly number[], axis: number | readonly number[] = 0): Tensor {
  if (typeof shift !== 'number' || typeof axis !== 'number') {
    const [shifts, axes] = [[shift].flat(), [axis].flat()]
    if (shifts.length !== axes.length) fail('value', 'roll', `got ${shifts.length} shifts and ${axes.length} axes. Give a shift for each axis`)
    return axes.reduce<Tensor>((y, one, i) => roll(y, shifts[i]!, one), x)
  }
  const at = normaliseAxis('roll', axis, x.rank)
  const size = x.shape[at]!
  const by = size === 0 ? 0 : ((shift % size) + size) % size
  return by === 0 ? x : concat([narrow(x, at, size - by, by), narrow(x, at, 0, size - by)], at)
}

/** The matrix with everything above diagonal `k` zero. */
export const tril = (x: Tensor, k = 0): Tensor => triangle('tril', x, (row, column) => lessEqual(column, add(row, k)))

/** The matrix with everything below diagonal `k` zero. */
export const triu = (x: Tensor, k = 0): Tensor => triangle('triu', x, (row, column) => lessEqual(add(row, k), column))

function triangle(op: string, x: Tensor, keep: (row: Tensor, column: Tensor) => Tensor): Tensor {
  if (x.rank < 2) fail('shape', op, `needs a matrix or a stack of them, got ${describe(x)}`)
  const [rows, columns] = x.shape.slice(-2) as [number, number]
  return select(keep(reshape(iota(rows, 'int32', x.backend), [rows, 1]), reshape(iota(columns, 'int32', x.backend), [1, columns])), x, 0)
}

/**
 * 1 at each index along a new last axis of `classes` entries, else 0; an index outside gives zeros.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { oneHot } from '@bp/ops'
 * oneHot(tensor([1, 0], { dtype: 'int32' }), 3) // => tensor([[0, 1, 0], [1, 0, 0]], float32)
 * ```
 */
export const oneHot = (index: Tensor, classes: number, dtype: DType = 'float32'): Tensor =>
  cast(equal(unsqueeze(index, -1), iota(classes, index.dtype, index.backend)), dtype)
