// e^x and what is made of it, on four lanes.

import { type Helper, literal, polynomial } from '../polynomial.ts'

/* (eʳ − 1 − r)/r² for |r| ≤ ½ ln 2, with the least largest error relative to eʳ (Remez 1934), computed with 260 bits: 2⁻²⁸. */
const tail = [0.4999999345999436, 0.1666652072701571, 0.04166838643678141, 0.008368707996509583, 0.0013814639095287773]

/** Exponentials by name. */
export const exponential: Readonly<Record<string, Helper>> = {
  // eʳ − 1 for |r| ≤ ½ ln 2
  exponentialTail: { source: `vec4 exponentialTail(vec4 r) { return r + r * r * ${polynomial('r', tail)}; }` },
  // x − n·ln 2 with ln 2 in two parts, the first of few bits, so that n times it is exact (Cody & Waite 1980, §6)
  withoutPowers: { source: `vec4 withoutPowers(vec4 x, vec4 n) { return (x - n * 0.693359375) + n * ${literal(0.00021219444005469057)}; }` },
  wholePowers: { source: `vec4 wholePowers(vec4 x) { return roundEven(x * ${literal(Math.LOG2E)}); }` },
  // 2ⁿ for −127 < n ≤ 127; its bits by a product, for SwiftShader shifts lane by lane
  powerOf2: { source: `vec4 powerOf2(vec4 n) { return intBitsToFloat(ivec4((n + 127.0) * ${literal(2 ** 23)})); }` },
  // powers of two a and b, alike or b twice a, with a·b = 2ⁿ: both have floats though 2ⁿ may have none
  powersOf: {
    source: `void powersOf(vec4 n, out vec4 a, out vec4 b) {
  vec4 first = floor(0.5 * n);
  a = powerOf2(first);
  b = powerOf2(n - first);
}`,
  },
  // 1/b of a power of two
  inversePower: { source: 'vec4 inversePower(vec4 b) { return intBitsToFloat((254 << 23) - floatBitsToInt(b)); }' },
  // 2ⁿ·eʳ for |r| ≤ ½ ln 2; not a(1 + …), for Mesa adds the 1 to r first
  scaledExponential: {
    source: `vec4 scaledExponential(vec4 n, vec4 r) {
  vec4 a, b;
  powersOf(n, a, b);
  return (a * exponentialTail(r) + a) * b;
}`,
  },
  // e^x = a·b·eʳ and eʳ − 1
  exponentialFactors: {
    source: `vec4 exponentialFactors(vec4 x, out vec4 a, out vec4 b) {
  vec4 near = clamp(x, -105.0, 89.0);
  vec4 n = wholePowers(near);
  powersOf(n, a, b);
  return exponentialTail(withoutPowers(near, n));
}`,
  },
  exponential: {
    source: `vec4 exponential(vec4 x) {
  vec4 near = clamp(x, -105.0, 89.0), n = wholePowers(near);
  return pick(isNan(x), x, scaledExponential(n, withoutPowers(near, n)));
}`,
  },
  // e^x − 1 = b(a(eʳ − 1) + (a − 1/b))
  exponentialLess1: {
    source: `vec4 exponentialLess1(vec4 x) {
  vec4 a, b;
  vec4 e = exponentialFactors(x, a, b);
  return unlessTiny(x, b * (a * e + (a - inversePower(b))));
}`,
  },
  // 1/(1 + e⁻ˣ) = a·eʳ/(a·eʳ + 1/b)
  logistic: {
    source: `vec4 logistic(vec4 x) {
  vec4 a, b;
  vec4 e = exponentialFactors(x, a, b);
  e = a * e + a;
  return pick(isNan(x), x, e / (e + inversePower(b)));
}`,
  },
  // tanh x = ±(h − h²/(1 + E/2)) with E = e^2|x| − 1 and h = min(E/2, 1): what is subtracted is at most as large as the result
  tangentH: {
    source: `vec4 tangentH(vec4 x) {
  vec4 near = min(2.0 * abs(x), vec4(20.0));
  vec4 n = wholePowers(near);
  vec4 power = powerOf2(n);
  vec4 e = power * exponentialTail(withoutPowers(near, n)) + (power - 1.0);
  vec4 twice = min(e, vec4(2.0)), h = 0.5 * twice;
  return unlessTiny(x, signed(x, h - twice * h / (e + 2.0)));
}`,
  },
}
