// Powers of two doubles ≥ 0, their logarithms reckoned in pairs of doubles.

import { f64x2, type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'
import { scaledExp } from './exponential.ts'
import { atEnds, exponentOf, normalOf } from './logarithm.ts'
import { type Pair, partsOf, sumOf } from './pairs.ts'
import { polynomial } from './polynomial.ts'

type Vector = Local<'v128'>
const { add, sub, mul, const: c } = f64x2

/* K = 2/ln 2 as rounded and what is lost; the first 26 bits of K/3 and the rest. */
const unit = { high: 2.8853900817779268, low: 4.0710547481862066e-17 }
const third = { high: 0.9617966860532761, low: 7.872699542894897e-9 }
/** 2(atanh √z/√z − 1 − z/3)/(z²·ln 2) for √½ ≤ (1 + √z)/(1 − √z) ≤ √2, with the least largest error relative to atanh (Remez 1934), computed with 300 bits: 2⁻⁷¹ */
const tail = [0.5770780163555853, 0.4121985831111953, 0.32059889794828045, 0.2623081945240029, 0.22195253465018508, 0.19239186524348706, 0.16862927274319034, 0.17144989479898576]

/**
 * log₂ x = e + log₂ m with x = 2ᵉ·m, log₂ m = s(K + zK/3 + z²P(z)), s = (m − 1)/(m + 1) and z = s², to some 70 bits. What
 * is multiplied is cut into its first 26 bits and the rest, so that the largest product is exact.
 */
function log2(simd: Simd, func: Func, x: Vector): Pair {
  const { normal, lowered } = normalOf(func, x)
  const { e, m } = exponentOf(func, normal)
  const steps = func.let(sub(e, lowered))
  const s = quotient(func, func.let(m))
  const z = { high: func.let(mul(s.high, s.high)), low: func.let(mul(s.low, add(add(s.high, s.high), s.low))) }
  const rounded = func.let(add(z.high, z.low))
  const square = func.let(mul(rounded, rounded))
  const parts = partsOf(func, z.high)
  const linear = func.let(mul(parts.high, c(third.high)))
  const linearRest = add(mul(parts.low, c(third.high)), add(mul(z.high, c(third.low)), mul(z.low, c(third.high + third.low))))
  const sum = sumOf(func, func.let(c(unit.high)), linear)
  const factor = partsOf(func, sum.high)
  const last = simd.madd(square, polynomial(simd, func, rounded, square, tail), c(unit.low))
  const rest = func.let(add(add(sum.low, linearRest), last))
  const log = sumOf(func, steps, func.let(mul(s.high, factor.high)))
  return sumOf(func, log.high, func.let(add(log.low, add(mul(s.high, add(factor.low, rest)), mul(s.low, add(sum.high, rest))))))
}

/** (m − 1)/(m + 1) for √½ ≤ m < √2: the quotient's first 26 bits, and what is then left over of the dividend, divided too. */
function quotient(func: Func, m: Vector): Pair {
  const f = func.let(sub(m, c(1)))
  const divisor = sumOf(func, func.let(c(1)), m)
  const inverse = func.let(f64x2.div(c(1), divisor.high))
  const { high } = partsOf(func, func.let(mul(f, inverse)))
  const parts = partsOf(func, divisor.high)
  const left = sub(sub(f, mul(high, parts.high)), mul(high, add(parts.low, divisor.low)))
  return { high, low: func.let(mul(left, inverse)) }
}

/** xʸ = 2^(y·log₂ x) for x ≥ 0 */
export function doublePower(simd: Simd, func: Func, x: Vector, y: Vector): V128 {
  const log = log2(simd, func, x)
  // a larger exponent gives 0 or ∞ too, unless x is 1; NaN stays
  const exponent = func.let(f64x2.pmax(f64x2.pmin(y, c(2 ** 80)), c(-(2 ** 80))))
  const [p, q] = [partsOf(func, exponent), partsOf(func, log.high)]
  const high = mul(p.high, q.high)
  const low = add(mul(p.high, add(q.low, log.low)), mul(p.low, log.high))
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
  const rest = v128.and(low, counts)
  return scaledExp(simd, func, biased, func.let(mul(add(sub(near, sub(biased, magic)), rest), c(Math.LN2))))
}
