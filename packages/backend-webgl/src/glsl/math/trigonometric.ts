// sin x, cos x and tan x on four lanes.

import { type Helper, polynomial } from '../polynomial.ts'

/* For |r| ≤ π/4, with s = r² and the least largest error relative to the function (Remez 1934), computed with 300 bits. */

/** (sin r/r − 1)/s, 2⁻²⁷ */
const sine = [-0.1666665465632602, 0.008332099726822102, -0.00019503795801651986]
/** (cos r − 1 + s/2)/s², 2⁻³² */
const cosine = [0.041666654633826475, -0.0013887653155012635, 0.000024463669672216714]
/** (tan r/r − 1)/s, 2⁻²⁹ */
const tangent = [0.3333334382158747, 0.13332776768190613, 0.05405411525032613, 0.021286260127940916, 0.010874242683137117, -0.000005477394011905776, 0.004440449184101873]

/** Trigonometric functions by name. */
export const trigonometric: Readonly<Record<string, Helper>> = {
  // sin of |x| and `ahead` quarter turns: ± sin or cos of what is left without quarter turns
  wave: {
    source: `vec4 wave(vec4 x, int ahead) {
  ivec4 quadrant;
  vec4 r = angleOf(abs(x), quadrant), s = r * r;
  quadrant += ahead;
  vec4 sine = r + r * s * ${polynomial('s', sine)};
  vec4 cosine = (1.0 - 0.5 * s) + s * s * ${polynomial('s', cosine)};
  vec4 y = pick(equal(quadrant & 1, ivec4(1)), cosine, sine);
  return intBitsToFloat(floatBitsToInt(y) ^ ((quadrant & 2) * (1 << 30)));
}`,
  },
  sine: { source: 'vec4 sine(vec4 x) { return pick(beyond(x, 0x7f7fffff), vec4(nan()), unlessTiny(x, mirrored(x, wave(x, 0)))); }' },
  cosine: { source: 'vec4 cosine(vec4 x) { return pick(beyond(x, 0x7f7fffff), vec4(nan()), wave(x, 1)); }' },
  // tan x = t or −1/t, where t is the tangent of what is left of |x| without quarter turns
  tangent: {
    source: `vec4 tangent(vec4 x) {
  ivec4 quadrant;
  vec4 r = angleOf(abs(x), quadrant), s = r * r;
  vec4 t = r + r * s * ${polynomial('s', tangent)};
  vec4 y = pick(equal(quadrant & 1, ivec4(1)), -1.0 / t, t);
  return pick(beyond(x, 0x7f7fffff), vec4(nan()), unlessTiny(x, mirrored(x, y)));
}`,
  },
}
