// Functions of single elements: arithmetic, exponentials, trigonometry, special functions.

import { broadcastTo, full, type Tensor, type TensorLike, zerosLike } from '@bp/core'
import {
  abs, acos, acosh, add, addcdiv, addcmul, angle, asin, asinh, atan, atan2, atanh, cast, ceil, clamp, clampMax, clampMin, conj, copysign, cos, cosh, deg2rad, detach,
  digamma, div, entr, erf, erfc, erfcx, erfinv, exp, exp2, expm1, floatPower, floor, floorDivide, fmax, fmin, fmod, frac, frexp, heaviside, hypot, i0, i0e, i1, i1e, ldexp,
  lerp, lgamma, log, log10, log1p, log2, logAddExp, logAddExp2, logit, logNdtr, maximum, minimum, mul, mvlgamma, nanToNum, ndtr, ndtri, neg, polygamma,
  positive, pow, rad2deg, real, reciprocal, remainder, round, rsqrt, select, sgn, sigmoid, sign, sin, sinc, sinh, sqrt, square, sub, tan, tanh, trunc, truncDivide,
  xlog1py, xlogy,
} from '@bp/ops'
import { Unsupported } from '../../compare.ts'
import type { Adapter, Arguments } from './arguments.ts'

const unary = (f: (x: Tensor) => Tensor): Adapter => call => f(call.input)

const binary = (f: (a: TensorLike, b: TensorLike) => Tensor): Adapter => call => f(call.operand(0, 'input'), call.operand(1, 'other'))

const reflected = (f: (a: TensorLike, b: TensorLike) => Tensor): Adapter => call => f(call.operand(1, 'other'), call.operand(0, 'input'))

/** b, or alpha·b where alpha is given. */
function scaled(call: Arguments, b: TensorLike): TensorLike {
  const alpha = call.number(2, 'alpha', 1)
  return alpha === 1 ? b : mul(b, alpha)
}

const constant = (x: TensorLike): TensorLike => typeof x === 'number' ? x : detach(x)

const divide: Adapter = call => {
  const rounding = call.value(2, 'rounding_mode')
  const [a, b] = [call.operand(0, 'input'), call.operand(1, 'other')]
  switch (rounding) {
    case undefined: return div(a, b)
    case 'trunc': return truncDivide(a, b)
    case 'floor': return floorDivide(a, b)
    default: return refuse(`rounding_mode ${JSON.stringify(rounding)}`)
  }
}

const derivativesOfDigamma: Adapter = call => typeof call.value(1, 'n') === 'number' ? polygamma(call.number(1, 'n'), call.input) : polygamma(call.number(0, 'n'), call.tensor(1, 'input'))

const cutLogit: Adapter = call => {
  const eps = call.maybeNumber(1, 'eps')
  return eps === undefined ? logit(call.input) : logit(call.input, eps)
}

const random: Adapter = () => refuse('numbers of PyTorch\'s own generator')

function refuse(what: string): never {
  throw new Unsupported(what)
}

/** The bound of a clamp: a number, a tensor, or none. */
const bound = (call: Arguments, place: number, keyword: string): TensorLike | undefined => call.has(place, keyword) ? call.operand(place, keyword) : undefined

