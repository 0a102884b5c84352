// aᵇ on four floats, reckoned in doubles.

import { f32x4, f64x2, type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import { doubles, type Simd } from '../simd.ts'
import { scaledExp } from './exponential.ts'
import { exponentOf } from './logarithm.ts'
import { polynomialByPairs } from './polynomial.ts'
import { halves, joined, lowWords } from './widths.ts'

type Vector = Local<'v128'>

/* 2(atanh √z/√z − 1)/(z·ln 2) for √½ ≤ (1 + √z)/(1 − √z) ≤ √2, with the least largest error relative to atanh (Remez 1934),
   computed with 300 bits: 2⁻³⁷. The largest powers take 2⁻³³. */
const atanhTail = [0.33333332877101646, 0.20000169926006525, 0.14267993330540069, 0.11809362559063458].map(x => x * 2 * Math.LOG2E)

/** log₂ of doubles that hold floats ≥ 0. */
function log2(simd: Simd, func: Func, x: Vector): V128 {
  const c = f64x2.const
  const { e, m } = exponentOf(func, x)
  const mantissa = func.let(m)
  const s = func.let(f64x2.div(f64x2.sub(mantissa, c(1)), f64x2.add(mantissa, c(1))))
  const z = func.let(f64x2.mul(s, s))
  const tail = simd.madd(z, polynomialByPairs(simd, func, z, func.let(f64x2.mul(z, z)), atanhTail), c(2 * Math.LOG2E))
  const y = simd.madd(s, tail, e)
  const atZero = v128.and(f64x2.eq(x, c(0)), c(-Infinity))
  // ∞ and NaN themselves
  const beyond = v128.andNot(x, f64x2.lt(x, c(Infinity)))
  return f64x2.add(y, f64x2.add(atZero, beyond))
}

/** |a|ᵇ = 2^(b·log₂|a|), negative where a is and b is odd, NaN where a is and b is not whole; 1 to any power is 1, and so is anything to the power of 0. */
export function pow(simd: Simd, func: Func, a: V128, b: V128): V128 {
  const c = f32x4.const, d = f64x2.const
  const double = doubles(simd.relaxed)
  const base = func.let(a), exponent = func.let(b)
  const bases = halves(func, func.let(f32x4.abs(base))), exponents = halves(func, exponent)
  const parts = ([0, 1] as const).map(i => {
    const [x, y] = [bases[i], exponents[i]]
    const one = v128.or(f64x2.eq(x, d(1)), f64x2.eq(y, d(0)))
    const w = v128.andNot(f64x2.mul(y, log2(double, func, x)), one)
    // beyond these the power is 0 or ∞; NaN stays
    const near = func.let(f64x2.pmax(f64x2.pmin(w, d(130)), d(-152)))
    const k = func.let(f64x2.add(near, d(1.5 * 2 ** 52 + 254)))
    const rest = f64x2.sub(near, f64x2.sub(k, d(1.5 * 2 ** 52 + 254)))
    return { k, rest: f64x2.mul(rest, d(Math.LN2)) }
  }) as [{ k: Vector; rest: V128 }, { k: Vector; rest: V128 }]
  const size = scaledExp(simd, func, func.let(lowWords(parts[0].k, parts[1].k)), func.let(joined(parts[0].rest, parts[1].rest)))
  const half = func.let(f32x4.mul(exponent, c(0.5)))
  const whole = func.let(f32x4.eq(f32x4.trunc(exponent), exponent))
  const odd = v128.and(whole, f32x4.ne(f32x4.trunc(half), half))
  const sign = v128.and(v128.and(base, c(-0)), odd)
  const undefinedThere = v128.andNot(v128.and(f32x4.lt(base, c(0)), f32x4.gt(base, c(-Infinity))), whole)
  return v128.or(v128.or(size, sign), undefinedThere)
}
