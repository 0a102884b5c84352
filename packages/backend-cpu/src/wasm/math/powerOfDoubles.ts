// Powers of two doubles ≥ 0, their logarithms reckoned in pairs of doubles.

import { f64x2, type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'
import { scaledExp } from './exponential.ts'
import { atEnds, exponentOf, normalOf } from './logarithm.ts'
import { type Pair, partsOf, plusPair, productOf, sumOf, timesPair } from './pairs.ts'
import { polynomialByPairs } from './polynomial.ts'

type Vector = Local<'v128'>
const { add, sub, mul, const: c } = f64x2

/* 2/ln 2 and a third of it, in two parts each. */
const unit = [2.8853900817779268, 4.0710547481862066e-17] as const
const third = [0.9617966939259756, 5.0577616648125907e-17] as const
/** 2(atanh √z/√z − 1 − z/3)/(z²·ln 2) for √½ ≤ (1 + √z)/(1 − √z) ≤ √2, with the least largest error relative to atanh (Remez 1934), computed with 300 bits: 2⁻⁷¹ */
const tail = [0.5770780163555853, 0.4121985831111953, 0.32059889794828045, 0.2623081945240029, 0.22195253465018508, 0.19239186524348706, 0.16862927274319034, 0.17144989479898576]

const constant = (func: Func, [high, low]: readonly [number, number]): Pair => ({ high: func.let(c(high)), low: func.let(c(low)) })

/** log₂ x = e + log₂ m with x = 2ᵉ·m, log₂ m = s(K + zK/3 + z²P(z)), s = (m − 1)/(m + 1), z = s² and K = 2/ln 2, to some 65 bits */
function log2(simd: Simd, func: Func, x: Vector): Pair {
  const { normal, lowered } = normalOf(func, x)
  const { e, m } = exponentOf(func, normal)
  const mantissa = func.let(m)
  const steps = func.let(sub(e, lowered))
  const s = quotient(func, mantissa)
  const z = timesPair(func, s, s)
  const square = func.let(mul(z.high, z.high))
  const last = func.let(mul(square, polynomialByPairs(simd, func, z.high, square, tail)))
  const linear = timesPair(func, z, constant(func, third))
  const factor = plusPair(func, constant(func, unit), sumOf(func, linear.high, func.let(add(linear.low, last))))
  const log = timesPair(func, s, factor)
  return plusPair(func, { high: steps, low: func.let(c(0)) }, log)
}

/** (m − 1)/(m + 1) for √½ ≤ m < √2: the quotient's first bits, and what is left over of the dividend, divided. */
function quotient(func: Func, m: Vector): Pair {
  const f = func.let(sub(m, c(1)))
  const divisor = sumOf(func, func.let(c(1)), m)
  const high = partsOf(func, func.let(f64x2.div(f, divisor.high))).high
  const parts = partsOf(func, divisor.high)
  const left = sub(sub(f, mul(high, parts.high)), mul(high, add(parts.low, divisor.low)))
  return sumOf(func, high, func.let(f64x2.div(left, divisor.high)))
}

/** xʸ = 2^(y·log₂ x) for x ≥ 0 */
export function doublePower(simd: Simd, func: Func, x: Vector, y: Vector): V128 {
  const log = log2(simd, func, x)
  // a larger exponent gives 0 or ∞ too, unless x is 1; NaN stays
  const exponent = func.let(f64x2.pmax(f64x2.pmin(y, c(2 ** 80)), c(-(2 ** 80))))
  const { high, low } = productOf(func, exponent, log.high)
  // where log₂ x is −∞, ∞ or NaN
  const isEnd = v128.or(f64x2.eq(x, c(0)), v128.not(f64x2.lt(x, c(Infinity))))
  // 1 to any power is 1, and so is anything to the power of 0
  const one = func.let(v128.or(f64x2.eq(x, c(1)), f64x2.eq(y, c(0))))
  const power = func.let(v128.andNot(v128.select(mul(y, atEnds(simd, x)), high, isEnd), one))
  const near = func.let(f64x2.pmax(f64x2.pmin(power, c(1030)), c(-1080)))
  const magic = c(1.5 * 2 ** 52 + 2046)
  const biased = func.let(add(near, magic))
  // what the product loses counts where the power has a float
  const counts = v128.andNot(f64x2.eq(power, near), one)
  const rest = v128.and(add(low, mul(exponent, log.low)), counts)
  return scaledExp(simd, func, biased, func.let(mul(add(sub(near, sub(biased, magic)), rest), c(Math.LN2))))
}
