// float16 on vectors of float32: numbers rounded to those that 16 bits can hold.

import { f32x4, i32x4, v128, type V128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'

/**
 * x to the nearest float16, ties to even: with u the unit in the last place that float16 has at x, (x + c) − c for c = 1.5·2²³·u,
 * whose own last place is u (Dekker 1971, "A Floating-Point Technique for Extending the Available Precision").
 */
export function roundHalf(func: Func, x: Local<'v128'>): V128 {
  const exponent = v128.and(x, i32x4.const(0x7f800000))
  // 2 to the exponent of x: from −14 on, below which float16 has units of 2⁻²⁴, and not so far that c is infinite
  const power = f32x4.pmin(f32x4.pmax(exponent, f32x4.const(2 ** -14)), f32x4.const(2 ** 17))
  const c = func.let(f32x4.mul(power, f32x4.const(1.5 * 2 ** 13)))
  const y = f32x4.sub(f32x4.add(x, c), c)
  // from 2¹⁶ on this is infinite, and stays so
  const finite = f32x4.mul(f32x4.mul(y, f32x4.const(2 ** 112)), f32x4.const(2 ** -112))
  return v128.or(finite, v128.and(x, f32x4.const(-0)))
}
