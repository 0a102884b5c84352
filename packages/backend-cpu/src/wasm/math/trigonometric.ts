// sin x, cos x and tan x on four floats or two doubles.

import { type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'
import { angleOf } from './angle.ts'
import { polynomial } from './polynomial.ts'
import type { Widths } from './widths.ts'

type Vector = Local<'v128'>

/* For |r| ≤ π/4, with s = r² and the least largest error relative to the function (Remez 1934), computed with 300 bits. */

/** (sin r/r − 1)/s, 2⁻²⁷ and 2⁻⁵⁷ */
const sine: Widths<readonly number[]> = {
  32: [-0.1666665465632602, 0.008332099726822102, -0.00019503795801651986],
  64: [-0.1666666666666664, 0.008333333333323648, -0.00019841269830131065, 0.000002755731364685005, -2.50507337495171e-8, 1.5894661533097124e-10],
}
/** (cos r − 1 + s/2)/s², 2⁻³² and 2⁻⁶² */
const cosine: Widths<readonly number[]> = {
  32: [0.041666654633826475, -0.0013887653155012635, 0.000024463669672216714],
  64: [0.04166666666666665, -0.001388888888888283, 0.000024801587294619666, -2.7557315735482913e-7, 2.0875897224651064e-9, -1.136795119147837e-11],
}
/** (tan r/r − 1)/s, 2⁻²⁹ and 2⁻⁵⁹ */
const tangent: Widths<readonly number[]> = {
  32: [0.3333334382158747, 0.13332776768190613, 0.05405411525032613, 0.021286260127940916, 0.010874242683137117, -0.000005477394011905776, 0.004440449184101873],
  64: [0.3333333333333335, 0.13333333333329456, 0.05396825397106341, 0.021869488440731326, 0.008863237372929132, 0.0035921055602810407, 0.001456018672571757, 0.0005889715476446641, 0.00024345297535428162, 0.00008413769009080523, 0.00006645831386388213, -0.000024987930653740927, 0.00004833046011017596, -0.000024224261892495053, 0.000009807915720289628],
}

/** sin x = ± sin or cos of what is left of |x| without quarter turns, by their number */
export function sin(simd: Simd, func: Func, x: V128): V128 {
  const { quadrant, value } = wave(simd, func, x, 0)
  return v128.xor(value, v128.xor(v128.and(x, simd.op.const(-0)), signOf(simd, quadrant)))
}

/** cos x = sin(|x| + π/2) */
export function cos(simd: Simd, func: Func, x: V128): V128 {
  const { quadrant, value } = wave(simd, func, x, 1)
  return v128.xor(value, signOf(simd, quadrant))
}

/** tan x = t or −1/t, where t is the tangent of what is left of |x| without quarter turns */
export function tan(simd: Simd, func: Func, x: V128): V128 {
  const { op, bits } = simd
  const { quadrant, rest: r } = angleOf(simd, func, func.let(op.abs(x)))
  const s = func.let(op.mul(r, r))
  const t = func.let(simd.madd(op.mul(r, s), polynomial(simd, func, s, func.let(op.mul(s, s)), tangent[bits]), r))
  return v128.xor(v128.select(op.div(op.const(-1), t), t, odd(simd, quadrant)), v128.and(x, op.const(-0)))
}

/** sin of |x| and `ahead` quarter turns, but for the sign of the quadrant. */
function wave(simd: Simd, func: Func, x: V128, ahead: number): { quadrant: Vector; value: V128 } {
  const { op, bits } = simd
  const { quadrant: from, rest: r } = angleOf(simd, func, func.let(op.abs(x)))
  const quadrant = func.let(simd.bit.add(from, simd.bitConst(ahead)))
  const s = func.let(op.mul(r, r))
  const fourth = func.let(op.mul(s, s))
  const sinR = simd.madd(op.mul(r, s), polynomial(simd, func, s, fourth, sine[bits]), r)
  const cosR = simd.madd(fourth, polynomial(simd, func, s, fourth, cosine[bits]), simd.nmadd(s, op.const(0.5), op.const(1)))
  return { quadrant, value: v128.select(cosR, sinR, odd(simd, quadrant)) }
}

/** − in the third and fourth quadrant. */
const signOf = ({ op, bit, bits }: Simd, quadrant: V128): V128 => v128.and(bit.shl(quadrant, bits - 2), op.const(-0))

/** All ones where the quadrant is odd. */
const odd = (simd: Simd, quadrant: V128): V128 => simd.bit.sub(simd.bitConst(0), v128.and(quadrant, simd.bitConst(1)))
