// Polynomials by Horner's rule.

import type { V128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'

/** Σ cᵢ xⁱ, coefficients from the lowest power. */
export function polynomial(simd: Simd, func: Func, x: V128, coefficients: readonly number[]): V128 {
  const sum = func.let(simd.op.const(coefficients.at(-1)!))
  for (let i = coefficients.length - 2; i >= 0; i--) func.set(sum, simd.madd(sum, x, simd.op.const(coefficients[i]!)))
  return sum
}

/** The same with x² at hand: pairs c₂ᵢ + c₂ᵢ₊₁x by Horner's rule in x², so that half as many steps wait for each other (Estrin 1960). */
export function polynomialByPairs(simd: Simd, func: Func, x: Local<'v128'>, square: Local<'v128'>, coefficients: readonly number[]): V128 {
  const { const: c } = simd.op
  const pair = (i: number): V128 => i + 1 < coefficients.length ? simd.madd(x, c(coefficients[i + 1]!), c(coefficients[i]!)) : c(coefficients[i]!)
  const last = Math.floor((coefficients.length - 1) / 2) * 2
  const sum = func.let(pair(last))
  for (let i = last - 2; i >= 0; i -= 2) func.set(sum, simd.madd(sum, square, pair(i)))
  return sum
}
