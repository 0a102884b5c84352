// Powers of four floats ≥ 0, reckoned in doubles.

import { f64x2, type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import { doubles, type Simd } from '../simd.ts'
import { scaledExp } from './exponential.ts'
import { atEnds, exponentOf } from './logarithm.ts'
import { polynomial } from './polynomial.ts'
import { halves, joined, lowWords } from './widths.ts'

type Vector = Local<'v128'>
const c = f64x2.const

/* 2(atanh √z/√z − 1)/(z·ln 2) for √½ ≤ (1 + √z)/(1 − √z) ≤ √2, with the least largest error relative to atanh (Remez 1934),
   computed with 300 bits: 2⁻³⁷. The largest powers take 2⁻³³. */
const atanhTail = [0.33333332877101646, 0.20000169926006525, 0.14267993330540066, 0.11809362559063458].map(x => x * 2 * Math.LOG2E)

/** log₂ x = e + log₂ m with x = 2ᵉ·m */
function log2(simd: Simd, func: Func, x: Vector): V128 {
  const { e, m } = exponentOf(func, x)
  const mantissa = func.let(m)
  const s = func.let(f64x2.div(f64x2.sub(mantissa, c(1)), f64x2.add(mantissa, c(1))))
  const z = func.let(f64x2.mul(s, s))
  const tail = simd.madd(z, polynomial(simd, func, z, func.let(f64x2.mul(z, z)), atanhTail), c(2 * Math.LOG2E))
  return f64x2.add(simd.madd(s, tail, e), atEnds(simd, x))
}

/** n with twice the bias added, in the low bits, and r of xʸ = 2ⁿ·eʳ. */
function split(simd: Simd, func: Func, x: Vector, y: Vector): { biased: Vector; rest: V128 } {
  // 1 to any power is 1, and so is anything to the power of 0
  const one = v128.or(f64x2.eq(x, c(1)), f64x2.eq(y, c(0)))
  const power = v128.andNot(f64x2.mul(y, log2(simd, func, x)), one)
  // beyond these it is 0 or ∞; NaN stays
  const near = func.let(f64x2.pmax(f64x2.pmin(power, c(130)), c(-152)))
  const magic = c(1.5 * 2 ** 52 + 254)
  const biased = func.let(f64x2.add(near, magic))
  return { biased, rest: f64x2.mul(f64x2.sub(near, f64x2.sub(biased, magic)), c(Math.LN2)) }
}

/** xʸ = 2^(y·log₂ x) for x ≥ 0 */
export function floatPower(simd: Simd, func: Func, x: Vector, y: Vector): V128 {
  const wide = doubles(simd.relaxed)
  const xs = halves(func, x), ys = halves(func, y)
  const first = split(wide, func, xs[0], ys[0]), second = split(wide, func, xs[1], ys[1])
  return scaledExp(simd, func, func.let(lowWords(first.biased, second.biased)), func.let(joined(first.rest, second.rest)))
}
