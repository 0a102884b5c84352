// Losses that ask for a margin: between two scores, or between the right classes and the others.

import { add, mul, type Tensor } from '@bp/core'
import { describe, fail, fullPrecision, sameShape } from '@bp/core/extend'
import { div, neg, sub } from '../../rows/arithmetic.ts'
import { cast, equal, less, logicalAnd, select } from '../../rows/compare.ts'
import { relu } from '../../rows/exponential.ts'
import { take } from '../../rows/indexing.ts'
import { amax, cumSum, sum } from '../../rows/reduce.ts'
import { iota } from '../../rows/source.ts'
import { reshape } from '../../rows/view.ts'
import { clamp, square } from '../activations.ts'
import { takeAlong } from '../along.ts'
import { unsqueeze } from '../arrange.ts'
import { checkClasses } from './classes.ts'
import { type LossOptions, reduce } from './reduction.ts'

/** Options of {@link marginRankingLoss}. */
export interface MarginRankingLossOptions extends LossOptions {
  /** 0 unless given. */
  readonly margin?: number
}

/**
 * max(0, −y·(a − b) + margin): a should rank above b where y is 1, below where it is −1. Operands broadcast.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { marginRankingLoss } from '@bp/ops'
 * marginRankingLoss(tensor([3, 1]), tensor([1, 2]), tensor([1, 1])) // => tensor(0.5, float32)
 * ```
 */
export const marginRankingLoss = (a: Tensor, b: Tensor, target: Tensor, { margin = 0, ...options }: MarginRankingLossOptions = {}): Tensor =>
  reduce(clamp(add(mul(neg(target), sub(fullPrecision(a), b)), margin), 0), options)

/** Options of {@link hingeEmbeddingLoss}. */
export interface HingeEmbeddingLossOptions extends LossOptions {
  /** 1 unless given. */
  readonly margin?: number
}

/**
 * x where y = 1, max(0, margin − x) where y = −1: for distances x of pairs that are alike or not. Elsewhere it is their sum.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { hingeEmbeddingLoss } from '@bp/ops'
 * hingeEmbeddingLoss(tensor([0.5, 0.2]), tensor([1, -1]), { reduction: 'none' }) // => tensor([0.5, 0.8], float32)
 * ```
 */
export function hingeEmbeddingLoss(x: Tensor, target: Tensor, { margin = 1, ...options }: HingeEmbeddingLossOptions = {}): Tensor {
  if (!sameShape(x.shape, target.shape)) fail('shape', 'hingeEmbeddingLoss', `input and target must have one shape, got ${describe(x)} and ${describe(target)}`)
  const distance = fullPrecision(x)
  const apart = select(equal(target, 1), 0, clamp(sub(margin, distance), 0))
  return reduce(add(apart, select(equal(target, -1), 0, distance)), options)
}

/** Options of {@link multiMarginLoss}. */
export interface MultiMarginLossOptions extends LossOptions {
  /** The power of each term; 1 unless given. */
  readonly p?: 1 | 2
  /** 1 unless given. */
  readonly margin?: number
  /** A factor for each class, by the class that is right. */
  readonly weight?: Tensor | undefined
}

/**
 * Σ_{i ≠ y} max(0, margin − x[y] + x[i])ᵖ / c for scores x [n, c] and class indices y [n], or [c] and a scalar for one
 * example (Weston & Watkins 1999).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { multiMarginLoss } from '@bp/ops'
 * multiMarginLoss(tensor([[0.1, 0.2, 0.4, 0.8]]), tensor([3], { dtype: 'int32' })) // => tensor(0.325, float32)
 * ```
 */
export function multiMarginLoss(x: Tensor, target: Tensor, { p = 1, margin = 1, weight, ...options }: MultiMarginLossOptions = {}): Tensor {
  const classes = x.shape.at(-1) ?? 1
  const n = x.rank === 2 ? x.shape[0]! : 1
  if (x.rank > 2 || target.rank > 1 || target.size !== n) fail('shape', 'multiMarginLoss', `needs scores [n, classes] and n class indices, or [classes] and one, got ${describe(x)} and ${describe(target)}`)
  if (weight && !sameShape(weight.shape, [classes])) fail('shape', 'multiMarginLoss', `the weight must have one factor for each of the ${classes} classes, got ${describe(weight)}`)
  checkClasses('multiMarginLoss', x, classes, target, () => false, 'Leave out what should not count')
  const scores = reshape(fullPrecision(x), [n, classes])
  const index = reshape(target, [n, 1])
  const hinge = relu(add(sub(margin, takeAlong(scores, index, 1)), scores))
  const terms = p === 1 ? hinge : square(hinge)
  const weighted = weight ? mul(terms, take(weight, index)) : terms
  const others = select(equal(index, iota(classes, index.dtype, index.backend)), 0, weighted)
  return reduce(reshape(div(sum(others, 1), classes), target.shape), options)
}

/**
 * Σ_j Σ_i max(0, 1 − x[y_j] + x[i]) / c, over the right classes y_j and all others i: scores x [n, c] and, in each row of
 * y [n, c], class indices up to the first negative number; or [c] and [c] for one example.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { multilabelMarginLoss } from '@bp/ops'
 * const target = tensor([3, 0, -1, 1], { dtype: 'int32' })
 * multilabelMarginLoss(tensor([0.1, 0.2, 0.4, 0.8]), target) // => tensor(0.85, float32)
 * ```
 */
export function multilabelMarginLoss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  if (x.rank > 2 || !sameShape(x.shape, target.shape)) fail('shape', 'multilabelMarginLoss', `scores and class indices must both be [n, classes] or [classes], got ${describe(x)} and ${describe(target)}`)
  const classes = x.shape.at(-1) ?? 1
  const n = x.rank === 2 ? x.shape[0]! : 1
  checkClasses('multilabelMarginLoss', x, classes, target, index => index < 0, 'End a row of labels with -1')
  const scores = reshape(fullPrecision(x), [n, classes])
  const index = cast(reshape(target, [n, classes]), 'int32')
  const listed = equal(cumSum(cast(less(index, 0), 'int32'), 1), 0)
  const places = select(listed, index, 0)
  // [n, which label, class]: whether the class is that label
  const hits = logicalAnd(unsqueeze(listed, 2), equal(unsqueeze(places, 2), iota(classes, 'int32', index.backend)))
  const right = amax(cast(hits, 'int32'), 1, true)
  const hinge = relu(add(sub(1, unsqueeze(takeAlong(scores, places, 1), 2)), unsqueeze(scores, 1)))
  const terms = select(logicalAnd(unsqueeze(listed, 2), equal(right, 0)), hinge, 0)
  return reduce(reshape(div(sum(terms, [1, 2]), classes), x.shape.slice(0, -1)), options)
}
