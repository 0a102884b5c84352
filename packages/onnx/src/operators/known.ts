// Operators on values that are known without tensors: the shape arithmetic of a model, done in plain JavaScript.

import type { DType, Shape } from '@bp/core'
import { allocate, broadcastShapes, convert, isFloat, normaliseAxes, normaliseAxis, sizeOf, stridesOf } from '@bp/core/extend'
import { int64s, Known, knownLimit, toNumbers as numbers } from '../import/value.ts'
import { expanded, flattened, permutation, reshaped, sliced, squeezed, unsqueezed } from './geometry.ts'
import type { KnownOperator } from './operator.ts'

/** Numbers as a known value. */
const known = (dtype: DType, shape: Shape, values: readonly number[]): Known => dtype === 'int64' ? int64s(values, shape) : new Known(dtype, shape, convert(values, dtype))

/** The elements of `x` at the places that `source` finds for each index of the result. */
function move(x: Known, shape: Shape, source: (index: readonly number[]) => number): Known {
  const out = allocate(x.dtype, sizeOf(shape))
  const strides = stridesOf(shape)
  for (let i = 0; i < out.length; i++) out[i] = x.data[source(shape.map((size, axis) => Math.floor(i / strides[axis]!) % size))]!
  return new Known(x.dtype, shape, out)
}

/** The flat place in a broadcast operand that an index of the result reads. */
function broadcastPlace(from: Shape): (index: readonly number[]) => number {
  const strides = stridesOf(from)
  return index => from.reduce((at, size, i) => at + (size === 1 ? 0 : index[index.length - from.length + i]! * strides[i]!), 0)
}

const expandTo = (x: Known, shape: Shape): Known => move(x, shape, broadcastPlace(x.shape))

const expand: KnownOperator = ([x, target], _attributes, node) => {
  const shape = expanded(x!, numbers(target!), node)
  return sizeOf(shape) > knownLimit ? null : expandTo(x!, shape)
}

const sameElements = (x: Known, shape: Shape): Known => new Known(x.dtype, shape, x.data)

/** An elementwise operator of any number of operands; the result has the dtype given, else the last operand's. */
const map = (f: (...xs: number[]) => number, dtype?: DType): KnownOperator => (xs, _attributes, node) => {
  if (node.opset < 7) return null
  const shape = xs.reduce<Shape>((a, b) => broadcastShapes(node.operator, a, b.shape), [])
  if (sizeOf(shape) > knownLimit) return null
  const lists = xs.map(x => numbers(expandTo(x, shape)))
  const type = dtype ?? xs.at(-1)!.dtype
  const results = Array.from({ length: sizeOf(shape) }, (_, i) => f(...lists.map(list => list[i]!)))
  // what a JavaScript number does not hold exactly is computed on tensors
  if (xs.some((x, i) => x.dtype === 'int64' && !lists[i]!.every(Number.isSafeInteger)) || (type === 'int64' && !results.every(Number.isSafeInteger))) return null
  return known(type, shape, results)
}

/** Division as the dtype has it: whole numbers towards zero. Division of them by 0 is left to the backend. */
const divide: KnownOperator = (xs, attributes, node) => {
  const whole = !isFloat(xs[0]!.dtype)
  if (whole && numbers(xs[1]!).includes(0)) return null
  return map((a, b) => whole ? Math.trunc(a / b) : a / b)(xs, attributes, node)
}

const gather: KnownOperator = ([x, index], attributes, node) => {
  const axis = normaliseAxis(node.operator, attributes.int('axis', 0), x!.shape.length)
  const size = x!.shape[axis]!
  const at = numbers(index!).map(i => i < 0 ? i + size : i)
  if (at.some(i => i < 0 || i >= size)) return null
  const strides = stridesOf(x!.shape)
  const inner = stridesOf(index!.shape)
  const shape = [...x!.shape.slice(0, axis), ...index!.shape, ...x!.shape.slice(axis + 1)]
  if (sizeOf(shape) > knownLimit) return null
  return move(x!, shape, place => {
    const which = at[inner.reduce((sum, stride, i) => sum + stride * place[axis + i]!, 0)]!
    const own = [...place.slice(0, axis), which, ...place.slice(axis + inner.length)]
    return own.reduce((sum, i, j) => sum + i * strides[j]!, 0)
  })
}

