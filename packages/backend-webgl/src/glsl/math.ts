// Elementary functions of four lanes where the adapters' own are too far off.

import type { Helper } from './helpers.ts'

/** Functions by name. */
export const math: Readonly<Record<string, Helper>> = {
  // aᵇ as IEEE 754 has it; GLSL knows none of it for a < 0
  power: {
    source: `float power(float a, float b) {
  if (b == 0.0 || a == 1.0) return 1.0;
  if (a == -1.0 && isinf(b)) return 1.0;
  float whole = floor(b);
  bool isWhole = whole == b && !isinf(b);
  bool isOdd = isWhole && abs(b) < 16777216.0 && fract(b * 0.5) != 0.0;
  if (a < 0.0 && !isWhole && !isinf(b) && !isinf(a)) return nan();
  float size = abs(a);
  float y;
  if (size == 0.0) y = b > 0.0 ? 0.0 : infinity();
  else if (isinf(size)) y = b > 0.0 ? infinity() : 0.0;
  else if (isinf(b)) y = (size > 1.0) == (b > 0.0) ? infinity() : 0.0;
  else y = exp2(b * log2(size));
  if (isnan(a) || isnan(b)) return nan();
  return isOdd && (floatBitsToUint(a) & 0x80000000u) != 0u ? -y : y;
}
vec4 power(vec4 a, vec4 b) { return vec4(power(a.x, b.x), power(a.y, b.y), power(a.z, b.z), power(a.w, b.w)); }`,
  },
  logistic: { source: 'vec4 logistic(vec4 x) { vec4 e = exp(-abs(x)); return pick(lessThan(x, vec4(0.0)), e, vec4(1.0)) / (1.0 + e); }' },
  // tanh x = ±(1 − e)/(1 + e) with e = e^−2|x|; near 0 by its series
  tangentH: {
    source: `vec4 tangentH(vec4 x) {
  vec4 s = x * x;
  vec4 near = x * (1.0 + s * (-0.33333333 + s * (0.13333333 + s * (-0.053968254 + s * 0.021869488))));
  vec4 far = sign(x) * oneLess(-2.0 * abs(x)) / (1.0 + exp(-2.0 * abs(x)));
  return pick(isNan(x), x, pick(lessThan(abs(x), vec4(0.25)), near, far));
}
`,
  },
  // 1 − e^x for x ≤ 0
  oneLess: { source: 'vec4 oneLess(vec4 x) { return 1.0 - exp(x); }' },
  exponentialLess1: {
    source: `vec4 exponentialLess1(vec4 x) {
  vec4 near = x * (1.0 + x * (0.5 + x * (0.16666667 + x * (0.041666667 + x * (0.0083333333 + x * 0.0013888889)))));
  return pick(lessThan(abs(x), vec4(0.3)), near, exp(x) - 1.0);
}`,
  },
  // log x = e·ln 2 + log m, √½ ≤ m < √2, by 2 atanh((m − 1)/(m + 1))
  logarithm: {
    source: `vec4 logarithm(vec4 x) {
  bvec4 subnormal = lessThan(x, vec4(1.17549435e-38));
  vec4 normal = pick(subnormal, x * 8388608.0, x);
  ivec4 bits = floatBitsToInt(normal) - 0x3f3504f3;
  vec4 e = vec4(bits >> 23) - vec4(subnormal) * 23.0;
  vec4 f = intBitsToFloat((bits & 0x007fffff) + 0x3f3504f3) - 1.0;
  vec4 s = f / (2.0 + f);
  vec4 z = s * s;
  vec4 half2 = 0.5 * f * f;
  vec4 r = z * (0.66666667 + z * (0.4 + z * (0.28571429 + z * (0.22222222 + z * 0.18181818))));
  vec4 y = e * 0.693359375 + (f - (half2 - (s * (half2 + r) + e * -0.00021219444)));
  y = pick(equal(x, vec4(infinity())), x, y);
  y = pick(equal(x, vec4(0.0)), vec4(-infinity()), y);
  y = pick(lessThan(x, vec4(0.0)), vec4(nan()), y);
  return pick(isNan(x), x, y);
}`,
  },
  logarithm1: {
    source: `vec4 logarithm1(vec4 x) {
  vec4 u = 1.0 + x;
  vec4 lost = (x - (u - 1.0)) / u;
  vec4 y = logarithm(u);
  vec4 exact = pick(equal(u, vec4(0.0)), y, pick(equal(u, vec4(infinity())), y, y + lost));
  return pick(equal(x, vec4(0.0)), x, pick(isNan(x), x, exact));
}`,
  },
  // erf x by A. J. Strecok's continued use of a polynomial near 0 and 1 − e^P beyond
  errorFunction: {
    source: `vec4 errorFunction(vec4 x) {
  vec4 a = min(abs(x), vec4(3.95));
  vec4 s = a * a;
  vec4 near = a + a * (0.1283791488567209 + s * (-0.3761248895419796 + s * (0.11281765664606981 + s * (-0.026764755516227336 + s * (0.004990413760985396 + s * -0.0005976593728268599)))));
  vec4 q = -0.00008906476179284984 + a * (-1.1283612356700046 + a * (-0.6354343180954029 + a * (-0.10625714241527678 + a * (0.023985620223476705 + a * (-0.0038033630194461354 + a * (0.0003705075968896379 + a * -0.00001648677094826961))))));
  vec4 y = pick(lessThan(a, vec4(0.925)), near, 1.0 - exp(q));
  return pick(isNan(x), x, intBitsToFloat(floatBitsToInt(y) | (floatBitsToInt(x) & (1 << 31))));
}`,
  },
  // sin and cos of what is left of x without quarter turns
  wave: {
    source: `vec4 wave(vec4 x, int ahead) {
  vec4 n = roundEven(x * 0.63661977);
  vec4 r = ((x - n * 1.5703125) - n * 0.0004837512969970703) - n * 7.549789948768648e-8;
  vec4 s = r * r;
  vec4 sine = r + r * s * (-0.1666665465632602 + s * (0.008332099726822102 + s * -0.00019503795801651986));
  vec4 cosine = (1.0 - 0.5 * s) + s * s * (0.041666654633826475 + s * (-0.0013887655153012635 + s * 0.000024463669672216714));
  ivec4 quadrant = ivec4(n - 4.0 * floor(n * 0.25)) + ahead;
  vec4 y = pick(equal(quadrant & 1, ivec4(1)), cosine, sine);
  return pick(equal(quadrant & 2, ivec4(2)), -y, y);
}`,
  },
  tangent: { source: 'vec4 tangent(vec4 x) { return wave(x, 0) / wave(x, 1); }' },
}
