// Scans: running products, extremes and log-sums along an axis, each a scan by an associative function.

import { broadcastTo, mul, type Tensor } from '@bp/core'
import { describe, fail, normaliseAxis } from '@bp/core/extend'
import { lessEqual, logicalOr, select } from '../rows/compare.ts'
import { opposite } from '../rows/reduce.ts'
import { iota } from '../rows/source.ts'
import { concat, detach, flip, narrow, reshape, slice } from '../rows/view.ts'
import { takeAlong } from './along.ts'
import { stack } from './arrange.ts'
import { isNan } from './floats.ts'
import { logAddExp } from './logarithms.ts'

/** Combines two runs of neighbours into one, entry by entry: f(f(a, b), c) = f(a, f(b, c)). */
export type Combine = (earlier: Tensor[], later: Tensor[]) => Tensor[]

/**
 * yᵢ = f(f(x₀, x₁), …, xᵢ) along an axis for an associative, elementwise f: each result is built of 2·log n applications to
 * ever shorter lists, 2n elements in all (Blelloch 1990, "Prefix Sums and Their Applications", §1.3). Several tensors that
 * agree on the axis are scanned together; reversed, from the back: f(f(xₙ, xₙ₋₁), …).
 *
 * @example
 * ```ts
 * import { mul, tensor } from '@bp/core'
 * import { associativeScan } from '@bp/ops'
 * associativeScan(([a], [b]) => [mul(a!, b!)], [tensor([1, 2, 3, 4])]) // => [tensor([1, 2, 6, 24], float32)]
 * ```
 */
export function associativeScan(f: Combine, xs: readonly Tensor[], axis = 0, reverse = false): Tensor[] {
  const first = xs[0] ?? fail('value', 'associativeScan', 'needs at least one tensor')
  const at = normaliseAxis('associativeScan', axis, first.rank)
  const other = xs.find(x => x.shape[at] !== first.shape[at])
  if (other) fail('shape', 'associativeScan', `the tensors must agree on axis ${at}, got ${describe(first)} and ${describe(other)}`)
  if (!reverse) return scan(f, [...xs], at)
  return scan(f, xs.map(x => flip(x, at)), at).map(y => flip(y, at))
}

/** Scans the pairs of neighbours, which gives every second result, and completes each of those by one more element. */
function scan(f: Combine, xs: Tensor[], axis: number): Tensor[] {
  const n = xs[0]!.shape[axis]!
  if (n < 2) return xs
  const odd = scan(f, f(xs.map(x => everySecond(x, axis, 0, n - n % 2)), xs.map(x => everySecond(x, axis, 1, n))), axis)
  const rest = Math.ceil(n / 2) - 1
  const even = rest === 0 ? null : f(odd.map(y => narrow(y, axis, 0, rest)), xs.map(x => everySecond(x, axis, 2, n)))
  return xs.map((x, i) => {
    const first = narrow(x, axis, 0, 1)
    return interleave(even ? concat([first, even[i]!], axis) : first, odd[i]!, axis)
  })
}

const everySecond = (x: Tensor, axis: number, start: number, end: number): Tensor => {
  const along = (value: number, others: number): number[] => x.shape.map((_, i) => i === axis ? value : others)
  return slice(x, along(start, 0), x.shape.with(axis, end), along(2, 1))
}

/** even₀, odd₀, even₁, odd₁, … along an axis; there may be one more even than odd. */
function interleave(even: Tensor, odd: Tensor, axis: number): Tensor {
  const pairs = odd.shape[axis]!
  const both = stack([narrow(even, axis, 0, pairs), odd], axis + 1)
  const mixed = reshape(both, odd.shape.with(axis, 2 * pairs))
  return even.shape[axis] === pairs ? mixed : concat([mixed, narrow(even, axis, pairs, 1)], axis)
}

/**
 * Running products along an axis, from the front or, reversed, from the back; their derivatives are right at zeros too.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cumProd } from '@bp/ops'
 * cumProd(tensor([1, 2, 3, 4])) // => tensor([1, 2, 6, 24], float32)
 * ```
 */
export const cumProd = (x: Tensor, axis = -1, reverse = false): Tensor =>
  associativeScan(([a], [b]) => [mul(a!, b!)], [x], normaliseAxis('cumProd', axis, x.rank), reverse)[0]!

/**
 * The largest element so far along an axis, and its int32 place: the last of several, to which the gradient goes. After a
 * NaN everything is NaN.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cumMax } from '@bp/ops'
 * cumMax(tensor([1, 3, 2, 3])) // => [tensor([1, 3, 3, 3], float32), tensor([0, 1, 1, 3], int32)]
 * ```
 */
export const cumMax = (x: Tensor, axis = -1): [values: Tensor, indices: Tensor] =>
  cumExtreme(x, x, normaliseAxis('cumMax', axis, x.rank))

/**
 * The smallest element so far along an axis, and its int32 place: the last of several, to which the gradient goes. After a
 * NaN everything is NaN.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cumMin } from '@bp/ops'
 * cumMin(tensor([2, 1, 3])) // => [tensor([2, 1, 1], float32), tensor([0, 1, 1], int32)]
 * ```
 */
export const cumMin = (x: Tensor, axis = -1): [values: Tensor, indices: Tensor] =>
  cumExtreme(x, opposite(x), normaliseAxis('cumMin', axis, x.rank))

/** The elements of x, and their places, where `ranked` is the largest so far. */
function cumExtreme(x: Tensor, ranked: Tensor, axis: number): [Tensor, Tensor] {
  const n = x.shape[axis]!
  const places = broadcastTo(reshape(iota(n, 'int32', x.backend), x.shape.map((_, i) => i === axis ? n : 1)), x.shape)
  const indices = associativeScan(([a, i], [b, j]) => {
    const later = logicalOr(lessEqual(a!, b!), isNan(b!))
    return [select(later, b!, a!), select(later, j!, i!)]
  }, [detach(ranked), places], axis)[1]!
  return [takeAlong(x, indices, axis), indices]
}

/**
 * log Σ_{j ≤ i} e^xⱼ along an axis, without overflow.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { logCumSumExp } from '@bp/ops'
 * logCumSumExp(tensor([1000, 1000])) // => tensor([1000, 1000.69], float32)
 * ```
 */
export const logCumSumExp = (x: Tensor, axis = -1): Tensor =>
  associativeScan(([a], [b]) => [logAddExp(a!, b!)], [x], normaliseAxis('logCumSumExp', axis, x.rank))[0]!
