// asin x, acos x and atan x on four floats or two doubles.

import { type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'
import { polynomial } from './polynomial.ts'
import { signed, type Widths } from './widths.ts'

type Vector = Local<'v128'>

/* Polynomials in s have the least largest error relative to the function (Remez 1934), computed with 300 bits. */

/** (asin √s/√s − 1)/s for √s ≤ 0.55, 2⁻²⁹ and 2⁻⁵⁸ */
const arcsine: Widths<readonly number[]> = {
  32: [0.1666664972369268, 0.07501348138044425, 0.04433475507254453, 0.03338298566697577, 0.008522797240129155, 0.045574426582768744],
  64: [0.16666666666666613, 0.07500000000023642, 0.04464285711246223, 0.030381946271015398, 0.02237209694147626, 0.01735409138124813, 0.013945958822663392, 0.01173742169029814, 0.008478617026250666, 0.01464528268638429, -0.013910527849706186, 0.05474652920466621, -0.06217749385212613, 0.052981265990207645],
}
/** (atan √s/√s − 1)/s for √s ≤ 1, 2⁻²⁸ and 2⁻⁵⁷ */
const arctangent: Widths<readonly number[]> = {
  32: [-0.33333312366918466, 0.19998842189813254, -0.14266346398395255, 0.10958582428993421, -0.08410654573474015, 0.05791354186774028, -0.030991290432061298, 0.010748500323700949, -0.0017437011621212058],
  64: [-0.3333333333333324, 0.19999999999976292, -0.14285714283804404, 0.11111111038037119, -0.09090907471937341, 0.07692284495488726, -0.06666436182184332, 0.058806875674038854, -0.052541045852524386, 0.04723928122405622, -0.042224742335060246, 0.03669202438028425, -0.02995853550213248, 0.022023958249743198, -0.013912900573840198, 0.007189111171464912, -0.0028733622963458706, 0.0008246773051514483, -0.00015020024722138883, 0.000012979577405855809],
}

/** π/2, and what is left of it when it is rounded. */
const quarter: Widths<{ readonly high: number; readonly low: number }> = {
  32: { high: 1.5707963705062866, low: -4.371139000186241e-8 },
  64: { high: Math.PI / 2, low: 6.123233995736766e-17 },
}

/** y + y·s·P(s) */
function odd(simd: Simd, func: Func, y: V128, s: Vector, coefficients: readonly number[]): V128 {
  const root = func.let(y)
  return simd.madd(simd.op.mul(root, s), polynomial(simd, func, s, func.let(simd.op.mul(s, s)), coefficients), root)
}

/** asin |x|, or for large |x| the half of acos |x| = 2 asin √((1 − |x|)/2); where it is large. */
function half(simd: Simd, func: Func, x: V128): { large: Vector; value: Vector } {
  const { op, bits } = simd
  const size = func.let(op.abs(x))
  const large = func.let(op.gt(size, op.const(0.55)))
  const s = func.let(v128.select(simd.nmadd(size, op.const(0.5), op.const(0.5)), op.mul(size, size), large))
  return { large, value: func.let(odd(simd, func, v128.select(op.sqrt(s), size, large), s, arcsine[bits])) }
}

/** asin x = ± asin |x|, for large |x| ±(π/2 − acos |x|) */
export function asin(simd: Simd, func: Func, x: V128): V128 {
  const { op, bits } = simd
  const { large, value } = half(simd, func, x)
  const { high, low } = quarter[bits]
  return signed(simd, v128.select(op.sub(op.const(high), op.sub(op.add(value, value), op.const(low))), value, large), x)
}

/** acos x = π/2 − asin x, for large |x| acos |x| or π − acos |x| */
export function acos(simd: Simd, func: Func, x: V128): V128 {
  const { op, bits } = simd
  const { large, value } = half(simd, func, x)
  const { high, low } = quarter[bits]
  const sign = func.let(v128.and(x, op.const(-0)))
  // what is added to base: −asin x, or acos |x| with the sign of x
  const rest = v128.xor(v128.select(op.add(value, value), op.neg(value), large), sign)
  const negative = func.let(op.lt(x, op.const(0)))
  const base = (quarter: number): V128 => v128.select(v128.and(negative, op.const(2 * quarter)), op.const(quarter), large)
  return op.add(base(high), op.add(rest, base(low)))
}

/** atan x = ± atan |x|, for |x| > 1 ±(π/2 − atan 1/|x|) */
export function atan(simd: Simd, func: Func, x: V128): V128 {
  const { op, bits } = simd
  const one = op.const(1)
  const size = func.let(op.abs(x))
  const t = func.let(op.div(op.pmin(size, one), op.pmax(size, one)))
  const y = func.let(odd(simd, func, t, func.let(op.mul(t, t)), arctangent[bits]))
  const { high, low } = quarter[bits]
  return signed(simd, v128.select(op.sub(op.const(high), op.sub(y, op.const(low))), y, op.gt(size, one)), x)
}
