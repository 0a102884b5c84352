// Activation functions of one variable, each with its derivative written out: what BP1 and BP2 multiply by.

import { add, mul, onesLike, type Tensor, zerosLike } from '@bp/core'
import { fail } from '@bp/core/extend'
import * as ops from '@bp/ops'
import { div, erf, exp, greater, less, lessEqual, logicalAnd, minimum, neg, select, square, sub } from '@bp/ops'

/** An activation function a = σ(z), elementwise. */
export interface Activation {
  readonly f: (z: Tensor) => Tensor
  /** σ′(z), given a = σ(z) too. At a kink it is what PyTorch takes there. */
  readonly derivative: (z: Tensor, a: Tensor) => Tensor
}

/** 1 − x. */
const oneLess = (x: Tensor): Tensor => sub(1, x)
/** `inside` where the condition holds, else `outside`, in the dtype of z. */
const where = (condition: Tensor, inside: number, outside: number, z: Tensor): Tensor => select(condition, mul(onesLike(z), inside), mul(onesLike(z), outside))
/** φ(z) = e^(−z²/2)/√(2π) */
const density = (z: Tensor): Tensor => mul(exp(mul(square(z), -0.5)), 1 / Math.sqrt(2 * Math.PI))
/** Φ(z) = ½(1 + erf(z/√2)) */
const cumulative = (z: Tensor): Tensor => mul(add(1, erf(mul(z, Math.SQRT1_2))), 0.5)

/** σ(z) = z,   σ′ = 1 */
export const identity: Activation = { f: z => z, derivative: z => onesLike(z) }

/** σ(z) = 1/(1 + e⁻ᶻ),   σ′ = a(1 − a) */
export const sigmoid: Activation = { f: ops.sigmoid, derivative: (_z, a) => mul(a, oneLess(a)) }

/** σ(z) = tanh z,   σ′ = 1 − a² */
export const tanh: Activation = { f: ops.tanh, derivative: (_z, a) => oneLess(square(a)) }

/** σ(z) = max(z, 0),   σ′ = 1 where z > 0, else 0 */
export const relu: Activation = { f: ops.relu, derivative: z => where(greater(z, 0), 1, 0, z) }

/** σ(z) = min(max(z, 0), 6),   σ′ = 1 where 0 < z < 6, else 0 */
export const relu6: Activation = { f: ops.relu6, derivative: z => where(logicalAnd(greater(z, 0), less(z, 6)), 1, 0, z) }

/** σ(z) = z where z > 0, else slope·z,   σ′ = 1 or slope */
export const leakyRelu = (slope = 0.01): Activation => ({ f: z => ops.leakyRelu(z, slope), derivative: z => where(greater(z, 0), 1, slope, z) })

/** σ(z) = z where z > 0, else α(eᶻ − 1),   σ′ = 1 or αeᶻ */
export const elu = (alpha = 1): Activation => ({
  f: z => ops.elu(z, alpha),
  derivative: z => select(greater(z, 0), onesLike(z), mul(alpha, exp(minimum(z, 0)))),
})

/** σ(z) = λ·elu(z, α),   σ′ = λ or λαeᶻ (Klambauer et al. 2017, "Self-Normalizing Neural Networks") */
export const selu: Activation = {
  f: ops.selu,
  derivative: z => mul(1.0507009873554805, select(greater(z, 0), onesLike(z), mul(1.6732632423543772, exp(minimum(z, 0))))),
}

/** σ(z) = z where z > 0, else α(e^(z/α) − 1),   σ′ = 1 or e^(z/α) */
export const celu = (alpha = 1): Activation => ({
  f: z => ops.celu(z, alpha),
  derivative: z => select(greater(z, 0), onesLike(z), exp(div(minimum(z, 0), alpha))),
})

/** σ(z) = z·Φ(z),   σ′ = Φ(z) + z·φ(z) */
export const gelu: Activation = { f: z => ops.gelu(z), derivative: z => add(cumulative(z), mul(z, density(z))) }

