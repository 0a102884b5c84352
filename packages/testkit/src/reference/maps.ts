// The reference backend's elementwise kernels: one line of double-precision arithmetic each.

import type { DType, TypedArray } from '@bp/core'
import { type Aval, convert, isFloat, type Kernel, type Operand } from '@bp/core/extend'
import type { MapName } from '@bp/ops/extend'
import { broadcastAt, eachIndex } from './indices.ts'

/** One element of the result from one element of each operand, and the result's dtype. */
type Scalar = (a: number, b: number, c: number, dtype: DType) => number

const roundEven = (x: number): number => {
  const low = Math.floor(x)
  const rest = x - low
  const y = rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1
  return y === 0 ? 0 * x : y
}

/** aᵇ as IEEE 754 has it, where JavaScript gives NaN. */
const power = (a: number, b: number): number => a === 1 || (a === -1 && !Number.isFinite(b) && !Number.isNaN(b)) ? 1 : a ** b

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
const scalars: Readonly<Record<MapName, Scalar>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b, _c, dtype) => dtype === 'int32' ? Math.imul(a, b) : a * b,
  div: (a, b, _c, dtype) => isFloat(dtype) ? a / b : Math.trunc(a / b),
  pow: power,
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

/** The ops that are exact on int64, where a number is not. */
const exact: Readonly<Partial<Record<string, (a: bigint, b: bigint) => bigint | boolean>>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  maximum: (a, b) => a > b ? a : b,
  minimum: (a, b) => a < b ? a : b,
  neg: a => -a,
  abs: a => a < 0n ? -a : a,
  equal: (a, b) => a === b,
  less: (a, b) => a < b,
  lessEqual: (a, b) => a <= b,
  cast: a => a,
}

const exactKernel = (scalar: (a: bigint, b: bigint) => bigint | boolean, xs: readonly Operand<TypedArray>[], out: Aval): TypedArray => {
  const values: (bigint | boolean)[] = []
  const element = (i: number, index: readonly number[]): bigint => xs[i] ? xs[i].storage[broadcastAt(xs[i].shape, index)] as bigint : 0n
  eachIndex(out.shape, index => values.push(scalar(element(0, index), element(1, index))))
  return convert(values, out.dtype)
}

function exactSelect(xs: readonly Operand<TypedArray>[], out: Aval): TypedArray {
  const values: bigint[] = []
  const at = (i: number, index: readonly number[]): bigint => BigInt(xs[i]!.storage[broadcastAt(xs[i]!.shape, index)]!)
  eachIndex(out.shape, index => values.push(at(0, index) === 0n ? at(2, index) : at(1, index)))
  return convert(values, out.dtype)
}

/** The kernel that applies the scalar function of this name to operands that broadcast. */
const mapKernel = (name: MapName): Kernel<TypedArray, unknown> => (xs: readonly Operand<TypedArray>[], _p, out) => {
  const whole = exact[name]
  if (whole && xs[0]?.dtype === 'int64') return exactKernel(whole, xs, out)
  if (name === 'select' && out.dtype === 'int64') return exactSelect(xs, out)
  const scalar = scalars[name]
  const values: number[] = []
  const element = (i: number, index: readonly number[]): number => {
    const x = xs[i]
    return x ? Number(x.storage[broadcastAt(x.shape, index)]) : NaN
  }
  eachIndex(out.shape, index => values.push(scalar(element(0, index), element(1, index), element(2, index), out.dtype)))
  return convert(values, out.dtype)
}

/** The kernel of every elementwise primitive. */
export const mapKernels = Object.fromEntries((Object.keys(scalars) as MapName[]).map(name => [name, mapKernel(name)])) as Readonly<Record<MapName, Kernel<TypedArray, unknown>>>
