// Quantiles by any of five interpolations between order statistics.

import { add, broadcastTo, mul, type Tensor, tensor } from '@bp/core'
import { describe, fail, normaliseAxis } from '@bp/core/extend'
import { floor, round, sub } from '../rows/arithmetic.ts'
import { cast, equal, less, logicalNot, select } from '../rows/compare.ts'
import { checkNotEmpty, sum } from '../rows/reduce.ts'
import { reshape, transpose } from '../rows/view.ts'
import { ceil, clamp } from './activations.ts'
import { sort, takeAlong } from './along.ts'
import { isNan } from './floats.ts'

/** Options of {@link quantile}. */
export interface QuantileOptions {
  /** All elements as one list unless given. */
  readonly axis?: number | undefined
  readonly keepDims?: boolean
  /** What to do between two elements: a weighted mean, one of them, the nearer (halves to the even place), or their mean. */
  readonly interpolation?: 'linear' | 'lower' | 'higher' | 'nearest' | 'midpoint'
}

/**
 * The value below which the part q of the elements lies, at rank q·(n − 1) of their order. q is a number, or a list or a
 * tensor of one axis, which becomes the first axis of the result; a tensor has x's dtype, gets a gradient, and counts as 0 or
 * 1 where it is outside. NaN where there is one.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { quantile } from '@bp/ops'
 * quantile(tensor([1, 2, 4]), 0.75) // => tensor(3, float32)
 * quantile(tensor([[1, 2, 4]]), [0, 0.5], { axis: 1 }) // => tensor([[1], [2]], float32)
 * ```
 */
export const quantile = (x: Tensor, q: number | readonly number[] | Tensor, options: QuantileOptions = {}): Tensor =>
  quantileOf('quantile', x, q, options, false)

/**
 * The {@link quantile} of the elements that are not NaN; NaN where all are.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { nanQuantile } from '@bp/ops'
 * nanQuantile(tensor([1, NaN, 2, 4]), 0.5) // => tensor(2, float32)
 * ```
 */
export const nanQuantile = (x: Tensor, q: number | readonly number[] | Tensor, options: QuantileOptions = {}): Tensor =>
  quantileOf('nanQuantile', x, q, options, true)

function quantileOf(op: string, given: Tensor, q: number | readonly number[] | Tensor, { axis, keepDims = false, interpolation = 'linear' }: QuantileOptions, skipNaN: boolean): Tensor {
  const x = axis === undefined ? reshape(given, [given.size]) : given
  const at = normaliseAxis(op, axis ?? 0, x.rank)
  checkNotEmpty(op, x, [at], 'quantile')
  const parts = partsOf(op, x, q)
  const nans = sum(cast(isNan(x), x.dtype), at, true)
  const last = x.shape[at]! - 1
  const along = reshape(parts, x.shape.map((_, i) => i === at ? parts.size : 1))
  // a rank beyond the numbers is that of a NaN
  const ranks = skipNaN ? clamp(mul(along, sub(last, nans)), 0) : select(less(0, nans), last, mul(along, last))
  const values = interpolate(sort(x, at)[0], broadcastTo(ranks, x.shape.with(at, parts.size)), at, interpolation)
  const ahead = transpose(values, [at, ...x.shape.flatMap((_, i) => i === at ? [] : i)])
  const kept = axis === undefined ? given.shape.map(() => 1) : x.shape.with(at, 1)
  const rest = keepDims ? kept : ahead.shape.slice(1)
  return reshape(ahead, parts.rank === 0 ? rest : [parts.size, ...rest])
}

/** q as a scalar or one axis of numbers in [0, 1]. */
function partsOf(op: string, x: Tensor, q: number | readonly number[] | Tensor): Tensor {
  if (typeof q === 'object' && 'dtype' in q) {
    if (q.rank > 1 || q.dtype !== x.dtype) fail('shape', op, `q must be a scalar or one axis of x's dtype, got ${describe(q)} for ${describe(x)}`)
    return clamp(q, 0, 1)
  }
  const outside = [q].flat().find(part => !(part >= 0 && part <= 1))
  if (outside !== undefined) fail('value', op, `q must be between 0 and 1, got ${outside}`)
  return tensor(q, { dtype: x.dtype, backend: x.backend })
}

function interpolate(sorted: Tensor, ranks: Tensor, axis: number, interpolation: NonNullable<QuantileOptions['interpolation']>): Tensor {
  const at = (place: Tensor): Tensor => takeAlong(sorted, cast(place, 'int32'), axis)
  if (interpolation === 'lower') return at(floor(ranks))
  if (interpolation === 'higher') return at(ceil(ranks))
  if (interpolation === 'nearest') return at(round(ranks))
  const below = floor(ranks)
  const between = logicalNot(equal(below, ranks))
  const [low, high] = [at(below), at(ceil(ranks))]
  const weight = interpolation === 'midpoint' ? 0.5 : sub(ranks, below)
  return select(between, add(low, mul(weight, sub(high, low))), low)
}
