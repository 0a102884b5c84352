// Samples of the losses, away from their corners.

import type { Tensor } from '@bp/core'
import {
  binaryCrossEntropy, binaryCrossEntropyWithLogits, cosineEmbeddingLoss, crossEntropy, ctcLoss, focalLoss, gaussianNllLoss, hingeEmbeddingLoss, huberLoss, klDiv, l1Loss, type LossOptions,
  marginRankingLoss, mseLoss, multilabelMarginLoss, multilabelSoftMarginLoss, multiMarginLoss, nllLoss, poissonNllLoss, smoothL1Loss, softMarginLoss, tripletMarginLoss,
  tripletMarginWithDistanceLoss,
} from '@bp/ops'
import type { FunctionSample } from '../functions.ts'
import { fixed, given, operand, uniform } from '../sample.ts'

type Sampled = Readonly<Record<string, readonly FunctionSample[]>>
type Spec = FunctionSample['operands'][number]

/** A loss with some options at an input and a target. */
const at = <O>(f: (x: Tensor, target: Tensor, options: O) => Tensor, options: O, x: Spec, target: Spec): FunctionSample => ({ f: (a, b) => f(a, b, options), operands: [x, target] })

/** A loss with each reduction. */
const reduced = (f: (x: Tensor, target: Tensor, options: LossOptions) => Tensor, x: Spec, target: Spec): FunctionSample[] =>
  (['mean', 'sum', 'none'] as const).map(reduction => at(f, { reduction }, x, target))

// differences of 0.4, 1.7, −0.6, −2.2, 0.7 and 1.3
const [numbers, truth] = [operand([2, 3], given(0.5, 1.9, -0.4, -1.2, 1.1, 0.4)), operand([2, 3], given(0.1, 0.2, 0.2, 1, 0.4, -0.9))]
const importance = operand([2, 3], uniform(0.5, 2))
const signs = operand([2, 3], given(1, -1, -1, 1, 1, -1))
const kinds = fixed([2, 3], 'int32', given(1, -1, -1, 1, 0, -1))

const regression: Sampled = {
  mseLoss: [...reduced(mseLoss, numbers, truth), { f: (x, y, w) => mseLoss(x, y, { weight: w }), operands: [numbers, truth, importance] }],
  l1Loss: [...reduced(l1Loss, numbers, truth), { f: (x, y, w) => l1Loss(x, y, { weight: w, reduction: 'sum' }), operands: [numbers, truth, importance] }],
  huberLoss: [...reduced(huberLoss, numbers, truth), at(huberLoss, { delta: 0.5 }, numbers, truth), { f: (x, y, w) => huberLoss(x, y, { weight: w }), operands: [numbers, truth, importance] }],
  smoothL1Loss: [...reduced(smoothL1Loss, numbers, truth), at(smoothL1Loss, { beta: 2 }, numbers, truth), at(smoothL1Loss, { beta: 0 }, numbers, truth)],
}

const [logits, image] = [operand([3, 4]), operand([2, 3, 2, 1])]
const classes = fixed([3], 'int32', given(2, 0, 3))
const pixels = fixed([2, 2, 1], 'int64', given(1, 2, 0, -100))
const probabilities = operand([3, 4], uniform(0.1, 0.9))
const weight = operand([4], uniform(0.5, 2))

/** A loss of class indices with a factor for each class. */
const weighted = (f: typeof crossEntropy, options: Parameters<typeof crossEntropy>[2]): FunctionSample =>
  ({ f: (x, y, w) => f(x, y, { ...options, weight: w }), operands: [logits, classes, weight] })

const classification: Sampled = {
  crossEntropy: [
    ...reduced(crossEntropy, logits, classes),
    ...reduced(crossEntropy, logits, probabilities),
    at(crossEntropy, { labelSmoothing: 0.3 }, image, pixels),
    at(crossEntropy, { labelSmoothing: 0.2 }, operand([4]), fixed([], 'int32', given(1))),
    weighted(crossEntropy, { labelSmoothing: 0.1, ignoreIndex: 0 }),
    { f: (x, y, w) => crossEntropy(x, y, { weight: w, labelSmoothing: 0.1 }), operands: [logits, probabilities, weight] },
  ],
  nllLoss: [...reduced(nllLoss, logits, classes), at(nllLoss, {}, image, pixels), at(nllLoss, { reduction: 'none' }, operand([4]), fixed([], 'int32', given(1))), weighted(nllLoss, { ignoreIndex: 2 }), weighted(nllLoss, { reduction: 'sum' })],
}

const chances = operand([2, 3], uniform(0.1, 0.9))
const labels = operand([2, 3], given(1, 0, 0.25, 0, 1, 0.5))
const factor = operand([3], uniform(0.5, 2))

const binary: Sampled = {
  focalLoss: [
    ...reduced(focalLoss, numbers, labels),
    at(focalLoss, { gamma: 1.5, alpha: null }, numbers, labels),
    at(focalLoss, {}, image, pixels),
    at(focalLoss, { gamma: 0 }, operand([4]), fixed([], 'int32', given(1))),
    { f: (x, y, w) => focalLoss(x, y, { weight: w, gamma: 3, ignoreIndex: 0 }), operands: [logits, classes, weight] },
  ],
  binaryCrossEntropy: [...reduced(binaryCrossEntropy, chances, labels), { f: (x, y, w) => binaryCrossEntropy(x, y, { weight: w }), operands: [chances, labels, factor] }],
  binaryCrossEntropyWithLogits: [
    ...reduced(binaryCrossEntropyWithLogits, numbers, labels),
    { f: (x, y, w, p) => binaryCrossEntropyWithLogits(x, y, { weight: w, posWeight: p }), operands: [numbers, labels, operand([2, 1], uniform(0.5, 2)), factor] },
  ],
  multilabelSoftMarginLoss: [...reduced(multilabelSoftMarginLoss, numbers, labels), { f: (x, y, w) => multilabelSoftMarginLoss(x, y, { weight: w }), operands: [numbers, labels, factor] }],
  softMarginLoss: reduced(softMarginLoss, numbers, signs),
}

