// Reductions, index of the largest element, running sums and the k largest.

import { full, mul, type Tensor } from '@bp/core'
import { fail, isFloat, normaliseAxes, normaliseAxis } from '@bp/core/extend'
import { abs, amax, amin, argMax, cast, concat, cumSum, flip, log, logSumExp, mean, narrow, neg, reshape, square, squeeze, sub, sum, topk, vectorNorm } from '@bp/ops'
import { unsupported } from '../import/errors.ts'
import { toNumbers } from '../import/value.ts'
import { onTensors, type Operator, type Operators, numbersOf } from './operator.ts'

type Reduction = (x: Tensor, axes: readonly number[], keepDims: boolean) => Tensor

/** A reduction over axes that an attribute gives before version `since`, an input from then on; all unless given. */
const reduction = (f: Reduction, since = 18): Operator => onTensors(1, ([x, axes], attributes, node) => {
  const given = numbersOf('axes', 1, node.opset < since ? [] : [x, axes], attributes)
  if (!given?.length && attributes.int('noop_with_empty_axes', 0) !== 0) return noop(x!, f)
  return f(x!, normaliseAxes(node.operator, given?.length ? given : undefined, x!.rank), attributes.int('keepdims', 1) !== 0)
})

/** No axes and `noop_with_empty_axes`: only what the operator does to each element by itself, a reduction over nothing. */
const noop = (x: Tensor, f: Reduction): Tensor => reshape(f(reshape(x, [...x.shape, 1]), [x.rank], false), x.shape)

/** The extreme of no elements is ∓∞, as in NumPy with an initial value. */
const extreme = (f: Reduction, ofNothing: number, operator: string): Reduction => (x, axes, keepDims) => {
  if (x.dtype === 'bool') return cast(extreme(f, ofNothing, operator)(cast(x, 'uint8'), axes, keepDims), 'bool')
  if (!axes.some(axis => x.shape[axis] === 0)) return f(x, axes, keepDims)
  if (!isFloat(x.dtype)) return unsupported(operator, `the extreme of no elements of ${x.dtype}`)
  return full(keepDims ? x.shape.map((size, i) => axes.includes(i) ? 1 : size) : x.shape.filter((_, i) => !axes.includes(i)), ofNothing, x.dtype, x.backend)
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

const runningSum: Operator = onTensors(2, ([x, at], attributes, node) => {
  const axis = normaliseAxis(node.operator, toNumbers(at!)[0]!, x!.rank)
  const reverse = attributes.int('reverse', 0) !== 0
  const y = cumSum(x!, axis, reverse)
  const n = x!.shape[axis]!
  if (attributes.int('exclusive', 0) === 0 || n === 0) return y
  const nothing = full(x!.shape.with(axis, 1), 0, x!.dtype, x!.backend)
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
  ReduceMax: reduction(extreme(amax, -Infinity, 'ReduceMax')),
  ReduceMin: reduction(extreme(amin, Infinity, 'ReduceMin')),
  ReduceProd: reduction(product),
  ReduceL1: reduction((x, axes, keepDims) => sum(abs(x), axes, keepDims)),
  ReduceL2: reduction((x, axes, keepDims) => vectorNorm(x, { axes, keepDims })),
  ReduceLogSum: reduction((x, axes, keepDims) => log(sum(x, axes, keepDims))),
  ReduceLogSumExp: reduction(extreme(logSumExp, -Infinity, 'ReduceLogSumExp')),
  ReduceSumSquare: reduction((x, axes, keepDims) => sum(square(x), axes, keepDims)),
  ArgMax: indexOf(true), ArgMin: indexOf(false),
  CumSum: runningSum, TopK: largestK,
}
