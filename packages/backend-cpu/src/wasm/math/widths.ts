// What the functions here share: tables by the width of floats, and signs.

import { type V128, v128 } from '../instructions.ts'
import type { Simd } from '../simd.ts'

/** One value for floats, another for doubles. */
export interface Widths<T> {
  readonly 32: T
  readonly 64: T
}

/** A value whose sign is + or that of x, with the sign of x. */
export const signed = ({ op }: Simd, value: V128, x: V128): V128 => v128.or(value, v128.and(x, op.const(-0)))
