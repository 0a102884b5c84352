// Losses of embeddings: pairs that should point the same way or not, triplets of an anchor, a like and an unlike one.

import { add, mul, type Tensor } from '@bp/core'
import { describe, fail, fullPrecision, sameShape } from '@bp/core/extend'
import { div, minimum, sub } from '../../rows/arithmetic.ts'
import { equal, select } from '../../rows/compare.ts'
import { sqrt } from '../../rows/exponential.ts'
import { sum } from '../../rows/reduce.ts'
import { clamp, square } from '../activations.ts'
import { pairwiseDistance } from '../distances.ts'
import { type LossOptions, reduce } from './reduction.ts'

/** Options of {@link cosineEmbeddingLoss}. */
export interface CosineEmbeddingLossOptions extends LossOptions {
  /** The cosine that unlike pairs may have; 0 unless given. */
  readonly margin?: number
}

/** Added to squared lengths, so that a vector of zeros has a direction's derivative. */
const tiny = 1e-12

/**
 * 1 − cos(a, b) where y = 1, max(0, cos(a, b) − margin) where y = −1: a, b [n, d] and y [n], or [d], [d] and a scalar.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cosineEmbeddingLoss } from '@bp/ops'
 * cosineEmbeddingLoss(tensor([[3, 4], [1, 0]]), tensor([[4, 3], [1, 0]]), tensor([1, -1]), { reduction: 'none' }) // => tensor([0.04, 1], float32)
 * ```
 */
export function cosineEmbeddingLoss(a: Tensor, b: Tensor, target: Tensor, { margin = 0, ...options }: CosineEmbeddingLossOptions = {}): Tensor {
  if (!sameShape(a.shape, b.shape) || a.rank !== target.rank + 1 || !sameShape(a.shape.slice(0, -1), target.shape)) fail('shape', 'cosineEmbeddingLoss', `needs pairs [n, d] with targets [n], or [d] and a scalar, got ${describe(a)}, ${describe(b)} and ${describe(target)}`)
  const [p, q] = [fullPrecision(a), fullPrecision(b)]
  const squares = (x: Tensor): Tensor => add(sum(square(x), -1), tiny)
  const cosine = div(sum(mul(p, q), -1), sqrt(mul(squares(p), squares(q))))
  const alike = select(equal(target, 1), sub(1, cosine), 0)
  return reduce(add(alike, select(equal(target, -1), clamp(sub(cosine, margin), 0), 0)), options)
}

/** What both triplet losses can be told. */
export interface TripletOptions extends LossOptions {
  /** 1 unless given. */
  readonly margin?: number
  /** Takes the distance of the negative from the positive where that is smaller (Balntas et al. 2016). */
  readonly swap?: boolean
}

/** Options of {@link tripletMarginWithDistanceLoss}. */
export interface TripletMarginWithDistanceLossOptions extends TripletOptions {
  /** How far apart two things are; {@link pairwiseDistance} unless given. */
  readonly distance?: (a: Tensor, b: Tensor) => Tensor
}

/** Options of {@link tripletMarginLoss}. */
export interface TripletMarginLossOptions extends TripletOptions {
  /** The order of the norm; 2 unless given. */
  readonly p?: number
  /** Added to every difference; 1e-6 unless given. */
  readonly eps?: number
}

/**
 * max(0, d(anchor, positive) − d(anchor, negative) + margin) with a distance of one's own.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cosineSimilarity, sub, tripletMarginWithDistanceLoss } from '@bp/ops'
 * const distance = (a, b) => sub(1, cosineSimilarity(a, b))
 * tripletMarginWithDistanceLoss(tensor([[1, 0]]), tensor([[0, 2]]), tensor([[3, 0]]), { distance }) // => tensor(2, float32)
 * ```
 */
export function tripletMarginWithDistanceLoss(anchor: Tensor, positive: Tensor, negative: Tensor, { distance = pairwiseDistance, margin = 1, swap = false, ...options }: TripletMarginWithDistanceLossOptions = {}): Tensor {
  const [near, far] = [distance(anchor, positive), distance(anchor, negative)]
  return reduce(clamp(add(sub(near, swap ? minimum(far, distance(positive, negative)) : far), margin), 0), options)
}

/**
 * max(0, ‖anchor − positive‖ₚ − ‖anchor − negative‖ₚ + margin) over the last axis (Balntas et al. 2016).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { tripletMarginLoss } from '@bp/ops'
 * tripletMarginLoss(tensor([[0, 0]]), tensor([[0, 3]]), tensor([[2, 0]]), { eps: 0 }) // => tensor(2, float32)
 * ```
 */
export const tripletMarginLoss = (anchor: Tensor, positive: Tensor, negative: Tensor, { p = 2, eps = 1e-6, ...options }: TripletMarginLossOptions = {}): Tensor =>
  tripletMarginWithDistanceLoss(anchor, positive, negative, { ...options, distance: (a, b) => pairwiseDistance(a, b, { p, eps }) })
