// Whole entries of an axis by an index of one axis: read, put, filled, added and reduced.

import { add, broadcastTo, mul, type Tensor, type TensorLike } from '@bp/core'
import { describe, fail, normaliseAxis } from '@bp/core/extend'
import { less, select } from '../rows/compare.ts'
import { scatterAdd, take } from '../rows/indexing.ts'
import { reshape } from '../rows/view.ts'
import { lastSourceOf, likeDType, putAt, putFrom, readAt, within } from './places.ts'
import { scatter, type ScatterReduction } from './scatter.ts'
import { atLeast1d } from './shapes.ts'

/** Does to a scalar what is done to an axis of one entry. */
const onAxis = (x: Tensor, f: (x: Tensor) => Tensor): Tensor => x.rank === 0 ? reshape(f(atLeast1d(x)), []) : f(x)

/** The axis and the index as int32 places of it, one axis. */
function checkIndex(op: string, x: Tensor, axis: number, index: Tensor): { readonly at: number; readonly places: Tensor } {
  const at = normaliseAxis(op, axis, x.rank)
  if (index.rank > 1) fail('shape', op, `the index must have one axis, got ${describe(index)}. Use scatter for an index of more`)
  return { at, places: within(op, atLeast1d(index), x.shape[at]!) }
}

/** The same, and the values with an axis where `x` has one; they have an entry for each index. */
function checkValues(op: string, x: Tensor, axis: number, index: Tensor, given: Tensor): { readonly at: number; readonly places: Tensor; readonly values: Tensor } {
  const { at, places } = checkIndex(op, x, axis, index)
  const values = atLeast1d(likeDType(op, x, given))
  if (values.rank !== x.rank || values.shape.some((size, i) => size !== (i === at ? places.size : x.shape[i]))) {
    fail('shape', op, `the values ${describe(given)} must be like ${describe(x)} with ${places.size} entries along axis ${at}, one for each index. Broadcast or slice them`)
  }
  return { at, places, values }
}

/**
 * Entries of an axis by an index of one axis: PyTorch's `index_select`. See `take` for an index of any shape.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { indexSelect } from '@bp/ops'
 * indexSelect(tensor([[1, 2, 3]]), 1, tensor([2, 0], { dtype: 'int32' })) // => tensor([[3, 1]], float32)
 * ```
 */
export const indexSelect = (x: Tensor, axis: number, index: Tensor): Tensor => onAxis(x, y => take(y, atLeast1d(index), normaliseAxis('indexSelect', axis, y.rank)))

/**
 * `x` with `alpha` times the entries of `values` added along an axis where the index points: PyTorch's `index_add`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { indexAdd } from '@bp/ops'
 * indexAdd(tensor([1, 2, 3]), 0, tensor([0, 0], { dtype: 'int32' }), tensor([10, 20])) // => tensor([31, 2, 3], float32)
 * ```
 */
export const indexAdd = (x: Tensor, axis: number, index: Tensor, values: Tensor, alpha = 1): Tensor => onAxis(x, y => {
  const { at, places, values: all } = checkValues('indexAdd', y, axis, index, values)
  return add(y, scatterAdd(alpha === 1 ? all : mul(all, alpha), places, y.shape[at]!, at))
})

/**
 * `x` with entries along an axis replaced by those of `values` where the index points, the last of several: PyTorch's
 * `index_copy`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { indexCopy } from '@bp/ops'
 * indexCopy(tensor([1, 2, 3]), 0, tensor([2], { dtype: 'int32' }), tensor([10])) // => tensor([1, 2, 10], float32)
 * ```
 */
export const indexCopy = (x: Tensor, axis: number, index: Tensor, values: Tensor): Tensor => onAxis(x, y => {
  const { at, places, values: all } = checkValues('indexCopy', y, axis, index, values)
  return putFrom(y, lastSourceOf(places, y.shape[at]!), all, at)
})

/**
 * `x` with entries along an axis set to one value, a number or a scalar, where the index points: PyTorch's `index_fill`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { indexFill } from '@bp/ops'
 * indexFill(tensor([[1, 2], [3, 4]]), 1, tensor([0], { dtype: 'int32' }), 9) // => tensor([[9, 2], [9, 4]], float32)
 * ```
 */
export const indexFill = (x: Tensor, axis: number, index: Tensor, value: TensorLike): Tensor => onAxis(x, y => {
  const { at, places } = checkIndex('indexFill', y, axis, index)
  const source = lastSourceOf(places, y.shape[at]!)
  return select(less(reshape(source, y.shape.map((size, i) => i === at ? size : 1)), 0), y, value)
})

/**
 * `x` with the entries of `values` reduced into it along an axis where the index points: PyTorch's `index_reduce`. Without
 * `includeSelf` what stood there does not count.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { indexReduce } from '@bp/ops'
 * indexReduce(tensor([1, 2, 3]), 0, tensor([0, 0], { dtype: 'int32' }), tensor([4, 5]), 'prod') // => tensor([20, 2, 3], float32)
 * ```
 */
export const indexReduce = (x: Tensor, axis: number, index: Tensor, values: Tensor, reduce: ScatterReduction, includeSelf = true): Tensor => onAxis(x, y => {
  const { at, places, values: all } = checkValues('indexReduce', y, axis, index, values)
  const column = reshape(places, all.shape.map((size, i) => i === at ? size : 1))
  return scatter(y, at, broadcastTo(column, all.shape), all, { reduce, includeSelf })
})

/**
 * Elements by their flat, row-major place, in the shape of the index: PyTorch's `take`, NumPy's without an axis.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { takeFlat } from '@bp/ops'
 * takeFlat(tensor([[1, 2], [3, 4]]), tensor([3, 0], { dtype: 'int32' })) // => tensor([4, 1], float32)
 * ```
 */
export const takeFlat = (x: Tensor, index: Tensor): Tensor => readAt(x, index)

/**
 * `x` with values in place of (the last of several), or added to, the elements at flat places: PyTorch's `put`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { putFlat } from '@bp/ops'
 * putFlat(tensor([[1, 2], [3, 4]]), tensor([3], { dtype: 'int32' }), tensor([9])) // => tensor([[1, 2], [3, 9]], float32)
 * ```
 */
export function putFlat(x: Tensor, index: Tensor, values: Tensor, accumulate = false): Tensor {
  if (index.size !== values.size) fail('shape', 'putFlat', `got ${index.size} places and ${values.size} values. Give one value for each`)
  return putAt('putFlat', x, within('putFlat', index, x.size), reshape(values, index.shape), accumulate)
}
