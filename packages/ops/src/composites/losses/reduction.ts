// What all losses share: how the losses of the elements become one number, and what input and target must have in common.

import { mul, type Tensor } from '@bp/core'
import { describe, fail, fullPrecision, sameShape } from '@bp/core/extend'
import { div } from '../../rows/arithmetic.ts'
import { sum } from '../../rows/reduce.ts'
import { mean } from '../statistics.ts'

/** Options of every loss. */
export interface LossOptions {
  /** What becomes of the losses of the elements: their mean (unless given), their sum, or nothing. */
  readonly reduction?: 'mean' | 'sum' | 'none'
}

/** Options of losses that weigh their elements. */
export interface WeightedLossOptions extends LossOptions {
  /** A factor for each element, of the input's shape. */
  readonly weight?: Tensor | undefined
}

/** {@link reduce} of losses with a factor each; the mean is divided by the sum of the factors. */
export function reduceWeighted(op: string, losses: Tensor, { weight, ...options }: WeightedLossOptions): Tensor {
  if (!weight) return reduce(losses, options)
  if (!sameShape(weight.shape, losses.shape)) fail('shape', op, `the weight must have the shape of the input ${describe(losses)}, got ${describe(weight)}`)
  const weighted = mul(losses, weight)
  return (options.reduction ?? 'mean') === 'mean' ? div(sum(weighted), sum(weight)) : reduce(weighted, options)
}

/** The mean, the sum, or the losses themselves. */
export function reduce(loss: Tensor, { reduction = 'mean' }: LossOptions): Tensor {
  switch (reduction) {
    case 'mean': return mean(loss)
    case 'sum': return sum(loss)
    case 'none': return loss
    default: return fail('value', 'loss', `reduction must be 'mean', 'sum' or 'none', got ${String(reduction)}`)
  }
}

/** Input and target in full precision. Throws where they have not one shape and, then, one dtype. */
export function alike(op: string, x: Tensor, target: Tensor): [x: Tensor, target: Tensor] {
  const [a, b] = [fullPrecision(x), fullPrecision(target)]
  if (!sameShape(a.shape, b.shape) || a.dtype !== b.dtype) fail('shape', op, `input and target must be alike, got ${describe(x)} and ${describe(target)}. Reshape or cast the target`)
  return [a, b]
}
