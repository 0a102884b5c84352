// What all losses share: how the losses of the elements become one number, and what input and target must have in common.

import type { Tensor } from '@bp/core'
import { describe, fail, fullPrecision, sameShape } from '@bp/core/extend'
import { sum } from '../../rows/reduce.ts'
import { mean } from '../statistics.ts'

/** Options of every loss. */
export interface LossOptions {
  /** What becomes of the losses of the elements: their mean (unless given), their sum, or nothing. */
  readonly reduction?: 'mean' | 'sum' | 'none'
}

/** The mean, the sum, or the losses themselves. */
export const reduce = (loss: Tensor, { reduction = 'mean' }: LossOptions): Tensor => reduction === 'mean' ? mean(loss) : reduction === 'sum' ? sum(loss) : loss

/** Input and target in full precision. Throws where they have not one shape and, then, one dtype. */
export function alike(op: string, x: Tensor, target: Tensor): [x: Tensor, target: Tensor] {
  const [a, b] = [fullPrecision(x), fullPrecision(target)]
  if (!sameShape(a.shape, b.shape) || a.dtype !== b.dtype) fail('shape', op, `input and target must be alike, got ${describe(x)} and ${describe(target)}. Reshape or cast the target`)
  return [a, b]
}
