// float16 as storage: floats rounded to those that 16 bits can hold.

import type { Helper } from './polynomial.ts'

/** Rounding by name. */
export const half: Readonly<Record<string, Helper>> = {
  // 11 significant bits, halves to even; below 2⁻¹⁴ whole steps of 2⁻²⁴; ∞ from 65520 on
  toHalf: {
    source: `vec4 toHalf(vec4 x) {
  uvec4 u = floatBitsToUint(x), size = u & 0x7fffffffu;
  uvec4 rounded = (size + 0xfffu + ((size >> 13u) & 1u)) & 0xffffe000u;
  vec4 large = pick(greaterThanEqual(rounded, uvec4(0x47800000u)), vec4(infinity()), uintBitsToFloat(rounded));
  vec4 tiny = roundEven(abs(x) * 16777216.0) * 0.000000059604644775390625;
  vec4 y = signed(x, pick(lessThan(size, uvec4(0x38800000u)), tiny, large));
  return pick(isNan(x), x, y);
}`,
  },
}
