// Products and convolutions of quantised numbers: MatMulInteger, ConvInteger, QLinearMatMul, QLinearConv.

import { add, type DType, mul, type Tensor } from '@bp/core'
import { fail, sizeOf } from '@bp/core/extend'
import { cast, div, matmul, reshape, sub } from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import type { ModelNode } from '../import/load.ts'
import { elementTypeOf, toTensor, type Value } from '../import/value.ts'
import { convolved } from './conv.ts'
import { onValues, type Operator, type Operators } from './operator.ts'
import { codeOf, codes, quantise } from './quantise.ts'

/**
 * A float type in which so many products of 8-bit numbers, each less its zero point, add up without rounding: 255² · 258 < 2²⁴. Floats have
 * the fast kernels.
 */
const exact = (terms: number): DType => terms <= 258 ? 'float32' : 'float64'

/** x less its zero point. */
const centred = (x: Value, zero: Tensor | undefined, dtype: DType): Tensor => zero ? sub(cast(codes(x), dtype), cast(zero, dtype)) : cast(codes(x), dtype)

/** A scale or zero point of the left operand, where a vector has one entry a row; of the right one it has one a column, which broadcasts. */
const byRow = <T extends Tensor | undefined>(v: T): T | Tensor => v?.rank === 1 && v.size > 1 ? reshape(v, [v.size, 1]) : single(v)

/** One number is a scalar, whatever its axes. */
export const single = <T extends Tensor | undefined>(v: T): T | Tensor => v?.size === 1 ? reshape(v, []) : v

/** The sums of products of codes, each less its zero point. */
export function product(a: Value, b: Value, zeroA: Tensor | undefined, zeroB: Tensor | undefined, dtype = exact(a.shape.at(-1)!)): Tensor {
  return matmul(centred(a, byRow(zeroA), dtype), centred(b, single(zeroB), dtype))
}

/** A scale or zero point of weights, where a vector has one entry an output channel. */
const byChannel = (v: Tensor, rank: number): Tensor => v.size > 1 ? reshape(v, [v.size, ...new Array<number>(rank - 1).fill(1)]) : reshape(v, [])

function convolution(x: Value, w: Value, zeroX: Tensor | undefined, zeroW: Tensor | undefined, attributes: Attributes, node: ModelNode): Tensor {
  const dtype = exact(sizeOf(w.shape.slice(1)))
  return convolved(centred(x, single(zeroX), dtype), centred(w, zeroW && byChannel(zeroW, w.shape.length), dtype), undefined, attributes, node)
}

/** Sums of products in the steps of the result's scale, as its codes. */
const requantised = (sums: Tensor, scaleA: Tensor, scaleB: Tensor, scaleY: Tensor, zeroY: Value, node: ModelNode): Value => {
  const factor = div(mul(cast(scaleA, 'float32'), cast(scaleB, 'float32')), cast(single(scaleY), 'float32'))
  return quantise(mul(sums, cast(factor, sums.dtype)), single(toTensor(zeroY)), codeOf(node, elementTypeOf(zeroY)))
}

/** The operands that must be there: all but a bias. */
const needed = (inputs: readonly (Value | undefined)[], node: ModelNode): readonly Value[] =>
  inputs.slice(0, 8).map(value => value ?? fail('data', node.operator, 'an input is missing. The file is damaged'))

const qLinearMatMul: Operator = onValues(8, (inputs, _attributes, node) => {
  const [a, , , b] = needed(inputs, node) as [Value, Value, Value, Value]
  const [, scaleA, zeroA, , scaleB, zeroB, scaleY] = needed(inputs, node).map(toTensor) as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]
  return requantised(product(a, b, zeroA, zeroB), byRow(scaleA), single(scaleB), scaleY, inputs[7]!, node)
})

const qLinearConv: Operator = onValues(8, (inputs, attributes, node) => {
  const [x, , , w] = needed(inputs, node) as [Value, Value, Value, Value]
  const [, scaleX, zeroX, , scaleW, zeroW, scaleY] = needed(inputs, node).map(toTensor) as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]
  const sums = convolution(x, w, zeroX, zeroW, attributes, node)
  const rank = w.shape.length - 1
  const bias = inputs[8] && byChannel(toTensor(inputs[8]), rank)
  return requantised(bias ? add(cast(sums, 'float64'), cast(bias, 'float64')) : sums, single(scaleX), byChannel(scaleW, rank), scaleY, inputs[7]!, node)
})

/** An operator on two codes and their zero points. */
const integer = (f: (a: Value, b: Value, zeroA: Tensor | undefined, zeroB: Tensor | undefined, attributes: Attributes, node: ModelNode) => Tensor): Operator =>
  onValues(2, ([a, b, zeroA, zeroB], attributes, node) => cast(f(a!, b!, zeroA && toTensor(zeroA), zeroB && toTensor(zeroB), attributes, node), 'int32'))

/** Operators on quantised numbers by name. */
export const quantised: Operators = {
  MatMulInteger: integer((a, b, zeroA, zeroB) => product(a, b, zeroA, zeroB)), ConvInteger: integer(convolution), QLinearMatMul: qLinearMatMul, QLinearConv: qLinearConv,
}
