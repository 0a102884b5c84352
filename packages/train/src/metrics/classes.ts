// Reading classes and their scores from predictions.

import type { Tensor } from '@bp/core'
import { describe, fail, isFloat, sameShape, sizeOf } from '@bp/core/extend'
import { numbersOf } from './metric.ts'

/** The classes that predictions name and those that were right: whole numbers, as many of each. */
export interface Classes {
  readonly predicted: ArrayLike<number>
  readonly right: ArrayLike<number>
}

/**
 * Reads classes. Predictions are scores [n, c, …] of which the largest counts, where they have one axis more than the targets;
 * else they are classes themselves, or, where they are floating, scores of the second of two classes, at least `threshold`.
 */
export function classesOf(op: string, prediction: Tensor, target: Tensor, threshold = 0.5): Classes {
  const right = numbersOf(target)
  if (haveScores(prediction, target)) return { predicted: largest(prediction), right }
  if (!sameShape(prediction.shape, target.shape)) {
    return fail('shape', op, `predictions must be scores [n, classes, …] or of the targets' shape, got ${describe(prediction)} for targets ${describe(target)}`)
  }
  const values = numbersOf(prediction)
  return { predicted: isFloat(prediction.dtype) ? Array.from(values, value => value >= threshold ? 1 : 0) : values, right }
}

/** Whether predictions [n, c, …] are scores of classes for targets [n, …]. */
export const haveScores = ({ shape: [n, , ...rest], rank }: Tensor, target: Tensor): boolean => rank === target.rank + 1 && sameShape([n!, ...rest], target.shape)

/** Walks over scores [n, c, …]: where each sample's first score stands, how far the next is, and the sample's number. */
export function eachSample(scores: Tensor, see: (start: number, stride: number, sample: number) => void): void {
  const [n = 0, classes = 0, ...rest] = scores.shape
  const stride = sizeOf(rest)
  for (let i = 0; i < n; i++) for (let j = 0; j < stride; j++) see(i * classes * stride + j, stride, i * stride + j)
}

/** The place of the largest score along axis 1; the first of equal ones. */
function largest(scores: Tensor): Uint32Array {
  const values = numbersOf(scores)
  const classes = scores.shape[1]!
  const out = new Uint32Array(scores.size / classes)
  eachSample(scores, (start, stride, sample) => {
    let best = 0
    for (let c = 1; c < classes; c++) if (values[start + c * stride]! > values[start + best * stride]!) best = c
    out[sample] = best
  })
  return out
}
