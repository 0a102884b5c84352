// Reductions and scans that are primitives: amax, argMax, argSort, cumSum. Sums are made of core's sumTo.

import { mul, sumTo, type Tensor, zerosLike } from '@bp/core'
import { type Abstract, Aval, bind, defineOp, describe, fail, isFloat, normaliseAxes, normaliseAxis, withShape } from '@bp/core/extend'
import { div, neg, sub } from './arithmetic.ts'
import { cast, equal, logicalNot } from './compare.ts'
import { reshape } from './view.ts'

/** The shape with the given axes kept at size 1. */
export const keptShape = (x: Abstract, axes: readonly number[]): number[] => x.shape.map((size, i) => axes.includes(i) ? 1 : size)

/** The shape without the given axes. */
export const droppedShape = (x: Abstract, axes: readonly number[]): number[] => x.shape.filter((_, i) => !axes.includes(i))

/** Throws where an axis that must have an element has none, and so no `what`. */
export function checkNotEmpty(op: string, x: Abstract, axes: readonly number[], what = 'largest element'): void {
  const empty = axes.find(axis => x.shape[axis] === 0)
  if (empty !== undefined) fail('shape', op, `axis ${empty} of ${describe(x)} is empty and has no ${what}`)
}

/** y = max over axes (kept at size 1),   x̄ = ȳ shared evenly among the elements that are the largest */
export const amaxRow = /* @__PURE__ */ defineOp({
  name: 'amax', arity: 1, fuse: 'reduce', saves: 'xy',
  infer: ([x], p: { readonly axes: readonly number[] }) => {
    checkNotEmpty('amax', x, p.axes)
    return withShape(x, keptShape(x, p.axes))
  },
  diff: {
    kind: 'custom', why: 'which elements are the largest depends on x, and several may share',
    vjp: ([ct], [x], [y]) => [mul(tieShares(x, y!), ct!)],
    jvp: ([t], [x], [y]) => [t ? sumTo(mul(tieShares(x, y!), t), y!.shape) : zerosLike(y!)],
  },
  batch: ([x], _batched, _size, p) => amax(x, p.axes.map(axis => axis + 1), true),
})

/** 1/(number of ties) at each element equal to its maximum, else 0 */
function tieShares(x: Tensor, y: Tensor): Tensor {
  const ties = cast(equal(x, y), x.dtype)
  return div(ties, sumTo(ties, y.shape))
}

/** y = index of the largest element along an axis (dropped), the first of several */
export const argMaxRow = /* @__PURE__ */ defineOp({
  name: 'argMax', arity: 1, fuse: 'reduce',
  infer: ([x], p: { readonly axis: number }) => {
    checkNotEmpty('argMax', x, [p.axis])
    return new Aval(droppedShape(x, [p.axis]), 'int32')
  },
  diff: { kind: 'zero' },
  batch: ([x], _batched, _size, p) => argMax(x, p.axis + 1),
})

/** y = the indices that sort x along an axis, stable; NaN counts as the largest */
export const argSortRow = /* @__PURE__ */ defineOp({
  name: 'argSort', arity: 1, fuse: 'opaque', precision: 'any',
  infer: ([x], _p: { readonly axis: number; readonly descending: boolean }) => new Aval(x.shape, 'int32'),
  diff: { kind: 'zero' },
  batch: ([x], _batched, _size, p) => argSort(x, p.axis + 1, p.descending),
})

/** yᵢ = Σ_{j ≤ i} xⱼ along an axis (j ≥ i where reversed),   x̄ = the sum in the other direction */
export const cumSumRow = /* @__PURE__ */ defineOp({
  name: 'cumSum', arity: 1, fuse: 'opaque',
  infer: ([x]) => x.aval,
  diff: { kind: 'linear', transpose: [(ct, _xs, p: { readonly axis: number; readonly reverse: boolean }) => cumSum(ct, p.axis, !p.reverse)] },
  batch: ([x], _batched, _size, p) => cumSum(x, p.axis + 1, p.reverse),
})

/** The elements in the opposite order, so that the smallest is the largest: −x, or what stands for it without overflow. */
export function opposite(x: Tensor): Tensor {
  if (x.dtype === 'bool') return logicalNot(x)
  return isFloat(x.dtype) ? neg(x) : sub(x.dtype === 'uint8' ? 255 : -1, x)
}

/**
 * The largest element over the given axes (all unless given). Ties share the gradient evenly, as in PyTorch's `amax`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { amax } from '@bp/ops'
 * amax(tensor([[1, 5], [3, 2]]), 1) // => tensor([5, 3], float32)
 * ```
 */
export function amax(x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor {
  const list = normaliseAxes('amax', axes, x.rank)
  const y = bind(amaxRow, [x], { axes: list })
  return keepDims ? y : reshape(y, droppedShape(x, list))
}

/**
 * The index of the largest element along an axis, as int32; the first where there are several.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { argMax } from '@bp/ops'
 * argMax(tensor([[1, 5], [3, 2]]), 1) // => tensor([1, 0], int32)
 * ```
 */
export const argMax = (x: Tensor, axis = -1): Tensor => bind(argMaxRow, [x], { axis: normaliseAxis('argMax', axis, x.rank) })

/**
 * The indices that would sort an axis, as int32; equal elements keep their order.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { argSort } from '@bp/ops'
 * argSort(tensor([3, 1, 2])) // => tensor([1, 2, 0], int32)
 * ```
 */
export const argSort = (x: Tensor, axis = -1, descending = false): Tensor => bind(argSortRow, [x], { axis: normaliseAxis('argSort', axis, x.rank), descending })

/**
 * Running sums along an axis, from the front or, reversed, from the back.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cumSum } from '@bp/ops'
 * cumSum(tensor([1, 2, 3])) // => tensor([1, 3, 6], float32)
 * ```
 */
export const cumSum = (x: Tensor, axis = -1, reverse = false): Tensor => bind(cumSumRow, [x], { axis: normaliseAxis('cumSum', axis, x.rank), reverse })

/**
 * The sum over the given axes (all unless given).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { sum } from '@bp/ops'
 * sum(tensor([[1, 2], [3, 4]]), 0) // => tensor([4, 6], float32)
 * ```
 */
export function sum(x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor {
  const list = normaliseAxes('sum', axes, x.rank)
  const y = sumTo(x, keptShape(x, list))
  return keepDims ? y : reshape(y, droppedShape(x, list))
}
