// asin x, acos x and atan x on four lanes.

import { type Helper, literal, polynomial } from '../polynomial.ts'

/* With the least largest error relative to the function (Remez 1934), computed with 300 bits. */

/** (asin √s/√s − 1)/s for √s ≤ 0.55, 2⁻²⁹ */
const arcsine = [0.1666664972369268, 0.07501348138044425, 0.04433475507254453, 0.03338298566697577, 0.008522797240129155, 0.045574426582768744]
/** (atan √s/√s − 1)/s for √s ≤ 1, 2⁻²⁸ */
const arctangent = [-0.33333312366918466, 0.19998842189813254, -0.14266346398395255, 0.10958582428993421, -0.08410654573474015, 0.05791354186774028, -0.030991290432061298, 0.010748500323700949, -0.0017437011621212058]

/** π/2, and what is left of it when it is rounded. */
const high = literal(Math.PI / 2)
const low = literal(-4.371139000186241e-8)

/** Inverses of trigonometric functions by name. */
export const inverse: Readonly<Record<string, Helper>> = {
  // asin |x|, or for large |x| the half of acos |x| = 2 asin √((1 − |x|)/2)
  halfArc: {
    source: `vec4 halfArc(vec4 size, bvec4 large) {
  vec4 s = pick(large, 0.5 - 0.5 * size, size * size);
  vec4 root = pick(large, sqrt(s), size);
  return root + root * s * ${polynomial('s', arcsine)};
}`,
  },
  // asin x = ± asin |x|, for large |x| ±(π/2 − acos |x|)
  arcsine: {
    source: `vec4 arcsine(vec4 x) {
  vec4 size = abs(x);
  bvec4 large = greaterThan(size, vec4(0.55));
  vec4 y = halfArc(size, large);
  y = pick(large, ${high} - (2.0 * y - ${low}), y);
  return pick(beyond(x, 0x3f800000), vec4(nan()), unlessTiny(x, signed(x, y)));
}`,
  },
  // acos x = π/2 − asin x, for large |x| acos |x| or π − acos |x|
  arccosine: {
    source: `vec4 arccosine(vec4 x) {
  vec4 size = abs(x);
  bvec4 large = greaterThan(size, vec4(0.55));
  vec4 y = halfArc(size, large);
  vec4 quarters = pick(large, vec4(lessThan(x, vec4(0.0))) * 2.0, vec4(1.0));
  vec4 rest = pick(large, 2.0 * y, -y);
  rest = intBitsToFloat(floatBitsToInt(rest) ^ (floatBitsToInt(x) & (1 << 31)));
  return pick(beyond(x, 0x3f800000), vec4(nan()), quarters * ${high} + (rest + quarters * ${low}));
}`,
  },
  // atan x = ± atan |x|, for |x| > 1 ±(π/2 − atan 1/|x|)
  arctangent: {
    source: `vec4 arctangent(vec4 x) {
  vec4 size = abs(x);
  vec4 t = min(size, vec4(1.0)) / max(size, vec4(1.0));
  vec4 s = t * t;
  vec4 y = t + t * s * ${polynomial('s', arctangent)};
  return unlessTiny(x, signed(x, pick(greaterThan(size, vec4(1.0)), ${high} - (y - ${low}), y)));
}`,
  },
}
