// Sampling from a softmax so that the sample has a derivative.

import { add, type Tensor } from '@bp/core'
import { fail, normaliseAxis } from '@bp/core/extend'
import { div, maximum, neg, sub } from '../rows/arithmetic.ts'
import { cast, equal } from '../rows/compare.ts'
import { log } from '../rows/exponential.ts'
import { argMax } from '../rows/reduce.ts'
import { iota } from '../rows/source.ts'
import { reshape } from '../rows/view.ts'
import { unsqueeze } from './arrange.ts'
import type { Generator } from './random.ts'
import { softmax } from './softmax.ts'
import { withSlopeOf } from './ties.ts'

/** Options of {@link gumbelSoftmax}. */
export interface GumbelSoftmaxOptions {
  /** What the noise is drawn from; needed unless `noise` is given. */
  readonly generator?: Generator
  /** Numbers with the standard Gumbel distribution, of the shape of x. */
  readonly noise?: Tensor
  /** The temperature: the lower, the nearer to one-hot. 1 unless given. */
  readonly tau?: number
  /** Whether to give one-hot vectors, with the derivative of the soft ones. */
  readonly hard?: boolean
  /** The axis of the classes; the last unless given. */
  readonly axis?: number
}

/**
 * Softmax of (x + g)/τ with standard Gumbel noise g: a draw from the classes of logits x, relaxed so that it has a derivative
 * (Jang et al. 2017, "Categorical Reparameterization with Gumbel-Softmax", eq. 2).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Generator, gumbelSoftmax } from '@bp/ops'
 * gumbelSoftmax(tensor([0, 100]), { generator: new Generator(1), hard: true }) // => tensor([0, 1], float32)
 * ```
 */
export function gumbelSoftmax(x: Tensor, { generator, noise, tau = 1, hard = false, axis = -1 }: GumbelSoftmaxOptions): Tensor {
  if (!(tau > 0)) fail('value', 'gumbelSoftmax', `tau must be positive, got ${tau}`)
  const along = normaliseAxis('gumbelSoftmax', axis, x.rank)
  const drawn = noise ?? (generator ? gumbel(x, generator) : fail('value', 'gumbelSoftmax', 'needs noise, or a generator to draw it: new Generator(seed)'))
  const soft = softmax(div(add(x, drawn), tau), along)
  if (!hard) return soft
  const places = reshape(iota(x.shape[along]!, 'int32', x.backend), x.shape.map((size, i) => i === along ? size : 1))
  return withSlopeOf(cast(equal(unsqueeze(argMax(soft, along), along), places), x.dtype), soft)
}

/** −log of exponential numbers. */
function gumbel({ shape, dtype }: Tensor, generator: Generator): Tensor {
  // −log(1 − u) of 24 random bits is 0 or at least 2⁻²⁴
  const exponential = maximum(neg(log(sub(1, generator.uniform(shape, { dtype })))), 2 ** -25)
  return neg(log(exponential))
}
