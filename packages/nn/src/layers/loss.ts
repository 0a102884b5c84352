// The losses of @bp/ops as modules, with PyTorch's names: their options are given once.

import { Tensor, Variable } from '@bp/core'
import {
  binaryCrossEntropy, type BinaryCrossEntropyOptions, binaryCrossEntropyWithLogits, type BinaryCrossEntropyWithLogitsOptions, cosineEmbeddingLoss,
  type CosineEmbeddingLossOptions, crossEntropy, type CrossEntropyOptions, ctcLoss, type CtcLossOptions, detach, focalLoss, type FocalLossOptions, gaussianNllLoss,
  type GaussianNllLossOptions, hingeEmbeddingLoss, type HingeEmbeddingLossOptions, huberLoss, type HuberLossOptions, klDiv, type KlDivOptions, l1Loss, type Lengths,
  type LossOptions, marginRankingLoss, type MarginRankingLossOptions, mseLoss, multilabelMarginLoss, multilabelSoftMarginLoss, type MultilabelSoftMarginLossOptions,
  multiMarginLoss, type MultiMarginLossOptions, nllLoss, type NllLossOptions, poissonNllLoss, type PoissonNllLossOptions, smoothL1Loss, type SmoothL1LossOptions,
  softMarginLoss, tripletMarginLoss, type TripletMarginLossOptions, tripletMarginWithDistanceLoss, type TripletMarginWithDistanceLossOptions, type WeightedLossOptions,
} from '@bp/ops'
import { Module } from '../module.ts'

/** A loss with its options; weights among them are buffers, `weight` and `pos_weight` in a state dict, as in PyTorch. */
export class Loss<Args extends readonly unknown[], Options extends object> extends Module<Args> {
  private readonly loss: (...args: [...Args, options: Options]) => Tensor
  private readonly options: Options

  constructor(loss: (...args: [...Args, options: Options]) => Tensor, options: Options) {
    super()
    this.loss = loss
    this.options = held(options)
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    const { weight, posWeight } = this.options as { weight?: unknown; posWeight?: unknown }
    return [['weight', weight], ['pos_weight', posWeight]]
  }

  override forward(...args: Args): Tensor {
    return this.loss(...args, this.options)
  }
}

/** The options with their tensors as variables, so that these can be loaded. */
const held = <Options extends object>(options: Options): Options =>
  Object.fromEntries(Object.entries(options).map(([name, value]: [string, unknown]) => [name, isTensor(value) ? new Variable(detach(value)) : value])) as Options

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor

/** The mean of (x − y)². */
export class MSELoss extends Loss<[x: Tensor, target: Tensor], WeightedLossOptions> {
  constructor(options: WeightedLossOptions = {}) {
    super(mseLoss, options)
  }
}

/** The mean of |x − y|. */
export class L1Loss extends Loss<[x: Tensor, target: Tensor], WeightedLossOptions> {
  constructor(options: WeightedLossOptions = {}) {
    super(l1Loss, options)
  }
}

/** A parabola near 0, lines of slope δ outside (Huber 1964). */
export class HuberLoss extends Loss<[x: Tensor, target: Tensor], HuberLossOptions> {
  constructor(options: HuberLossOptions = {}) {
    super(huberLoss, options)
  }
}

/** A parabola near 0, lines of slope 1 outside (Girshick 2015). */
export class SmoothL1Loss extends Loss<[x: Tensor, target: Tensor], SmoothL1LossOptions> {
  constructor(options: SmoothL1LossOptions = {}) {
    super(smoothL1Loss, options)
  }
}

/**
 * The cross-entropy of softmax(x) with class indices or probabilities, [n, c, …].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { CrossEntropyLoss } from '@bp/nn'
 * const criterion = new CrossEntropyLoss({ weight: tensor([1, 3]), reduction: 'sum' })
 * criterion.forward(tensor([[0, 0], [0, 0]]), tensor([0, 1], { dtype: 'int32' })) // => tensor(2.77259, float32)
 * criterion.namedBuffers().map(([name]) => name) // => [weight]
 * ```
 */
export class CrossEntropyLoss extends Loss<[x: Tensor, target: Tensor], CrossEntropyOptions> {
  constructor(options: CrossEntropyOptions = {}) {
    super(crossEntropy, options)
  }
}

/** The negative of log-probabilities [n, c, …] at class indices. */
export class NLLLoss extends Loss<[x: Tensor, target: Tensor], NllLossOptions> {
  constructor(options: NllLossOptions = {}) {
    super(nllLoss, options)
  }
}

/** {@link CrossEntropyLoss} that fades out what is already right (Lin et al. 2017); floating-point targets are yes-or-no questions. */
export class FocalLoss extends Loss<[x: Tensor, target: Tensor], FocalLossOptions> {
  constructor(options: FocalLossOptions = {}) {
    super(focalLoss, options)
  }
}

/** The binary cross-entropy of probabilities x with y ∈ [0, 1]. */
export class BCELoss extends Loss<[x: Tensor, target: Tensor], BinaryCrossEntropyOptions> {
  constructor(options: BinaryCrossEntropyOptions = {}) {
    super(binaryCrossEntropy, options)
  }
}

