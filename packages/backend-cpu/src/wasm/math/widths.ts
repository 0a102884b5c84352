// What the functions here share: tables by the width of floats, signs, and floats as doubles.

import { f32x4, f64x2, type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'

/** One value for floats, another for doubles. */
export interface Widths<T> {
  readonly 32: T
  readonly 64: T
}

/** A value whose sign is + or that of x, with the sign of x. */
export const signed = ({ op }: Simd, value: V128, x: V128): V128 => v128.or(value, v128.and(x, op.const(-0)))

/** Four floats as two vectors of doubles. */
export function halves(func: Func, x: Local<'v128'>): [Local<'v128'>, Local<'v128'>] {
  const last = v128.shuffle(x, x, [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15])
  return [func.let(f64x2.promote(x)), func.let(f64x2.promote(last))]
}

/** Two vectors of doubles as four floats. */
export const joined = (a: V128, b: V128): V128 =>
  v128.shuffle(f32x4.demote(a), f32x4.demote(b), [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23])

/** The low halves of four whole numbers of 64 bits. */
export const lowWords = (a: V128, b: V128): V128 => v128.shuffle(a, b, [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27])
