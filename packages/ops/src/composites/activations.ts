// Activation functions made of map primitives, with PyTorch's formulas and its values at the kinks.

import { add, mul, type Tensor, type TensorLike } from '@bp/core'
import { bind, defineComposite, defineOp, fullPrecision } from '@bp/core/extend'
import { abs, div, floor, inferFloat, maximum, neg } from '../rows/arithmetic.ts'
import { greater, greaterEqual, less, lessEqual, select } from '../rows/compare.ts'
import { erf, exp, expm1, log1p, sigmoid, sqrt, tanh } from '../rows/exponential.ts'

const sameAs = ([x]: [{ readonly aval: Tensor['aval'] }]): Tensor['aval'] => x.aval

/** y = x·Φ(x), or its approximation by tanh (Hendrycks & Gimpel 2016, "Gaussian Error Linear Units") */
export const geluRow = /* @__PURE__ */ defineComposite({
  name: 'gelu', arity: 1, infer: sameAs,
  decompose: ([x], p: { readonly approximate: 'none' | 'tanh' }) => p.approximate === 'none'
    ? mul(mul(x, 0.5), add(1, erf(mul(x, Math.SQRT1_2))))
    : mul(mul(x, 0.5), add(1, tanh(mul(Math.sqrt(2 / Math.PI), add(x, mul(0.044715, mul(x, mul(x, x)))))))),
})

/** y = x·σ(x) */
export const siluRow = /* @__PURE__ */ defineComposite({ name: 'silu', arity: 1, infer: sameAs, decompose: ([x]) => mul(x, sigmoid(x)) })

/** y = log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|),   x̄ = ȳ·σ(x) */
export const softplusRow = /* @__PURE__ */ defineComposite({
  name: 'softplus', arity: 1, precision: 'full', saves: 'x', infer: sameAs,
  decompose: ([x]) => add(maximum(x, 0), log1p(exp(neg(abs(x))))),
  vjp: ([ct], [x]) => [mul(ct!, sigmoid(x))],
})

/** y = x where x > 0, else α(eˣ − 1) */
export const eluRow = /* @__PURE__ */ defineComposite({
  name: 'elu', arity: 1, infer: sameAs,
  decompose: ([x], p: { readonly alpha: number }) => {
    const positive = greater(x, 0)
    return select(positive, x, mul(p.alpha, expm1(select(positive, 0, x))))
  },
})

/** y = x where x > 0, else slope·x */
export const leakyReluRow = /* @__PURE__ */ defineComposite({
  name: 'leakyRelu', arity: 1, infer: sameAs,
  decompose: ([x], p: { readonly slope: number }) => select(greater(x, 0), x, mul(x, p.slope)),
})

/** y = x·tanh(softplus x) */
export const mishRow = /* @__PURE__ */ defineComposite({ name: 'mish', arity: 1, infer: sameAs, decompose: ([x]) => mul(x, tanh(softplus(x))) })

/** y = 0 where x ≤ −3, 1 where x ≥ 3, else x/6 + ½ */
export const hardSigmoidRow = /* @__PURE__ */ defineComposite({
  name: 'hardSigmoid', arity: 1, infer: sameAs,
  decompose: ([x]) => select(lessEqual(x, -3), 0, select(greaterEqual(x, 3), 1, add(div(x, 6), 0.5))),
})

/** y = 0 where x < −3, x where x > 3, else x(x + 3)/6 */
export const hardSwishRow = /* @__PURE__ */ defineComposite({
  name: 'hardSwish', arity: 1, infer: sameAs,
  decompose: ([x]) => select(less(x, -3), 0, select(lessEqual(x, 3), div(mul(x, add(x, 3)), 6), x)),
})

/** y = x/(1 + |x|),   dy/dx = 1/(1 + |x|)² */
export const softsignRow = /* @__PURE__ */ defineOp({
  name: 'softsign', arity: 1, fuse: 'map', saves: 'x', infer: ([x]) => inferFloat('softsign', x),
  diff: { kind: 'map', d: [x => square(div(1, add(1, abs(x))))] },
  decompose: ([x]) => div(x, add(1, abs(x))),
})

