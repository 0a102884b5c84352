// Whole numbers: quotients, and casts from floats.

import type { Helper } from './polynomial.ts'

/** Functions on and to whole numbers by name. */
export const whole: Readonly<Record<string, Helper>> = {
  // towards zero; by 0 it gives 0
  divide: {
    source: `ivec4 divide(ivec4 a, ivec4 b) {
  uvec4 q = uvec4(abs(a)) / max(uvec4(abs(b)), 1u);
  return ivec4(q) * sign(b) * sign(a);
}`,
  },
  // ⌊e/d⌋ for 0 ≤ e < 2³¹, d > 0: by the reciprocal, corrected twice; integer division is much slower where it is emulated
  quotient: {
    source: `int quotient(int e, int d) {
  float r = 1.0 / float(d);
  int y = int(float(e) * r);
  y += int(floor(float(e - y * d) * r));
  int rest = e - y * d;
  return y + (rest >= d ? 1 : 0) - (rest < 0 ? 1 : 0);
}`,
  },
  // as C casts have it: m·2ᵉ towards zero, wrapped to 32 bits; NaN and infinities, whose e is large, give 0
  toInt: {
    source: `ivec4 toInt(vec4 x) {
  ivec4 bits = floatBitsToInt(x), e = ((bits >> 23) & 255) - 150, sign = bits >> 31;
  ivec4 size = (((bits & 0x007fffff) | 0x00800000) << clamp(e, 0, 31)) >> clamp(-e, 0, 31);
  return pick(greaterThan(e, ivec4(31)), ivec4(0), (size ^ sign) - sign);
}`,
  },
}
