// log x and log(1 + x) on four floats or two doubles.

import { f32x4, f64x2, i32x4, i64x2, type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'
import { polynomial } from './polynomial.ts'

type Vector = Local<'v128'>

/* Coefficients interpolate at Chebyshev nodes, computed with 200 bits. */

/** (log(1 + f) − f + f²/2)/f³ for √½ ≤ 1 + f ≤ √2 */
const logTail = [0.33333331180030046, -0.24999996957950882, 0.20000715748892103, -0.16667802319501254, 0.1424905764569748, -0.12425687331451106, 0.1168541992348674, -0.11479733846637637, 0.06971611471451178]

/** log x = e·ln 2 + log m with x = 2ᵉ·m, √½ ≤ m < √2 */
function logOfFloats(simd: Simd, func: Func, x: V128): V128 {
  const c = f32x4.const
  const subnormal = func.let(f32x4.lt(x, c(1.1754943508222875e-38)))
  const normal = func.let(v128.select(f32x4.mul(x, c(2 ** 23)), x, subnormal))
  // bits from those of √½ on: whole steps of the exponent, and what is left of the mantissa
  const bits = func.let(i32x4.sub(normal, i32x4.const(0x3f3504f3)))
  const e = func.let(f32x4.sub(f32x4.convertI32(i32x4.shrS(bits, 23)), v128.and(subnormal, c(23))))
  const m = i32x4.add(v128.and(bits, i32x4.const(0x007fffff)), i32x4.const(0x3f3504f3))
  const f = func.let(f32x4.sub(m, c(1)))
  const square = func.let(f32x4.mul(f, f))
  const tail = func.let(f32x4.mul(f32x4.mul(square, f), polynomial(simd, func, f, square, logTail)))
  const rest = simd.madd(e, c(-0.00021219444), simd.nmadd(square, c(0.5), tail))
  return simd.madd(e, c(0.693359375), f32x4.add(f, rest))
}

/* Those of the doubles have the least largest error relative to atanh (Remez 1934), computed with 300 bits: 2⁻⁵⁹. */

/** 2(atanh √z/√z − 1)/z for √½ ≤ (1 + √z)/(1 − √z) ≤ √2 */
const atanhTail = [0.3333333333333355, 0.1999999999975859, 0.14285714365005622, 0.11111099502701384, 0.09091788215190626, 0.07656515095840428, 0.07405968054821788].map(x => 2 * x)

/** Doubles x > 0 as normal ones, subnormal ones times 2^lowered. */
export function normalOf(func: Func, x: V128): { normal: Vector; lowered: V128 } {
  const subnormal = func.let(f64x2.lt(x, f64x2.const(2 ** -1022)))
  const normal = func.let(v128.select(f64x2.mul(x, f64x2.const(2 ** 52)), x, subnormal))
  return { normal, lowered: v128.and(subnormal, f64x2.const(52)) }
}

/** e and m of doubles x = 2ᵉ·m that are positive and normal, with √½ ≤ m < √2. */
export function exponentOf(func: Func, x: Vector): { e: V128; m: V128 } {
  const least = 0x3fe6a09e667f3bcdn // √½
  const one = 0x3ffn << 52n
  // bits from those of √½ on, with what exponents have added: whole steps of the exponent, and what is left of the mantissa
  const bits = func.let(i64x2.add(x, i64x2.const(one - least)))
  // a whole number in the low bits of 2⁵²
  const exponent = v128.or(i64x2.shrU(bits, 52), f64x2.const(2 ** 52))
  const m = i64x2.add(v128.and(bits, i64x2.const((1n << 52n) - 1n)), i64x2.const(least))
  return { e: f64x2.sub(exponent, f64x2.const(2 ** 52 + 1023)), m }
}

/** log x = e·ln 2 + log m, where log m = f − (f²/2 − s(f²/2 + R)) with f = m − 1, s = f/(2 + f) and 2 atanh s = 2s + s·R */
function logOfDoubles(simd: Simd, func: Func, x: V128): V128 {
  const c = f64x2.const
  const { normal, lowered } = normalOf(func, x)
  const { e, m } = exponentOf(func, normal)
  const steps = func.let(f64x2.sub(e, lowered))
  const f = func.let(f64x2.sub(m, c(1)))
  const s = func.let(f64x2.div(f, f64x2.add(f, c(2))))
  const z = func.let(f64x2.mul(s, s))
  const half = func.let(f64x2.mul(f64x2.mul(f, c(0.5)), f))
  const r = simd.madd(z, polynomial(simd, func, z, func.let(f64x2.mul(z, z)), atanhTail), half)
  const lower = simd.madd(s, r, f64x2.mul(steps, c(1.9082149292705877e-10)))
  return simd.madd(steps, c(0.6931471803691238), f64x2.sub(f, f64x2.sub(half, lower)))
}

/** log x; −∞ at 0, NaN below. */
export function log(simd: Simd, func: Func, x: Vector): V128 {
  const { op, bits } = simd
  const y = bits === 32 ? logOfFloats(simd, func, x) : logOfDoubles(simd, func, x)
  return v128.or(op.add(y, atEnds(simd, x)), op.lt(x, op.const(0)))
}

/** What log x is where x is 0, ∞ or NaN, else 0. */
export const atEnds = ({ op }: Simd, x: Vector): V128 => op.add(v128.and(op.eq(x, op.const(0)), op.const(-Infinity)), v128.andNot(x, op.lt(x, op.const(Infinity))))

/** log(1 + x) = log u + (x − (u − 1))/u with u = 1 + x as rounded */
export function log1p(simd: Simd, func: Func, x: V128): V128 {
  const { op } = simd
  const c = op.const
  const u = func.let(op.add(x, c(1)))
  const lost = func.let(op.div(op.sub(x, op.sub(u, c(1))), u))
  const y = func.let(log(simd, func, u))
  const exact = v128.select(y, op.add(y, lost), v128.or(op.eq(u, c(0)), op.eq(u, c(Infinity))))
  return v128.select(x, exact, op.eq(x, c(0)))
}
