// Losses of scores against one class of several: cross-entropy and its parts.

import { add, mul, type Tensor } from '@bp/core'
import { describe, fail, fullPrecision, isFloat, sameShape } from '@bp/core/extend'
import { div, neg, sub } from '../../rows/arithmetic.ts'
import { cast, equal, greaterEqual, less, logicalAnd, logicalNot, select } from '../../rows/compare.ts'
import { take } from '../../rows/indexing.ts'
import { sum } from '../../rows/reduce.ts'
import { iota } from '../../rows/source.ts'
import { reshape, transpose } from '../../rows/view.ts'
import { takeAlong } from '../along.ts'
import { squeeze, unsqueeze } from '../arrange.ts'
import { logSoftmax, softmaxCrossEntropy } from '../softmax.ts'
import { checkClasses } from './classes.ts'
import { type LossOptions, reduce } from './reduction.ts'

/** Options of {@link nllLoss}. */
export interface NllLossOptions extends LossOptions {
  /** A factor for each class; the mean is then weighted. */
  readonly weight?: Tensor | undefined
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
  if (logits.rank === 0) fail('shape', 'crossEntropy', `logits must be [n, classes, …] or [classes], got ${describe(logits)}`)
  checkWeight('crossEntropy', logits.shape[1]!, options.weight)
  const { labelSmoothing = 0 } = options
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) fail('value', 'crossEntropy', `labelSmoothing must be between 0 and 1, got ${labelSmoothing}`)
  return isFloat(target.dtype) ? reduce(softCrossEntropy(logits, target, options), options) : hardCrossEntropy(logits, target, options)
}

/** −Σ w·y·log softmax(x) over the classes, for probabilities y. */
function softCrossEntropy(logits: Tensor, target: Tensor, { labelSmoothing = 0, weight }: CrossEntropyOptions): Tensor {
  if (!sameShape(logits.shape, target.shape)) fail('shape', 'crossEntropy', `probabilities for logits ${describe(logits)} must have their shape, got ${describe(target)}`)
  const last = (x: Tensor): Tensor => transpose(x, [0, ...x.shape.slice(2).map((_, i) => i + 2), 1])
  const hard = last(target)
  const smooth = labelSmoothing === 0 ? hard : add(mul(hard, 1 - labelSmoothing), labelSmoothing / logits.shape[1]!)
  return softmaxCrossEntropy(last(logits), weight ? mul(smooth, weight) : smooth)
}

/** −w[y]·log softmax(x)[y] for class indices y; classes of logit −∞ cost nothing where they are not the target. */
function hardCrossEntropy(logits: Tensor, target: Tensor, { labelSmoothing = 0, weight, ignoreIndex = -100, ...options }: CrossEntropyOptions): Tensor {
  checkTarget('crossEntropy', logits, target, ignoreIndex)
  const classes = logits.shape[1]!
  const alongClasses = (x: Tensor): Tensor => reshape(x, [classes, ...logits.shape.slice(2).map(() => 1)])
  const chosen = equal(unsqueeze(target, 1), alongClasses(iota(classes, target.dtype, target.backend)))
  const factors = weight && alongClasses(weight)
  const scores = logSoftmax(logits, 1)
  const weighted = factors ? mul(scores, factors) : scores
  const hard = orNaN(neg(sum(select(chosen, weighted, 0), 1)), target, classes)
  const losses = labelSmoothing === 0 ? hard : sub(mul(hard, 1 - labelSmoothing), mul(sum(weighted, 1), labelSmoothing / classes))
  return reduceCounted(losses, factors && sum(select(chosen, factors, 0), 1), equal(target, ignoreIndex), options)
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
  const { weight, ignoreIndex = -100 } = options
  if (x.rank === 0) fail('shape', 'nllLoss', `the input must be [n, classes, …] or [classes], got ${describe(x)}`)
  checkTarget('nllLoss', x, target, ignoreIndex)
  checkWeight('nllLoss', x.shape[1]!, weight)
  const ignored = equal(target, ignoreIndex)
  const index = select(ignored, 0, target)
  const factors = weight && take(weight, index)
  const picked = neg(squeeze(takeAlong(fullPrecision(x), unsqueeze(index, 1), 1), 1))
  return reduceCounted(factors ? mul(picked, factors) : picked, factors, ignored, options)
}

/** Losses where their class is one of so many, else NaN; where indices can be read at once, they were checked before. */
const orNaN = (losses: Tensor, target: Tensor, classes: number): Tensor =>
  target.storage === null ? select(logicalAnd(greaterEqual(target, 0), less(target, classes)), losses, NaN) : losses

/** Losses of which some do not count; their mean is weighted by the factors. */
export function reduceCounted(losses: Tensor, factors: Tensor | undefined, ignored: Tensor, options: LossOptions): Tensor {
  const counted = select(ignored, 0, losses)
  if (options.reduction === 'none' || options.reduction === 'sum') return reduce(counted, options)
  return div(sum(counted), sum(factors ? select(ignored, 0, factors) : cast(logicalNot(ignored), losses.dtype)))
}

/** The loss of one example, as a batch of one. */
export function single<O extends LossOptions>(loss: (x: Tensor, target: Tensor, options: O) => Tensor, x: Tensor, target: Tensor, options: O): Tensor {
  const y = loss(unsqueeze(x, 0), unsqueeze(target, 0), options)
  return y.rank === 0 ? y : reshape(y, [])
}

/** Throws where there is not one factor for each class. */
export function checkWeight(op: string, classes: number, weight: Tensor | undefined): void {
  if (weight && !sameShape(weight.shape, [classes])) fail('shape', op, `the weight must have one factor for each of the ${classes} classes, got ${describe(weight)}`)
}

/** Throws where class indices do not fit the scores. */
export function checkTarget(op: string, x: Tensor, target: Tensor, ignoreIndex: number): void {
  const want = [x.shape[0]!, ...x.shape.slice(2)]
  if (!sameShape(target.shape, want)) fail('shape', op, `class indices for ${describe(x)} must be [${want.join(',')}], got ${describe(target)}`)
  checkClasses(op, x, x.shape[1]!, target, index => index === ignoreIndex, 'Use ignoreIndex for targets that should not count')
}
