// What passes do with the bits of floats: comparisons that no compiler assumes away, signs, and exact ops.

import type { Helper } from './polynomial.ts'

/** Functions on bits by name. */
export const bits: Readonly<Record<string, Helper>> = {
  // where x is NaN; comparing bits, for compilers may take x != x for false
  isNan: { source: 'bvec4 isNan(vec4 x) { return beyond(x, 0x7f800000); }' },
  // where |x| has larger bits than these; NaN has the largest
  beyond: { source: 'bvec4 beyond(vec4 x, int bits) { return greaterThan(floatBitsToInt(x) & 0x7fffffff, ivec4(bits)); }' },
  // a where c holds, else b, bit for bit
  pick: {
    source: `vec4 pick(bvec4 c, vec4 a, vec4 b) { return mix(b, a, c); }
ivec4 pick(bvec4 c, ivec4 a, ivec4 b) { ivec4 m = -ivec4(c); return (a & m) | (b & ~m); }`,
  },
  // y ≥ 0 with the sign of x; and y, negative where it was not if x is
  signed: { source: 'vec4 signed(vec4 x, vec4 y) { return intBitsToFloat(floatBitsToInt(y) | (floatBitsToInt(x) & (1 << 31))); }' },
  mirrored: { source: 'vec4 mirrored(vec4 x, vec4 y) { return intBitsToFloat(floatBitsToInt(y) ^ (floatBitsToInt(x) & (1 << 31))); }' },
  // y, but x itself where it is 0, subnormal or NaN: of functions whose slope at 0 is 1
  unlessTiny: { source: 'vec4 unlessTiny(vec4 x, vec4 y) { return pick(greaterThan((floatBitsToUint(x) & 0x7fffffffu) - 0x00800000u, uvec4(0x7f000000u)), x, y); }' },
  // whole numbers in the order of floats, with −0 below 0
  ordered: { source: 'ivec4 ordered(vec4 x) { ivec4 bits = floatBitsToInt(x); return bits ^ (-ivec4(lessThan(bits, ivec4(0))) & 0x7fffffff); }' },
  larger: { source: 'vec4 larger(vec4 a, vec4 b) { return pick(isNan(a), a, pick(isNan(b), b, pick(lessThan(ordered(a), ordered(b)), b, a))); }' },
  smaller: { source: 'vec4 smaller(vec4 a, vec4 b) { return pick(isNan(a), a, pick(isNan(b), b, pick(lessThan(ordered(b), ordered(a)), b, a))); }' },
  // 0 for x < 0, which the bits of NaN are not; −0 stays
  rectified: { source: 'vec4 rectified(vec4 x) { return pick(lessThan(floatBitsToUint(x) - 0x80000001u, uvec4(0x7f800000u)), vec4(0.0), x); }' },
  signOf: { source: 'vec4 signOf(vec4 x) { return pick(greaterThanEqual((floatBitsToUint(x) & 0x7fffffffu) - 1u, uvec4(0x7f800000u)), x, signed(x, vec4(1.0))); }' },
  isTrue: { source: 'bvec4 isTrue(vec4 x) { return notEqual(floatBitsToInt(x) & 0x7fffffff, ivec4(0)); }' },
  nan: { source: 'float nan() { return uintBitsToFloat(0x7fc00000u); }' },
  infinity: { source: 'float infinity() { return uintBitsToFloat(0x7f800000u); }' },
}
