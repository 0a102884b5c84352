// sin x, cos x and tan x on four floats.

import { f32x4, i32x4, type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import { doubles, type Simd } from '../simd.ts'
import { angleOf } from './angle.ts'
import { polynomialByPairs } from './polynomial.ts'

type Vector = Local<'v128'>

/* For |r| ≤ π/4, with s = r² and the least largest error relative to the function (Remez 1934), computed with 300 bits. */

/** (sin r/r − 1)/s, 2⁻²⁷ */
const sine = [-0.1666665465632602, 0.008332099726822102, -0.00019503795801651986]
/** (cos r − 1 + s/2)/s², 2⁻³² */
const cosine = [0.041666654633826475, -0.0013887653155012635, 0.000024463669672216714]
/** (tan r/r − 1)/s, 2⁻²⁹ */
const tangent = [0.3333334382158747, 0.13332776768190613, 0.05405411525032613, 0.021286260127940916, 0.010874242683137117, -0.000005477394011905776, 0.004440449184101873]

/** sin x = ± sin or cos of what is left of |x| without quarter turns, by their number */
export function sin(simd: Simd, func: Func, x: V128): V128 {
  const { quadrant, value } = wave(simd, func, x)
  return v128.xor(value, v128.xor(v128.and(x, f32x4.const(-0)), signOf(quadrant)))
}

/** cos x = sin(|x| + π/2) */
export function cos(simd: Simd, func: Func, x: V128): V128 {
  const { quadrant, value } = wave(simd, func, x, 1)
  return v128.xor(value, signOf(quadrant))
}

/** − in the third and fourth quadrant. */
const signOf = (quadrant: V128): V128 => v128.and(i32x4.shl(quadrant, 30), f32x4.const(-0))

/** All ones where the quadrant is odd. */
const odd = (quadrant: V128): V128 => i32x4.shrS(i32x4.shl(quadrant, 31), 31)

/** |sin| of |x| and `ahead` quarter turns, but for a sign. */
function wave(simd: Simd, func: Func, x: V128, ahead = 0): { quadrant: Vector; value: V128 } {
  const angle = angleOf(doubles(simd.relaxed), func, f32x4.abs(x))
  const r = angle.rest
  const quadrant = ahead === 0 ? angle.quadrant : func.let(i32x4.add(angle.quadrant, i32x4.const(ahead)))
  const s = func.let(f32x4.mul(r, r))
  const fourth = func.let(f32x4.mul(s, s))
  const sinR = simd.madd(f32x4.mul(r, s), polynomialByPairs(simd, func, s, fourth, sine), r)
  const cosR = simd.madd(fourth, polynomialByPairs(simd, func, s, fourth, cosine), simd.nmadd(s, f32x4.const(0.5), f32x4.const(1)))
  return { quadrant, value: v128.select(cosR, sinR, odd(quadrant)) }
}

/** tan x = t or −1/t, where t is the tangent of what is left of |x| without quarter turns */
export function tan(simd: Simd, func: Func, x: V128): V128 {
  const { quadrant, rest: r } = angleOf(doubles(simd.relaxed), func, f32x4.abs(x))
  const s = func.let(f32x4.mul(r, r))
  const t = func.let(simd.madd(f32x4.mul(r, s), polynomialByPairs(simd, func, s, func.let(f32x4.mul(s, s)), tangent), r))
  return v128.xor(v128.select(f32x4.div(f32x4.const(-1), t), t, odd(quadrant)), v128.and(x, f32x4.const(-0)))
}
