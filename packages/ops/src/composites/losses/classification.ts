// Losses of scores against one class of several: cross-entropy and its parts.

import { add, mul, type Tensor } from '@bp/core'
import { describe, fail, isFloat, sameShape } from '@bp/core/extend'
import { div, neg } from '../../rows/arithmetic.ts'
import { cast, equal, notEqual, select } from '../../rows/compare.ts'
import { take } from '../../rows/indexing.ts'
import { sum } from '../../rows/reduce.ts'
import { reshape, transpose } from '../../rows/view.ts'
import { takeAlong } from '../along.ts'
import { oneHot, squeeze, unsqueeze } from '../arrange.ts'
import { softmaxCrossEntropy } from '../softmax.ts'
import { type LossOptions, reduce } from './reduction.ts'

/** Options of {@link nllLoss}. */
export interface NllLossOptions extends LossOptions {
  /** A factor for each class; the mean is then weighted. */
  readonly weight?: Tensor
  /** Class indices with this value do not count; −100 unless given. */
  readonly ignoreIndex?: number
}

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends NllLossOptions {
  /** How much of the target is spread evenly over all classes (Szegedy et al. 2016). */
  readonly labelSmoothing?: number
}

/**
 * The cross-entropy of softmax(logits) with class indices [n, …] (int32 or int64) or with probabilities [n, c, …];
 * logits [n, c, …], or [c] for one example. Its gradient by the logits is ŷ − y.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { crossEntropy } from '@bp/ops'
 * crossEntropy(tensor([[0, 0]]), tensor([1], { dtype: 'int32' })) // => tensor(0.693147, float32)
 * crossEntropy(tensor([[0, 0]]), tensor([[0.5, 0.5]])) // => tensor(0.693147, float32)
 * ```
 */
export function crossEntropy(logits: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  if (logits.rank === 1) return single(crossEntropy, logits, target, options)
  const { labelSmoothing = 0, weight, ignoreIndex = -100, reduction = 'mean' } = options
  if (logits.rank === 0) fail('shape', 'crossEntropy', `logits must be [n, classes, …] or [classes], got ${describe(logits)}`)
  const classes = logits.shape[1]!
  const byIndex = !isFloat(target.dtype)
  if (byIndex) checkClasses('crossEntropy', logits, target, ignoreIndex)
  else if (!sameShape(logits.shape, target.shape)) fail('shape', 'crossEntropy', `probabilities for logits ${describe(logits)} must have their shape, got ${describe(target)}`)
  checkWeight('crossEntropy', classes, weight)
  const last = (x: Tensor): Tensor => transpose(x, [0, ...x.shape.slice(2).map((_, i) => i + 2), 1])
  const hard = byIndex ? oneHot(target, classes, logits.dtype) : last(target)
  const smooth = labelSmoothing === 0 ? hard : add(mul(hard, 1 - labelSmoothing), labelSmoothing / classes)
  const losses = softmaxCrossEntropy(last(logits), weight ? mul(smooth, weight) : smooth)
  if (!byIndex) return reduce(losses, options)
  const counted = cast(notEqual(target, ignoreIndex), logits.dtype)
  if (reduction !== 'mean') return reduce(mul(losses, counted), options)
  return div(sum(mul(losses, counted)), sum(weight ? mul(sum(mul(hard, weight), -1), counted) : counted))
}

/**
 * −x[i, target[i]]: the loss of log-probabilities x [n, c, …] at class indices [n, …] (int32 or int64), or [c] and a scalar
 * for one example.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { nllLoss } from '@bp/ops'
 * nllLoss(tensor([[-0.1, -2], [-3, -0.2]]), tensor([1, 0], { dtype: 'int32' })) // => tensor(2.5, float32)
 * ```
 */
export function nllLoss(x: Tensor, target: Tensor, options: NllLossOptions = {}): Tensor {
  if (x.rank === 1) return single(nllLoss, x, target, options)
  const { weight, ignoreIndex = -100, reduction = 'mean' } = options
  if (x.rank === 0) fail('shape', 'nllLoss', `the input must be [n, classes, …] or [classes], got ${describe(x)}`)
  checkClasses('nllLoss', x, target, ignoreIndex)
  checkWeight('nllLoss', x.shape[1]!, weight)
  const ignored = equal(target, ignoreIndex)
  const index = select(ignored, 0, target)
  const factors = weight ? take(weight, index) : null
  const picked = neg(squeeze(takeAlong(x, unsqueeze(index, 1), 1), 1))
  const losses = select(ignored, 0, factors ? mul(picked, factors) : picked)
  if (reduction !== 'mean') return reduce(losses, options)
  return div(sum(losses), sum(factors ? select(ignored, 0, factors) : cast(notEqual(target, ignoreIndex), x.dtype)))
}

/** The loss of one example, as a batch of one. */
function single<O extends LossOptions>(loss: (x: Tensor, target: Tensor, options: O) => Tensor, x: Tensor, target: Tensor, options: O): Tensor {
  const y = loss(unsqueeze(x, 0), unsqueeze(target, 0), options)
  return y.rank === 0 ? y : reshape(y, [])
}

function checkWeight(op: string, classes: number, weight: Tensor | undefined): void {
  if (weight && !sameShape(weight.shape, [classes])) fail('shape', op, `the weight must have one factor for each of the ${classes} classes, got ${describe(weight)}`)
}

/** Throws where class indices do not fit the scores: by their shape, and by their values where those can be read at once. */
function checkClasses(op: string, x: Tensor, target: Tensor, ignore: number): void {
  const classes = x.shape[1]!
  const want = [x.shape[0]!, ...x.shape.slice(2)]
  if (!sameShape(target.shape, want)) fail('shape', op, `class indices for ${describe(x)} must be [${want.join(',')}], got ${describe(target)}`)
  if (target.storage && target.backend.readSync) {
    const bad = target.dataSync().find((c: number | bigint) => (c < 0 || c >= classes) && Number(c) !== ignore)
    if (bad !== undefined) fail('value', op, `class ${bad} is outside 0 … ${classes - 1}, the classes of ${describe(x)}. Use ignoreIndex for targets that should not count`)
  }
}