/** Options of {@link gelu}. */
export interface GeluOptions {
  /** `'tanh'` takes the approximation that GPT-2 uses. */
  readonly approximate?: 'none' | 'tanh'
}

/**
 * x·Φ(x), the Gaussian error linear unit.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { gelu } from '@bp/ops'
 * gelu(tensor([0, 1])) // => tensor([0, 0.841345], float32)
 * ```
 */
export const gelu = (x: Tensor, { approximate = 'none' }: GeluOptions = {}): Tensor => bind(geluRow, [x], { approximate })

/** x·σ(x), also called swish (Elfwing et al. 2017). */
export const silu = (x: Tensor): Tensor => bind(siluRow, [x], undefined)

/** Options of {@link softplus}. */
export interface SoftplusOptions {
  /** log(1 + e^(βx))/β is the nearer to relu the larger β is. */
  readonly beta?: number
  /** Takes x itself where βx is above; PyTorch's is 20, which saves it from overflow. Here there is none. */
  readonly threshold?: number
}

/**
 * log(1 + e^(βx))/β, a smooth relu; exact for large |x|.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { softplus } from '@bp/ops'
 * softplus(tensor([0, 100])) // => tensor([0.693147, 100], float32)
 * ```
 */
export function softplus(x: Tensor, { beta = 1, threshold = Infinity }: SoftplusOptions = {}): Tensor {
  if (beta === 1 && threshold === Infinity) return bind(softplusRow, [x], undefined)
  const scaled = mul(x, beta)
  return select(greater(scaled, threshold), x, div(bind(softplusRow, [scaled], undefined), beta))
}

/** x where x > 0, else α(eˣ − 1) (Clevert et al. 2015). */
export const elu = (x: Tensor, alpha = 1): Tensor => bind(eluRow, [x], { alpha })

/** x where x > 0, else slope·x. */
export const leakyRelu = (x: Tensor, slope = 0.01): Tensor => bind(leakyReluRow, [x], { slope })

/** λ·elu(x, α) with the constants of Klambauer et al. 2017, "Self-Normalizing Neural Networks". */
export const selu = (x: Tensor): Tensor => mul(1.0507009873554805, elu(x, 1.6732632423543772))

/** x where x > 0, else α(e^(x/α) − 1) (Barron 2017). */
export function celu(x: Tensor, alpha = 1): Tensor {
  const positive = greater(x, 0)
  return select(positive, x, mul(alpha, expm1(div(select(positive, 0, x), alpha))))
}

/** x·tanh(softplus x) (Misra 2019). */
export const mish = (x: Tensor): Tensor => bind(mishRow, [x], undefined)

/** x/6 + ½ cut to [0, 1]. */
export const hardSigmoid = (x: Tensor): Tensor => bind(hardSigmoidRow, [x], undefined)

/** x·hardSigmoid(x) (Howard et al. 2019, "Searching for MobileNetV3"). */
export const hardSwish = (x: Tensor): Tensor => bind(hardSwishRow, [x], undefined)

/** x/(1 + |x|). */
export const softsign = (x: Tensor): Tensor => bind(softsignRow, [x], undefined)

/**
 * x cut to [min, max]; either may be left out. The derivative is 1 inside and at the bounds, NaN stays NaN.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { clamp } from '@bp/ops'
 * clamp(tensor([-2, 0.5, 2]), -1, 1) // => tensor([-1, 0.5, 1], float32)
 * ```
 */
export function clamp(x: Tensor, min?: TensorLike, max?: TensorLike): Tensor {
  const raised = min === undefined ? x : select(less(x, min), min, x)
  return max === undefined ? raised : select(greater(raised, max), max, raised)
}

/** x². */
export const square = (x: Tensor): Tensor => mul(x, x)

/** 1/√x. */
export const rsqrt = (x: Tensor): Tensor => div(1, sqrt(fullPrecision(x)))

/** 1/x. */
export const reciprocal = (x: Tensor): Tensor => div(1, fullPrecision(x))

/** The smallest whole number ≥ x. */
export const ceil = (x: Tensor): Tensor => neg(floor(neg(x)))
