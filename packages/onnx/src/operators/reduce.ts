// Reductions, index of the largest element, running sums and the k largest.

import { broadcastTo, full, mul, type Tensor, tensor } from '@bp/core'
import { fail, isFloat, normaliseAxes, normaliseAxis } from '@bp/core/extend'
import { abs, amax, amin, argMax, cast, concat, cumProd, cumSum, flip, greater, log, logSumExp, mean, narrow, neg, reshape, square, squeeze, sub, sum, topk, vectorNorm } from '@bp/ops'
import { elementTypeOf, toNumbers, toTensor } from '../import/value.ts'
import type { ElementType } from '../proto/elementType.ts'
import { onTensors, onValues, type Operator, type Operators, numbersOf } from './operator.ts'

/** `type` is the element type that x, which may be its carrier, has in the file. */
type Reduction = (x: Tensor, axes: readonly number[], keepDims: boolean, type: ElementType) => Tensor

/** A reduction over axes that an attribute gives before version `since`, an input from then on; all unless given. */
const reduction = (f: Reduction, since = 18): Operator => onValues(1, (inputs, attributes, node) => {
  const [x, type] = [toTensor(inputs[0]!), elementTypeOf(inputs[0]!)]
  const given = numbersOf('axes', 1, node.opset < since ? [] : inputs, attributes)
  if (!given?.length && attributes.int('noop_with_empty_axes', 0) !== 0) return noop(x, f, type)
  return f(x, normaliseAxes(node.operator, given?.length ? given : undefined, x.rank), attributes.int('keepdims', 1) !== 0, type)
})

/** No axes and `noop_with_empty_axes`: only what the operator does to each element by itself, a reduction over nothing. */
const noop = (x: Tensor, f: Reduction, type: ElementType): Tensor => reshape(f(reshape(x, [...x.shape, 1]), [x.rank], false, type), x.shape)

/** The extreme of no elements is the other end of the type, ∓∞ of floats, as in NumPy with an initial value. */
const extreme = (f: Reduction, sign: 1 | -1): Reduction => (x, axes, keepDims, type) => {
  if (x.dtype === 'bool') return greater(extreme(f, sign)(cast(x, 'float32'), axes, keepDims, 'float32'), 0)
  if (!axes.some(axis => x.shape[axis] === 0)) return f(x, axes, keepDims, type)
  return broadcastTo(endOf(type, x, sign), keepDims ? x.shape.map((size, i) => axes.includes(i) ? 1 : size) : x.shape.filter((_, i) => !axes.includes(i)))
}

/** The largest (1) or smallest (−1) number of a type, in the dtype that carries it. */
function endOf(type: ElementType, { dtype, backend }: Tensor, sign: 1 | -1): Tensor {
  const [, unsigned, bits] = /^(u?)int(\d+)$/.exec(type) ?? []
  if (bits === undefined) return full([], sign * Infinity, dtype, backend)
  const values = 1n << BigInt(unsigned ? bits : Number(bits) - 1)
  const end = sign > 0 ? values - 1n : unsigned ? 0n : -values
  return dtype === 'int64' ? tensor(BigInt64Array.of(BigInt.asIntN(64, end)), { shape: [], backend }) : tensor(Number(end), { dtype, backend })
}

/** The product along axes by halving: ⌈log₂ n⌉ multiplications deep, and its derivative is right at zeros too. */
const product: Reduction = (x, axes, keepDims) => {
  const y = axes.reduce((part, axis) => productAlong(part, axis), x)
  return keepDims ? y : squeeze(y, axes)
}

function productAlong(x: Tensor, axis: number): Tensor {
  const n = x.shape[axis]!
  if (n === 1) return x
  if (n === 0) return full(x.shape.map((size, i) => i === axis ? 1 : size), 1, x.dtype, x.backend)
  const half = Math.floor(n / 2)
  const pairs = mul(narrow(x, axis, 0, half), narrow(x, axis, half, half))
  return productAlong(n % 2 === 0 ? pairs : concat([pairs, narrow(x, axis, n - 1, 1)], axis), axis)
}

/** The index of the largest element of an axis, the first or the last of several. */
const indexOf = (largest: boolean): Operator => onTensors(1, ([x], attributes, node) => {
  const axis = normaliseAxis(node.operator, attributes.int('axis', 0), x!.rank)
  const signed = isFloat(x!.dtype) || largest ? x! : cast(x!, 'float64')
  const sorted = largest ? x! : neg(signed)
  const last = attributes.int('select_last_index', 0) !== 0
  const index = last ? sub(x!.shape[axis]! - 1, argMax(flip(sorted, axis), axis)) : argMax(sorted, axis)
  const kept = attributes.int('keepdims', 1) !== 0 ? reshape(index, x!.shape.with(axis, 1)) : index
  return cast(kept, 'int64')
})

/** A running sum or product; exclusive ones start at what changes nothing and leave the last element out. */
const running = (f: (x: Tensor, axis: number, reverse: boolean) => Tensor, neutral: number): Operator => onTensors(2, ([x, at], attributes, node) => {
  const axis = normaliseAxis(node.operator, toNumbers(at!)[0]!, x!.rank)
  const reverse = attributes.int('reverse', 0) !== 0
  const y = f(x!, axis, reverse)
  const n = x!.shape[axis]!
  if (attributes.int('exclusive', 0) === 0 || n === 0) return y
  const nothing = full(x!.shape.with(axis, 1), neutral, x!.dtype, x!.backend)
  return concat(reverse ? [narrow(y, axis, 1, n - 1), nothing] : [nothing, narrow(y, axis, 0, n - 1)], axis)
})

const largestK: Operator = (inputs, attributes, node, context) => {
  const count = inputs[1] ? toNumbers(inputs[1])[0]! : attributes.int('k', 0)
  return onTensors(1, ([x]) => {
    const axis = normaliseAxis(node.operator, attributes.int('axis', -1), x!.rank)
    if (count > x!.shape[axis]!) fail('value', node.operator, `k is ${count}, but axis ${axis} has only ${x!.shape[axis]} entries`)
    const [values, indices] = topk(x!, count, axis, attributes.int('largest', 1) !== 0)
    return [values, cast(indices, 'int64')]
  })(inputs, attributes, node, context)
}

/** Reductions by name. */
export const reduce: Operators = {
  ReduceSum: reduction(sum, 13),
  ReduceMean: reduction(mean),
  ReduceMax: reduction(extreme(amax, -1)),
  ReduceMin: reduction(extreme(amin, 1)),
  ReduceProd: reduction(product),
  ReduceL1: reduction((x, axes, keepDims) => sum(abs(x), axes, keepDims)),
  ReduceL2: reduction((x, axes, keepDims) => cast(vectorNorm(isFloat(x.dtype) ? x : cast(x, 'float64'), { axes, keepDims }), x.dtype)),
  ReduceLogSum: reduction((x, axes, keepDims) => log(sum(x, axes, keepDims))),
  ReduceLogSumExp: reduction(extreme(logSumExp, -1)),
  ReduceSumSquare: reduction((x, axes, keepDims) => sum(square(x), axes, keepDims)),
  ArgMax: indexOf(true), ArgMin: indexOf(false),
  CumSum: running(cumSum, 0), CumProd: running(cumProd, 1), TopK: largestK,
}
