// The scalar table: what each elementwise op computes, one line an op; from it the kernels of maps.ts are made.

import { fail } from '@bp/core/extend'
import type { MapName } from '@bp/ops/extend'

/** Rounds halves to even; what rounds to zero keeps its sign. */
function roundEven(x: number): number {
  const down = Math.floor(x)
  const rest = x - down
  const y = rest < 0.5 || (rest === 0.5 && down % 2 === 0) ? down : down + 1
  return y === 0 ? 0 * x : y
}

/** aᵇ as IEEE 754 has it, where JavaScript gives NaN: 1 for 1 to any power and for (−1)^±∞. */
function power(a: number, b: number): number {
  return a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : Math.pow(a, b)
}

/** 1/(1 + e⁻ˣ) without overflow, and exact in the left tail. */
export function logistic(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x))
  const e = Math.exp(x)
  return e / (1 + e)
}

/** The ops on numbers. Comparisons give booleans, which storages keep as 0 and 1. */
export const scalar = {
  add: (a: number, b: number) => a + b,
  mul: (a: number, b: number) => a * b,
  neg: (x: number) => -x,
  sub: (a: number, b: number) => a - b,
  div: (a: number, b: number) => a / b,
  pow: power,
  maximum: (a: number, b: number) => Math.max(a, b),
  minimum: (a: number, b: number) => Math.min(a, b),
  abs: (x: number) => Math.abs(x),
  sign: (x: number) => Math.sign(x),
  floor: (x: number) => Math.floor(x),
  round: roundEven,
  exp: (x: number) => Math.exp(x),
  log: (x: number) => Math.log(x),
  expm1: (x: number) => Math.expm1(x),
  log1p: (x: number) => Math.log1p(x),
  sqrt: (x: number) => Math.sqrt(x),
  tanh: (x: number) => Math.tanh(x),
  sigmoid: logistic,
  relu: (x: number) => x < 0 ? 0 : x,
  sin: (x: number) => Math.sin(x),
  cos: (x: number) => Math.cos(x),
  tan: (x: number) => Math.tan(x),
  asin: (x: number) => Math.asin(x),
  acos: (x: number) => Math.acos(x),
  atan: (x: number) => Math.atan(x),
  equal: (a: number, b: number) => a === b,
  less: (a: number, b: number) => a < b,
  lessEqual: (a: number, b: number) => a <= b,
  logicalNot: (x: number) => x === 0,
  logicalAnd: (a: number, b: number) => a !== 0 && b !== 0,
  logicalOr: (a: number, b: number) => a !== 0 || b !== 0,
  select: (c: number, a: number, b: number) => c !== 0 ? a : b,
  cast: (x: number) => x,
} satisfies Record<Exclude<MapName, 'erf'>, (...xs: number[]) => number | boolean>

/** The ops that differ on whole numbers: products wrap exactly, quotients go towards zero. */
export const integer = {
  mul: (a: number, b: number) => Math.imul(a, b),
  div: (a: number, b: number) => b === 0 ? divisionByZero() : Math.trunc(a / b),
}

/** The ops on `int64`. Storages wrap results to 64 bits. */
export const bigint = {
  add: (a: bigint, b: bigint) => a + b,
  mul: (a: bigint, b: bigint) => a * b,
  neg: (x: bigint) => -x,
  sub: (a: bigint, b: bigint) => a - b,
  div: (a: bigint, b: bigint) => b === 0n ? divisionByZero() : a / b,
  maximum: (a: bigint, b: bigint) => a > b ? a : b,
  minimum: (a: bigint, b: bigint) => a < b ? a : b,
  abs: (x: bigint) => x < 0n ? -x : x,
  sign: (x: bigint) => x > 0n ? 1n : x < 0n ? -1n : 0n,
  relu: (x: bigint) => x < 0n ? 0n : x,
  equal: (a: bigint, b: bigint) => a === b,
  less: (a: bigint, b: bigint) => a < b,
  lessEqual: (a: bigint, b: bigint) => a <= b,
}

function divisionByZero(): never {
  return fail('value', 'div', 'a whole number was divided by zero. Cast to float32 for infinities, or select another divisor first')
}
