// log x and log(1 + x) on four lanes.

import { type Helper, literal, polynomial } from '../polynomial.ts'

/* (log(1 + f) − f + f²/2)/f³ for √½ ≤ 1 + f ≤ √2, interpolated at Chebyshev nodes, computed with 200 bits. */
const tail = [0.33333331180030046, -0.24999996957950882, 0.20000715748892103, -0.16667802319501254, 0.1424905764569748, -0.12425687331451106, 0.1168541992348674, -0.11479733846637637, 0.06971611471451178]

/** Logarithms by name. */
export const logarithm: Readonly<Record<string, Helper>> = {
  // m and e of x = 2ᵉ·m > 0 with √½ ≤ m < √2; a subnormal x is its bits times 2⁻¹⁴⁹, which no adapter flushes
  mantissaOf: {
    source: `vec4 mantissaOf(vec4 x, out vec4 e) {
  ivec4 bits = floatBitsToInt(x);
  bvec4 subnormal = lessThan(bits, ivec4(0x00800000));
  bits = floatBitsToInt(pick(subnormal, vec4(bits), x)) - 0x3f3504f3;
  e = vec4(bits & ~0x007fffff) * ${literal(2 ** -23)} - vec4(subnormal) * 149.0;
  return intBitsToFloat((bits & 0x007fffff) + 0x3f3504f3);
}`,
  },
  // log x = e·ln 2 + log m; −∞ at 0, NaN below
  logarithm: {
    source: `vec4 logarithm(vec4 x) {
  vec4 e;
  vec4 f = mantissaOf(x, e) - 1.0;
  vec4 s = f * f;
  vec4 rest = (s * f * ${polynomial('f', tail)} - 0.5 * s) - e * ${literal(0.00021219444005469057)};
  vec4 y = e * 0.693359375 + (f + rest);
  ivec4 bits = floatBitsToInt(x);
  y = pick(greaterThanEqual(bits, ivec4(0x7f800000)), x, y);
  y = pick(lessThan(bits, ivec4(0)), pick(isNan(x), x, vec4(nan())), y);
  return pick(equal(bits & 0x7fffffff, ivec4(0)), vec4(-infinity()), y);
}`,
  },
  // log(1 + x) = log u + (x − (u − 1))/u with u = 1 + x, but for its last bit, without which compilers cannot take u − 1 for x
  logarithm1: {
    source: `vec4 logarithm1(vec4 x) {
  ivec4 bits = floatBitsToInt(1.0 + x) & ~1;
  vec4 u = intBitsToFloat(bits);
  vec4 y = logarithm(u), lost = (x - (u - 1.0)) / u;
  bvec4 ends = greaterThanEqual(uvec4(bits - 1), uvec4(0x7f7fffffu));
  return unlessTiny(x, pick(ends, y, y + lost));
}`,
  },
}
