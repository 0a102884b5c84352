// Angles as quarter turns and a rest, right for all floats, huge ones too, on four lanes.

import { type Helper, literal } from '../polynomial.ts'

/* π/2 in parts: all but the last have 14 bits, so that up to 2¹⁰ times them is exact (Cody & Waite 1980, §8). */
const parts = [1.57080078125, -4.454515874385834e-6, 6.077272018956137e-11, -1.7151244994428829e-15]
const most = 1600

/* 2/π in words of 32 bits, after one of zeros. */
const words = [0, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab]
const wordsFrom = (at: number): string => `uvec4(${words.slice(at, at + 4).map(word => `${word}u`).join(', ')})`

/** Angles by name. */
export const angle: Readonly<Record<string, Helper>> = {
  // x = quadrant·π/2 + rest with |rest| ≤ π/4, x ≥ 0; of the quadrant the last two bits count
  angleOf: {
    source: `vec4 angleOf(vec4 x, out ivec4 quadrant) {
  vec4 n = roundEven(min(x, vec4(${literal(most)})) * ${literal(2 / Math.PI)});
  quadrant = ivec4(n);
  vec4 rest = ${parts.reduce((rest, part) => part < 0 ? `(${rest} + n * ${literal(-part)})` : `(${rest} - n * ${literal(part)})`, 'x')};
  bvec4 far = greaterThan(floatBitsToInt(x), ivec4(floatBitsToInt(${literal(most)})));
  // a loop that is not entered costs nothing where branches are computed and thrown away
  int lanes = any(far) ? 4 : 0;
  uvec4 bits = floatBitsToUint(x);
  vec4 farRest = vec4(0.0);
  ivec4 farQuadrant = ivec4(0);
  for (int i = 0; i < lanes; i++) {
    int turn;
    float left = farAngle(bits.x, turn);
    farRest = vec4(farRest.yzw, left);
    farQuadrant = ivec4(farQuadrant.yzw, turn);
    bits = bits.yzwx;
  }
  quadrant = pick(far, farQuadrant, quadrant);
  return pick(far, farRest, rest);
}`,
  },
  // of x = m·2ᵉ: m times the 96 bits of 2/π that neither are whole turns nor too small to count (Payne & Hanek 1983)
  farAngle: {
    source: `float farAngle(uint x, out int quadrant) {
  uint m = (x & 0x007fffffu) | 0x00800000u;
  // the first bit that counts, twice a quarter turn, and its word
  int first = int(x >> 23u) - 120, at = first >> 5;
  uint shift = uint(first & 31);
  uvec4 w = ${[0, 1, 2, 3].map(at => `at == ${at} ? ${wordsFrom(at)} : `).join('')}${wordsFrom(4)};
  uvec3 f = (w.xyz << shift) | ((w.yzw >> 1u) >> (31u - shift));
  uint middle = m * f.y;
  uint low = middle + highProduct(m, f.z);
  uint high = m * f.x + highProduct(m, f.y) + (low < middle ? 1u : 0u);
  // quarter turns in the two highest bits, then a fraction that is rounded to −½ … ½
  uint rest = (high << 2u) | (low >> 30u);
  low <<= 2u;
  bool negative = rest >= 0x80000000u;
  quadrant = int(high >> 30u) + (negative ? 1 : 0);
  if (negative) {
    rest = ~rest + (low == 0u ? 1u : 0u);
    low = ~low + 1u;
  }
  float y = (float(rest) + float(low) * ${literal(2 ** -32)}) * ${literal(2 ** -32 * Math.PI / 2)};
  return negative ? -y : y;
}`,
  },
  // ⌊a·b/2³²⌋ for a < 2²⁴, by halves: GLSL ES 3.00 keeps low words only
  highProduct: {
    source: `uint highProduct(uint a, uint b) {
  uint al = a & 0xffffu, ah = a >> 16u, bl = b & 0xffffu, bh = b >> 16u;
  uint m = ah * bl + ((al * bl) >> 16u), n = al * bh + (m & 0xffffu);
  return ah * bh + (m >> 16u) + (n >> 16u);
}`,
  },
}