/** The binary cross-entropy of σ(x) with y ∈ [0, 1], stable for any x. */
export class BCEWithLogitsLoss extends Loss<[x: Tensor, target: Tensor], BinaryCrossEntropyWithLogitsOptions> {
  constructor(options: BinaryCrossEntropyWithLogitsOptions = {}) {
    super(binaryCrossEntropyWithLogits, options)
  }
}

/** log(1 + e^(−y·x)) for targets of −1 and 1. */
export class SoftMarginLoss extends Loss<[x: Tensor, target: Tensor], LossOptions> {
  constructor(options: LossOptions = {}) {
    super(softMarginLoss, options)
  }
}

/** {@link BCEWithLogitsLoss} averaged over the classes, [..., c]. */
export class MultiLabelSoftMarginLoss extends Loss<[x: Tensor, target: Tensor], MultilabelSoftMarginLossOptions> {
  constructor(options: MultilabelSoftMarginLossOptions = {}) {
    super(multilabelSoftMarginLoss, options)
  }
}

/** Hinges of the right classes against all others: rows of class indices up to the first negative one. */
export class MultiLabelMarginLoss extends Loss<[x: Tensor, target: Tensor], LossOptions> {
  constructor(options: LossOptions = {}) {
    super(multilabelMarginLoss, options)
  }
}

/** Hinges of the right class against all others (Weston & Watkins 1999). */
export class MultiMarginLoss extends Loss<[x: Tensor, target: Tensor], MultiMarginLossOptions> {
  constructor(options: MultiMarginLossOptions = {}) {
    super(multiMarginLoss, options)
  }
}

/** x where y = 1, max(0, margin − x) where y = −1. */
export class HingeEmbeddingLoss extends Loss<[x: Tensor, target: Tensor], HingeEmbeddingLossOptions> {
  constructor(options: HingeEmbeddingLossOptions = {}) {
    super(hingeEmbeddingLoss, options)
  }
}

/** The Kullback–Leibler divergence of log-probabilities x from probabilities y. */
export class KLDivLoss extends Loss<[x: Tensor, target: Tensor], KlDivOptions> {
  constructor(options: KlDivOptions = {}) {
    super(klDiv, options)
  }
}

/** The negative log-likelihood of counts, by the logarithm of their rate. */
export class PoissonNLLLoss extends Loss<[x: Tensor, target: Tensor], PoissonNllLossOptions> {
  constructor(options: PoissonNllLossOptions = {}) {
    super(poissonNllLoss, options)
  }
}

/** The negative log-likelihood of numbers, by mean and variance. */
export class GaussianNLLLoss extends Loss<[x: Tensor, target: Tensor, variance: Tensor | number], GaussianNllLossOptions> {
  constructor(options: GaussianNllLossOptions = {}) {
    super(gaussianNllLoss, options)
  }
}

/** max(0, −y·(a − b) + margin): a should rank above b where y is 1, below where it is −1. */
export class MarginRankingLoss extends Loss<[a: Tensor, b: Tensor, target: Tensor], MarginRankingLossOptions> {
  constructor(options: MarginRankingLossOptions = {}) {
    super(marginRankingLoss, options)
  }
}

/** 1 − cos(a, b) where y = 1, max(0, cos(a, b) − margin) where y = −1. */
export class CosineEmbeddingLoss extends Loss<[a: Tensor, b: Tensor, target: Tensor], CosineEmbeddingLossOptions> {
  constructor(options: CosineEmbeddingLossOptions = {}) {
    super(cosineEmbeddingLoss, options)
  }
}

/** max(0, d(anchor, positive) − d(anchor, negative) + margin) of p-norms (Balntas et al. 2016). */
export class TripletMarginLoss extends Loss<[anchor: Tensor, positive: Tensor, negative: Tensor], TripletMarginLossOptions> {
  constructor(options: TripletMarginLossOptions = {}) {
    super(tripletMarginLoss, options)
  }
}

/** {@link TripletMarginLoss} of a distance of one's own. */
export class TripletMarginWithDistanceLoss extends Loss<[anchor: Tensor, positive: Tensor, negative: Tensor], TripletMarginWithDistanceLossOptions> {
  constructor(options: TripletMarginWithDistanceLossOptions = {}) {
    super(tripletMarginWithDistanceLoss, options)
  }
}

/**
 * Connectionist temporal classification (Graves et al. 2006): log-probabilities [steps, n, classes], labels [n, s] or all in one axis,
 * and how many of each example count; all of them unless given.
 */
export class CTCLoss extends Module<[logProbs: Tensor, target: Tensor, inputLengths?: Lengths, targetLengths?: Lengths]> {
  private readonly options: Omit<CtcLossOptions, 'inputLengths' | 'targetLengths'>

  constructor(options: Omit<CtcLossOptions, 'inputLengths' | 'targetLengths'> = {}) {
    super()
    this.options = options
  }

  override forward(logProbs: Tensor, target: Tensor, inputLengths?: Lengths, targetLengths?: Lengths): Tensor {
    return ctcLoss(logProbs, target, { ...this.options, ...inputLengths && { inputLengths }, ...targetLengths && { targetLengths } })
  }
}
