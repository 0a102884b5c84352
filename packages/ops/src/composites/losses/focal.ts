// The focal loss: cross-entropy that counts examples the less the surer they are already right.

import { add, mul, type Tensor } from '@bp/core'
import { describe, fail, isFloat } from '@bp/core/extend'
import { neg, sub } from '../../rows/arithmetic.ts'
import { equal, select } from '../../rows/compare.ts'
import { expm1, pow, sigmoid } from '../../rows/exponential.ts'
import { take } from '../../rows/indexing.ts'
import { clamp } from '../activations.ts'
import { takeAlong } from '../along.ts'
import { squeeze, unsqueeze } from '../arrange.ts'
import { logSoftmax } from '../softmax.ts'
import { binaryCrossEntropyWithLogits } from './binary.ts'
import { checkTarget, checkWeight, reduceCounted, single } from './classification.ts'
import { alike, type LossOptions, reduce } from './reduction.ts'

/** Options of {@link focalLoss}. */
export interface FocalLossOptions extends LossOptions {
  /** How fast an example loses weight as it is learned; 2 unless given, 0 is plain cross-entropy. */
  readonly gamma?: number
  /** The weight of positives where targets are floating-point numbers, against 1 − alpha of negatives; 0.25 unless given, `null` weighs both by 1. */
  readonly alpha?: number | null
  /** A factor for each class where targets are class indices; the mean is then weighted. */
  readonly weight?: Tensor | undefined
  /** Class indices with this value do not count; −100 unless given. */
  readonly ignoreIndex?: number
}

/**
 * −α(1 − p)^γ·log p, where p is the probability that logits give to the truth (Lin et al. 2017, "Focal Loss for Dense Object
 * Detection", eq. 5). Floating-point targets of the logits' shape are yes-or-no questions, answered by σ(x), as torchvision's
 * `sigmoid_focal_loss`; whole numbers are class indices, [n, …] for logits [n, c, …] or a scalar for [c], answered by softmax(x).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { focalLoss } from '@bp/ops'
 * focalLoss(tensor([0, 1]), tensor([1, 0]), { reduction: 'none' }) // => tensor([0.0433217, 0.526401], float32)
 * focalLoss(tensor([[0, 0]]), tensor([1], { dtype: 'int32' })) // => tensor(0.173287, float32)
 * ```
 */
export function focalLoss(logits: Tensor, targets: Tensor, options: FocalLossOptions = {}): Tensor {
  const { gamma = 2, alpha = 0.25 } = options
  if (!(gamma >= 0)) fail('value', 'focalLoss', `gamma must be 0 or positive, got ${gamma}`)
  if (!isFloat(targets.dtype)) return ofClasses(logits, targets, gamma, options)
  const [x, target] = alike('focalLoss', logits, targets)
  const focused = faded(binaryCrossEntropyWithLogits(x, target, { reduction: 'none' }), add(mul(sigmoid(x), sub(1, target)), mul(sigmoid(neg(x)), target)), gamma)
  return reduce(alpha === null ? focused : mul(focused, add(mul(target, 2 * alpha - 1), 1 - alpha)), options)
}

/** Losses times (1 − p)^γ, given 1 − p; a root is cut before 0, where its derivative is infinite. */
const faded = (losses: Tensor, wrong: Tensor, gamma: number): Tensor => gamma === 0 ? losses : mul(losses, pow(gamma < 1 ? clamp(wrong, 1e-30) : wrong, gamma))

function ofClasses(x: Tensor, target: Tensor, gamma: number, options: FocalLossOptions): Tensor {
  if (x.rank === 1) return single((z, y) => ofClasses(z, y, gamma, options), x, target, options)
  const { weight, ignoreIndex = -100 } = options
  if (x.rank === 0) fail('shape', 'focalLoss', `logits must be [n, classes, …] or [classes], got ${describe(x)}`)
  checkTarget('focalLoss', x, target, ignoreIndex)
  checkWeight('focalLoss', x.shape[1]!, weight)
  const ignored = equal(target, ignoreIndex)
  const index = select(ignored, 0, target)
  const logP = squeeze(takeAlong(logSoftmax(x, 1), unsqueeze(index, 1), 1), 1)
  const losses = faded(neg(logP), neg(expm1(logP)), gamma)
  const factors = weight && take(weight, index)
  return reduceCounted(factors ? mul(losses, factors) : losses, factors, ignored, options)
}
