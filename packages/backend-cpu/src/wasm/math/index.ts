// Elementwise functions on vectors, by name.

import { f32x4, i32x4, type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'
import { erf } from './error.ts'
import { exp, expm1, sigmoid, tanh } from './exponential.ts'
import { roundHalf } from './half.ts'
import { acos, asin, atan } from './inverse.ts'
import { log, log1p } from './logarithm.ts'
import { pow } from './power.ts'
import { cos, sin, tan } from './trigonometric.ts'

/** A function of vectors, emitted in place: operands are read, not changed. */
export type VectorFunction = (func: Func, xs: readonly Local<'v128'>[]) => V128

type Vector = Local<'v128'>
type FloatFunction = (simd: Simd, func: Func, xs: readonly Vector[]) => V128

const two = (name: 'add' | 'sub' | 'mul' | 'div' | 'eq' | 'lt' | 'le' | 'max' | 'min'): FloatFunction => ({ op }, _func, [a, b]) => op[name](a!, b!)
const one = (name: 'neg' | 'abs' | 'floor' | 'sqrt' | 'nearest'): FloatFunction => ({ op }, _func, [x]) => op[name](x!)

/** ±1 where x is not 0, else x itself: 0, −0 and NaN stay. */
const sign: FloatFunction = ({ op, bits }, _func, [x]) => {
  const sign = bits === 64 ? op.const(-0) : f32x4.const(-0)
  const unit = v128.or(v128.and(x!, sign), op.const(1))
  return v128.select(unit, x!, v128.or(op.gt(x!, op.const(0)), op.lt(x!, op.const(0))))
}

const table: Readonly<Record<string, FloatFunction>> = {
  add: two('add'), sub: two('sub'), mul: two('mul'), div: two('div'), maximum: two('max'), minimum: two('min'),
  equal: two('eq'), less: two('lt'), lessEqual: two('le'),
  neg: one('neg'), abs: one('abs'), floor: one('floor'), round: one('nearest'), sqrt: one('sqrt'), sign,
  // x < 0 ? 0 : x: NaN stays
  relu: ({ op }, _func, [x]) => v128.andNot(x!, op.lt(x!, op.const(0))),
}

type Elementary = (simd: Simd, func: Func, x: Vector, y: Vector) => V128

const elementary: Readonly<Record<string, Elementary>> = { exp, expm1, sigmoid, tanh, erf, log, log1p, sin, cos, tan, asin, acos, atan, pow, roundHalf: (_simd, func, x) => roundHalf(func, x) }

/** Whether there is a vector function of this name for floats and doubles. */
export const hasMath = (name: string): boolean => Object.hasOwn(table, name) || Object.hasOwn(elementary, name)

/** The vector function of this name. */
export const mathOf = (name: string, simd: Simd): VectorFunction => (func, xs) => {
  const exact = table[name]
  if (exact) return exact(simd, func, xs)
  // operands are read several times; constants come as expressions
  const [x, y] = xs.map(x => x.code[0] === 0x20 ? x : func.let(x))
  return elementary[name]!(simd, func, x!, y ?? x!)
}

const int2 = (f: (a: V128, b: V128) => V128): VectorFunction => (_func, [a, b]) => f(a!, b!)
const zero = i32x4.const(0)

/** The functions on whole numbers, which wrap. */
export const integerMath: Readonly<Record<string, VectorFunction>> = {
  add: int2(i32x4.add), sub: int2(i32x4.sub), mul: int2(i32x4.mul), maximum: int2(i32x4.maxS), minimum: int2(i32x4.minS),
  equal: int2(i32x4.eq), less: int2(i32x4.ltS), lessEqual: int2(i32x4.leS),
  neg: (_func, [x]) => i32x4.neg(x!), abs: (_func, [x]) => i32x4.abs(x!), relu: (_func, [x]) => i32x4.maxS(x!, zero),
  sign: (_func, [x]) => i32x4.sub(i32x4.gtS(zero, x!), i32x4.gtS(x!, zero)),
}
