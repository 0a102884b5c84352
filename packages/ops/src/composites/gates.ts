// Activation functions with a gate, a learned slope or a random one, and the logarithm and the mirror of those that sum to 1.

import { type DType, mul, type Tensor } from '@bp/core'
import { besideProduct, describe, fail, normaliseAxis } from '@bp/core/extend'
import { neg } from '../rows/arithmetic.ts'
import { greater, select } from '../rows/compare.ts'
import { sigmoid } from '../rows/exponential.ts'
import { narrow, reshape } from '../rows/view.ts'
import { leakyRelu, softplus } from './activations.ts'
import type { Generator } from './random.ts'
import { softmax } from './softmax.ts'

/**
 * a·σ(b) for the halves a and b of x along an axis (Dauphin et al. 2017, "Language Modeling with Gated Convolutional
 * Networks"). Throws where the axis does not halve.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { glu } from '@bp/ops'
 * glu(tensor([4, 8, 0, 100])) // => tensor([2, 8], float32)
 * ```
 */
export function glu(x: Tensor, axis = -1): Tensor {
  const along = normaliseAxis('glu', axis, x.rank)
  const size = x.shape[along]!
  if (size % 2 !== 0) fail('shape', 'glu', `the axis must have an even size, got ${describe(x)} with ${size} along axis ${along}. Choose another axis`)
  return mul(narrow(x, along, 0, size / 2), sigmoid(narrow(x, along, size / 2, size / 2)))
}

/**
 * x where x > 0, else slope·x, with one slope or one for each channel, axis 1 of x (He et al. 2015, "Delving Deep into
 * Rectifiers"). Throws where neither fits.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { prelu } from '@bp/ops'
 * prelu(tensor([[-2, -2], [4, 4]]), tensor([0.5, 0.25])) // => tensor([[-1, -0.5], [4, 4]], float32)
 * ```
 */
export function prelu(x: Tensor, slope: Tensor): Tensor {
  const channels = x.rank > 1 ? x.shape[1]! : 1
  if (slope.rank > 1 || (slope.size !== 1 && slope.size !== channels)) {
    fail('shape', 'prelu', `the slope must be one number, or one for each of ${channels} channels (axis 1), got ${describe(slope)} for ${describe(x)}. Reshape it`)
  }
  const w = reshape(besideProduct(x, slope), x.rank > 1 ? [slope.size, ...x.shape.slice(2).map(() => 1)] : [])
  return select(greater(x, 0), x, mul(w, x))
}

/** Options of {@link rrelu}. */
export interface RreluOptions {
  readonly lower?: number
  readonly upper?: number
  /** Draws a slope for each element; else the slope is the mean of the bounds. */
  readonly training?: boolean
  /** Needed where `training`. */
  readonly generator?: Generator
}

/**
 * x where x > 0, else slope·x, with slopes drawn evenly from [lower, upper) in training and their mean otherwise (Xu et al.
 * 2015, "Empirical Evaluation of Rectified Activations in Convolutional Network"). Throws where training lacks a generator.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { rrelu } from '@bp/ops'
 * rrelu(tensor([-2, 3]), { lower: 0.25, upper: 0.75 }) // => tensor([-1, 3], float32)
 * ```
 */
export function rrelu(x: Tensor, { lower = 1 / 8, upper = 1 / 3, training = false, generator }: RreluOptions = {}): Tensor {
  if (!(lower <= upper)) fail('value', 'rrelu', `lower must not be above upper, got ${lower} and ${upper}`)
  if (!training || lower === upper) return leakyRelu(x, (lower + upper) / 2)
  if (!generator) return fail('value', 'rrelu', 'training draws random slopes. Pass { generator: new Generator(seed) }')
  return select(greater(x, 0), x, mul(x, generator.uniform(x.shape, { low: lower, high: upper, dtype: x.dtype })))
}

/**
 * log σ(x), without underflow.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { logSigmoid } from '@bp/ops'
 * logSigmoid(tensor([0, -100])) // => tensor([-0.693147, -100], float32)
 * ```
 */
export const logSigmoid = (x: Tensor): Tensor => neg(softplus(neg(x)))

/**
 * softmax(−x) along an axis, computed in `dtype` where it is given.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { softmin } from '@bp/ops'
 * softmin(tensor([0, 0, 1000])) // => tensor([0.5, 0.5, 0], float32)
 * ```
 */
export const softmin = (x: Tensor, axis = -1, dtype?: DType): Tensor => softmax(neg(x), axis, dtype)