/** The adapters of this family. */
export const elementwise: Readonly<Record<string, Adapter>> = {
  add: call => add(call.operand(0, 'input'), scaled(call, call.operand(1, 'other'))),
  sub: call => sub(call.operand(0, 'input'), scaled(call, call.operand(1, 'other'))),
  rsub: call => sub(call.operand(1, 'other'), scaled(call, call.operand(0, 'input'))),
  mul: binary(mul),
  div: divide,
  true_divide: binary(div),
  __radd__: reflected(add),
  __rsub__: reflected(sub),
  __rmul__: reflected(mul),
  __rdiv__: reflected(div),
  __rmod__: reflected(remainder),
  // the base goes through torch.tensor(), which copies it
  __rpow__: call => pow(constant(call.operand(1, 'other')), call.input),
  floor_divide: binary(floorDivide),
  fmod: binary(fmod),
  remainder: binary(remainder),
  pow: call => pow(call.operand(0, 'input'), call.operand(1, 'exponent')),
  float_power: call => floatPower(call.operand(0, 'input'), call.operand(1, 'exponent')),
  maximum: binary(maximum),
  minimum: binary(minimum),
  'max/binary': binary(maximum),
  'min/binary': binary(minimum),
  fmax: binary(fmax),
  fmin: binary(fmin),
  atan2: binary(atan2),
  hypot: binary(hypot),
  copysign: binary(copysign),
  xlogy: binary(xlogy),
  logaddexp: binary(logAddExp),
  logaddexp2: binary(logAddExp2),
  ldexp: call => ldexp(call.input, call.operand(1, 'other')),
  heaviside: call => heaviside(call.input, call.operand(1, 'values')),
  lerp: call => lerp(call.input, call.tensor(1, 'end'), call.operand(2, 'weight')),
  addcmul: call => addcmul(call.input, call.tensor(1, 'tensor1'), call.tensor(2, 'tensor2'), call.number(3, 'value', 1)),
  addcdiv: call => addcdiv(call.input, call.tensor(1, 'tensor1'), call.tensor(2, 'tensor2'), call.number(3, 'value', 1)),
  clamp: call => clamp(call.input, bound(call, 1, 'min'), bound(call, 2, 'max')),
  clamp_min: call => clampMin(call.input, call.operand(1, 'min')),
  clamp_max: call => clampMax(call.input, call.operand(1, 'max')),
  where: call => select(call.tensor(1, 'condition'), call.operand(0, 'input'), call.operand(2, 'other')),

  abs: unary(abs), neg: unary(neg), positive: unary(positive), sign: unary(sign), sgn: unary(sgn), square: unary(square), reciprocal: unary(reciprocal),
  sqrt: unary(sqrt), rsqrt: unary(rsqrt), exp: unary(exp), exp2: unary(exp2), expm1: unary(expm1), log: unary(log), log2: unary(log2), log10: unary(log10),
  log1p: unary(log1p), sigmoid: unary(sigmoid),
  sin: unary(sin), cos: unary(cos), tan: unary(tan), asin: unary(asin), acos: unary(acos), atan: unary(atan),
  sinh: unary(sinh), cosh: unary(cosh), tanh: unary(tanh), asinh: unary(asinh), acosh: unary(acosh), atanh: unary(atanh),
  deg2rad: unary(deg2rad), rad2deg: unary(rad2deg), sinc: unary(sinc),
  floor: unary(floor), ceil: unary(ceil), trunc: unary(trunc), frac: unary(frac), round: call => round(call.input, call.number(1, 'decimals', 0)),
  frexp: call => frexp(call.input),
  nan_to_num: call => {
    const [nan, posInf, negInf] = [call.number(1, 'nan', 0), call.maybeNumber(2, 'posinf'), call.maybeNumber(3, 'neginf')]
    return nanToNum(call.input, { nan, ...posInf !== undefined && { posInf }, ...negInf !== undefined && { negInf } })
  },
  real: unary(real), conj: unary(conj), conj_physical: unary(conj), resolve_conj: unary(x => x), resolve_neg: unary(x => x), angle: unary(angle),
  clone: unary(x => x), contiguous: unary(x => x),
  double: unary(x => cast(x, 'float64')), float: unary(x => cast(x, 'float32')), half: unary(x => cast(x, 'float16')),
  zero_: unary(zerosLike),
  fill: call => {
    const value = call.operand(1, 'value')
    return typeof value === 'number' ? full(call.input.shape, value, call.input.dtype) : broadcastTo(cast(value, call.input.dtype), call.input.shape)
  },

  erf: unary(erf), erfc: unary(erfc), erfinv: unary(erfinv), lgamma: unary(lgamma), digamma: unary(digamma), i0: unary(i0), logit: cutLogit,
  polygamma: derivativesOfDigamma,
  mvlgamma: call => mvlgamma(call.input, call.number(1, 'p')),
  'special.polygamma': derivativesOfDigamma,
  'special.i0e': unary(i0e), 'special.i1': unary(i1), 'special.i1e': unary(i1e),
  'special.erfcx': unary(erfcx), 'special.ndtr': unary(ndtr), 'special.ndtri': unary(ndtri), 'special.log_ndtr': unary(logNdtr),
  'special.entr': unary(entr), 'special.xlog1py': binary(xlog1py), 'special.logit': cutLogit,

  normal: random, bernoulli: random,
}
