// Indexing element by element along an axis, and the sorting built on it.

import { add, broadcastTo, mul, type Shape, type Tensor } from '@bp/core'
import { broadcastShapes, describe, fail, normaliseAxis, stridesOf } from '@bp/core/extend'
import { asIndex, take } from '../rows/indexing.ts'
import { argSort } from '../rows/reduce.ts'
import { iota } from '../rows/source.ts'
import { narrow, reshape } from '../rows/view.ts'

/** The flat places in a tensor of `shape` that an index along one axis names; throws where it is out of range. */
export function flatIndex(op: string, shape: Shape, index: Tensor, axis: number): Tensor {
  if (index.rank !== shape.length || index.shape.some((size, i) => i !== axis && size > shape[i]!)) {
    fail('shape', op, `the index ${describe(index)} must have as many axes as [${shape.join(',')}] and no larger ones but axis ${axis}. Reshape or slice it`)
  }
  const strides = stridesOf(shape)
  const counted = (i: number, size: number): Tensor => mul(iota(size, 'int32', index.backend), strides[i]!)
  const own = take(counted(axis, shape[axis]!), asIndex(op, index))
  return index.shape.reduce((sum, size, i) => i === axis ? sum : add(sum, reshape(counted(i, size), index.shape.map((_, j) => j === i ? size : 1))), own)
}

/**
 * y[i, j] = x[i, index[i, j]] along axis 1: PyTorch's `gather`. The index may be smaller along the other axes. Throws where it is
 * out of range; negative counts from the end.
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
 * {@link takeAlong} of x and an index that broadcast along the other axes, or, without an axis, of both flattened: NumPy's
 * `take_along_axis`, PyTorch's `take_along_dim`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { takeAlongAxis } from '@bp/ops'
 * takeAlongAxis(tensor([[1, 2], [3, 4]]), tensor([[1]], { dtype: 'int32' }), 1) // => tensor([[2], [4]], float32)
 * ```
 */
export function takeAlongAxis(x: Tensor, index: Tensor, axis?: number): Tensor {
  if (axis === undefined) return take(reshape(x, [x.size]), reshape(index, [index.size]))
  const at = normaliseAxis('takeAlongAxis', axis, x.rank)
  if (index.rank !== x.rank) fail('shape', 'takeAlongAxis', `the index ${describe(index)} must have as many axes as ${describe(x)}. Reshape it`)
  const shape = broadcastShapes('takeAlongAxis', x.shape.with(at, 1), index.shape.with(at, 1))
  return takeAlong(broadcastTo(x, shape.with(at, x.shape[at]!)), broadcastTo(index, shape.with(at, index.shape[at]!)), at)
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
