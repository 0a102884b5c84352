// Indexing element by element along an axis, and the sorting built on it.

import { add, mul, onesLike, type Shape, type Tensor } from '@bp/core'
import { describe, fail, normaliseAxis, sizeOf, stridesOf } from '@bp/core/extend'
import { cast, less, select } from '../rows/compare.ts'
import { scatterAdd, take } from '../rows/indexing.ts'
import { argSort } from '../rows/reduce.ts'
import { iota } from '../rows/source.ts'
import { narrow, reshape } from '../rows/view.ts'

/** The flat places in a tensor of `shape` that an index along one axis names. */
export function flatIndex(op: string, shape: Shape, index: Tensor, axis: number): Tensor {
  if (index.rank !== shape.length || index.shape.some((size, i) => i !== axis && size > shape[i]!)) {
    fail('shape', op, `the index ${describe(index)} must have as many axes as [${shape.join(',')}] and no larger ones but axis ${axis}`)
  }
  const at = cast(index, 'int32')
  const strides = stridesOf(shape)
  const own = mul(select(less(at, 0), add(at, shape[axis]!), at), strides[axis]!)
  return index.shape.reduce((sum, size, i) => i === axis ? sum : add(sum, reshape(mul(iota(size, 'int32', index.backend), strides[i]!), index.shape.map((_, j) => j === i ? size : 1))), own)
}

/**
 * y[i, j] = x[i, index[i, j]] along an axis: NumPy's `take_along_axis`, PyTorch's `gather`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { takeAlong } from '@bp/ops'
 * takeAlong(tensor([[1, 2], [3, 4]]), tensor([[1], [0]], { dtype: 'int32' }), 1) // => tensor([[2], [3]], float32)
 * ```
 */
export function takeAlong(x: Tensor, index: Tensor, axis: number): Tensor {
  const at = normaliseAxis('takeAlong', axis, x.rank)
  return take(reshape(x, [x.size]), flatIndex('takeAlong', x.shape, index, at))
}

/**
 * x with `values` added to, or put in place of, the elements that the index names along an axis: PyTorch's `scatter_add`
 * and `scatter`. Where an index repeats, putting is undefined.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { putAlong } from '@bp/ops'
 * putAlong(tensor([1, 2, 3]), tensor([2, 0], { dtype: 'int32' }), tensor([10, 20]), 0) // => tensor([20, 2, 10], float32)
 * ```
 */
export function putAlong(x: Tensor, index: Tensor, values: Tensor, axis: number, mode: 'set' | 'add' = 'set'): Tensor {
  const at = normaliseAxis('putAlong', axis, x.rank)
  const places = reshape(flatIndex('putAlong', x.shape, index, at), [index.size])
  const scattered = (v: Tensor): Tensor => reshape(scatterAdd(reshape(v, [index.size]), places, sizeOf(x.shape)), x.shape)
  if (mode === 'add') return add(x, scattered(values))
  return select(less(0, scattered(onesLike(values))), scattered(values), x)
}

/**
 * The elements of an axis in order, and the int32 places they came from.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { sort } from '@bp/ops'
 * sort(tensor([3, 1, 2])) // => [tensor([1, 2, 3], float32), tensor([1, 2, 0], int32)]
 * ```
 */
export function sort(x: Tensor, axis = -1, descending = false): [values: Tensor, indices: Tensor] {
  const at = normaliseAxis('sort', axis, x.rank)
  const order = argSort(x, at, descending)
  return [takeAlong(x, order, at), order]
}

/**
 * The k largest (or smallest) elements of an axis in order, and their int32 places.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { topk } from '@bp/ops'
 * topk(tensor([1, 5, 3]), 2)[0] // => tensor([5, 3], float32)
 * ```
 */
export function topk(x: Tensor, k: number, axis = -1, largest = true): [values: Tensor, indices: Tensor] {
  const at = normaliseAxis('topk', axis, x.rank)
  if (!(k >= 0 && k <= x.shape[at]!)) fail('value', 'topk', `k must be between 0 and ${x.shape[at]}, the size of axis ${at} of ${describe(x)}, got ${k}`)
  const indices = narrow(argSort(x, at, largest), at, 0, k)
  return [takeAlong(x, indices, at), indices]
}
