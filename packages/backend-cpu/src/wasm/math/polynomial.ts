// Polynomials, evaluated so that few steps wait for each other.

import type { V128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'

/** Σ cᵢ xⁱ, coefficients from the lowest power: pairs c₂ᵢ + c₂ᵢ₊₁x, put together by Horner's rule in x² (Estrin 1960). */
export function polynomial(simd: Simd, func: Func, x: Local<'v128'>, square: Local<'v128'>, coefficients: readonly number[]): V128 {
  const { const: c } = simd.op
  const pair = (i: number): V128 => i + 1 < coefficients.length ? simd.madd(x, c(coefficients[i + 1]!), c(coefficients[i]!)) : c(coefficients[i]!)
  const last = Math.floor((coefficients.length - 1) / 2) * 2
  const sum = func.let(pair(last))
  for (let i = last - 2; i >= 0; i -= 2) func.set(sum, simd.madd(sum, square, pair(i)))
  return sum
}
