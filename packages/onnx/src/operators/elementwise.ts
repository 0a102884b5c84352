// Elementwise arithmetic, comparison and logic, with NumPy's broadcasting.

import { add, full, mul, type Tensor } from '@bp/core'
import { fail, isFloat } from '@bp/core/extend'
import {
  abs, acos, acosh, asin, asinh, atan, atanh, cast, ceil, clamp, cos, cosh, div, equal, erf, exp, floor, fmod, greater, greaterEqual, less, lessEqual, log, logicalAnd,
  logicalNot, logicalOr, maximum, minimum, neg, notEqual, pow, reciprocal, remainder, round, select, sign, sin, sinh, sqrt, sub, tan, tanh,
} from '@bp/ops'
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
  const rounded = cast(pow(cast(a, 'float64'), cast(b, 'float64')), a.dtype)
  return isFloat(b.dtype) ? rounded : select(logicalAnd(greaterEqual(b, 0), less(b, 64)), wholePower(a, cast(b, a.dtype)), rounded)
}

/** aᵇ of whole numbers, exact modulo the size of their type, for exponents from 0 to 63: the product of a's squares where b has a bit. */
function wholePower(a: Tensor, b: Tensor): Tensor {
  let [square, bits] = [a, b]
  let y = full([], 1, a.dtype, a.backend)
  for (let bit = 0; bit < 6; bit++) {
    const half = div(bits, 2)
    y = select(equal(mul(half, 2), bits), y, mul(y, square))
    square = mul(square, square)
    bits = half
  }
  return y
}

/** The remainder: with the divisor's sign as Python has it, or with `fmod` the dividend's, as C has it. */
const modulo = onTensors(2, ([a, b], attributes) => attributes.int('fmod', 0) !== 0 ? fmod(a!, b!) : signed(remainder(a!, b!), b!))

/** The same, a zero with the sign of the divisor. */
const signed = (rest: Tensor, b: Tensor): Tensor => isFloat(rest.dtype) ? select(less(b, 0), neg(sub(0, rest)), add(rest, 0)) : rest

const clip: Operator = onTensors(1, ([x, low, high], attributes, node) => {
  if (node.opset >= 11) return clamp(x!, low, high)
  return clamp(x!, attributes.has('min') ? attributes.float('min', 0) : undefined, attributes.has('max') ? attributes.float('max', 0) : undefined)
})

const infinite = onTensors(1, ([x], attributes) => {
  const signs = [attributes.int('detect_positive', 1) ? Infinity : null, attributes.int('detect_negative', 1) ? -Infinity : null].filter(s => s !== null)
  return signs.map(s => equal(x!, s)).reduce<Tensor>(logicalOr, cast(full(x!.shape, 0, 'uint8', x!.backend), 'bool'))
})

/** Elementwise operators by name. */
export const elementwise: Operators = {
  Add: binary(add), Sub: binary(sub), Mul: binary(mul), Div: binary(div), Pow: binary(power), Mod: modulo,
  Max: variadic(maximum), Min: variadic(minimum), Sum: variadic(add),
  Mean: onTensors(1, xs => div(xs.reduce((a, b) => add(a, b)), xs.length)),
  Neg: unary(neg), Abs: unary(abs), Sign: unary(sign), Floor: unary(floor), Ceil: unary(ceil), Round: unary(round), Reciprocal: unary(reciprocal),
  Exp: unary(exp), Log: unary(log), Sqrt: unary(sqrt), Erf: unary(erf),
  Sin: unary(sin), Cos: unary(cos), Tan: unary(tan), Asin: unary(asin), Acos: unary(acos), Atan: unary(atan),
  Sinh: unary(sinh), Cosh: unary(cosh), Tanh: unary(tanh), Asinh: unary(asinh), Acosh: unary(acosh), Atanh: unary(atanh),
  Equal: binary(equal), Less: binary(less), LessOrEqual: binary(lessEqual), Greater: binary(greater), GreaterOrEqual: binary(greaterEqual),
  And: binary(logicalAnd), Or: binary(logicalOr), Xor: binary(notEqual), Not: unary(logicalNot),
  IsNaN: unary(x => notEqual(x, x)), IsInf: infinite,
  Clip: clip,
  Where: onTensors(3, ([c, a, b]) => select(c!, a!, b!)),
  Identity: ([x], _attributes, node) => x ?? fail('data', node.operator, 'its input is missing. The file is damaged'),
}
