// The error function on four floats or two doubles.

import { type V128, v128 } from '../instructions.ts'
import type { Func } from '../module.ts'
import type { Simd } from '../simd.ts'
import { oneMinusExp } from './exponential.ts'
import { polynomial } from './polynomial.ts'
import { signed, type Widths } from './widths.ts'

interface Table {
  /** Where the first polynomial gives way to the second, and where erfc is below half an ulp of 1. */
  readonly middle: number
  readonly end: number
  /** erf √s/√s − 1 up to the middle. */
  readonly near: readonly number[]
  /** log erfc x from the middle on. */
  readonly far: readonly number[]
}

/* With the least largest error relative to erf (Remez 1934), computed with 300 bits: 2⁻²⁶ both in floats, 2⁻⁶² and 2⁻⁵⁸ in doubles. */
const table: Widths<Table> = {
  32: {
    middle: 0.925, end: 3.95,
    near: [0.1283791488567209, -0.3761248895419796, 0.11281765664606981, -0.026764755516227336, 0.004990413760985396, -0.0005976593728268599],
    far: [-0.00008906476179284984, -1.1283612356700046, -0.6354343180954029, -0.10625714241527678, 0.023985620223476705, -0.0038033630194461354, 0.0003705075968896379, -0.00001648677094826961],
  },
  64: {
    middle: 1, end: 5.95,
    near: [0.12837916709551256, -0.3761263890318375, 0.11283791670954857, -0.026866170645072893, 0.005223977624780847, -0.000854832697874128, 0.00012055331036869993, -0.000014925593506243236, 0.0000016460972807416636, -1.6350025127510644e-7, 1.4657879242602527e-8, -1.1365663790807018e-9, 5.945258317725834e-11],
    far: [4.1931139678123687e-8, -1.1283797026024902, -0.6366165741884569, -0.10278451917168255, 0.01915959935606972, 0.00014829355576265974, -0.0016036248531252836, 0.00047785443218183795, 0.00008454554353585373, -0.0001534313715133653, 0.0000885532350096459, -0.000035177928233550054, 0.000010885927237558522, -0.0000027361766387240356, 5.675249801043706e-7, -9.751309908263902e-8, 1.3830631791736509e-8, -1.6038119014189428e-9, 1.4962938362226346e-10, -1.0958254459938107e-11, 6.065434698571739e-13, -2.3846479865292847e-14, 5.932214492912099e-16, -7.016875904229837e-18],
  },
}

/** erf x = x + x·P(x²) near 0, else ±(1 − e^Q(|x|)) with Q = log erfc */
export function erf(simd: Simd, func: Func, x: V128): V128 {
  const { op, bits } = simd
  const { middle, end, near, far } = table[bits]
  const c = op.const
  const size = func.let(op.pmin(op.abs(x), c(end)))
  const square = func.let(op.mul(size, size))
  const small = simd.madd(size, polynomial(simd, func, square, func.let(op.mul(square, square)), near), size)
  const large = oneMinusExp(simd, func, polynomial(simd, func, size, square, far))
  return signed(simd, v128.select(small, large, op.lt(size, c(middle))), x)
}
