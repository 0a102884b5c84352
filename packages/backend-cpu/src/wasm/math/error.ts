// The error function on four floats.

import { f32x4, type V128, v128 } from '../instructions.ts'
import type { Func } from '../module.ts'
import type { Simd } from '../simd.ts'
import { expNear } from './exponential.ts'
import { polynomialByPairs } from './polynomial.ts'
import { signed } from './widths.ts'

/* Both with the least largest error relative to erf (Remez 1934), computed with 260 bits: 2⁻²⁶ both. */

/** erf √s/√s − 1 for √s ≤ 0.925 */
const near = [0.1283791488567209, -0.3761248895419796, 0.11281765664606981, -0.026764755516227336, 0.004990413760985396, -0.0005976593728268599]
/** log erfc x for 0.925 ≤ x ≤ 3.95 */
const far = [-0.00008906476179284984, -1.1283612356700048, -0.6354343180954029, -0.10625714241527678, 0.023985620223476705, -0.0038033630194461354, 0.0003705075968896379, -0.000016486770948269608]

/** erf x = x + x·P(x²) near 0, else ±(1 − e^Q(|x|)) with Q = log erfc */
export function erf(simd: Simd, func: Func, x: V128): V128 {
  const op = f32x4
  const c = op.const
  // erfc 3.95 is below half an ulp of 1
  const size = func.let(op.pmin(op.abs(x), c(3.95)))
  const square = func.let(op.mul(size, size))
  const small = simd.madd(size, polynomialByPairs(simd, func, square, func.let(op.mul(square, square)), near), size)
  const large = op.sub(c(1), expNear(simd, func, polynomialByPairs(simd, func, size, square, far)))
  return signed(simd, v128.select(small, large, op.lt(size, c(0.925))), x)
}