const concat: KnownOperator = (xs, attributes, node) => {
  const axis = normaliseAxis(node.operator, attributes.int('axis', 1), xs[0]!.shape.length)
  if (axis !== 0 || xs.some(x => x.shape.length !== 1 || x.dtype !== xs[0]!.dtype)) return null
  const out = allocate(xs[0]!.dtype, xs.reduce((sum, x) => sum + x.data.length, 0))
  let at = 0
  for (const x of xs) for (const value of x.data) out[at++] = value
  return new Known(xs[0]!.dtype, [out.length], out)
}

const slice: KnownOperator = (inputs, attributes, node) => {
  const x = inputs[0]!
  const axes = sliced(inputs, attributes, node)
  const strides = stridesOf(x.shape)
  return move(x, axes.map(({ count }) => count), index => index.reduce((sum, i, axis) => sum + (axes[axis]!.start + i * axes[axis]!.step) * strides[axis]!, 0))
}

const transpose: KnownOperator = ([x], attributes, node) => {
  const perm = permutation(x!, attributes, node)
  const strides = stridesOf(x!.shape)
  return move(x!, perm.map(axis => x!.shape[axis]!), index => index.reduce((sum, i, axis) => sum + i * strides[perm[axis]!]!, 0))
}

/** A reduction of a vector to its one value. */
const reduceAll = (f: (a: number, b: number) => number): KnownOperator => (inputs, attributes, node) => {
  const x = inputs[0]!
  const axes = inputs[1] ? numbers(inputs[1]) : attributes.ints('axes')
  if (x.shape.length !== 1 || x.data.length === 0 || (axes && (axes.length !== 1 || normaliseAxes(node.operator, axes, 1).length !== 1))) return null
  return known(x.dtype, attributes.int('keepdims', 1) !== 0 ? [1] : [], [numbers(x).reduce((a, b) => f(a, b))])
}

/** The same numbers as another dtype. */
export const castKnown = (x: Known, dtype: DType): Known => new Known(dtype, x.shape, convert(x.dtype === 'float16' ? numbers(x) : x.data, dtype))

/** Comparisons of more than this many elements make masks, not shapes: they are left to tensors, so that a program being traced has them as ops. */
const mostCompared = 16

const truth = (f: (a: number, b: number) => boolean): KnownOperator => {
  const compare = map((a, b) => f(a, b) ? 1 : 0, 'bool')
  return (xs, attributes, node) => isMask(node.operator, xs) ? null : compare(xs, attributes, node)
}

/** Whether an operator compares so many elements that it makes a mask. */
export const isMask = (operator: string, xs: readonly Known[]): boolean =>
  ['Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual'].includes(operator) && sizeOf(broadcastShapes(operator, xs[0]!.shape, xs[1]?.shape ?? [])) > mostCompared

/** Operators on known values by name; each gives what the operator of the same name gives on tensors. */
export const onKnown: Readonly<Record<string, KnownOperator>> = {
  Identity: ([x]) => x!,
  Reshape: ([x, target], attributes, node) => sameElements(x!, reshaped(x!, numbers(target!), attributes, node)),
  Flatten: ([x], attributes, node) => sameElements(x!, flattened(x!, attributes, node)),
  Squeeze: (inputs, attributes, node) => sameElements(inputs[0]!, squeezed(inputs, attributes, node)),
  Unsqueeze: (inputs, attributes, node) => sameElements(inputs[0]!, unsqueezed(inputs, attributes, node)),
  Gather: gather, Concat: concat, Slice: slice, Transpose: transpose,
  Expand: expand,
  Add: map((a, b) => a + b), Sub: map((a, b) => a - b), Mul: map((a, b) => a * b), Div: divide,
  Neg: map(a => -a), Abs: map(Math.abs), Floor: map(Math.floor), Ceil: map(Math.ceil), Sqrt: map(Math.sqrt),
  Max: map(Math.max), Min: map(Math.min),
  Equal: truth((a, b) => a === b), Less: truth((a, b) => a < b), LessOrEqual: truth((a, b) => a <= b),
  Greater: truth((a, b) => a > b), GreaterOrEqual: truth((a, b) => a >= b),
  And: truth((a, b) => a !== 0 && b !== 0), Or: truth((a, b) => a !== 0 || b !== 0), Not: map(a => a === 0 ? 1 : 0, 'bool'),
  Where: map((c, a, b) => c !== 0 ? a : b),
  ReduceProd: reduceAll((a, b) => a * b), ReduceSum: reduceAll((a, b) => a + b), ReduceMax: reduceAll(Math.max), ReduceMin: reduceAll(Math.min),
}
