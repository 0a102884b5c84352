// Samples of the elementwise functions that are no rows: compositions, tests of single numbers, activations and dropout.

import {
  addcdiv, addcmul, alphaDropout, angle, atanh, clampMax, clampMin, copysign, cosh, deg2rad, digamma, dropout, erfcx, exp2, featureAlphaDropout,
  featureDropout, floatPower, floorDivide, fmax, fmin, frac, frexp, glu, gumbelSoftmax, hardShrink, hardTanh, heaviside, i0, i0e, i1, i1e, isFinite, isInf, isNan, ldexp, lerp, log10,
  log2, logit, logSigmoid, mvlgamma, nanToNum, ndtr, polygamma, positive, prelu, rad2deg, relu6, remainder, round, rrelu, sgn, signBit, sinh, softmin,
  softplus, softShrink, tanhShrink, threshold, trunc, truncDivide, conj, real, sinc,
} from '@bp/ops'
import type { FunctionSample } from '../functions.ts'
import { away, fixed, given, operand, type OperandSpec, uniform } from '../sample.ts'

const x = operand([2, 3])
const clear = operand([2, 3], away(-2, 2, [0], 0.2))
const above = operand([2, 3], uniform(0.4, 3))
const fractions = operand([2, 3], away(-2.4, 2.4, [-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2], 0.1))
const special = operand([5], given(1, NaN, Infinity, -Infinity, 0))

const unary = (f: FunctionSample['f'], spec: OperandSpec = x): readonly FunctionSample[] => [{ f, operands: [spec] }]

const binary = (f: FunctionSample['f'], a: OperandSpec, b: OperandSpec): readonly FunctionSample[] => [{ f, operands: [a, b] }]

const apart: readonly [OperandSpec, OperandSpec] = [operand([4], given(-1.5, 0.25, 1, -0.5)), operand([3, 1], given(-0.75, 0.6, 1.5))]

/** By the name of the function. */
export const elementwiseFunctions: Readonly<Record<string, readonly FunctionSample[]>> = {
  sinh: unary(sinh), cosh: unary(cosh), atanh: unary(atanh, operand([2, 3], uniform(-0.8, 0.8))),
  exp2: unary(exp2), log2: unary(log2, above), log10: unary(log10, above),
  i0: unary(i0), i0e: unary(i0e, clear), i1: unary(i1), i1e: unary(i1e, clear), sinc: unary(sinc), erfcx: unary(erfcx), ndtr: unary(ndtr),
  digamma: unary(digamma, operand([2, 3], uniform(0.8, 3))),
  polygamma: unary(x => polygamma(1, x), operand([2, 3], uniform(1.2, 3))),
  mvlgamma: unary(x => mvlgamma(x, 3), operand([2, 3], uniform(1.5, 4))),
  logit: unary(x => logit(x, 0.1), operand([6], given(0.02, 0.3, 0.5, 0.7, 0.95, 0.2))),
  truncDivide: binary(truncDivide, fractions, operand([], given(0.7))),
  floorDivide: [
    { f: floorDivide, operands: [fractions, operand([], given(0.7))] },
    { f: floorDivide, operands: [fixed([4], 'int32', given(7, -7, 6, -6)), fixed([], 'int32', given(3))] },
  ],
  trunc: unary(trunc, fractions), frac: unary(frac, fractions), 'round to decimals': unary(x => round(x, 1), operand([3], given(0.12, -1.47, 2.38))),
  remainder: [
    { f: remainder, operands: [operand([4], given(7.25, -7.25, 1.5, -0.5)), operand([2, 1], given(2.1, -3.2))] },
    { f: remainder, operands: [fixed([4], 'int32', given(7, -7, 3, -4)), fixed([4], 'int32', given(3, 3, -2, 5))] },
  ],
  frexp: unary(frexp, operand([4], given(10.5, -0.3, 0.7, 3.2))), ldexp: binary(ldexp, x, fixed([3], 'int32', given(2, -1, 0))),
  floatPower: [{ f: floatPower, operands: [fixed([3], 'int32', given(1, 2, 3)), fixed([3], 'float64', uniform(-1, 2))] }],
  signBit: unary(signBit), copysign: binary(copysign, clear, operand([3], away(-2, 2, [0]))),
  isNan: unary(isNan, special), isInf: unary(isInf, special), isFinite: unary(isFinite, special), nanToNum: unary(x => nanToNum(x, { nan: 3 })),
  fmax: binary(fmax, ...apart), fmin: binary(fmin, ...apart),
  lerp: [{ f: lerp, operands: [x, operand([3]), operand([2, 1], given(0.2, 0.9))] }, { f: (a, b) => lerp(a, b, 0.3), operands: [x, x] }],
  addcmul: [{ f: (x, a, b) => addcmul(x, a, b, 0.5), operands: [x, operand([3]), operand([2, 1])] }],
  addcdiv: [{ f: (x, a, b) => addcdiv(x, a, b, 0.5), operands: [x, operand([3]), operand([2, 1], uniform(0.5, 2))] }],
  heaviside: binary(heaviside, clear, operand([3])),
  positive: unary(positive), real: unary(real), conj: unary(conj), sgn: unary(sgn, clear), angle: unary(angle, clear), deg2rad: unary(deg2rad), rad2deg: unary(rad2deg),
  clampMin: binary(clampMin, ...apart), clampMax: binary(clampMax, ...apart),
  hardTanh: unary(x => hardTanh(x), operand([2, 3], away(-2, 2, [-1, 1]))), relu6: unary(relu6, operand([2, 3], away(-3, 9, [0, 6]))),
  threshold: unary(x => threshold(x, 0.5, 2), operand([2, 3], away(-2, 2, [0.5]))),
  hardShrink: unary(x => hardShrink(x), operand([2, 3], away(-2, 2, [-0.5, 0.5]))), softShrink: unary(x => softShrink(x), operand([2, 3], away(-2, 2, [-0.5, 0.5]))),
  tanhShrink: unary(tanhShrink), logSigmoid: unary(logSigmoid, clear),
  softplus: unary(x => softplus(x, { beta: 3, threshold: 1 }), operand([2, 3], away(-2, 2, [0, 1 / 3]))),
  softmin: unary(x => softmin(x, 0)), glu: [{ f: x => glu(x, 1), operands: [operand([2, 4])] }],
  prelu: [{ f: prelu, operands: [operand([2, 3, 2], away(-2, 2, [0])), operand([3])] }, { f: prelu, operands: [operand([3], away(-2, 2, [0])), operand([])] }],
  rrelu: unary(x => rrelu(x, { lower: 0.1, upper: 0.5 }), clear),
  gumbelSoftmax: [{ f: (x, noise) => gumbelSoftmax(x, { noise, tau: 0.7, axis: 0 }), operands: [x, operand([2, 3], uniform(-1, 3))] }],
  dropout: [{ f: x => dropout(x, 0.5, { training: false }), operands: [x] }, { f: x => dropout(x, 1), operands: [x] }],
  featureDropout: unary(x => featureDropout(x, 0)), alphaDropout: unary(x => alphaDropout(x, 0)), featureAlphaDropout: unary(x => featureAlphaDropout(x, 1)),
}
