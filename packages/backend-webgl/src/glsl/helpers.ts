// GLSL functions that passes share, with what each of them needs; only what a pass uses is written into it.

import { math } from './math.ts'

/** A function of GLSL; what it calls is found by its name. */
export interface Helper {
  readonly source: string
}

/** Helpers by name. Those on `vec4` work lane by lane. */
const helpers: Readonly<Record<string, Helper>> = {
  ...math,
  // where x is NaN; comparing bits, for compilers may take x != x for false
  isNan: { source: 'bvec4 isNan(vec4 x) { return greaterThan(floatBitsToUint(x) & 0x7fffffffu, uvec4(0x7f800000u)); }' },
  // a where c holds, else b, bit for bit
  pick: {
    source: `vec4 pick(bvec4 c, vec4 a, vec4 b) { return mix(b, a, c); }
ivec4 pick(bvec4 c, ivec4 a, ivec4 b) { ivec4 m = -ivec4(c); return (a & m) | (b & ~m); }`,
  },
  larger: { source: 'vec4 larger(vec4 a, vec4 b) { return pick(isNan(a), a, pick(isNan(b), b, pick(lessThan(a, b), b, a))); }' },
  smaller: { source: 'vec4 smaller(vec4 a, vec4 b) { return pick(isNan(a), a, pick(isNan(b), b, pick(lessThan(b, a), b, a))); }' },
  signOf: { source: 'vec4 signOf(vec4 x) { return pick(isNan(x), x, pick(equal(x, vec4(0.0)), x, sign(x))); }' },
  // towards zero; by 0 it gives 0
  divide: {
    source: `ivec4 divide(ivec4 a, ivec4 b) {
  uvec4 q = uvec4(abs(a)) / max(uvec4(abs(b)), 1u);
  ivec4 y = ivec4(q) * sign(b) * sign(a);
  return y;
}`,
  },
  nan: { source: 'float nan() { return uintBitsToFloat(0x7fc00000u); }' },
  infinity: { source: 'float infinity() { return uintBitsToFloat(0x7f800000u); }' },
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
  // the flat texel that is computed
  texel: { source: 'int texel() { ivec2 at = ivec2(gl_FragCoord.xy); return (at.y << p[0]) + at.x; }' },
  // whole numbers as C casts have it: towards zero, wrapped to 32 bits; NaN and infinities give 0
  toInt: {
    source: `int toInt(float x) {
  float t = trunc(x);
  if (!(abs(t) < 2147483648.0)) {
    float high = floor(t / 4294967296.0);
    t -= high * 4294967296.0;
    return t >= 0.0 && t < 4294967296.0 ? int(uint(t)) : 0;
  }
  return int(t);
}
ivec4 toInt(vec4 x) { return ivec4(toInt(x.x), toInt(x.y), toInt(x.z), toInt(x.w)); }`,
  },
  // rounded to float16: 11 significant bits, halves to even, subnormals in steps of 2⁻²⁴
  toHalf: {
    source: `vec4 toHalf(vec4 x) {
  uvec4 u = floatBitsToUint(x);
  uvec4 size = u & 0x7fffffffu;
  uvec4 sign = u & 0x80000000u;
  uvec4 rounded = (size + 0xfffu + ((size >> 13u) & 1u)) & 0xffffe000u;
  rounded = min(rounded, uvec4(0x7f800000u));
  vec4 large = mix(uintBitsToFloat(rounded), vec4(uintBitsToFloat(0x7f800000u)), greaterThanEqual(rounded, uvec4(0x47800000u)));
  vec4 tiny = roundEven(abs(x) * 16777216.0) * 0.000000059604644775390625;
  vec4 y = mix(large, tiny, lessThan(size, uvec4(0x38800000u)));
  y = uintBitsToFloat(floatBitsToUint(y) | sign);
  return mix(y, x, greaterThan(size, uvec4(0x7f800000u)));
}`,
  },
}

/** The sources of the helpers that a text calls, each after what it needs, and the text. */
export function withHelpers(code: string): string {
  const written = new Set<string>()
  const out: string[] = []
  const add = (name: string): void => {
    if (written.has(name)) return
    written.add(name)
    const { source } = helpers[name]!
    called(source).forEach(add)
    out.push(source)
  }
  called(code).forEach(add)
  return [...out, code].join('\n')
}

const called = (code: string): string[] => [...new Set(code.match(/\b[A-Za-z_]\w*(?=\()/g) ?? [])].filter(name => Object.hasOwn(helpers, name))
