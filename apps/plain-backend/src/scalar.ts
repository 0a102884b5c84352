// The scalar table: what each elementwise op does to numbers, one line an op.

import type { DType } from '@bp/core'
import { fail, isFloat } from '@bp/core/extend'
import type { MapName } from '@bp/ops/extend'
import { erf } from './erf.ts'

/** A number, or whether something holds, from one number of each operand. */
export type Scalar = (a: number, b: number, c: number) => number | boolean

const halfEven = (x: number): number => {
  const nearest = Math.round(x)
  const even = nearest - x === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest
  return even === 0 ? Math.sign(x) * 0 : even
}

/** IEEE 754 gives 1 where JavaScript gives NaN: 1 to any power, and −1 to an infinite one. */
const power = (a: number, b: number): number => a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b

/** Whole numbers divide towards zero. */
const quotient = (a: number, b: number): number => b === 0 ? fail('value', 'div', 'a whole number was divided by zero. Cast to float32 for infinities') : Math.trunc(a / b)

/** Every elementwise op. */
export const scalars: Readonly<Record<MapName, Scalar>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow: power,
  neg: x => -x,
  abs: Math.abs,
  sign: Math.sign,
  floor: Math.floor,
  round: halfEven,
  maximum: (a, b) => Math.max(a, b),
  minimum: (a, b) => Math.min(a, b),
  exp: Math.exp,
  log: Math.log,
  expm1: Math.expm1,
  log1p: Math.log1p,
  sqrt: Math.sqrt,
  tanh: Math.tanh,
  sigmoid: x => 1 / (1 + Math.exp(-x)),
  erf,
  relu: x => x < 0 ? 0 : x,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  equal: (a, b) => a === b,
  less: (a, b) => a < b,
  lessEqual: (a, b) => a <= b,
  logicalNot: x => x === 0,
  logicalAnd: (a, b) => a !== 0 && b !== 0,
  logicalOr: (a, b) => a !== 0 || b !== 0,
  select: (c, a, b) => c === 0 ? b : a,
  cast: x => x,
}

/** The ops that whole numbers compute otherwise: products that wrap exactly, quotients that are whole. */
const whole: Readonly<Partial<Record<MapName, Scalar>>> = { mul: (a, b) => Math.imul(a, b), div: quotient }

/** What an op does in an element type. */
export const scalarOf = (name: MapName, dtype: DType): Scalar => isFloat(dtype) ? scalars[name] : whole[name] ?? scalars[name]
