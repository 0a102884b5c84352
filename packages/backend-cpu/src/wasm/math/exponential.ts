// e^x and what is made of it, on four floats. Coefficients interpolate at Chebyshev nodes, computed with 200 bits.

import { f32x4, i32x4, type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'
import { polynomial } from './polynomial.ts'

type Vector = Local<'v128'>
const c = f32x4.const

/* x = n·ln 2 + r with ln 2 in two parts, the first of few bits, so that n times it is exact (Cody & Waite 1980, §6). */
const log2High = 0.693359375
const log2Low = -2.12194440e-4

/** (eʳ − 1 − r)/r² on ±½ ln 2 */
const exponentialTail = [0.5000000014286223, 0.16666666682534356, 0.04166645680967788, 0.008333310024225292, 0.0013934541928270264, 0.0001989198131397769]

/** n and r of x = n·ln 2 + r, and eʳ − 1. */
function split(simd: Simd, func: Func, x: V128): { n: Vector; tail: Vector } {
  const n = func.let(f32x4.nearest(f32x4.mul(x, c(Math.LOG2E))))
  const r = func.let(simd.nmadd(n, c(log2Low), simd.nmadd(n, c(log2High), x)))
  const tail = func.let(simd.madd(f32x4.mul(r, r), polynomial(simd, func, r, exponentialTail), r))
  return { n, tail }
}

/** 2ⁱ for whole i in the range of floats. */
const powerOfTwo = (i: V128): V128 => i32x4.shl(i32x4.add(i, i32x4.const(127)), 23)

/** y · 2ⁿ in two steps, so that results may be subnormal, 0 or infinite. */
function scale(func: Func, y: V128, n: V128): V128 {
  const i = func.let(i32x4.truncF32(n))
  const half = func.let(i32x4.shrS(i, 1))
  return f32x4.mul(f32x4.mul(y, powerOfTwo(half)), powerOfTwo(i32x4.sub(i, half)))
}

/** e^x */
export function exp(simd: Simd, func: Func, x: V128): V128 {
  // beyond these the result is 0 or ∞ whatever x is; NaN passes both
  const near = func.let(f32x4.pmax(f32x4.pmin(x, c(89)), c(-105)))
  const { n, tail } = split(simd, func, near)
  return scale(func, f32x4.add(tail, c(1)), n)
}

/** e^x for −87 ≤ x ≤ 88, where one step of scaling does. */
function expNear(simd: Simd, func: Func, x: V128): V128 {
  const { n, tail } = split(simd, func, x)
  return f32x4.mul(f32x4.add(tail, c(1)), powerOfTwo(i32x4.truncF32(n)))
}

/** e^x − 1 = 2ⁿ(eʳ − 1) + (2ⁿ − 1) */
export function expm1(simd: Simd, func: Func, x: V128): V128 {
  const near = func.let(f32x4.pmax(f32x4.pmin(x, c(60)), c(-30)))
  const { n, tail } = split(simd, func, near)
  const power = func.let(powerOfTwo(i32x4.truncF32(n)))
  const y = func.let(simd.madd(power, tail, f32x4.sub(power, c(1))))
  const large = func.let(f32x4.gt(x, c(60)))
  return v128.select(exp(simd, func, x), v128.select(x, y, f32x4.eq(x, c(0))), large)
}

/** 1/(1 + e⁻ˣ) = e^min(x, 0) / (1 + e^−|x|) */
export function sigmoid(simd: Simd, func: Func, x: V128): V128 {
  const e = func.let(exp(simd, func, f32x4.neg(f32x4.abs(x))))
  return f32x4.div(v128.select(e, c(1), f32x4.lt(x, c(0))), f32x4.add(e, c(1)))
}

/** (tanh √s/√s − 1)/s for s ≤ 0.4 */
const tanhSeries = [-0.33333333149374506, 0.13333300146188912, -0.05395846162745199, 0.021762502907358088, -0.008323187058275843, 0.0022695016841596982]

/** tanh x = x + x³P(x²) near 0, else ±(1 − 2/(e^2|x| + 1)) */
export function tanh(simd: Simd, func: Func, x: V128): V128 {
  const size = func.let(f32x4.abs(x))
  const square = func.let(f32x4.mul(x, x))
  const near = func.let(simd.madd(f32x4.mul(x, square), polynomial(simd, func, square, tanhSeries), x))
  // 1 − tanh 10 is below half an ulp
  const e = expNear(simd, func, func.let(f32x4.pmin(f32x4.add(size, size), c(20))))
  const far = f32x4.sub(c(1), f32x4.div(c(2), f32x4.add(e, c(1))))
  return signed(v128.select(near, far, f32x4.lt(size, c(0.625))), x)
}

/** A size ≥ 0 with the sign of x. */
const signed = (size: V128, x: V128): V128 => v128.or(size, v128.and(x, c(-0)))

/** erf √s/√s for s ≤ 0.86 */
const erfSeries = [1.1283791666383223, -0.3761263368813302, 0.11283694149671572, -0.02685929726076705, 0.005200729666707773, -0.000813879238574404, 8.351897080746282e-5]
/** log erfc x for 0.92 ≤ x ≤ 4 */
const logErfc = [0.00036289933255183695, -1.1304466948861358, -0.631373907300295, -0.11061598977873298, 0.026813354805621952, -0.004943877761405768, 0.0006525363405781796, -5.6546689782689325e-5, 2.7547028619721937e-6, -5.1485673746630625e-8]

/** erf x = x·P(x²) near 0, else ±(1 − e^Q(|x|)) with Q = log erfc */
export function erf(simd: Simd, func: Func, x: V128): V128 {
  const size = func.let(f32x4.abs(x))
  const square = func.let(f32x4.mul(x, x))
  const near = func.let(f32x4.mul(x, polynomial(simd, func, square, erfSeries)))
  // erfc 4 is below half an ulp of 1
  const q = polynomial(simd, func, func.let(f32x4.pmin(size, c(4))), logErfc)
  const far = f32x4.sub(c(1), expNear(simd, func, q))
  return v128.select(near, signed(far, x), f32x4.lt(size, c(0.925)))
}
