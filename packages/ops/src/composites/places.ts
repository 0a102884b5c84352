// Places: where elements lie in the flattened tensor, and reading, adding and putting there.

import { add, broadcastTo, full, type Shape, type Tensor, tensor } from '@bp/core'
import { describe, fail, sizeOf } from '@bp/core/extend'
import { maximum, sub } from '../rows/arithmetic.ts'
import { less, select } from '../rows/compare.ts'
import { asIndex, scatterAdd, take } from '../rows/indexing.ts'
import { scatterExtreme } from '../rows/scatter.ts'
import { iota } from '../rows/source.ts'
import { reshape } from '../rows/view.ts'

/** An index that does not depend on any values. */
export const constant = (places: readonly number[] | Int32Array, shape: Shape, like: Tensor): Tensor =>
  tensor(Int32Array.from(places), { shape, dtype: 'int32', backend: like.backend })

/** An index into an axis of `size` as int32 places from 0 on; throws where it is out of range. */
export const within = (op: string, index: Tensor, size: number): Tensor => take(iota(size, 'int32', index.backend), asIndex(op, index))

/** The flat place of each element of a tensor, in its shape. What is done to this is done to the places. */
export const placesOf = (x: Tensor): Tensor => reshape(iota(x.size, 'int32', x.backend), x.shape)

/** The elements at flat places, in the shape of these. */
export const readAt = (x: Tensor, places: Tensor): Tensor => take(reshape(x, [x.size]), places)

/** Zeros of a shape with values added at flat places. */
export const addAt = (shape: Shape, places: Tensor, values: Tensor): Tensor =>
  reshape(scatterAdd(reshape(broadcastTo(values, places.shape), [places.size]), reshape(places, [places.size]), sizeOf(shape)), shape)

/** For each place in [0, size) which entry of a vector of places points to it, −1 where none does; none repeats. */
export const sourceOf = (places: Tensor, size: number): Tensor => sub(scatterAdd(add(iota(places.size, 'int32', places.backend), 1), places, size), 1)

/** The same where places may repeat: the last one that points there. */
export const lastSourceOf = (places: Tensor, size: number): Tensor =>
  scatterExtreme(full([size], -1, 'int32', places.backend), places, iota(places.size, 'int32', places.backend), 'amax')

/** `x` with entries of `values` along an axis in place of its own where `source` says which (−1: none). */
export function putFrom(x: Tensor, source: Tensor, values: Tensor, axis: number): Tensor {
  if (values.shape[axis] === 0) return x
  const column = reshape(source, x.shape.map((size, i) => i === axis ? size : 1))
  return select(less(column, 0), x, take(values, maximum(source, 0), axis))
}

/** `x` with values in place of what stands at flat places, none of which repeats. */
export const replaceAt = (op: string, x: Tensor, places: Tensor, values: Tensor): Tensor => putFlatFrom(op, x, places, values, sourceOf)

/** `x` with values in place of, or added to, what stands at flat places; of values for one place the last one stays. */
export function putAt(op: string, x: Tensor, places: Tensor, values: Tensor, accumulate = false): Tensor {
  if (!accumulate) return putFlatFrom(op, x, places, values, lastSourceOf)
  return add(x, addAt(x.shape, places, likeDType(op, x, values)))
}

function putFlatFrom(op: string, x: Tensor, places: Tensor, values: Tensor, sources: typeof sourceOf): Tensor {
  const all = broadcastTo(likeDType(op, x, values), places.shape)
  const source = sources(reshape(places, [places.size]), x.size)
  return reshape(putFrom(reshape(x, [x.size]), source, reshape(all, [places.size]), 0), x.shape)
}

/** The values, which must have the dtype of what they are put into. */
export function likeDType(op: string, x: Tensor, values: Tensor): Tensor {
  if (values.dtype !== x.dtype) fail('dtype', op, `the values ${describe(values)} must have the dtype of ${describe(x)}. Convert them with cast(values, '${x.dtype}')`)
  return values
}
