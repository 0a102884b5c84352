// Polynomials by Horner's rule.

import type { V128 } from '../instructions.ts'
import type { Func } from '../module.ts'
import type { Simd } from '../simd.ts'

/** Σ cᵢ xⁱ, coefficients from the lowest power. */
export function polynomial(simd: Simd, func: Func, x: V128, coefficients: readonly number[]): V128 {
  const sum = func.let(simd.op.const(coefficients.at(-1)!))
  for (let i = coefficients.length - 2; i >= 0; i--) func.set(sum, simd.madd(sum, x, simd.op.const(coefficients[i]!)))
  return sum
}
