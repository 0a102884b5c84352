// Means, variances and norms, and the standardising that every normalisation layer shares.

import { add, mul, type Tensor } from '@bp/core'
import { bind, defineComposite, normaliseAxes } from '@bp/core/extend'
import { div, neg, sub } from '../rows/arithmetic.ts'
import { sqrt } from '../rows/exponential.ts'
import { amax, sum } from '../rows/reduce.ts'

const count = (x: Tensor, axes: readonly number[]): number => axes.reduce((n, axis) => n * x.shape[axis]!, 1)

/**
 * The mean over the given axes (all unless given).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { mean } from '@bp/ops'
 * mean(tensor([[1, 2], [3, 6]]), 1) // => tensor([1.5, 4.5], float32)
 * ```
 */
export function mean(x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor {
  const list = normaliseAxes('mean', axes, x.rank)
  return div(sum(x, list, keepDims), count(x, list))
}

/** Options of {@link variance}. */
export interface VarianceOptions {
  /** What is taken from the count: 1 (the default, unbiased, as in PyTorch) or 0. */
  readonly correction?: number
  readonly keepDims?: boolean
}

/**
 * The variance over the given axes (all unless given), by two passes.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { variance } from '@bp/ops'
 * variance(tensor([1, 2, 3])) // => tensor(1, float32)
 * ```
 */
export function variance(x: Tensor, axes?: number | readonly number[], { correction = 1, keepDims = false }: VarianceOptions = {}): Tensor {
  const list = normaliseAxes('variance', axes, x.rank)
  const centred = sub(x, mean(x, list, true))
  return div(sum(mul(centred, centred), list, keepDims), count(x, list) - correction)
}

/** The smallest element over the given axes (all unless given); ties share the gradient evenly. */
export const amin = (x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor => neg(amax(neg(x), axes, keepDims))

/** The Euclidean norm over the given axes (all unless given). Its gradient at 0 is NaN; add a small number inside if it may be. */
export const norm = (x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor => sqrt(sum(mul(x, x), axes, keepDims))

/** The parameters of `standardise`. */
export interface StandardiseParams {
  readonly axes: readonly number[]
  readonly eps: number
}

/**
 * y = (x − μ)/σ with σ² = Var x + ε over axes,   x̄ = (ȳ − mean ȳ − y·mean(ȳ·y))/σ
 * (Ioffe & Szegedy 2015, "Batch Normalization", §3, simplified as in Ba et al. 2016, "Layer Normalization").
 */
export const standardiseRow = /* @__PURE__ */ defineComposite({
  name: 'standardise', arity: 1, saves: 'xy', infer: ([x]) => x.aval,
  decompose: ([x], p: StandardiseParams) => div(sub(x, mean(x, p.axes, true)), deviation(x, p)),
  vjp: ([ct], [x], [y], p) => {
    const centred = sub(sub(ct!, mean(ct!, p.axes, true)), mul(y!, mean(mul(ct!, y!), p.axes, true)))
    return [div(centred, deviation(x, p))]
  },
})

const deviation = (x: Tensor, p: StandardiseParams): Tensor => sqrt(add(variance(x, p.axes, { correction: 0, keepDims: true }), p.eps))

/** x shifted and scaled to mean 0 and variance 1 over the given axes; `eps` is added to the variance. */
export const standardise = (x: Tensor, axes: number | readonly number[], eps = 1e-5): Tensor =>
  bind(standardiseRow, [x], { axes: normaliseAxes('standardise', axes, x.rank), eps })

/** Layer normalisation over the last `axes` axes, then scale and shift (Ba et al. 2016, "Layer Normalization"). */
export function layerNorm(x: Tensor, axes: number, weight?: Tensor, bias?: Tensor, eps = 1e-5): Tensor {
  const y = standardise(x, Array.from({ length: axes }, (_, i) => i - axes), eps)
  const scaled = weight ? mul(y, weight) : y
  return bias ? add(scaled, bias) : scaled
}
