// Losses that are negative log-likelihoods or divergences of distributions: Poisson, Gauss, Kullback and Leibler.

import { add, mul, type Tensor } from '@bp/core'
import { broadcastsTo, describe, fail, fullPrecision, sameShape, toTensor } from '@bp/core/extend'
import { div, sub } from '../../rows/arithmetic.ts'
import { equal, less, lessEqual, select } from '../../rows/compare.ts'
import { exp, log } from '../../rows/exponential.ts'
import { sum } from '../../rows/reduce.ts'
import { detach } from '../../rows/view.ts'
import { square } from '../activations.ts'
import { unsqueeze } from '../arrange.ts'
import { alike, type LossOptions, reduce } from './reduction.ts'

/** Options of {@link klDiv}. */
export interface KlDivOptions {
  /** `'batchmean'` divides the sum by the first axis, as the definition does; the mean over all elements unless given. */
  readonly reduction?: 'mean' | 'sum' | 'none' | 'batchmean'
  /** Whether the target holds log-probabilities, like the input. */
  readonly logTarget?: boolean
}

/**
 * y·(log y − x), the elements of the Kullback–Leibler divergence of log-probabilities x from probabilities y; 0 where y = 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { klDiv, log } from '@bp/ops'
 * klDiv(log(tensor([[0.5, 0.5]])), tensor([[1, 0]]), { reduction: 'batchmean' }) // => tensor(0.693147, float32)
 * ```
 */
export function klDiv(x: Tensor, target: Tensor, { reduction = 'mean', logTarget = false }: KlDivOptions = {}): Tensor {
  const [logs, y] = alike('klDiv', x, target)
  const losses = logTarget ? mul(exp(y), sub(y, logs)) : sub(xLogX(y), mul(y, logs))
  if (reduction !== 'batchmean') return reduce(losses, { reduction })
  return x.rank === 0 ? sum(losses) : div(sum(losses), x.shape[0]!)
}

/** x·log x, and 0 at 0. */
function xLogX(x: Tensor): Tensor {
  const zero = equal(x, 0)
  return select(zero, 0, mul(x, log(select(zero, 1, x))))
}

/** Options of {@link poissonNllLoss}. */
export interface PoissonNllLossOptions extends LossOptions {
  /** Whether the input is the logarithm of the rate, as it is unless given, or the rate itself. */
  readonly logInput?: boolean
  /** Adds Stirling's approximation of log y! where y > 1. */
  readonly full?: boolean
  /** Added to a rate before its logarithm is taken; 1e-8 unless given. */
  readonly eps?: number
}

/**
 * The negative log-likelihood of counts y where the logarithm of the Poisson rate is x: eˣ − y·x, without the term log y!.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { poissonNllLoss } from '@bp/ops'
 * poissonNllLoss(tensor([0, 1]), tensor([2, 1]), { reduction: 'none' }) // => tensor([1, 1.71828], float32)
 * ```
 */
export function poissonNllLoss(x: Tensor, target: Tensor, { logInput = true, full = false, eps = 1e-8, ...options }: PoissonNllLossOptions = {}): Tensor {
  const [z, y] = alike('poissonNllLoss', x, target)
  const losses = logInput ? sub(exp(z), mul(y, z)) : sub(z, mul(y, log(add(z, eps))))
  return reduce(full ? add(losses, stirling(y)) : losses, options)
}

/** y·log y − y + log(2πy)/2 where y > 1, else 0. */
function stirling(y: Tensor): Tensor {
  const small = lessEqual(y, 1)
  const n = select(small, 1, y)
  return select(small, 0, add(sub(mul(n, log(n)), n), mul(0.5, log(mul(2 * Math.PI, n)))))
}

/** Options of {@link gaussianNllLoss}. */
export interface GaussianNllLossOptions extends LossOptions {
  /** Adds the constant log(2π)/2. */
  readonly full?: boolean
  /** The smallest variance; smaller ones are raised to it, but keep their derivative. 1e-6 unless given. */
  readonly eps?: number
}

/**
 * The negative log-likelihood of targets y under Gaussians of mean x and the given variance: ½·(log v + (x − y)²/v), without
 * the constant. The variance has the shape of x, or 1 at the last axis, or no last axis, or is one number for all.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { gaussianNllLoss } from '@bp/ops'
 * gaussianNllLoss(tensor([1, 2]), tensor([1, 4]), tensor([1, 2]), { reduction: 'none' }) // => tensor([0, 1.34657], float32)
 * ```
 */
export function gaussianNllLoss(x: Tensor, target: Tensor, variance: Tensor | number, { full = false, eps = 1e-6, ...options }: GaussianNllLossOptions = {}): Tensor {
  if (!broadcastsTo(target.shape, x.shape)) fail('shape', 'gaussianNllLoss', `the target ${describe(target)} must have the shape of the input ${describe(x)}`)
  const given = fullPrecision(typeof variance === 'number' ? toTensor(variance, x) : varianceOf(x, variance))
  const v = select(less(given, eps), add(eps, sub(given, detach(given))), given)
  const losses = mul(0.5, add(log(v), div(square(sub(fullPrecision(x), target)), v)))
  return reduce(full ? add(losses, 0.5 * Math.log(2 * Math.PI)) : losses, options)
}

/** A variance that broadcasts to x along the last axis. */
function varianceOf(x: Tensor, variance: Tensor): Tensor {
  const lead = x.shape.slice(0, -1)
  if (sameShape(variance.shape, x.shape) || (x.rank > 0 && sameShape(variance.shape, [...lead, 1]))) return variance
  if (x.rank > 0 && sameShape(variance.shape, lead)) return unsqueeze(variance, -1)
  return fail('shape', 'gaussianNllLoss', `the variance ${describe(variance)} must have the shape of the input ${describe(x)}, or 1 at the last axis, or no last axis`)
}
