// PyTorch's functional losses.

import type { Tensor } from '@bp/core'
import { binaryCrossEntropy, binaryCrossEntropyWithLogits, cosineEmbeddingLoss, crossEntropy, gaussianNllLoss, hingeEmbeddingLoss, huberLoss, klDiv, l1Loss, marginRankingLoss, mseLoss, multilabelMarginLoss, multilabelSoftMarginLoss, multiMarginLoss, nllLoss, poissonNllLoss, smoothL1Loss, softMarginLoss, tripletMarginLoss, tripletMarginWithDistanceLoss, type LossOptions, type WeightedLossOptions } from '@bp/ops'
import { Unsupported } from '../../compare.ts'
import type { Adapter, Arguments } from './arguments.ts'

/** The reduction, by its place or by the two flags that came before it. */
function reductionAmong<R extends string>(call: Arguments, place: number, allowed: readonly R[]): { readonly reduction: R } {
  const old = call.has(-1, 'size_average') || call.has(-1, 'reduce')
  const legacy = !call.flag(-1, 'reduce', true) ? 'none' : call.flag(-1, 'size_average', true) ? 'mean' : 'sum'
  const name = old ? legacy : call.text(place, 'reduction', 'mean')
  const reduction = allowed.find(one => one === name)
  if (reduction === undefined) throw new Unsupported(`argument reduction = "${name}"`)
  return { reduction }
}

/** One of the reductions that every loss has. */
const reductionOf = (call: Arguments, place: number): LossOptions => reductionAmong(call, place, ['mean', 'sum', 'none'])

/** A loss of an input and a target without arguments of its own; size_average and reduce come before the reduction. */
const plain = (f: (x: Tensor, target: Tensor, options: LossOptions) => Tensor): Adapter => call => f(call.input, call.tensor(1, 'target'), reductionOf(call, 4))

/** {@link plain} with a factor for each element. */
const weighted = (f: (x: Tensor, target: Tensor, options: WeightedLossOptions) => Tensor): Adapter => call => f(call.input, call.tensor(1, 'target'), { ...reductionOf(call, 4), weight: call.maybeTensor(5, 'weight') })

/** The adapters of this family. */
export const losses: Readonly<Record<string, Adapter>> = {
  'nn.functional.mse_loss': weighted(mseLoss),
  'nn.functional.l1_loss': weighted(l1Loss),
  'nn.functional.soft_margin_loss': plain(softMarginLoss),
  'nn.functional.multilabel_margin_loss': plain(multilabelMarginLoss),
  'nn.functional.smooth_l1_loss': call => smoothL1Loss(call.input, call.tensor(1, 'target'), { ...reductionOf(call, 4), beta: call.number(5, 'beta', 1) }),
  'nn.functional.huber_loss': call => huberLoss(call.input, call.tensor(1, 'target'), { ...reductionOf(call, 2), delta: call.number(3, 'delta', 1), weight: call.maybeTensor(4, 'weight') }),
  'nn.functional.cross_entropy': call => crossEntropy(call.input, call.tensor(1, 'target'), {
    weight: call.maybeTensor(2, 'weight'), ignoreIndex: call.number(4, 'ignore_index', -100), ...reductionOf(call, 6), labelSmoothing: call.number(7, 'label_smoothing', 0),
  }),
  'nn.functional.nll_loss': call => nllLoss(call.input, call.tensor(1, 'target'), {
    weight: call.maybeTensor(2, 'weight'), ignoreIndex: call.number(4, 'ignore_index', -100), ...reductionOf(call, 6),
  }),
  'nn.functional.binary_cross_entropy': call => binaryCrossEntropy(call.input, call.tensor(1, 'target'), { weight: call.maybeTensor(2, 'weight'), ...reductionOf(call, 5) }),
  'nn.functional.binary_cross_entropy_with_logits': call => binaryCrossEntropyWithLogits(call.input, call.tensor(1, 'target'), {
    weight: call.maybeTensor(2, 'weight'), ...reductionOf(call, 5), posWeight: call.maybeTensor(6, 'pos_weight'),
  }),
  'nn.functional.multilabel_soft_margin_loss': call => multilabelSoftMarginLoss(call.input, call.tensor(1, 'target'), { weight: call.maybeTensor(2, 'weight'), ...reductionOf(call, 5) }),
  'nn.functional.kl_div': call => klDiv(call.input, call.tensor(1, 'target'), {
    ...reductionAmong(call, 4, ['mean', 'sum', 'none', 'batchmean']), logTarget: call.flag(5, 'log_target'),
  }),
  'nn.functional.poisson_nll_loss': call => poissonNllLoss(call.input, call.tensor(1, 'target'), {
    logInput: call.flag(2, 'log_input', true), full: call.flag(3, 'full'), eps: call.number(5, 'eps', 1e-8), ...reductionOf(call, 7),
  }),
  'nn.functional.gaussian_nll_loss': call => gaussianNllLoss(call.input, call.tensor(1, 'target'), call.tensor(2, 'var'), {
    full: call.flag(3, 'full'), eps: call.number(4, 'eps', 1e-6), ...reductionOf(call, 5),
  }),
  'nn.functional.margin_ranking_loss': call => marginRankingLoss(call.input, call.tensor(1, 'input2'), call.tensor(2, 'target'), { margin: call.number(3, 'margin', 0), ...reductionOf(call, 6) }),
  'nn.functional.hinge_embedding_loss': call => hingeEmbeddingLoss(call.input, call.tensor(1, 'target'), { margin: call.number(2, 'margin', 1), ...reductionOf(call, 5) }),
  'nn.functional.cosine_embedding_loss': call => cosineEmbeddingLoss(call.input, call.tensor(1, 'input2'), call.tensor(2, 'target'), { margin: call.number(3, 'margin', 0), ...reductionOf(call, 6) }),
  'nn.functional.multi_margin_loss': call => {
    const p = call.number(2, 'p', 1)
    if (p !== 1 && p !== 2) throw new Unsupported(`argument p = ${p}`)
    return multiMarginLoss(call.input, call.tensor(1, 'target'), { p, margin: call.number(3, 'margin', 1), weight: call.maybeTensor(4, 'weight'), ...reductionOf(call, 7) })
  },
  'nn.functional.triplet_margin_loss': call => tripletMarginLoss(call.input, call.tensor(1, 'positive'), call.tensor(2, 'negative'), {
    margin: call.number(3, 'margin', 1), p: call.number(4, 'p', 2), eps: call.number(5, 'eps', 1e-6), swap: call.flag(6, 'swap'), ...reductionOf(call, 9),
  }),
  'nn.functional.triplet_margin_with_distance_loss': call => tripletMarginWithDistanceLoss(call.input, call.tensor(1, 'positive'), call.tensor(2, 'negative'), {
    margin: call.number(-1, 'margin', 1), swap: call.flag(-1, 'swap'), ...reductionOf(call, -1),
  }),
}
