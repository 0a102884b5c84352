// Covariance and correlation of variables in rows, observations in columns.

import { broadcastTo, mul, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { div, sub } from '../rows/arithmetic.ts'
import { cast, lessEqual, select } from '../rows/compare.ts'
import { sqrt } from '../rows/exponential.ts'
import { take } from '../rows/indexing.ts'
import { sum } from '../rows/reduce.ts'
import { iota } from '../rows/source.ts'
import { reshape } from '../rows/view.ts'
import { clamp } from './activations.ts'
import { squeeze } from './arrange.ts'
import { matmulTransposed } from './matmul.ts'

/** Options of {@link cov}. */
export interface CovOptions {
  /** What is taken from the number of observations: 1 (the default, unbiased) or any other number. */
  readonly correction?: number
  /** How often each observation was made: one axis of whole numbers ≥ 0. */
  readonly fweights?: Tensor
  /** How much each observation matters: one axis of numbers ≥ 0. */
  readonly aweights?: Tensor
}

/**
 * The covariance matrix of the rows of a matrix: [variables, observations] → [variables, variables]; the variance of a
 * vector. Axes of size 1 are dropped, as PyTorch drops them. Where the weights leave no degree of freedom it is ∞ or NaN.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cov } from '@bp/ops'
 * cov(tensor([[0, 1, 2], [2, 1, 0]])) // => tensor([[1, -1], [-1, 1]], float32)
 * ```
 */
export function cov(x: Tensor, { correction = 1, fweights, aweights }: CovOptions = {}): Tensor {
  if (x.rank > 2) fail('shape', 'cov', `needs a matrix or a vector, got ${describe(x)}`)
  const rows = x.rank === 2 ? x : reshape(x, [1, x.size])
  const n = rows.shape[1]!
  const weights = (w: Tensor): Tensor => w.rank > 1 || w.size !== n
    ? fail('shape', 'cov', `the weights must have one entry for each of the ${n} observations of ${describe(x)}, got ${describe(w)}`)
    : cast(reshape(w, [n]), x.dtype)
  const f = fweights && weights(fweights)
  const a = aweights && weights(aweights)
  const w = f && a ? mul(f, a) : f ?? a
  if (!w) {
    const centred = sub(rows, div(sum(rows, 1, true), n))
    return squeeze(div(matmulTransposed(centred, centred), Math.max(0, n - correction)))
  }
  const total = sum(w)
  const centred = sub(rows, div(sum(mul(rows, w), 1, true), total))
  const lost = a ? mul(correction, div(sum(mul(w, a)), total)) : correction
  const freedom = sub(total, lost)
  return squeeze(div(matmulTransposed(centred, mul(centred, w)), select(lessEqual(freedom, 0), 0, freedom)))
}

/**
 * Pearson's correlation coefficients of the rows of a matrix, cut to [−1, 1]: [variables, observations] →
 * [variables, variables]; 1 of a vector.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { corrcoef } from '@bp/ops'
 * corrcoef(tensor([[0, 1, 2], [4, 2, 0]])) // => tensor([[1, -1], [-1, 1]], float32)
 * ```
 */
export function corrcoef(x: Tensor): Tensor {
  const c = cov(x)
  if (c.rank === 0) return div(c, c)
  const n = c.shape[0]!
  const deviations = sqrt(take(reshape(c, [n * n]), mul(iota(n, 'int32', c.backend), n + 1)))
  const scaled = div(c, broadcastTo(reshape(deviations, [n, 1]), [n, n]))
  return clamp(div(scaled, deviations), -1, 1)
}
