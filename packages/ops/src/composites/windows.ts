// Views that overlap or skip: windows along an axis, strides, single entries, and writing through them.

import { type Shape, type Tensor } from '@bp/core'
import { describe, fail, normaliseAxis, sizeOf, stridesOf } from '@bp/core/extend'
import { take } from '../rows/indexing.ts'
import { narrow, reshape, slice } from '../rows/view.ts'
import { constant, placesOf, putAt, readAt, replaceAt } from './places.ts'
import { moveAxis } from './shapes.ts'

/**
 * Windows of `size` entries along an axis, `step` apart, as a new last axis: PyTorch's `Tensor.unfold`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { unfold } from '@bp/ops'
 * unfold(tensor([1, 2, 3, 4]), 0, 2, 1) // => tensor([[1, 2], [2, 3], [3, 4]], float32)
 * ```
 */
export function unfold(x: Tensor, axis: number, size: number, step: number): Tensor {
  if (x.rank === 0) return reshape(x, [1])
  const at = normaliseAxis('unfold', axis, x.rank)
  const length = x.shape[at]!
  if (!(size >= 0 && size <= length) || !(step >= 1)) fail('value', 'unfold', `windows of ${size} every ${step} do not fit axis ${at} of ${describe(x)}. Use a size of at most ${length} and a step of at least 1`)
  const count = Math.floor((length - size) / step) + 1
  const index = constant(Array.from({ length: count * size }, (_, i) => Math.floor(i / size) * step + i % size), [count, size], x)
  return moveAxis(take(x, index, at), at + 1, -1)
}

function strided(op: string, x: Tensor, shape: Shape, strides: readonly number[], offset: number): Tensor {
  if (shape.length !== strides.length) fail('value', op, `got ${shape.length} sizes and ${strides.length} strides. Give one stride for each axis`)
  const own = stridesOf(shape)
  const places = Array.from({ length: sizeOf(shape) }, (_, flat) => own.reduce((sum, s, axis) => sum + Math.floor(flat / s) % shape[axis]! * strides[axis]!, offset))
  const outside = places.find(place => place < 0 || place >= x.size)
  if (outside !== undefined) fail('value', op, `the view reads element ${outside} of ${describe(x)}, which has ${x.size}. Use smaller sizes, strides or offset`)
  return constant(places, shape, x)
}

/** Elements of the row-major order by strides, counted in elements; they may repeat: PyTorch's `as_strided`. */
export const asStrided = (x: Tensor, shape: Shape, strides: readonly number[], offset = 0): Tensor => readAt(x, strided('asStrided', x, shape, strides, offset))

/** `x` with `values` in place of what {@link asStrided} reads; where that repeats an element, the last value stays. */
export const asStridedScatter = (x: Tensor, values: Tensor, shape: Shape, strides: readonly number[], offset = 0): Tensor => putAt(x, strided('asStridedScatter', x, shape, strides, offset), values)

/** One entry of an axis, without the axis: PyTorch's `select`. Negative counts from the end. */
export function at(x: Tensor, index: number, axis = 0): Tensor {
  const along = normaliseAxis('at', axis, x.rank)
  const size = x.shape[along]!
  if (!Number.isInteger(index) || index < -size || index >= size) fail('value', 'at', `axis ${along} of ${describe(x)} has no entry ${index}. Use ${-size} to ${size - 1}`)
  return reshape(narrow(x, along, index < 0 ? index + size : index, 1), x.shape.toSpliced(along, 1))
}

/** `x` with `values` in place of one entry of an axis: PyTorch's `select_scatter`. */
export const selectScatter = (x: Tensor, values: Tensor, axis: number, index: number): Tensor => replaceAt(x, at(placesOf(x), index, axis), values)

/** `x` with `values` in place of what `slice(x, starts, ends, steps)` reads: PyTorch's `slice_scatter`. */
export const sliceScatter = (x: Tensor, values: Tensor, starts: readonly number[], ends: readonly number[] = [], steps: readonly number[] = []): Tensor => replaceAt(x, slice(placesOf(x), starts, ends, steps), values)

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
  const counts = typeof repeats === 'number' ? [repeats] : 'dataSync' in repeats ? Array.from(repeats.dataSync() as Int32Array, Number) : repeats
  if (counts.length !== 1 && counts.length !== size) fail('value', 'repeatInterleave', `got ${counts.length} counts for the ${size} entries of axis ${along} of ${describe(x)}. Give one for each, or one for all`)
  const places = Array.from({ length: size }, (_, i) => new Array<number>(counts[counts.length === 1 ? 0 : i]!).fill(i)).flat()
  return take(x, constant(places, [places.length], x), along)
}
