// Sums of two doubles, the second what rounding loses of the first: some 106 bits, without fused multiply-add.

import { f64x2, i64x2, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'

type Vector = Local<'v128'>
const { add, sub, mul } = f64x2

/** high + low, where |low| is at most half an ulp of high. */
export interface Pair {
  readonly high: Vector
  readonly low: Vector
}

/** a + b for |a| ≥ |b|, exactly (Dekker 1971). */
export function sumOf(func: Func, a: Vector, b: Vector): Pair {
  const high = func.let(add(a, b))
  return { high, low: func.let(sub(b, sub(high, a))) }
}

/** x in two parts of 26 bits and the rest. */
export function partsOf(func: Func, x: Vector): Pair {
  const high = func.let(v128.and(x, i64x2.const(-(1n << 27n))))
  return { high, low: func.let(sub(x, high)) }
}

/** a·b exactly, but for what underflows (Dekker 1971). */
export function productOf(func: Func, a: Vector, b: Vector): Pair {
  const p = partsOf(func, a), q = partsOf(func, b)
  const high = func.let(mul(a, b))
  const rest = add(add(sub(mul(p.high, q.high), high), add(mul(p.high, q.low), mul(p.low, q.high))), mul(p.low, q.low))
  return { high, low: func.let(rest) }
}

/** a·b */
export function timesPair(func: Func, a: Pair, b: Pair): Pair {
  const { high, low } = productOf(func, a.high, b.high)
  return sumOf(func, high, func.let(add(low, add(mul(a.high, b.low), mul(a.low, b.high)))))
}

/** a + b for |a| ≥ |b|. */
export function plusPair(func: Func, a: Pair, b: Pair): Pair {
  const { high, low } = sumOf(func, a.high, b.high)
  return sumOf(func, high, func.let(add(low, add(a.low, b.low))))
}
