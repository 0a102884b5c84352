// The losses of @bp/ops, for those who look for them beside the layers, and the short names of PyTorch's BCELoss and BCEWithLogitsLoss.

export {
  binaryCrossEntropy, binaryCrossEntropy as bceLoss, binaryCrossEntropyWithLogits, binaryCrossEntropyWithLogits as bceWithLogits,
  cosineEmbeddingLoss, crossEntropy, ctcLoss, focalLoss, gaussianNllLoss, hingeEmbeddingLoss, huberLoss, klDiv, l1Loss, marginRankingLoss, mseLoss,
  multilabelMarginLoss, multilabelSoftMarginLoss, multiMarginLoss, nllLoss, poissonNllLoss, smoothL1Loss, softMarginLoss,
  tripletMarginLoss, tripletMarginWithDistanceLoss,
  type BinaryCrossEntropyOptions, type BinaryCrossEntropyWithLogitsOptions, type CosineEmbeddingLossOptions, type CrossEntropyOptions, type CtcLossOptions, type FocalLossOptions,
  type GaussianNllLossOptions, type HingeEmbeddingLossOptions, type HuberLossOptions, type KlDivOptions, type LossOptions,
  type MarginRankingLossOptions, type MultilabelSoftMarginLossOptions, type MultiMarginLossOptions, type NllLossOptions,
  type PoissonNllLossOptions, type SmoothL1LossOptions, type TripletMarginLossOptions, type TripletMarginWithDistanceLossOptions,
  type TripletOptions, type WeightedLossOptions,
} from '@bp/ops'
