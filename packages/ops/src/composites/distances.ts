// Distances and similarities: between pairs of vectors, and between all pairs of two sets or of one.

import { add, broadcastTo, mul, tensor, type Tensor } from '@bp/core'
import { broadcastShapes, describe, fail, fullPrecision } from '@bp/core/extend'
import { div, sub } from '../rows/arithmetic.ts'
import { take } from '../rows/indexing.ts'
import { sum } from '../rows/reduce.ts'
import { reshape } from '../rows/view.ts'
import { clamp } from './activations.ts'
import { unsqueeze } from './arrange.ts'
import { vectorNorm } from './norms.ts'

/** The p-norm over the last axis; 0 where that is empty. */
function lengthOf(op: string, x: Tensor, p: number): Tensor {
  if (!(p >= 0)) fail('value', op, `the order p must be 0, positive or Infinity, got ${p}`)
  return x.shape.at(-1) === 0 ? sum(x, -1) : vectorNorm(x, { p, axes: -1 })
}

/**
 * The p-norm distance of every row of a to every row of b: a: [..., n, d], b: [..., m, d] → [..., n, m]; leading axes
 * broadcast. p is 2 unless given; 0 counts the differences, Infinity takes the largest. Its derivative at distance 0 is 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cdist } from '@bp/ops'
 * cdist(tensor([[0, 0], [3, 0]]), tensor([[3, 4]])) // => tensor([[5], [4]], float32)
 * ```
 */
export function cdist(a: Tensor, b: Tensor, p = 2): Tensor {
  if (a.rank < 2 || b.rank < 2 || a.shape.at(-1) !== b.shape.at(-1)) fail('shape', 'cdist', `needs rows of one length, [..., n, d] and [..., m, d], got ${describe(a)} and ${describe(b)}`)
  return lengthOf('cdist', sub(unsqueeze(fullPrecision(a), -2), unsqueeze(b, -3)), p)
}

/**
 * The p-norm distances between the rows of x: [n, d], each pair once: 0 to 1, 0 to 2, … 1 to 2, … → [n(n − 1)/2]. Its
 * derivative at distance 0 is 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { pdist } from '@bp/ops'
 * pdist(tensor([[0, 0], [3, 0], [3, 4]])) // => tensor([3, 5, 4], float32)
 * ```
 */
export function pdist(x: Tensor, p = 2): Tensor {
  if (x.rank !== 2) fail('shape', 'pdist', `needs rows [n, d], got ${describe(x)}. Use cdist for stacks`)
  const n = x.shape[0]!
  const pairs = Array.from({ length: n }, (_, i) => Array.from({ length: n - 1 - i }, (_, j) => [i, i + 1 + j] as const)).flat()
  const rows = (side: 0 | 1): Tensor => take(x, tensor(Int32Array.from(pairs, pair => pair[side]), { backend: x.backend }))
  return lengthOf('pdist', sub(fullPrecision(rows(0)), rows(1)), p)
}

/** Options of {@link pairwiseDistance}. */
export interface PairwiseDistanceOptions {
  /** The order of the norm; 2 unless given. */
  readonly p?: number
  /** Added to every difference, so that the distance is not 0; 1e-6 unless given. */
  readonly eps?: number
  readonly keepDims?: boolean
}

/**
 * The p-norm of a − b + ε over the last axis, row by row; operands broadcast.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { pairwiseDistance } from '@bp/ops'
 * pairwiseDistance(tensor([[3, 4], [1, 1]]), tensor([0, 0]), { p: 1, eps: 0 }) // => tensor([7, 2], float32)
 * ```
 */
export function pairwiseDistance(a: Tensor, b: Tensor, { p = 2, eps = 1e-6, keepDims = false }: PairwiseDistanceOptions = {}): Tensor {
  if (a.rank === 0 || b.rank === 0) fail('shape', 'pairwiseDistance', `needs vectors or rows of them, got ${describe(a)} and ${describe(b)}`)
  return vectorNorm(add(sub(fullPrecision(a), b), eps), { p, axes: -1, keepDims })
}

/** Options of {@link cosineSimilarity}. */
export interface CosineSimilarityOptions {
  /** The axis that holds a vector; 1 unless given. */
  readonly axis?: number
  /** What a smaller norm is taken for; 1e-8 unless given. */
  readonly eps?: number
}

/**
 * a·b/(‖a‖‖b‖) over an axis of the shape that both broadcast to; scalars are vectors of one element.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cosineSimilarity } from '@bp/ops'
 * cosineSimilarity(tensor([[3, 4], [1, 0]]), tensor([[4, 3], [0, 2]])) // => tensor([0.96, 0], float32)
 * ```
 */
export function cosineSimilarity(a: Tensor, b: Tensor, { axis = 1, eps = 1e-8 }: CosineSimilarityOptions = {}): Tensor {
  const shape = broadcastShapes('cosineSimilarity', a.shape, b.shape)
  const whole = (x: Tensor): Tensor => shape.length === 0 ? reshape(fullPrecision(x), [1]) : broadcastTo(fullPrecision(x), shape)
  const unit = (x: Tensor): Tensor => div(x, clamp(vectorNorm(x, { axes: axis, keepDims: true }), eps))
  return sum(mul(unit(whole(a)), unit(whole(b))), axis)
}
