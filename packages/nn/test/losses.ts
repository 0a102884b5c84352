// Losses with inputs and PyTorch 2.15's numbers; the focal loss by torchvision's formula.

import { tensor } from '@bp/core'
import {
  BCELoss, BCEWithLogitsLoss, CTCLoss, CosineEmbeddingLoss, CrossEntropyLoss, FocalLoss, GaussianNLLLoss, HingeEmbeddingLoss, HuberLoss, KLDivLoss,
  L1Loss, LinearCrossEntropyLoss, MSELoss, MarginRankingLoss, MultiLabelMarginLoss, MultiLabelSoftMarginLoss, MultiMarginLoss, NLLLoss, PoissonNLLLoss,
  SmoothL1Loss, SoftMarginLoss, TripletMarginLoss, TripletMarginWithDistanceLoss,
} from '@bp/nn'
import { square, sub, sum } from '@bp/ops'
import { counts, ints, logits, type Row, shares, signs } from './step.ts'

/** A loss a line, and another where an option takes another way. */
export const losses: readonly Row[] = [
  ['MSELoss', () => new MSELoss(), [[2, 3], [2, 3]], [], [1.454653, 0.4890696, -0.4890696], ''],
  ['L1Loss', () => new L1Loss({ reduction: 'sum' }), [[2, 3], [2, 3]], [], [5.896633, 0.3907073, -0.3907073], ''],
  ['HuberLoss', () => new HuberLoss({ delta: 0.5 }), [[2, 3], [2, 3]], [], [0.3985872, 0.09090863, -0.09090863], ''],
  ['SmoothL1Loss', () => new SmoothL1Loss({ beta: 0.7, reduction: 'none' }), [[2, 3], [2, 3]], [2, 3], [-0.187816, -0.4306221, 0.4306221], ''],
  ['CrossEntropyLoss', () => new CrossEntropyLoss(), [[4, 3], ints([2, 0, 1, 2])], [], [2.674927, 0.4466406], ''],
  ['CrossEntropyLoss, weighted', o => new CrossEntropyLoss({ weight: tensor([1, 3, 2], o), labelSmoothing: 0.1, ignoreIndex: 1 }), [[4, 3], ints([2, 0, 1, 2])], [], [2.737489, 0.314709], 'weight'],
  ['CrossEntropyLoss, images', () => new CrossEntropyLoss({ reduction: 'none' }), [[2, 3, 2], ints([2, 0, 1, -100], [2, 2])], [2, 2], [3.114131, 1.253424], ''],
  ['CrossEntropyLoss, probabilities', o => new CrossEntropyLoss({ labelSmoothing: 0.2, weight: tensor([1, 3, 2], o) }), [[4, 3], shares(4, 3)], [], [2.924969, 0.8280529, -1.760793], 'weight'],
  ['CrossEntropyLoss, one example', () => new CrossEntropyLoss(), [[3], ints([1], [])], [], [1.424195, 0.6316788], ''],
  ['LinearCrossEntropyLoss', o => new LinearCrossEntropyLoss(4, 3, { weight: tensor([1, 3, 2], o), labelSmoothing: 0.1, ...o }), [[2, 4], ints([2, 0])], [], [1.686768, 0.6941765, 3.00739], 'weight linear.weight'],
  ['LinearCrossEntropyLoss, choices', o => new LinearCrossEntropyLoss(4, 3, { outFeatures: [2], bias: true, ...o }), [[2, 4], ints([2, 0, 1, 1], [2, 2])], [], [3.447364, 0.7866453, 0.7120898, 0.924543], 'linear.weight linear.bias'],
  ['NLLLoss', o => new NLLLoss({ weight: tensor([1, 3, 2], o) }), [[4, 3], ints([2, 0, -100, 2])], [], [0.9303097, 0.159193], 'weight'],
  ['BCELoss', o => new BCELoss({ weight: tensor([2, 1, 3], o) }), [shares(2, 3), shares(2, 3)], [], [1.269539, 2.975162, -2.699945], 'weight'],
  ['BCEWithLogitsLoss', o => new BCEWithLogitsLoss({ weight: tensor([2, 1, 3], o), posWeight: tensor([1, 2, 4], o) }), [[2, 3], shares(2, 3)], [], [1.527613, 0.1213264, -4.27974], 'weight pos_weight'],
  ['SoftMarginLoss', () => new SoftMarginLoss(), [[2, 3], signs(2, 3)], [], [0.4788044, -0.02068165], ''],
  ['MultiLabelSoftMarginLoss', o => new MultiLabelSoftMarginLoss({ weight: tensor([2, 1, 3], o) }), [[2, 3], shares(2, 3)], [], [1.132061, 0.1242488, -2.078209], 'weight'],
  ['MultiLabelMarginLoss', () => new MultiLabelMarginLoss(), [[2, 4], ints([3, 0, -1, 1, 2, -1, 0, 1], [2, 4])], [], [0.8834747, -0.03816325], ''],
  ['MultiMarginLoss', o => new MultiMarginLoss({ p: 2, margin: 0.8, weight: tensor([1, 3, 2], o) }), [[4, 3], ints([2, 0, 1, 2])], [], [10.32049, 2.518964], 'weight'],
  ['HingeEmbeddingLoss', () => new HingeEmbeddingLoss({ margin: 0.5 }), [[2, 3], signs(2, 3)], [], [0.7926827, 0.2973876], ''],
  ['KLDivLoss', () => new KLDivLoss({ reduction: 'batchmean' }), [[2, 3], shares(2, 3)], [], [-1.749991, -0.3113171, -1.331372], ''],
  ['KLDivLoss, logarithms', () => new KLDivLoss({ logTarget: true }), [[2, 3], [2, 3]], [], [0.6541573, -0.6129342, 0.1642684], ''],
  ['PoissonNLLLoss', () => new PoissonNLLLoss({ full: true }), [[2, 3], counts([0, 1, 2, 3, 4, 5], [2, 3])], [], [3.252621, 1.243433], ''],
  ['PoissonNLLLoss, rates', () => new PoissonNLLLoss({ logInput: false }), [shares(2, 3), counts([0, 1, 2, 3, 4, 5], [2, 3])], [], [2.139735, 3.128803], ''],
  ['GaussianNLLLoss', () => new GaussianNLLLoss({ full: true }), [[2, 3], [2, 3], shares(2, 1)], [], [8.4979, 5.14016, -5.14016, 53.98669], ''],
  ['MarginRankingLoss', () => new MarginRankingLoss({ margin: 0.3 }), [[2, 3], [2, 3], signs(2, 3)], [], [1.235213, 0.06511789, -0.06511789], ''],
  ['CosineEmbeddingLoss', () => new CosineEmbeddingLoss({ margin: -0.5 }), [[4, 3], [4, 3], signs(4)], [], [0.7196523, 0.01959877, 0.1775278], ''],
  ['TripletMarginLoss', () => new TripletMarginLoss({ p: 3, swap: true }), [[4, 3], [4, 3], [4, 3]], [], [0.8411659, 0.4567423, -0.895843, 0.4391007], ''],
  ['TripletMarginWithDistanceLoss', () => new TripletMarginWithDistanceLoss({ margin: 2, distance: (a, b) => sum(square(sub(a, b)), -1) }), [[4, 3], [4, 3], [4, 3]], [], [0, 0, 0, 0], ''],
  ['CTCLoss', () => new CTCLoss(), [logits(6, 2, 4), ints([1, 2, 3, 3, 1, 2], [2, 3]), ints([6, 5]), ints([2, 3])], [], [1.411381, 0.3244416], ''],
  ['CTCLoss, labels in one row', () => new CTCLoss({ reduction: 'none', zeroInfinity: true, blank: 3 }), [logits(5, 2, 4), ints([1, 2, 1, 1, 1]), ints([5, 3]), ints([2, 3])], [2], [3.405558, 1.213811], ''],
  ['FocalLoss', () => new FocalLoss({ gamma: 1.5 }), [[2, 3], shares(2, 3)], [], [0.08661161, -0.007037689, -0.1377191], ''],
  ['FocalLoss, classes', o => new FocalLoss({ weight: tensor([1, 3, 2], o) }), [[4, 3], ints([2, 0, 1, 2])], [], [2.270645, 0.3848728], 'weight'],
]
