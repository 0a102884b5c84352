// aᵇ on four lanes, as IEEE 754 has it.

import { type Helper, literal, polynomial } from '../polynomial.ts'

/* (atanh √z/√z − 1)/z for √½ ≤ (1 + √z)/(1 − √z) ≤ √2, with the least largest error relative to atanh (Remez 1934), computed
   with 300 bits: 2⁻³⁷. */
const atanhTail = [0.33333332877101646, 0.20000169926006525, 0.14267993330540066, 0.11809362559063458]

/* 2/ln 2 in two parts, the first of 12 bits. */
const factor = 2 * Math.LOG2E
const factorHigh = Math.round(factor * 2 ** 10) / 2 ** 10

/** Powers by name. */
export const power: Readonly<Record<string, Helper>> = {
  // the first 12 bits: products of two such are exact
  firstBits: { source: 'vec4 firstBits(vec4 x) { return intBitsToFloat(floatBitsToInt(x) & ~0xfff); }' },
  // log₂ x = high + low for x > 0: e + 2/ln 2·(s + s³·P(s²)) with s = (m − 1)/(m + 1) and its first bits (after fdlibm, Sun 1993, e_pow.c)
  binaryLogarithm: {
    source: `vec4 binaryLogarithm(vec4 x, out vec4 low) {
  vec4 e;
  vec4 m = mantissaOf(x, e), f = m - 1.0, d = m + 1.0;
  vec4 dHigh = firstBits(d), dLow = m - (dHigh - 1.0);
  vec4 s = f / d, sHigh = firstBits(s);
  vec4 sLow = ((f - sHigh * dHigh) - sHigh * dLow) / d;
  vec4 z = s * s;
  vec4 fine = ${literal(factor)} * (sLow + s * z * ${polynomial('z', atanhTail)}) + ${literal(factor - factorHigh)} * sHigh;
  vec4 coarse = ${literal(factorHigh)} * sHigh;
  vec4 high = firstBits(e + (coarse + fine));
  low = ((e - high) + coarse) + fine;
  return high;
}`,
  },
  // |a|ᵇ = 2^(b·log₂ |a|), negative where a is and b is odd, NaN where a is finite and negative and b is not whole
  power: {
    source: `vec4 power(vec4 a, vec4 b) {
  vec4 size = abs(a), low;
  vec4 high = binaryLogarithm(size, low);
  // a larger exponent gives 0 or ∞ too, unless a is ±1
  vec4 c = clamp(b, ${literal(-(2 ** 36))}, ${literal(2 ** 36)}), cHigh = firstBits(c);
  vec4 t = cHigh * high, rest = cHigh * low + (c - cHigh) * (high + low);
  ivec4 bits = floatBitsToInt(size);
  bvec4 ends = greaterThanEqual(uvec4(bits - 1), uvec4(0x7f7fffffu));
  vec4 towards = mix(vec4(-200.0), vec4(200.0), equal(equal(bits, ivec4(0)), lessThan(floatBitsToInt(b), ivec4(0))));
  t = pick(ends, towards, t);
  bvec4 outside = greaterThanEqual(abs(t), vec4(200.0));
  t = pick(outside, clamp(t, -200.0, 200.0), t);
  rest = pick(outside, vec4(0.0), rest);
  vec4 n = roundEven(t + rest);
  vec4 y = scaledExponential(n, ((t - n) + rest) * ${literal(Math.LN2)});
  vec4 h = 0.5 * b;
  bvec4 whole = equal(floor(b), b), odd = notEqual(floor(h), h);
  ivec4 sign = pick(whole, pick(odd, floatBitsToInt(a) & (1 << 31), ivec4(0)), ivec4(0));
  y = intBitsToFloat(floatBitsToInt(y) | sign);
  // −∞ < a < 0, by bits
  bvec4 negative = lessThan(floatBitsToUint(a) - 0x80000001u, uvec4(0x7f7fffffu));
  y = pick(whole, y, pick(negative, vec4(nan()), y));
  y = pick(isNan(a), a, pick(isNan(b), b, y));
  return pick(equal(a, vec4(1.0)), vec4(1.0), pick(equal(b, vec4(0.0)), vec4(1.0), y));
}`,
  },
}
