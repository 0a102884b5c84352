// Sums of two doubles, the second much smaller: more bits than one has, without fused multiply-add.

import { f64x2, i64x2, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'

/** high + low */
export interface Pair {
  readonly high: Local<'v128'>
  readonly low: Local<'v128'>
}

/** a + b as it is rounded and what is lost, for |a| ≥ |b| (Dekker 1971). */
export function sumOf(func: Func, a: Local<'v128'>, b: Local<'v128'>): Pair {
  const high = func.let(f64x2.add(a, b))
  return { high, low: func.let(f64x2.sub(b, f64x2.sub(high, a))) }
}

/** The first 26 bits of x and the rest: products of first parts are exact. */
export function partsOf(func: Func, x: Local<'v128'>): Pair {
  const high = func.let(v128.and(x, i64x2.const(-(1n << 27n))))
  return { high, low: func.let(f64x2.sub(x, high)) }
}
