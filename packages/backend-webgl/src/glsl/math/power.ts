// aᵇ on four lanes, as IEEE 754 has it.

import { type Helper, literal, polynomial } from '../polynomial.ts'

/* (atanh √z/√z − 1)/z for √z ≤ 0.072, by its series: 2⁻³⁵. */
const atanhTail = [1 / 3, 1 / 5, 1 / 7]

/* 2/ln 2, and log₂ of ¾ and 1¼, in two parts, the first of at most 12 bits. */
const factor = inTwo(2 * Math.LOG2E, 10)
const below = inTwo(Math.log2(0.75), 12)
const above = inTwo(Math.log2(1.25), 12)

function inTwo(x: number, bits: number): { readonly all: string; readonly high: string; readonly low: string } {
  const high = Math.round(x * 2 ** bits) / 2 ** bits
  return { all: literal(x), high: literal(high), low: literal(x - high) }
}

/** Powers by name. */
export const power: Readonly<Record<string, Helper>> = {
  // the first 12 bits: products of two such are exact
  firstBits: { source: 'vec4 firstBits(vec4 x) { return intBitsToFloat(floatBitsToInt(x) & ~0xfff); }' },
  // log₂ x = high + low for x > 0: e + log₂ c + 2/ln 2·(s + s³·P(s²)) with c next to m and s = (m − c)/(m + c), of which the first bits
  // are apart (after fdlibm, Sun 1993, e_pow.c)
  binaryLogarithm: {
    source: `vec4 binaryLogarithm(vec4 x, out vec4 low) {
  vec4 e;
  vec4 m = mantissaOf(x, e);
  bvec4 isBelow = lessThan(m, vec4(0.866)), isAbove = greaterThan(m, vec4(1.118));
  vec4 c = pick(isBelow, vec4(0.75), pick(isAbove, vec4(1.25), vec4(1.0)));
  vec4 whole = e + pick(isBelow, vec4(${below.high}), pick(isAbove, vec4(${above.high}), vec4(0.0)));
  vec4 part = pick(isBelow, vec4(${below.low}), pick(isAbove, vec4(${above.low}), vec4(0.0)));
  vec4 f = m - c, d = m + c;
  vec4 dHigh = firstBits(d), dLow = m - (dHigh - c);
  vec4 s = f / d, sHigh = firstBits(s);
  vec4 sLow = ((f - sHigh * dHigh) - sHigh * dLow) / d;
  vec4 z = s * s;
  vec4 coarse = ${factor.high} * sHigh;
  vec4 fine = ${factor.all} * (sLow + s * z * ${polynomial('z', atanhTail)}) + (${factor.low} * sHigh + part);
  vec4 high = firstBits(whole + (coarse + fine));
  low = ((whole - high) + coarse) + fine;
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
