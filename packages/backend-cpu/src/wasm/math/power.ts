// aᵇ on four floats or two doubles, as IEEE 754 has it.

import { type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'
import { doublePower } from './powerOfDoubles.ts'
import { floatPower } from './powerOfFloats.ts'

/** |a|ᵇ, negative where a is and b is odd, NaN where a is finite and negative and b is not whole. */
export function pow(simd: Simd, func: Func, a: Local<'v128'>, b: Local<'v128'>): V128 {
  const { op } = simd
  const c = op.const
  const size = (simd.bits === 32 ? floatPower : doublePower)(simd, func, func.let(op.abs(a)), b)
  const half = func.let(op.mul(b, c(0.5)))
  const whole = func.let(op.eq(op.trunc(b), b))
  const odd = v128.and(whole, op.ne(op.trunc(half), half))
  const none = v128.andNot(v128.and(op.lt(a, c(0)), op.gt(a, c(-Infinity))), whole)
  return v128.or(v128.or(size, v128.and(v128.and(a, c(-0)), odd)), none)
}
