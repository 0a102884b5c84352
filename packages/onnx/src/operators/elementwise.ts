// Elementwise arithmetic, comparison and logic, with NumPy's broadcasting.

import { add, full, mul, type Tensor } from '@bp/core'
import { fail, isFloat } from '@bp/core/extend'
import {
  abs, acos, asin, atan, cast, ceil, clamp, cos, div, equal, erf, exp, expm1, floor, greater, greaterEqual, less, lessEqual, log, log1p, logicalAnd,
  logicalNot, logicalOr, maximum, minimum, neg, notEqual, pow, reciprocal, round, select, sign, sin, sqrt, square, sub, tan, tanh,
} from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import { unsupported } from '../import/errors.ts'
import type { ModelNode } from '../import/load.ts'
import { dtypeOfCode } from '../proto/tensor.ts'
import { aligned } from './legacy.ts'
import { onTensors, type Operator, type Operators } from './operator.ts'

/** An operator on one tensor that has no attributes. */
export const unary = (f: (x: Tensor) => Tensor): Operator => onTensors(1, ([x]) => f(x!))

const binary = (f: (a: Tensor, b: Tensor) => Tensor): Operator =>
  onTensors(2, ([a, b], attributes, node) => f(a!, aligned(a!, b!, attributes, node)))

const variadic = (f: (a: Tensor, b: Tensor) => Tensor): Operator => onTensors(1, xs => xs.reduce(f))

/** aᵇ, where the exponent may be of another dtype; the result has the base's. */
function power(a: Tensor, b: Tensor): Tensor {
  if (isFloat(a.dtype)) return pow(a, cast(b, a.dtype))
  return cast(pow(cast(a, 'float64'), cast(b, 'float64')), a.dtype)
}

/** The remainder: with the divisor's sign as Python has it, or with `fmod` the dividend's, as C has it. */
const remainder = onTensors(2, ([a, b], attributes, node) => {
  const dividend = a!
  const divisor = b!
  const quotient = div(dividend, divisor)
  if (attributes.int('fmod', 0) !== 0) {
    if (!isFloat(dividend.dtype)) return sub(dividend, mul(divisor, quotient))
    return unsupported(node.operator, 'fmod on floating-point numbers')
  }
  if (isFloat(dividend.dtype)) return sub(dividend, mul(divisor, floor(quotient)))
  const rest = sub(dividend, mul(divisor, quotient))
  return select(logicalAnd(notEqual(rest, 0), notEqual(less(rest, 0), less(divisor, 0))), add(rest, divisor), rest)
})

const clip: Operator = onTensors(1, ([x, low, high], attributes, node) => {
  if (node.opset >= 11) return clamp(x!, low, high)
  return clamp(x!, attributes.has('min') ? attributes.float('min', 0) : undefined, attributes.has('max') ? attributes.float('max', 0) : undefined)
})

const convertTo = (x: Tensor, attributes: Attributes, node: ModelNode): Tensor => cast(x, dtypeOfCode(node.operator, attributes.int('to', 0), 'attribute to'))

/** log((1 + x)/(1 − x))/2 */
const arctanh = (x: Tensor): Tensor => mul(0.5, sub(log1p(x), log1p(neg(x))))

/** sign x · log(|x| + √(x² + 1)), without cancelling for negative x */
const arcsinh = (x: Tensor): Tensor => mul(sign(x), log1p(add(abs(x), div(square(x), add(1, sqrt(add(1, square(x))))))))

const arccosh = (x: Tensor): Tensor => log(add(x, mul(sqrt(sub(x, 1)), sqrt(add(x, 1)))))

/** (u + u/(u + 1))/2 with u = eˣ − 1, which is exact near 0 */
function hyperbolicSine(x: Tensor): Tensor {
  const u = expm1(abs(x))
  return mul(sign(x), mul(0.5, select(less(u, Infinity), add(u, div(u, add(u, 1))), u)))
}

const hyperbolicCosine = (x: Tensor): Tensor => mul(0.5, add(exp(x), exp(neg(x))))

const infinite = onTensors(1, ([x], attributes) => {
  const signs = [attributes.int('detect_positive', 1) ? Infinity : null, attributes.int('detect_negative', 1) ? -Infinity : null].filter(s => s !== null)
  return signs.map(s => equal(x!, s)).reduce<Tensor>(logicalOr, cast(full(x!.shape, 0, 'uint8', x!.backend), 'bool'))
})

/** Elementwise operators by name. */
export const elementwise: Operators = {
  Add: binary(add), Sub: binary(sub), Mul: binary(mul), Div: binary(div), Pow: binary(power), Mod: remainder,
  Max: variadic(maximum), Min: variadic(minimum), Sum: variadic(add),
  Mean: onTensors(1, xs => div(xs.reduce((a, b) => add(a, b)), xs.length)),
  Neg: unary(neg), Abs: unary(abs), Sign: unary(sign), Floor: unary(floor), Ceil: unary(ceil), Round: unary(round), Reciprocal: unary(reciprocal),
  Exp: unary(exp), Log: unary(log), Sqrt: unary(sqrt), Erf: unary(erf),
  Sin: unary(sin), Cos: unary(cos), Tan: unary(tan), Asin: unary(asin), Acos: unary(acos), Atan: unary(atan),
  Sinh: unary(hyperbolicSine), Cosh: unary(hyperbolicCosine), Tanh: unary(tanh), Asinh: unary(arcsinh), Acosh: unary(arccosh), Atanh: unary(arctanh),
  Equal: binary(equal), Less: binary(less), LessOrEqual: binary(lessEqual), Greater: binary(greater), GreaterOrEqual: binary(greaterEqual),
  And: binary(logicalAnd), Or: binary(logicalOr), Xor: binary(notEqual), Not: unary(logicalNot),
  IsNaN: unary(x => notEqual(x, x)), IsInf: infinite,
  Clip: clip,
  Where: onTensors(3, ([c, a, b]) => select(c!, a!, b!)),
  Cast: onTensors(1, ([x], attributes, node) => convertTo(x!, attributes, node)),
  CastLike: onTensors(2, ([x, like]) => cast(x!, like!.dtype)),
  Identity: ([x], _attributes, node) => x ?? fail('data', node.operator, 'its input is missing. The file is damaged'),
}
