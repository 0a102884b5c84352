// Masks: filling, choosing and replacing where a condition holds, and where it does.

import { broadcastTo, type Shape, type Tensor, tensor, type TensorLike } from '@bp/core'
import { broadcastShapes, describe, fail, sizeOf, stridesOf } from '@bp/core/extend'
import { maximum, sub } from '../rows/arithmetic.ts'
import { cast, select } from '../rows/compare.ts'
import { take } from '../rows/indexing.ts'
import { cumSum } from '../rows/reduce.ts'
import { reshape } from '../rows/view.ts'

/**
 * `value`, a number or a scalar, where the mask is true, `x` elsewhere; the two broadcast: PyTorch's `masked_fill`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedFill } from '@bp/ops'
 * maskedFill(tensor([1, 2, 3]), tensor([true, false, true]), 0) // => tensor([0, 2, 0], float32)
 * ```
 */
export const maskedFill = (x: Tensor, mask: Tensor, value: TensorLike): Tensor => select(broadcastTo(mask, broadcastShapes('maskedFill', x.shape, mask.shape)), value, x)

/**
 * The elements where the mask is true, as one axis; the two broadcast: PyTorch's `masked_select`. The mask's values are read, so
 * it must be known when a program is traced.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedSelect } from '@bp/ops'
 * maskedSelect(tensor([1, 2, 3]), tensor([true, false, true])) // => tensor([1, 3], float32)
 * ```
 */
export function maskedSelect(x: Tensor, mask: Tensor): Tensor {
  checkMask('maskedSelect', mask)
  const shape = broadcastShapes('maskedSelect', x.shape, mask.shape)
  return take(reshape(broadcastTo(x, shape), [sizeOf(shape)]), tensor(nonzeroPlaces(mask, shape), { backend: x.backend }))
}

/**
 * The index of each element that is not 0, a row each: int32 [count, rank]. Values are read, so `x` must be known when a program
 * is traced.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { nonzero } from '@bp/ops'
 * nonzero(tensor([[0, 3], [5, 0]])) // => tensor([[0, 1], [1, 0]], int32)
 * ```
 */
export function nonzero(x: Tensor): Tensor {
  const strides = stridesOf(x.shape)
  const places = nonzeroPlaces(x, x.shape)
  const out = new Int32Array(places.length * x.rank)
  places.forEach((place, i) => {
    for (let axis = 0; axis < x.rank; axis++) out[i * x.rank + axis] = Math.floor(place / strides[axis]!) % x.shape[axis]!
  })
  return tensor(out, { shape: [places.length, x.rank], backend: x.backend })
}

/** The flat places of a shape where what broadcasts to it is not 0, in order. */
function nonzeroPlaces(x: Tensor, shape: Shape): Int32Array {
  const values = x.dataSync()
  // float16 comes as bits, of which the first is the sign
  const isZero = x.dtype === 'float16' ? (bits: number | bigint) => Number(bits) % 0x8000 === 0 : (value: number | bigint) => Number(value) === 0
  const lead = shape.length - x.rank
  const own = stridesOf(x.shape)
  const strides = shape.map((_, i) => i < lead || x.shape[i - lead] === 1 ? 0 : own[i - lead]!)
  const index = shape.map(() => 0)
  const found: number[] = []
  const size = sizeOf(shape)
  for (let place = 0, from = 0; place < size; place++) {
    if (!isZero(values[from]!)) found.push(place)
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!
      if (++index[axis]! < shape[axis]!) break
      from -= strides[axis]! * shape[axis]!
      index[axis] = 0
    }
  }
  return Int32Array.from(found)
}

/**
 * `x` with the elements of `source`, one after the other, where the mask is true; `x` and the mask broadcast: PyTorch's
 * `masked_scatter`. Throws where `source` has too few.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedScatter } from '@bp/ops'
 * maskedScatter(tensor([1, 2, 3]), tensor([true, false, true]), tensor([7, 8])) // => tensor([7, 2, 8], float32)
 * ```
 */
export function maskedScatter(x: Tensor, mask: Tensor, source: Tensor): Tensor {
  checkMask('maskedScatter', mask)
  if (source.dtype !== x.dtype) fail('dtype', 'maskedScatter', `the source ${describe(source)} must have the dtype of ${describe(x)}. Convert it with cast`)
  const shape = broadcastShapes('maskedScatter', x.shape, mask.shape)
  if (source.size === 0) return broadcastTo(x, shape)
  const where = broadcastTo(mask, shape)
  const count = cumSum(cast(reshape(where, [sizeOf(shape)]), 'int32'), 0)
  const order = maximum(sub(count, 1), 0)
  return select(where, reshape(take(reshape(source, [source.size]), order), shape), broadcastTo(x, shape))
}

function checkMask(op: string, mask: Tensor): void {
  if (mask.dtype !== 'bool') fail('dtype', op, `the mask must be bool, got ${describe(mask)}. Compare first, as in notEqual(mask, 0)`)
}
