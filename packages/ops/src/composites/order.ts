// Order statistics: the k-th smallest, the median, the most frequent value. Each is an element of x, and NaN is the largest.

import { add, broadcastTo, full, type Tensor } from '@bp/core'
import { describe, fail, normaliseAxis } from '@bp/core/extend'
import { div, maximum, sub } from '../rows/arithmetic.ts'
import { cast, less, notEqual, select } from '../rows/compare.ts'
import { argMax, argSort, checkNotEmpty, sum } from '../rows/reduce.ts'
import { iota } from '../rows/source.ts'
import { concat, detach, narrow, reshape } from '../rows/view.ts'
import { sort, takeAlong } from './along.ts'
import { isNan } from './floats.ts'
import { associativeScan } from './scan.ts'
import { pick, sharedAmong } from './ties.ts'

/**
 * The elements in order along the first axis; equal ones keep theirs.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { msort } from '@bp/ops'
 * msort(tensor([[3, 1], [2, 4]])) // => tensor([[2, 1], [3, 4]], float32)
 * ```
 */
export const msort = (x: Tensor): Tensor => sort(x, 0)[0]

/**
 * The k-th smallest element of an axis, counted from 1, and its int32 place.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { kthValue } from '@bp/ops'
 * kthValue(tensor([5, 3, 4]), 2) // => [tensor(4, float32), tensor(2, int32)]
 * ```
 */
export function kthValue(x: Tensor, k: number, axis = -1, keepDims = false): [values: Tensor, indices: Tensor] {
  const at = normaliseAxis('kthValue', axis, x.rank)
  if (!(Number.isInteger(k) && k >= 1 && k <= x.shape[at]!)) fail('value', 'kthValue', `k must be a whole number from 1 to ${x.shape[at]}, the size of axis ${at} of ${describe(x)}, got ${k}`)
  return pick(x, narrow(argSort(x, at), at, k - 1, 1), at, keepDims)
}

/**
 * The median of all elements, the lower of two, its gradient shared evenly among equals; or, along an axis, the medians and
 * their int32 places, to which the gradient goes. NaN where there is one.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { median } from '@bp/ops'
 * median(tensor([4, 1, 3, 2])) // => tensor(2, float32)
 * median(tensor([[4, 1, 3]]), 1) // => [tensor([3], float32), tensor([2], int32)]
 * ```
 */
export function median(x: Tensor): Tensor
export function median(x: Tensor, axis: number, keepDims?: boolean): [values: Tensor, indices: Tensor]
export function median(x: Tensor, axis?: number, keepDims = false): Tensor | [Tensor, Tensor] {
  return axis === undefined ? middleOfAll('median', x, false) : middle('median', x, axis, keepDims, false)
}

/**
 * The {@link median} of the elements that are not NaN; NaN where all are.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { nanMedian } from '@bp/ops'
 * nanMedian(tensor([4, NaN, 3, 2])) // => tensor(3, float32)
 * ```
 */
export function nanMedian(x: Tensor): Tensor
export function nanMedian(x: Tensor, axis: number, keepDims?: boolean): [values: Tensor, indices: Tensor]
export function nanMedian(x: Tensor, axis?: number, keepDims = false): Tensor | [Tensor, Tensor] {
  return axis === undefined ? middleOfAll('nanMedian', x, true) : middle('nanMedian', x, axis, keepDims, true)
}

function middleOfAll(op: string, x: Tensor, skipNaN: boolean): Tensor {
  return sharedAmong(x, middle(op, detach(reshape(x, [x.size])), 0, false, skipNaN)[0])
}

function middle(op: string, x: Tensor, axis: number, keepDims: boolean, skipNaN: boolean): [Tensor, Tensor] {
  const at = normaliseAxis(op, axis, x.rank)
  checkNotEmpty(op, x, [at], 'median')
  const n = x.shape[at]!
  const numbers = sub(n, sum(cast(isNan(x), 'int32'), at, true))
  // in order, the first NaN stands behind all numbers
  const place = skipNaN ? div(sub(numbers, 1), 2) : select(less(numbers, n), numbers, (n - 1) >> 1)
  return pick(x, takeAlong(argSort(x, at), place, at), at, keepDims)
}

/**
 * The most frequent value of an axis, the smallest of several, and the int32 place where it stands last.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { mode } from '@bp/ops'
 * mode(tensor([3, 1, 3, 1, 2])) // => [tensor(1, float32), tensor(3, int32)]
 * ```
 */
export function mode(x: Tensor, axis = -1, keepDims = false): [values: Tensor, indices: Tensor] {
  const at = normaliseAxis('mode', axis, x.rank)
  checkNotEmpty('mode', x, [at], 'mode')
  const n = x.shape[at]!
  const [sorted, order] = sort(detach(x), at)
  const places = broadcastTo(reshape(iota(n, 'int32', x.backend), x.shape.map((_, i) => i === at ? n : 1)), x.shape)
  const changes = n > 1 ? [notEqual(narrow(sorted, at, 1, n - 1), narrow(sorted, at, 0, n - 1))] : []
  const edge = full(x.shape.with(at, 1), 1, 'bool', x.backend)
  const starts = associativeScan(([a], [b]) => [maximum(a!, b!)], [select(concat([edge, ...changes], at), places, 0)], at)[0]!
  const counts = select(concat([...changes, edge], at), add(sub(places, starts), 1), 0)
  const best = reshape(argMax(counts, at), x.shape.with(at, 1))
  return pick(x, takeAlong(order, best, at), at, keepDims)
}
