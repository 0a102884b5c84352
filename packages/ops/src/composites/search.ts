// Finding places in sorted lists, and counting what falls where. None of it has a derivative but the sum of weights.

import { add, full, mul, type Tensor, type TensorLike } from '@bp/core'
import { describe, fail, isFloat, sameShape, toTensor } from '@bp/core/extend'
import { div, floor, minimum, sub } from '../rows/arithmetic.ts'
import { cast, equal, less, lessEqual, logicalAnd, logicalNot, select } from '../rows/compare.ts'
import { scatterAdd, take } from '../rows/indexing.ts'
import { amax } from '../rows/reduce.ts'
import { detach, narrow, reshape } from '../rows/view.ts'
import { takeAlong } from './along.ts'
import { amin } from './statistics.ts'

/** Options of {@link searchSorted}. */
export interface SearchOptions {
  /** Whether to go behind equal elements instead of before them. */
  readonly right?: boolean
  /** The places that sort `sorted`, where it is not sorted itself. */
  readonly sorter?: Tensor | undefined
}

/**
 * Where each value would have to be inserted for a sorted list to stay sorted, as int32: [n] and any shape, or [..., n] and
 * [..., m] with equal leading axes. Found by bisection, for all values at once.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { searchSorted } from '@bp/ops'
 * searchSorted(tensor([1, 3, 5]), tensor([0, 3, 9])) // => tensor([0, 1, 3], int32)
 * searchSorted(tensor([1, 3, 5]), 3, { right: true }) // => tensor(2, int32)
 * ```
 */
export function searchSorted(sorted: Tensor, values: TensorLike, { right = false, sorter }: SearchOptions = {}): Tensor {
  const xs = detach(toTensor(values, sorted))
  if (xs.dtype !== sorted.dtype) fail('dtype', 'searchSorted', `the list and the values must have one dtype, got ${describe(sorted)} and ${describe(xs)}. Convert one with cast`)
  if (sorted.rank === 0 || (sorted.rank > 1 && !sameShape(sorted.shape.slice(0, -1), xs.shape.slice(0, -1)))) {
    fail('shape', 'searchSorted', `needs one list, or as many as the values have rows, got ${describe(sorted)} and ${describe(xs)}`)
  }
  const list = detach(sorter ? takeAlong(sorted, sorter, -1) : sorted)
  const n = list.shape.at(-1)!
  const whole = (value: number): Tensor => full(xs.shape, value, 'int32', xs.backend)
  let [low, high] = [whole(0), whole(n)]
  for (let width = n; width > 0; width >>= 1) {
    const middle = div(add(low, high), 2)
    const place = minimum(middle, n - 1)
    const at = list.rank === 1 ? take(list, place) : takeAlong(list, place, -1)
    const onward = logicalAnd(less(low, high), logicalNot(right ? less(xs, at) : lessEqual(xs, at)))
    low = select(onward, add(middle, 1), low)
    high = select(onward, high, middle)
  }
  return low
}

/**
 * The number of the bucket that each value falls into, as int32: i where bᵢ₋₁ < x ≤ bᵢ, or bᵢ₋₁ ≤ x < bᵢ where `right`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { bucketize } from '@bp/ops'
 * bucketize(tensor([1, 2, 6]), tensor([1, 3, 5])) // => tensor([0, 1, 3], int32)
 * ```
 */
export const bucketize = (x: TensorLike, boundaries: Tensor, right = false): Tensor => searchSorted(boundaries, x, { right })

/** Options of {@link bincount}. */
export interface BincountOptions {
  /** What each element adds to its bin, instead of 1. */
  readonly weights?: Tensor
  /** The least number of bins. */
  readonly minLength?: number
  /** The number of bins; elements beyond are left out. The largest element decides unless given. */
  readonly length?: number
}

/**
 * How often each of 0, 1, 2, … occurs in a list of whole numbers, as int32, or the sum of its weights. Unless `length` is
 * given it reads the values, and cannot be traced.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { bincount } from '@bp/ops'
 * bincount(tensor([0, 2, 2], { dtype: 'int32' })) // => tensor([1, 0, 2], int32)
 * bincount(tensor([0, 2, 2], { dtype: 'int32' }), { weights: tensor([0.5, 1, 2]) }) // => tensor([0.5, 0, 3], float32)
 * ```
 */
export function bincount(x: Tensor, { weights, minLength = 0, length }: BincountOptions = {}): Tensor {
  if (x.rank !== 1 || isFloat(x.dtype)) fail('shape', 'bincount', `needs one axis of whole numbers, got ${describe(x)}. Reshape it, or cast it to int32`)
  if (weights && !sameShape(weights.shape, x.shape)) fail('shape', 'bincount', `the weights ${describe(weights)} must have the shape of ${describe(x)}`)
  const bins = length ?? Math.max(minLength, x.size === 0 ? 0 : Number(amax(x).dataSync()[0]) + 1)
  return countInto(cast(x, 'int32'), weights, bins)
}

/** Sums ones, or weights, into bins by index; what is outside is left out. */
function countInto(index: Tensor, weights: Tensor | undefined, bins: number): Tensor {
  const inside = logicalAnd(lessEqual(0, index), less(index, bins))
  const ones = weights ?? cast(equal(index, index), 'int32')
  return narrow(scatterAdd(ones, select(inside, index, bins), bins + 1), 0, 0, bins)
}

/** Options of {@link histc}. */
export interface HistcOptions {
  /** How many bins; 100 unless given. */
  readonly bins?: number
  /** Where the first bin begins; at the smallest element where `min` and `max` are equal. */
  readonly min?: number
  /** Where the last bin ends, itself included. */
  readonly max?: number
}

/**
 * How many elements fall into each of some bins of one width, in x's dtype; those outside, and NaN, are left out.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { histc } from '@bp/ops'
 * histc(tensor([0, 1, 1, 4]), { bins: 4 }) // => tensor([1, 2, 0, 1], float32)
 * ```
 */
export function histc(x: Tensor, { bins = 100, min = 0, max = 0 }: HistcOptions = {}): Tensor {
  if (!(Number.isInteger(bins) && bins >= 1 && min <= max)) fail('value', 'histc', `needs a whole number of bins ≥ 1 and min ≤ max, got ${bins} bins from ${min} to ${max}`)
  const xs = detach(reshape(x, [x.size]))
  const own = min === max && x.size > 0
  const [from, to] = [own ? amin(xs) : toTensor(min, xs), own ? amax(xs) : toTensor(max, xs)]
  const flat = equal(from, to)
  const [low, high] = [select(flat, sub(from, 1), from), select(flat, add(to, 1), to)]
  const scaled = floor(div(mul(sub(xs, low), bins), sub(high, low)))
  const inside = logicalAnd(lessEqual(low, xs), lessEqual(xs, high))
  const index = cast(select(inside, minimum(scaled, bins - 1), -1), 'int32')
  return cast(countInto(index, undefined, bins), x.dtype)
}
