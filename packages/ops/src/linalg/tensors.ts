// Tensors as matrices, and products and powers of vectors.

import { broadcastTo, full, mul, type Tensor } from '@bp/core'
import { broadcastShapes, describe, fail, normaliseAxis, sizeOf } from '@bp/core/extend'
import { roll } from '../composites/roll.ts'
import { cumProd } from '../composites/scan.ts'
import { moveAxis } from '../composites/shapes.ts'
import { sub } from '../rows/arithmetic.ts'
import { sum } from '../rows/reduce.ts'
import { concat, narrow, reshape } from '../rows/view.ts'
import { inv, solve } from './solve.ts'

/**
 * The inverse of a tensor as a matrix of its first `split` axes by the others: tensordot of it and the tensor, over `split`
 * axes, is the identity.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { tensorinv } from '@bp/ops'
 * tensorinv(tensor([[[2, 0]], [[0, 4]]]), 1) // => tensor([[[0.5, 0], [0, 0.25]]], float32)
 * ```
 */
export function tensorinv(a: Tensor, split = 2): Tensor {
  if (!(Number.isInteger(split) && split > 0)) fail('value', 'tensorinv', `the split must be a whole number above 0, got ${split}`)
  const [front, back] = [a.shape.slice(0, split), a.shape.slice(split)]
  if (sizeOf(front) !== sizeOf(back)) fail('shape', 'tensorinv', `the axes before and after ${split} of ${describe(a)} must have as many elements. Choose another split`)
  return reshape(inv(reshape(a, [sizeOf(front), sizeOf(back)])), [...back, ...front])
}

/**
 * X with tensordot(A, X, X's rank) = B; the axes given are moved to the end of A first.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { tensorsolve } from '@bp/ops'
 * tensorsolve(tensor([[[2, 0]], [[0, 4]]]), tensor([[2], [8]])) // => tensor([1, 2], float32)
 * ```
 */
export function tensorsolve(a: Tensor, b: Tensor, axes: readonly number[] = []): Tensor {
  const moved = axes.length === 0 ? a : moveAxis(a, axes, axes.map((_, i) => a.rank - axes.length + i))
  const shape = moved.shape.slice(b.rank)
  if (sizeOf(shape) !== b.size) fail('shape', 'tensorsolve', `${describe(moved)} as a matrix of ${b.size} rows is not square`)
  return reshape(solve(reshape(moved, [b.size, sizeOf(shape)]), reshape(b, [b.size])), shape)
}

/**
 * The powers of each element, from 0 to `n` − 1 (as many as there are elements along the last axis unless given), as a new
 * last axis.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { vander } from '@bp/ops'
 * vander(tensor([2, 3]), 3) // => tensor([[1, 2, 4], [1, 3, 9]], float32)
 * ```
 */
export function vander(x: Tensor, n: number = x.shape.at(-1) ?? 1): Tensor {
  const shape = [...x.shape, 1]
  const factors = concat([full(shape, 1, x.dtype, x.backend), broadcastTo(reshape(x, shape), [...x.shape, Math.max(0, n - 1)])], x.rank)
  return narrow(cumProd(factors, -1), -1, 0, n)
}

/**
 * The inner products of vectors along an axis; the others broadcast.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { vecdot } from '@bp/ops'
 * vecdot(tensor([[1, 2], [3, 4]]), tensor([1, 10])) // => tensor([21, 43], float32)
 * ```
 */
export const vecdot = (a: Tensor, b: Tensor, axis = -1): Tensor => sum(mul(a, b), axis)

/**
 * The cross products of vectors of three elements along an axis; the others broadcast.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cross } from '@bp/ops'
 * cross(tensor([1, 0, 0]), tensor([0, 1, 0])) // => tensor([0, 0, 1], float32)
 * ```
 */
export function cross(a: Tensor, b: Tensor, axis = -1): Tensor {
  const shape = broadcastShapes('cross', a.shape, b.shape)
  const at = normaliseAxis('cross', axis, shape.length)
  if ([a, b].some(x => x.shape[at - shape.length + x.rank] !== 3)) fail('shape', 'cross', `needs three elements along axis ${axis} of both, got ${describe(a)} and ${describe(b)}`)
  const [x, y] = [broadcastTo(a, shape), broadcastTo(b, shape)]
  // the i-th element is xᵢ₊₁·yᵢ₊₂ − xᵢ₊₂·yᵢ₊₁
  return sub(mul(roll(x, -1, at), roll(y, -2, at)), mul(roll(x, -2, at), roll(y, -1, at)))
}
