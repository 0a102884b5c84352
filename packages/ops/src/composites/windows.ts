// Views that overlap or skip: windows along an axis, strides, single entries, and writing through them.

import { add, broadcastTo, mul, type Shape, Tensor } from '@bp/core'
import { describe, fail, normaliseAxis } from '@bp/core/extend'
import { take } from '../rows/indexing.ts'
import { iota } from '../rows/source.ts'
import { narrow, reshape, slice } from '../rows/view.ts'
import { constant, placesOf, putAt, readAt, replaceAt } from './places.ts'
import { moveAxis } from './shapes.ts'

/** offset + Σ indexᵢ·stridesᵢ for each index of a shape. */
function steps({ backend }: Tensor, shape: Shape, strides: readonly number[], offset: number): Tensor {
  const start = reshape(add(iota(1, 'int32', backend), offset), shape.map(() => 1))
  return shape.reduce((sum, size, axis) => add(sum, reshape(mul(iota(size, 'int32', backend), strides[axis]!), shape.map((_, i) => i === axis ? size : 1))), start)
}

/**
 * Windows of `size` entries along an axis, `step` apart, as a new last axis: PyTorch's `Tensor.unfold`. A scalar counts as one
 * entry.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { unfold } from '@bp/ops'
 * unfold(tensor([1, 2, 3, 4]), 0, 2, 1) // => tensor([[1, 2], [2, 3], [3, 4]], float32)
 * ```
 */
export function unfold(x: Tensor, axis: number, size: number, step: number): Tensor {
  if (x.rank === 0) return reshape(unfold(reshape(x, [1]), axis, size, step), [size])
  const at = normaliseAxis('unfold', axis, x.rank)
  const length = x.shape[at]!
  if (!Number.isInteger(size) || !Number.isInteger(step) || size < 0 || size > length || step < 1) fail('value', 'unfold', `windows of ${size} every ${step} do not fit axis ${at} of ${describe(x)}. Use a size from 0 to ${length} and a step of at least 1`)
  const count = Math.floor((length - size) / step) + 1
  return moveAxis(take(x, steps(x, [count, size], [step, 1], 0), at), at + 1, -1)
}

function strided(op: string, x: Tensor, shape: Shape, strides: readonly number[], offset: number): Tensor {
  if (shape.length !== strides.length) fail('value', op, `got ${shape.length} sizes and ${strides.length} strides. Give one stride for each axis`)
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, offset)
  if (!shape.includes(0) && (offset < 0 || strides.some(stride => stride < 0) || last >= x.size)) {
    fail('value', op, `the view reads elements ${offset} to ${last} of ${describe(x)}, which has ${x.size}. Use smaller sizes, strides ≥ 0 or another offset`)
  }
  return steps(x, shape, strides, offset)
}

/**
 * Elements of the row-major order by strides ≥ 0, counted in elements; they may repeat: PyTorch's `as_strided`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { asStrided } from '@bp/ops'
 * asStrided(tensor([1, 2, 3, 4]), [3, 2], [1, 1]) // => tensor([[1, 2], [2, 3], [3, 4]], float32)
 * ```
 */
export const asStrided = (x: Tensor, shape: Shape, strides: readonly number[], offset = 0): Tensor => readAt(x, strided('asStrided', x, shape, strides, offset))

/**
 * `x` with `values` in place of what {@link asStrided} reads; where that repeats an element, the last value stays.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { asStridedScatter } from '@bp/ops'
 * asStridedScatter(tensor([1, 2, 3, 4]), tensor([8, 9]), [2], [2], 1) // => tensor([1, 8, 3, 9], float32)
 * ```
 */
export const asStridedScatter = (x: Tensor, values: Tensor, shape: Shape, strides: readonly number[], offset = 0): Tensor => putAt('asStridedScatter', x, strided('asStridedScatter', x, shape, strides, offset), values)

/**
 * One entry of an axis, without the axis: PyTorch's `select`. Negative counts from the end.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { at } from '@bp/ops'
 * at(tensor([[1, 2], [3, 4]]), -1) // => tensor([3, 4], float32)
 * ```
 */
export function at(x: Tensor, index: number, axis = 0): Tensor {
  const along = normaliseAxis('at', axis, x.rank)
  const size = x.shape[along]!
  if (!Number.isInteger(index) || index < -size || index >= size) fail('value', 'at', `axis ${along} of ${describe(x)} has no entry ${index}. ${size === 0 ? 'It has none at all' : `Use ${-size} to ${size - 1}`}`)
  return reshape(narrow(x, along, index < 0 ? index + size : index, 1), x.shape.toSpliced(along, 1))
}

/**
 * `x` with `values` in place of one entry of an axis: PyTorch's `select_scatter`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { selectScatter } from '@bp/ops'
 * selectScatter(tensor([[1, 2], [3, 4]]), tensor([8, 9]), 0, 1) // => tensor([[1, 2], [8, 9]], float32)
 * ```
 */
export const selectScatter = (x: Tensor, values: Tensor, axis: number, index: number): Tensor => replaceAt('selectScatter', x, at(placesOf(x), index, axis), values)

/**
 * `x` with `values` in place of what `slice(x, starts, ends, steps)` reads: PyTorch's `slice_scatter`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { sliceScatter } from '@bp/ops'
 * sliceScatter(tensor([1, 2, 3, 4]), tensor([8, 9]), [0], [4], [2]) // => tensor([8, 2, 9, 4], float32)
 * ```
 */
export const sliceScatter = (x: Tensor, values: Tensor, starts: readonly number[], ends: readonly number[] = [], steps: readonly number[] = []): Tensor => replaceAt('sliceScatter', x, slice(placesOf(x), starts, ends, steps), values)

/**
 * Entries of an axis repeated: each the same number of times, or as often as a list (or an integer tensor, whose values are
 * read) says. All elements in one axis unless an axis is given.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { repeatInterleave } from '@bp/ops'
 * repeatInterleave(tensor([1, 2]), [2, 1]) // => tensor([1, 1, 2], float32)
 * ```
 */
export function repeatInterleave(x: Tensor, repeats: number | readonly number[] | Tensor, axis?: number): Tensor {
  if (axis === undefined) return repeatInterleave(reshape(x, [x.size]), repeats, 0)
  const along = normaliseAxis('repeatInterleave', axis, x.rank)
  const size = x.shape[along]!
  if (typeof repeats === 'number') {
    checkCount(repeats)
    const spreadOut = reshape(x, x.shape.toSpliced(along + 1, 0, 1))
    return reshape(broadcastTo(spreadOut, spreadOut.shape.with(along + 1, repeats)), x.shape.with(along, size * repeats))
  }
  const counts = repeats instanceof Tensor ? Array.from(repeats.dataSync() as Int32Array, Number) : repeats
  if (counts.length !== 1 && counts.length !== size) fail('value', 'repeatInterleave', `got ${counts.length} counts for the ${size} entries of axis ${along} of ${describe(x)}. Give one for each, or one for all`)
  counts.forEach(checkCount)
  const places = Array.from({ length: size }, (_, i) => new Array<number>(counts[counts.length === 1 ? 0 : i]!).fill(i)).flat()
  return take(x, constant(places, [places.length], x), along)
}

function checkCount(count: number): void {
  if (!Number.isInteger(count) || count < 0) fail('value', 'repeatInterleave', `a count must be a whole number ≥ 0, got ${count}`)
}
