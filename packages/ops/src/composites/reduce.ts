// Reductions made of sums, products and maxima: extremes with their places, logic, counts, and sums that skip NaN.

import { full, mul, type Tensor } from '@bp/core'
import { fullPrecision, normaliseAxes, normaliseAxis } from '@bp/core/extend'
import { div } from '../rows/arithmetic.ts'
import { cast, equal, less, logicalNot, notEqual, select } from '../rows/compare.ts'
import { amax, argMax, droppedShape, opposite, sum } from '../rows/reduce.ts'
import { concat, narrow, reshape } from '../rows/view.ts'
import { isNan } from './floats.ts'
import { amin } from './statistics.ts'
import { pick } from './ties.ts'

/**
 * The product over the given axes (all unless given), by halving: its derivatives of every order are products of the other
 * elements, right where some of them are 0.
 *
 * @example
 * ```ts
 * import { grad, tensor } from '@bp/core'
 * import { prod } from '@bp/ops'
 * prod(tensor([[1, 2], [3, 4]]), 0) // => tensor([3, 8], float32)
 * grad(x => prod(x))(tensor([2, 0, 3])) // => tensor([0, 6, 0], float32)
 * ```
 */
export function prod(x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor {
  const list = normaliseAxes('prod', axes, x.rank)
  const y = list.reduce(productAlong, fullPrecision(x))
  return keepDims ? y : reshape(y, droppedShape(x, list))
}

function productAlong(x: Tensor, axis: number): Tensor {
  const n = x.shape[axis]!
  if (n === 1) return x
  if (n === 0) return full(x.shape.with(axis, 1), 1, x.dtype, x.backend)
  const half = Math.floor(n / 2)
  const pairs = mul(narrow(x, axis, 0, half), narrow(x, axis, half, half))
  return productAlong(n % 2 === 0 ? pairs : concat([pairs, narrow(x, axis, n - 1, 1)], axis), axis)
}

/**
 * The largest element of all, its gradient shared evenly among ties; or, along an axis, the largest elements and the int32
 * places of the first of each, to which the gradient goes. NaN counts as the largest.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { max } from '@bp/ops'
 * max(tensor([[1, 5], [3, 2]])) // => tensor(5, float32)
 * max(tensor([[1, 5], [3, 2]]), 0) // => [tensor([3, 5], float32), tensor([1, 0], int32)]
 * ```
 */
export function max(x: Tensor): Tensor
export function max(x: Tensor, axis: number, keepDims?: boolean): [values: Tensor, indices: Tensor]
export function max(x: Tensor, axis?: number, keepDims = false): Tensor | [Tensor, Tensor] {
  return axis === undefined ? amax(x) : extreme('max', x, x, axis, keepDims)
}

/**
 * The smallest element of all, its gradient shared evenly among ties; or, along an axis, the smallest elements and the int32
 * places of the first of each, to which the gradient goes. NaN counts as the smallest.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { min } from '@bp/ops'
 * min(tensor([[1, 5], [3, 2]])) // => tensor(1, float32)
 * min(tensor([[1, 5], [3, 2]]), 1, true) // => [tensor([[1], [2]], float32), tensor([[0], [1]], int32)]
 * ```
 */
export function min(x: Tensor): Tensor
export function min(x: Tensor, axis: number, keepDims?: boolean): [values: Tensor, indices: Tensor]
export function min(x: Tensor, axis?: number, keepDims = false): Tensor | [Tensor, Tensor] {
  return axis === undefined ? amin(x) : extreme('min', x, opposite(x), axis, keepDims)
}

/** The elements of x, and their places, where `ranked` is the largest. */
function extreme(op: string, x: Tensor, ranked: Tensor, axis: number, keepDims: boolean): [Tensor, Tensor] {
  const at = normaliseAxis(op, axis, x.rank)
  return pick(x, reshape(argMax(ranked, at), x.shape.with(at, 1)), at, keepDims)
}

/**
 * The smallest and the largest element over the given axes (all unless given); ties share the gradient evenly.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { aminmax } from '@bp/ops'
 * aminmax(tensor([3, 1, 2])) // => [tensor(1, float32), tensor(3, float32)]
 * ```
 */
export const aminmax = (x: Tensor, axes?: number | readonly number[], keepDims = false): [min: Tensor, max: Tensor] =>
  [amin(x, axes, keepDims), amax(x, axes, keepDims)]

/**
 * The index of the smallest element along an axis, as int32; the first where there are several.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { argMin } from '@bp/ops'
 * argMin(tensor([[1, 5], [3, 2]]), 1) // => tensor([0, 1], int32)
 * ```
 */
export const argMin = (x: Tensor, axis = -1): Tensor => argMax(opposite(x), axis)

/**
 * How many elements are not 0 over the given axes (all unless given), as int32.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { countNonzero } from '@bp/ops'
 * countNonzero(tensor([[1, 0], [2, 3]]), 0) // => tensor([2, 1], int32)
 * ```
 */
export const countNonzero = (x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor =>
  sum(cast(notEqual(x, 0), 'int32'), axes, keepDims)

/**
 * Whether no element is 0 (or false) over the given axes (all unless given), as bool; true of no elements.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { all } from '@bp/ops'
 * all(tensor([[true, true], [true, false]]), 1) // => tensor([true, false], bool)
 * ```
 */
export const all = (x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor =>
  equal(sum(cast(equal(x, 0), 'int32'), axes, keepDims), 0)

/**
 * Whether some element is not 0 (or false) over the given axes (all unless given), as bool; false of no elements.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { any } from '@bp/ops'
 * any(tensor([[0, 0], [1, 0]]), 1) // => tensor([false, true], bool)
 * ```
 */
export const any = (x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor =>
  less(0, countNonzero(x, axes, keepDims))

/**
 * The sum over the given axes (all unless given) of the elements that are not NaN, which get no gradient.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { nanSum } from '@bp/ops'
 * nanSum(tensor([1, NaN, 2])) // => tensor(3, float32)
 * ```
 */
export const nanSum = (x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor =>
  sum(select(isNan(x), 0, x), axes, keepDims)

/**
 * The mean over the given axes (all unless given) of the elements that are not NaN; NaN where all are.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { nanMean } from '@bp/ops'
 * nanMean(tensor([1, NaN, 2])) // => tensor(1.5, float32)
 * ```
 */
export const nanMean = (x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor =>
  div(nanSum(x, axes, keepDims), sum(cast(logicalNot(isNan(x)), x.dtype), axes, keepDims))
