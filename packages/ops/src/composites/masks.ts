// Masks: filling, choosing and replacing where a condition holds.

import { broadcastTo, type Tensor, tensor, type TensorLike } from '@bp/core'
import { broadcastShapes, describe, fail, sizeOf, stridesOf } from '@bp/core/extend'
import { cast, select } from '../rows/compare.ts'
import { take } from '../rows/indexing.ts'
import { cumSum } from '../rows/reduce.ts'
import { maximum, sub } from '../rows/arithmetic.ts'
import { reshape } from '../rows/view.ts'

/** `value` where the mask is true, `x` elsewhere. */
export const maskedFill = (x: Tensor, mask: Tensor, value: TensorLike): Tensor => select(broadcastTo(mask, broadcastShapes('maskedFill', x.shape, mask.shape)), value, x)

/**
 * The elements where the mask is true, as one axis. The mask's values are read, so it cannot be traced.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedSelect } from '@bp/ops'
 * maskedSelect(tensor([1, 2, 3]), tensor([true, false, true])) // => tensor([1, 3], float32)
 * ```
 */
export function maskedSelect(x: Tensor, mask: Tensor): Tensor {
  const shape = broadcastShapes('maskedSelect', x.shape, mask.shape)
  const strides = stridesOf(shape)
  const own = stridesOf(mask.shape)
  const values = mask.dataSync()
  /** The mask's element for a flat place of the shape it broadcasts to. */
  const at = (place: number): number => own.reduce((sum, stride, i) => mask.shape[i] === 1 ? sum : sum + stride * (Math.floor(place / strides[i + shape.length - mask.rank]!) % mask.shape[i]!), 0)
  const places = Array.from({ length: sizeOf(shape) }, (_, i) => i).filter(place => Number(values[at(place)]) !== 0)
  return take(reshape(broadcastTo(x, shape), [sizeOf(shape)]), tensor(Int32Array.from(places), { backend: x.backend }))
}

const nonzeroPlaces = (x: Tensor): number[] => Array.from(x.dataSync() as Float64Array).flatMap((value, i) => Number(value) !== 0 ? i : [])

/** The index of each element that is not zero, a row each: int32 [count, rank]. Values are read, so it cannot be traced. */
export function nonzero(x: Tensor): Tensor {
  const strides = stridesOf(x.shape)
  const places = nonzeroPlaces(x)
  return tensor(Int32Array.from(places.flatMap(place => strides.map((stride, axis) => Math.floor(place / stride) % x.shape[axis]!))), { shape: [places.length, x.rank], backend: x.backend })
}

/** `x` with the elements of `source`, one after the other, in the places where the mask is true. */
export function maskedScatter(x: Tensor, mask: Tensor, source: Tensor): Tensor {
  const shape = broadcastShapes('maskedScatter', x.shape, mask.shape)
  if (source.dtype !== x.dtype) fail('dtype', 'maskedScatter', `the source ${describe(source)} must have the dtype of ${describe(x)}. Convert it with cast`)
  const where = broadcastTo(mask, shape)
  const order = maximum(sub(cumSum(cast(reshape(where, [sizeOf(shape)]), 'int32'), 0), 1), 0)
  if (source.size === 0) return broadcastTo(x, shape)
  return select(where, reshape(take(reshape(source, [source.size]), order), shape), broadcastTo(x, shape))
}
