// The reference backend's elementwise kernels: one line of double-precision arithmetic each.

import type { DType, TypedArray } from '@bp/core'
import { convert, isFloat, type Kernel, type Operand } from '@bp/core/extend'
import type { MapName } from '@bp/ops/extend'
import { broadcastAt, eachIndex } from './indices.ts'

/** One element of the result from one element of each operand, and the result's dtype. */
type Scalar = (a: number, b: number, c: number, dtype: DType) => number

const roundEven = (x: number): number => {
  const low = Math.floor(x)
  const rest = x - low
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1
}

/** erf x = 2/√π · e^(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!, whose terms have one sign (Abramowitz & Stegun 1964, 7.1.6). */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x)
  let term = x
  let sum = x
  for (let n = 1; n < 200; n++) {
    term *= 2 * x * x / (2 * n + 1)
    sum += term
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum
}

/** Every map primitive, on numbers. */
export const scalars: Readonly<Record<MapName, Scalar>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b, _c, dtype) => isFloat(dtype) ? a / b : Math.trunc(a / b),
  pow: (a, b) => Math.pow(a, b),
  maximum: (a, b) => Math.max(a, b),
  minimum: (a, b) => Math.min(a, b),
  neg: a => -a,
  abs: a => Math.abs(a),
  sign: a => Math.sign(a),
  floor: a => Math.floor(a),
  round: roundEven,
  exp: a => Math.exp(a),
  log: a => Math.log(a),
  expm1: a => Math.expm1(a),
  log1p: a => Math.log1p(a),
  sqrt: a => Math.sqrt(a),
  tanh: a => Math.tanh(a),
  sigmoid: a => 1 / (1 + Math.exp(-a)),
  erf,
  relu: a => Number.isNaN(a) ? a : Math.max(a, 0),
  sin: a => Math.sin(a),
  cos: a => Math.cos(a),
  tan: a => Math.tan(a),
  asin: a => Math.asin(a),
  acos: a => Math.acos(a),
  atan: a => Math.atan(a),
  equal: (a, b) => Number(a === b),
  less: (a, b) => Number(a < b),
  lessEqual: (a, b) => Number(a <= b),
  logicalNot: a => Number(a === 0),
  logicalAnd: (a, b) => Number(a !== 0 && b !== 0),
  logicalOr: (a, b) => Number(a !== 0 || b !== 0),
  select: (c, a, b) => c !== 0 ? a : b,
  cast: a => a,
}

/** The kernel that applies a scalar function to operands that broadcast. */
export const mapKernel = (scalar: Scalar): Kernel<TypedArray, unknown> => (xs: readonly Operand<TypedArray>[], _p, out) => {
  const values: number[] = []
  const element = (i: number, index: readonly number[]): number => {
    const x = xs[i]
    return x ? Number(x.storage[broadcastAt(x.shape, index)]) : NaN
  }
  eachIndex(out.shape, index => values.push(scalar(element(0, index), element(1, index), element(2, index), out.dtype)))
  return convert(values, out.dtype)
}
