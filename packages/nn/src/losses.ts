// Losses, with PyTorch's names, defaults and formulas.

import { add, mul, type Tensor } from '@bp/core'
import { describe, fail, isFloat, sameShape } from '@bp/core/extend'
import { abs, cast, clamp, div, less, log, maximum, mean, neg, notEqual, oneHot, select, softmaxCrossEntropy, softplus, square, sub, sum, take, takeAlong, transpose, unsqueeze, squeeze } from '@bp/ops'

/** Options of every loss. */
export interface LossOptions {
  /** What becomes of the losses of the elements: their mean (unless given), their sum, or nothing. */
  readonly reduction?: 'mean' | 'sum' | 'none'
}

const reduce = (loss: Tensor, { reduction = 'mean' }: LossOptions): Tensor => reduction === 'mean' ? mean(loss) : reduction === 'sum' ? sum(loss) : loss

function checkAlike(op: string, x: Tensor, target: Tensor): void {
  if (!sameShape(x.shape, target.shape) || x.dtype !== target.dtype) fail('shape', op, `input and target must be alike, got ${describe(x)} and ${describe(target)}. Reshape or cast the target`)
}

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends LossOptions {
  /** How much of the target is spread evenly over all classes (Szegedy et al. 2016). */
  readonly labelSmoothing?: number
  /** A factor for each class. */
  readonly weight?: Tensor
  /** Class indices with this value do not count; −100 unless given. */
  readonly ignoreIndex?: number
}

/**
 * The cross-entropy of softmax(logits) with class indices [n, …] (int32 or int64) or with probabilities [n, c, …];
 * logits [n, c, …]. Its gradient by the logits is ŷ − y.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { crossEntropy } from '@bp/nn'
 * crossEntropy(tensor([[0, 0]]), tensor([1], { dtype: 'int32' })) // => tensor(0.693147, float32)
 * ```
 */
export function crossEntropy(logits: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { labelSmoothing = 0, weight, reduction = 'mean' } = options
  if (logits.rank < 2) fail('shape', 'crossEntropy', `logits must be [n, classes, …], got ${describe(logits)}`)
  const classes = logits.shape[1]!
  const last = (x: Tensor): Tensor => x.rank === 2 ? x : transpose(x, [0, ...x.shape.slice(2).map((_, i) => i + 2), 1])
  const byIndex = !isFloat(target.dtype)
  const index = byIndex ? checkClasses(logits, target, classes, options.ignoreIndex ?? -100) : null
  const hard = index ? oneHot(index, classes, logits.dtype) : last(target)
  const smooth = labelSmoothing === 0 ? hard : add(mul(hard, 1 - labelSmoothing), labelSmoothing / classes)
  const weighted = weight ? mul(smooth, weight) : smooth
  if (!index) return reduce(softmaxCrossEntropy(last(logits), weighted), options)
  const counted = cast(notEqual(index, options.ignoreIndex ?? -100), logits.dtype)
  const losses = mul(softmaxCrossEntropy(last(logits), weighted), counted)
  if (reduction !== 'mean') return reduce(losses, options)
  const factors = weight ? mul(sum(mul(hard, weight), -1), counted) : counted
  return div(sum(losses), sum(factors))
}

/** Class indices that fit the logits; throws at once where one is out of range and can be read. */
function checkClasses(logits: Tensor, target: Tensor, classes: number, ignore: number): Tensor {
  const want = [logits.shape[0]!, ...logits.shape.slice(2)]
  if (!sameShape(target.shape, want)) fail('shape', 'crossEntropy', `class indices for logits ${describe(logits)} must be [${want.join(',')}], got ${describe(target)}`)
  if (target.storage && target.backend.readSync) {
    const bad = target.dataSync().find((c: number | bigint) => (c < 0 || c >= classes) && Number(c) !== ignore)
    if (bad !== undefined) fail('value', 'crossEntropy', `class ${bad} is outside 0 … ${classes - 1}, the classes of ${describe(logits)}. Use ignoreIndex for targets that should not count`)
  }
  return target
}

/** −x[i, target[i]] for log-probabilities x: [n, c] and class indices [n]. */
export function nllLoss(x: Tensor, target: Tensor, options: LossOptions & { readonly weight?: Tensor } = {}): Tensor {
  const picked = neg(squeeze(takeAlong(x, unsqueeze(target, 1), 1), 1))
  if (!options.weight) return reduce(picked, options)
  const factors = take(options.weight, target)
  return options.reduction === undefined || options.reduction === 'mean' ? div(sum(mul(picked, factors)), sum(factors)) : reduce(mul(picked, factors), options)
}

/**
 * (x − y)².
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { mseLoss } from '@bp/nn'
 * mseLoss(tensor([1, 2]), tensor([1, 4])) // => tensor(2, float32)
 * ```
 */
export function mseLoss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkAlike('mseLoss', x, target)
  return reduce(square(sub(x, target)), options)
}

/** |x − y|. */
export function l1Loss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkAlike('l1Loss', x, target)
  return reduce(abs(sub(x, target)), options)
}

/** (x − y)²/2 where |x − y| < δ, else δ(|x − y| − δ/2) (Huber 1964). */
export function huberLoss(x: Tensor, target: Tensor, options: LossOptions & { readonly delta?: number } = {}): Tensor {
  checkAlike('huberLoss', x, target)
  const delta = options.delta ?? 1
  const off = sub(x, target)
  const size = abs(off)
  return reduce(select(less(size, delta), mul(0.5, square(off)), mul(delta, sub(size, delta / 2))), options)
}

/** {@link huberLoss} divided by β: (x − y)²/(2β) where |x − y| < β, else |x − y| − β/2. */
export function smoothL1Loss(x: Tensor, target: Tensor, options: LossOptions & { readonly beta?: number } = {}): Tensor {
  const beta = options.beta ?? 1
  return beta === 0 ? l1Loss(x, target, options) : div(huberLoss(x, target, { ...options, delta: beta }), beta)
}

/** The binary cross-entropy of σ(x) with y ∈ [0, 1], stable for any x: softplus(x) − x·y. Its gradient is σ(x) − y. */
export function bceWithLogits(x: Tensor, target: Tensor, options: LossOptions & { readonly posWeight?: Tensor } = {}): Tensor {
  checkAlike('bceWithLogits', x, target)
  if (!options.posWeight) return reduce(sub(softplus(x), mul(x, target)), options)
  // p·y·softplus(−x) + (1 − y)·softplus(x)
  const positive = mul(mul(options.posWeight, target), softplus(neg(x)))
  return reduce(add(positive, mul(sub(1, target), softplus(x))), options)
}

/** The binary cross-entropy of probabilities; logarithms are cut at −100, as in PyTorch. */
export function bceLoss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkAlike('bceLoss', x, target)
  const cut = (t: Tensor): Tensor => maximum(log(clamp(t, 0, 1)), -100)
  return reduce(neg(add(mul(target, cut(x)), mul(sub(1, target), cut(sub(1, x))))), options)
}
