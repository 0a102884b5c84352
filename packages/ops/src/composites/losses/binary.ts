// Losses of independent yes-or-no questions: binary cross-entropy, from probabilities or from logits.

import { add, mul, type Tensor } from '@bp/core'
import { bind, defineComposite } from '@bp/core/extend'
import { div, neg, sub } from '../../rows/arithmetic.ts'
import { lessEqual, select } from '../../rows/compare.ts'
import { log } from '../../rows/exponential.ts'
import { clamp, softplus } from '../activations.ts'
import { mean } from '../statistics.ts'
import { alike, type LossOptions, reduce } from './reduction.ts'

/** Options of {@link binaryCrossEntropy}. */
export interface BinaryCrossEntropyOptions extends LossOptions {
  /** A factor for each element; broadcasts. */
  readonly weight?: Tensor | undefined
}

/** Options of {@link binaryCrossEntropyWithLogits}. */
export interface BinaryCrossEntropyWithLogitsOptions extends BinaryCrossEntropyOptions {
  /** A factor for the positive targets, for each class; broadcasts. */
  readonly posWeight?: Tensor | undefined
}

/** What a logarithm is at the least. */
const lowest = -100

/** log x, but no less than −100, and flat there. */
function cutLog(x: Tensor): Tensor {
  // where GPUs take such small numbers for 0, 0 is one of them
  const tiny = lessEqual(x, Math.exp(lowest))
  return select(tiny, lowest, log(select(tiny, 1, x)))
}

/**
 * y = −t·log x − (1 − t)·log(1 − x) with logarithms ≥ −100,   x̄ = ȳ·(x − t)/max(x(1 − x), 10⁻¹²),
 * t̄ = ȳ·(log(1 − x) − log x): PyTorch's derivative, which at x = 0 and 1 is large instead of infinite
 */
export const binaryCrossEntropyRow = /* @__PURE__ */ defineComposite({
  name: 'binaryCrossEntropy', arity: 2, precision: 'full', saves: 'x',
  decompose: ([x, t]) => {
    const [p, y] = alike('binaryCrossEntropy', x, t)
    return neg(add(mul(y, cutLog(p)), mul(sub(1, y), cutLog(sub(1, p)))))
  },
  vjp: ([ct], [x, t], _ys, _p, want) => [
    want[0] ? mul(ct!, div(sub(x, t), clamp(mul(x, sub(1, x)), 1e-12))) : null,
    want[1] ? mul(ct!, sub(cutLog(sub(1, x)), cutLog(x))) : null,
  ],
})

/**
 * The binary cross-entropy of probabilities x with y ∈ [0, 1]; logarithms are cut at −100. Logits have a loss of their own,
 * {@link binaryCrossEntropyWithLogits}, which is exact for any of them.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { binaryCrossEntropy } from '@bp/ops'
 * binaryCrossEntropy(tensor([0.5, 0]), tensor([1, 1]), { reduction: 'none' }) // => tensor([0.693147, 100], float32)
 * ```
 */
export function binaryCrossEntropy(x: Tensor, target: Tensor, { weight, ...options }: BinaryCrossEntropyOptions = {}): Tensor {
  const losses = bind(binaryCrossEntropyRow, [x, target], undefined)
  return reduce(weight ? mul(losses, weight) : losses, options)
}

/**
 * The binary cross-entropy of σ(x) with y ∈ [0, 1], stable for any x: softplus(x) − x·y, and with a factor p for positives
 * p·y·softplus(−x) + (1 − y)·softplus(x). Its gradient is σ(x) − y.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { binaryCrossEntropyWithLogits } from '@bp/ops'
 * binaryCrossEntropyWithLogits(tensor([0, 1000]), tensor([1, 0]), { reduction: 'none' }) // => tensor([0.693147, 1000], float32)
 * ```
 */
export function binaryCrossEntropyWithLogits(logits: Tensor, probabilities: Tensor, { weight, posWeight, ...options }: BinaryCrossEntropyWithLogitsOptions = {}): Tensor {
  const [x, target] = alike('binaryCrossEntropyWithLogits', logits, probabilities)
  const losses = posWeight
    ? add(mul(mul(posWeight, target), softplus(neg(x))), mul(sub(1, target), softplus(x)))
    : sub(softplus(x), mul(x, target))
  return reduce(weight ? mul(losses, weight) : losses, options)
}

/** Options of {@link multilabelSoftMarginLoss}. */
export interface MultilabelSoftMarginLossOptions extends LossOptions {
  /** A factor for each class; broadcasts. */
  readonly weight?: Tensor | undefined
}

/**
 * {@link binaryCrossEntropyWithLogits} averaged over the last axis, the classes: x and y ∈ [0, 1], [..., c] → [...].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { multilabelSoftMarginLoss } from '@bp/ops'
 * multilabelSoftMarginLoss(tensor([[0, 0]]), tensor([[1, 0]])) // => tensor(0.693147, float32)
 * ```
 */
export function multilabelSoftMarginLoss(x: Tensor, target: Tensor, { weight, ...options }: MultilabelSoftMarginLossOptions = {}): Tensor {
  return reduce(mean(binaryCrossEntropyWithLogits(x, target, { reduction: 'none', weight }), -1), options)
}

/**
 * log(1 + e^(−y·x)) for targets y of −1 and 1, without overflow.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { softMarginLoss } from '@bp/ops'
 * softMarginLoss(tensor([0, 1000]), tensor([1, -1]), { reduction: 'none' }) // => tensor([0.693147, 1000], float32)
 * ```
 */
export function softMarginLoss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  const [z, y] = alike('softMarginLoss', x, target)
  return reduce(softplus(neg(mul(z, y))), options)
}
