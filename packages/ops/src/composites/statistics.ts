// Means, variances and the smallest element, and the standardising that every normalisation layer shares.

import { add, mul, type Tensor } from '@bp/core'
import { bind, defineComposite, normaliseAxes, toFloat } from '@bp/core/extend'
import { div, inferFloat, sub } from '../rows/arithmetic.ts'
import { equal, select } from '../rows/compare.ts'
import { sqrt } from '../rows/exponential.ts'
import { amax, droppedShape, opposite, sum } from '../rows/reduce.ts'
import { reshape } from '../rows/view.ts'

type Axes = number | readonly number[]

/** How many elements one reduction over axes sees. */
export const countOf = (x: Tensor, axes: readonly number[]): number => axes.reduce((n, axis) => n * x.shape[axis]!, 1)

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
export function mean(x: Tensor, axes?: Axes, keepDims = false): Tensor {
  const list = normaliseAxes('mean', axes, x.rank)
  return div(sum(x, list, keepDims), countOf(x, list))
}

/** Options of {@link variance}. */
export interface VarianceOptions {
  /** What is taken from the count: 1 (the default, unbiased, as in PyTorch) or any other number. */
  readonly correction?: number
  readonly keepDims?: boolean
}

/**
 * The variance over the given axes (all unless given), by two passes; NaN or ∞ where the count does not exceed the correction.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { variance } from '@bp/ops'
 * variance(tensor([1, 2, 3])) // => tensor(1, float32)
 * ```
 */
export const variance = (x: Tensor, axes?: Axes, options: VarianceOptions = {}): Tensor => varMean(x, axes, options)[0]

/**
 * The standard deviation over the given axes (all unless given); its derivative at 0 is 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { std } from '@bp/ops'
 * std(tensor([[1, 3], [2, 6]]), 1, { correction: 0 }) // => tensor([1, 2], float32)
 * ```
 */
export const std = (x: Tensor, axes?: Axes, options: VarianceOptions = {}): Tensor => flatSqrt(variance(x, axes, options))

/** √x, with derivative 0 at 0. */
export function flatSqrt(x: Tensor): Tensor {
  const zero = equal(x, 0)
  return select(zero, 0, sqrt(select(zero, 1, x)))
}

/**
 * The variance and the mean over the given axes (all unless given).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { varMean } from '@bp/ops'
 * varMean(tensor([1, 2, 3])) // => [tensor(1, float32), tensor(2, float32)]
 * ```
 */
export function varMean(x: Tensor, axes?: Axes, { correction = 1, keepDims = false }: VarianceOptions = {}): [variance: Tensor, mean: Tensor] {
  const list = normaliseAxes('variance', axes, x.rank)
  const centre = mean(x, list, true)
  const centred = sub(x, centre)
  const spread = div(sum(mul(centred, centred), list, keepDims), Math.max(0, countOf(x, list) - correction))
  return [spread, keepDims ? centre : reshape(centre, droppedShape(x, list))]
}

/**
 * The standard deviation and the mean over the given axes (all unless given).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { stdMean } from '@bp/ops'
 * stdMean(tensor([1, 2, 3])) // => [tensor(1, float32), tensor(2, float32)]
 * ```
 */
export function stdMean(x: Tensor, axes?: Axes, options: VarianceOptions = {}): [std: Tensor, mean: Tensor] {
  const [spread, centre] = varMean(x, axes, options)
  return [flatSqrt(spread), centre]
}

/**
 * The smallest element over the given axes (all unless given); ties share the gradient evenly.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { amin } from '@bp/ops'
 * amin(tensor([[1, 5], [3, 2]]), 1) // => tensor([1, 2], float32)
 * ```
 */
export const amin = (x: Tensor, axes?: Axes, keepDims = false): Tensor => opposite(amax(opposite(x), axes, keepDims))

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
  name: 'standardise', arity: 1, precision: 'full', saves: 'xy', infer: ([x]) => inferFloat('standardise', x),
  decompose: ([x], p: StandardiseParams) => div(sub(x, mean(x, p.axes, true)), deviation(x, p)),
  vjp: ([ct], [x], [y], p) => {
    const centred = sub(sub(ct!, mean(ct!, p.axes, true)), mul(y!, mean(mul(ct!, y!), p.axes, true)))
    return [div(centred, deviation(x, p))]
  },
})

const deviation = (x: Tensor, p: StandardiseParams): Tensor => sqrt(add(variance(x, p.axes, { correction: 0, keepDims: true }), p.eps))

/** x shifted and scaled to mean 0 and variance 1 over the given axes; `eps` is added to the variance. */
export const standardise = (x: Tensor, axes: number | readonly number[], eps = 1e-5): Tensor =>
  bind(standardiseRow, [toFloat(x)], { axes: normaliseAxes('standardise', axes, x.rank), eps })

/** Layer normalisation over the last `axes` axes, then scale and shift (Ba et al. 2016, "Layer Normalization"). */
export function layerNorm(x: Tensor, axes: number, weight?: Tensor, bias?: Tensor, eps = 1e-5): Tensor {
  const y = standardise(x, Array.from({ length: axes }, (_, i) => i - axes), eps)
  const scaled = weight ? mul(y, weight) : y
  return bias ? add(scaled, bias) : scaled
}
