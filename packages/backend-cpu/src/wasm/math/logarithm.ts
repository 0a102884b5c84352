// log x and log(1 + x) on four floats. Coefficients interpolate at Chebyshev nodes, computed with 200 bits.

import { f32x4, i32x4, type V128, v128 } from '../instructions.ts'
import type { Func } from '../module.ts'
import type { Simd } from '../simd.ts'
import { polynomial } from './polynomial.ts'

const c = f32x4.const

/** (log(1 + f) − f + f²/2)/f³ for √½ ≤ 1 + f ≤ √2 */
const logTail = [0.33333331180030046, -0.24999996957950882, 0.20000715748892103, -0.16667802319501254, 0.1424905764569748, -0.12425687331451106, 0.1168541992348674, -0.11479733846637637, 0.06971611471451178]

/** log x = e·ln 2 + log m with x = 2ᵉ·m, √½ ≤ m < √2 */
export function log(simd: Simd, func: Func, x: V128): V128 {
  const subnormal = func.let(f32x4.lt(x, c(1.1754943508222875e-38)))
  const normal = func.let(v128.select(f32x4.mul(x, c(2 ** 23)), x, subnormal))
  // bits from those of √½ on: whole steps of the exponent, and what is left of the mantissa
  const bits = func.let(i32x4.sub(normal, i32x4.const(0x3f3504f3)))
  const e = func.let(f32x4.sub(f32x4.convertI32(i32x4.shrS(bits, 23)), v128.and(subnormal, c(23))))
  const m = i32x4.add(v128.and(bits, i32x4.const(0x007fffff)), i32x4.const(0x3f3504f3))
  const f = func.let(f32x4.sub(m, c(1)))
  const square = func.let(f32x4.mul(f, f))
  const tail = func.let(f32x4.mul(f32x4.mul(square, f), polynomial(simd, func, f, logTail)))
  const rest = simd.madd(e, c(-2.12194440e-4), simd.nmadd(square, c(0.5), tail))
  const y = func.let(simd.madd(e, c(0.693359375), f32x4.add(f, rest)))
  const infinite = v128.select(x, y, f32x4.eq(x, c(Infinity)))
  const atZero = v128.select(c(-Infinity), infinite, f32x4.eq(x, c(0)))
  // negative, or NaN
  return v128.or(atZero, v128.not(f32x4.ge(x, c(0))))
}

/** log(1 + x) = log u + (x − (u − 1))/u with u = 1 + x as rounded */
export function log1p(simd: Simd, func: Func, x: V128): V128 {
  const u = func.let(f32x4.add(x, c(1)))
  const lost = func.let(f32x4.div(f32x4.sub(x, f32x4.sub(u, c(1))), u))
  const y = func.let(log(simd, func, u))
  const exact = v128.select(y, f32x4.add(y, lost), v128.or(f32x4.eq(u, c(0)), f32x4.eq(u, c(Infinity))))
  return v128.select(x, exact, f32x4.eq(x, c(0)))
}