/** σ(z) = ½z(1 + tanh u) with u = √(2/π)(z + 0.044715z³),   σ′ = ½(1 + t) + ½z(1 − t²)·u′ with t = tanh u */
export const geluTanh: Activation = {
  f: z => ops.gelu(z, { approximate: 'tanh' }),
  derivative: z => {
    const c = Math.sqrt(2 / Math.PI)
    const t = ops.tanh(mul(c, mul(z, add(1, mul(0.044715, square(z))))))
    const slope = mul(c, add(1, mul(3 * 0.044715, square(z))))
    return mul(0.5, add(add(1, t), mul(mul(z, oneLess(square(t))), slope)))
  },
}

/** σ(z) = z·s with s = 1/(1 + e⁻ᶻ),   σ′ = s(1 + z(1 − s)) */
export const silu: Activation = {
  f: ops.silu,
  derivative: z => {
    const s = ops.sigmoid(z)
    return mul(s, add(1, mul(z, oneLess(s))))
  },
}

/** σ(z) = log(1 + eᶻ),   σ′ = 1/(1 + e⁻ᶻ) */
export const softplus: Activation = { f: z => ops.softplus(z), derivative: z => ops.sigmoid(z) }

/** σ(z) = −log(1 + e⁻ᶻ),   σ′ = 1/(1 + eᶻ) */
export const logSigmoid: Activation = { f: ops.logSigmoid, derivative: z => ops.sigmoid(neg(z)) }

/** σ(z) = z·t with t = tanh(log(1 + eᶻ)),   σ′ = t + z(1 − t²)/(1 + e⁻ᶻ) */
export const mish: Activation = {
  f: ops.mish,
  derivative: z => {
    const t = ops.tanh(ops.softplus(z))
    return add(t, mul(mul(z, oneLess(square(t))), ops.sigmoid(z)))
  },
}

/** σ(z) = z/(1 + |z|),   σ′ = 1/(1 + |z|)² */
export const softsign: Activation = { f: ops.softsign, derivative: z => square(div(1, add(1, ops.abs(z)))) }

/** σ(z) = z/6 + ½ cut to [0, 1],   σ′ = 1/6 where −3 < z < 3, else 0 */
export const hardSigmoid: Activation = { f: ops.hardSigmoid, derivative: z => where(logicalAnd(greater(z, -3), less(z, 3)), 1 / 6, 0, z) }

/** σ(z) = z(z + 3)/6 where −3 ≤ z ≤ 3, else max(z, 0),   σ′ = z/3 + ½, else 0 or 1 */
export const hardSwish: Activation = {
  f: ops.hardSwish,
  derivative: z => select(less(z, -3), zerosLike(z), select(lessEqual(z, 3), add(div(z, 3), 0.5), onesLike(z))),
}

/** σ(z) = z cut to [min, max],   σ′ = 1 where min < z < max, else 0 */
export const hardTanh = (min = -1, max = 1): Activation => ({
  f: z => ops.hardTanh(z, min, max),
  derivative: z => where(logicalAnd(greater(z, min), less(z, max)), 1, 0, z),
})

/** σ(z) = z where |z| > λ, else 0,   σ′ = 1 or 0 */
export const hardShrink = (lambda = 0.5): Activation => ({ f: z => ops.hardShrink(z, lambda), derivative: z => where(greater(ops.abs(z), lambda), 1, 0, z) })

/** σ(z) = z − λ where z > λ, z + λ where z < −λ, else 0,   σ′ = 1 or 0 */
export const softShrink = (lambda = 0.5): Activation => ({ f: z => ops.softShrink(z, lambda), derivative: z => where(greater(ops.abs(z), lambda), 1, 0, z) })

/** σ(z) = z − tanh z,   σ′ = tanh² z */
export const tanhShrink: Activation = { f: ops.tanhShrink, derivative: z => square(ops.tanh(z)) }

/** σ(z) = z where z > limit, else value,   σ′ = 1 or 0 */
export const threshold = (limit: number, value: number): Activation => ({ f: z => ops.threshold(z, limit, value), derivative: z => where(greater(z, limit), 1, 0, z) })

/**
 * ŷ = e^z/Σe^z down each column, for the last layer under {@link crossEntropy} only: each of its outputs depends on each z, so
 * that no σ′ stands for its Jacobian.
 */
export const softmax: Activation = {
  f: z => ops.softmax(z, 0),
  derivative: () => fail('value', 'softmax', 'it is not elementwise, so it has no σ′. Use it in the last layer, with costs.crossEntropy; elsewhere take softmaxVjp'),
}