const counts = operand([2, 3], given(0, 2.5, 4, 0.5, 3, 1.5))
const variances = (shape: readonly number[]): Spec => operand(shape, uniform(0.5, 2))

const likelihood: Sampled = {
  klDiv: [...reduced(klDiv, logits, probabilities), at(klDiv, { reduction: 'batchmean' }, logits, probabilities), at(klDiv, { logTarget: true }, logits, logits)],
  poissonNllLoss: [...reduced(poissonNllLoss, numbers, counts), at(poissonNllLoss, { full: true }, numbers, counts), at(poissonNllLoss, { logInput: false, eps: 0.1 }, variances([2, 3]), counts)],
  gaussianNllLoss: [
    ...[[2, 3], [2, 1], [2]].map((shape, i): FunctionSample => (
      { f: (x, y, v) => gaussianNllLoss(x, y, v, { full: i > 0, reduction: i > 1 ? 'none' : 'sum' }), operands: [numbers, truth, variances(shape)] }
    )),
    { f: (x, y) => gaussianNllLoss(x, y, 0.5), operands: [numbers, truth] },
  ],
}

const scores = operand([2, 4], given(0.1, 0.75, -0.6, 1.9, 1.4, -1.3, 0.45, -0.2))

const margins: Sampled = {
  marginRankingLoss: [
    { f: (a, b, y) => marginRankingLoss(a, b, y, { margin: 0.2 }), operands: [numbers, truth, signs] },
    { f: (a, b, y) => marginRankingLoss(a, b, y, { reduction: 'none' }), operands: [numbers, operand([1, 3], given(0.1, 0.2, 0.3)), signs] },
  ],
  hingeEmbeddingLoss: [...reduced(hingeEmbeddingLoss, numbers, kinds), at(hingeEmbeddingLoss, { margin: 1.5 }, numbers, kinds)],
  multiMarginLoss: [
    ...reduced(multiMarginLoss, scores, fixed([2], 'int32', given(2, 0))),
    at(multiMarginLoss, { margin: 0.7, p: 1 }, scores, fixed([2], 'int64', given(3, 1))),
    at(multiMarginLoss, { reduction: 'none' }, operand([4], given(0.1, 0.75, -0.6, 1.9)), fixed([], 'int32', given(1))),
    { f: (x, y, w) => multiMarginLoss(x, y, { p: 2, weight: w }), operands: [scores, fixed([2], 'int32', given(2, 0)), weight] },
  ],
  multilabelMarginLoss: [
    ...reduced(multilabelMarginLoss, scores, fixed([2, 4], 'int32', given(2, 0, -1, 1, -1, 0, 1, 2))),
    at(multilabelMarginLoss, {}, operand([4], given(0.1, 0.75, -0.6, 1.9)), fixed([4], 'int64', given(3, 0, 1, 2))),
  ],
}

const [anchor, positive, negative] = [operand([2, 3], given(0.5, 1.9, -0.4, -1.2, 1, 0.4)), operand([2, 3], given(0.1, 0.2, 0.2, 1, 0.3, -0.9)), operand([2, 3], given(0.4, 1.1, -0.9, 0.6, -0.3, 1.6))]

const embeddings: Sampled = {
  cosineEmbeddingLoss: [
    { f: (a, b, y) => cosineEmbeddingLoss(a, b, y, { margin: -0.9 }), operands: [anchor, positive, fixed([2], 'int64', given(1, -1))] },
    { f: (a, b, y) => cosineEmbeddingLoss(a, b, y, { reduction: 'none', margin: -0.9 }), operands: [operand([3]), operand([3]), fixed([], 'int32', given(-1))] },
  ],
  tripletMarginLoss: [
    { f: (a, p, n) => tripletMarginLoss(a, p, n, { reduction: 'none' }), operands: [anchor, positive, negative] },
    { f: (a, p, n) => tripletMarginLoss(a, p, n, { p: 3, margin: 3, swap: true }), operands: [anchor, positive, negative] },
  ],
  tripletMarginWithDistanceLoss: [{ f: (a, p, n) => tripletMarginWithDistanceLoss(a, p, n, { distance: (x, y) => mseLoss(x, y, { reduction: 'none' }), margin: 2, reduction: 'sum' }), operands: [anchor, positive, negative] }],
}

const frames = operand([4, 2, 3])
const words = fixed([2, 2], 'int32', given(1, 2, 1, 1))

const sequences: Sampled = {
  ctcLoss: [
    ...reduced(ctcLoss, frames, words),
    at(ctcLoss, { inputLengths: [4, 3], targetLengths: [1, 2] }, frames, words),
    at(ctcLoss, { blank: 2, zeroInfinity: true }, operand([2, 3]), fixed([3], 'int64', given(0, 0, 1))),
    at(ctcLoss, {}, frames, fixed([2, 0], 'int32')),
    at(ctcLoss, { targetLengths: [1, 2] }, frames, fixed([3], 'int32', given(2, 1, 1))),
  ],
}

/** Samples of this family. */
export const lossFunctions: Sampled = { ...regression, ...classification, ...binary, ...likelihood, ...margins, ...embeddings, ...sequences }
