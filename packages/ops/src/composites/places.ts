// Places: index tensors that are known in advance, and values put where they point.

import { add, broadcastTo, full, onesLike, type Shape, type Tensor, tensor } from '@bp/core'
import { sizeOf } from '@bp/core/extend'
import { equal, less, select } from '../rows/compare.ts'
import { scatterAdd, take } from '../rows/indexing.ts'
import { scatterMax } from '../rows/scatter.ts'
import { iota } from '../rows/source.ts'
import { reshape } from '../rows/view.ts'

/** An index that does not depend on any values. */
export const constant = (places: readonly number[] | Int32Array, shape: Shape, like: Tensor): Tensor =>
  tensor(Int32Array.from(places), { shape, dtype: 'int32', backend: like.backend })

/** The flat place of each element of a tensor, in its shape. What is done to this is done to the places. */
export const placesOf = (x: Tensor): Tensor => reshape(iota(x.size, 'int32', x.backend), x.shape)

/** The elements at flat places, in the shape of these. */
export const readAt = (x: Tensor, places: Tensor): Tensor => take(reshape(x, [x.size]), places)

/** Zeros of a shape with values added at flat places. */
export const addAt = (shape: Shape, places: Tensor, values: Tensor): Tensor =>
  reshape(scatterAdd(reshape(broadcastTo(values, places.shape), [places.size]), reshape(places, [places.size]), sizeOf(shape)), shape)

/** 1 at each flat place that something points to, 0 elsewhere, in the dtype of `x`. */
export const hitsAt = (x: Tensor, places: Tensor): Tensor => addAt(x.shape, places, onesLike(readAt(x, places)))

/** `x` with values in place of what stands at flat places, none of which repeats. */
export const replaceAt = (x: Tensor, places: Tensor, values: Tensor): Tensor => select(less(0, hitsAt(x, places)), addAt(x.shape, places, values), x)

/** `x` with values in place of, or added to, what stands at flat places; of values for one place the last one stays. */
export function putAt(x: Tensor, places: Tensor, values: Tensor, accumulate = false): Tensor {
  if (accumulate) return add(x, addAt(x.shape, places, values))
  const flat = reshape(places, [places.size])
  const order = iota(places.size, 'int32', x.backend)
  const last = scatterMax(full([x.size], -1, 'int32', x.backend), flat, order)
  const stays = reshape(equal(take(last, flat), order), places.shape)
  return replaceAt(x, places, select(stays, broadcastTo(values, places.shape), 0))
}
