// The error function on four lanes.

import { type Helper, literal, polynomial } from '../polynomial.ts'

/* With the least largest error relative to erf (Remez 1934), computed with 300 bits: 2⁻²⁶. */
const middle = 0.925
/** Where erfc is below half an ulp of 1. */
const end = 3.95
/** erf √s/√s up to the middle. */
const near = [1 + 0.1283791488567209, -0.3761248895419796, 0.11281765664606981, -0.026764755516227336, 0.004990413760985396, -0.0005976593728268599]
/** log erfc x from the middle on. */
const far = [-0.00008906476179284984, -1.1283612356700046, -0.6354343180954029, -0.10625714241527678, 0.023985620223476705, -0.0038033630194461354, 0.0003705075968896379, -0.00001648677094826961]

/** The error function by name. */
export const error: Readonly<Record<string, Helper>> = {
  // erf x = x·P(x²) near 0, else ±(1 − e^Q(|x|)) with Q = log erfc
  errorFunction: {
    source: `vec4 errorFunction(vec4 x) {
  vec4 size = min(abs(x), vec4(${literal(end)}));
  vec4 s = size * size;
  vec4 q = ${polynomial('size', far)};
  vec4 n = wholePowers(q);
  vec4 power = powerOf2(n), rest = power * exponentialTail(withoutPowers(q, n)) + power;
  vec4 y = pick(lessThan(size, vec4(${literal(middle)})), size * ${polynomial('s', near)}, 1.0 - rest);
  return pick(isNan(x), x, signed(x, y));
}`,
  },
}
