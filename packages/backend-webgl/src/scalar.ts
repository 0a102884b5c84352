// The scalar table: what each elementwise op computes, one line an op, as GLSL on four lanes.

import type { MapName } from '@bp/ops/extend'

/** An op in GLSL, of the operands a, b, c: on floats (and bool, as 0 and 1), and on whole numbers where that differs. */
interface Scalar {
  readonly float?: string
  readonly int?: string
}

/** The ops. Comparisons give bool as 0 and 1. */
export const scalar = {
  add: { float: 'a + b', int: 'a + b' },
  mul: { float: 'a * b', int: 'a * b' },
  neg: { float: '-a', int: '-a' },
  sub: { float: 'a - b', int: 'a - b' },
  div: { float: 'a / b', int: 'divide(a, b)' },
  pow: { float: 'power(a, b)' },
  maximum: { float: 'larger(a, b)', int: 'max(a, b)' },
  minimum: { float: 'smaller(a, b)', int: 'min(a, b)' },
  abs: { float: 'abs(a)', int: 'abs(a)' },
  sign: { float: 'signOf(a)', int: 'sign(a)' },
  floor: { float: 'floor(a)' },
  round: { float: 'roundEven(a)' },
  exp: { float: 'exponential(a)' },
  log: { float: 'logarithm(a)' },
  expm1: { float: 'exponentialLess1(a)' },
  log1p: { float: 'logarithm1(a)' },
  sqrt: { float: 'sqrt(a)' },
  tanh: { float: 'tangentH(a)' },
  sigmoid: { float: 'logistic(a)' },
  erf: { float: 'errorFunction(a)' },
  relu: { float: 'rectified(a)', int: 'max(a, 0)' },
  sin: { float: 'sine(a)' },
  cos: { float: 'cosine(a)' },
  tan: { float: 'tangent(a)' },
  asin: { float: 'arcsine(a)' },
  acos: { float: 'arccosine(a)' },
  atan: { float: 'arctangent(a)' },
  equal: { float: 'vec4(equal(a, b))', int: 'vec4(equal(a, b))' },
  less: { float: 'vec4(lessThan(a, b))', int: 'vec4(lessThan(a, b))' },
  lessEqual: { float: 'vec4(lessThanEqual(a, b))', int: 'vec4(lessThanEqual(a, b))' },
  logicalNot: { float: '1.0 - a' },
  logicalAnd: { float: 'a * b' },
  logicalOr: { float: 'max(a, b)' },
  select: { float: 'pick(notEqual(a, vec4(0.0)), b, c)', int: 'pick(notEqual(a, vec4(0.0)), b, c)' },
} as const satisfies Record<Exclude<MapName, 'cast'>, Scalar>
