// Shapes as values, and operators that move or repeat elements without computing on them.

import { add, broadcastTo, full, mul, type Tensor } from '@bp/core'
import { describe, fail, normaliseAxis, sizeOf } from '@bp/core/extend'
import { cast, concat, flip, iota, narrow, pad, reshape, slice, split, take, tile, transpose, tril, triu, equal, less, select, sub } from '@bp/ops'
import { entries } from '../import/budget.ts'
import type { ModelNode } from '../import/load.ts'
import { Carried, int64s, Known, StringTensor, toNumbers, toTensor, elementTypeOf, knownLimit } from '../import/value.ts'
import { typeOfCode } from '../proto/tensor.ts'
import { convertTo } from './cast.ts'
import { expanded, flattened, parts, permutation, reshaped, type SliceAxis, sliced, squeezed, unsqueezed } from './geometry.ts'
import { only, onTensors, onValues, type Operator, type Operators, perAxis } from './operator.ts'

const shapeOf: Operator = onValues(1, ([x], attributes) => {
  const { shape } = x!
  const place = (at: number): number => Math.min(shape.length, Math.max(0, at < 0 ? at + shape.length : at))
  return int64s(shape.slice(place(attributes.int('start', 0)), place(attributes.int('end', shape.length))))
})

function sliceTensor(x: Tensor, axes: readonly SliceAxis[]): Tensor {
  const backwards = axes.flatMap(({ step }, i) => step < 0 ? i : [])
  const y = backwards.length > 0 ? flip(x, backwards) : x
  const starts = axes.map(({ start, step }, i) => step < 0 ? x.shape[i]! - 1 - start : start)
  const steps = axes.map(({ step }) => Math.abs(step))
  if (axes.every(({ count }, i) => count === x.shape[i])) return y
  return slice(y, starts.map((start, i) => axes[i]!.count === 0 ? 0 : start), axes.map(({ count }, i) => count === 0 ? 0 : starts[i]! + (count - 1) * steps[i]! + 1), steps)
}

/** Pad: by an attribute before version 11, by inputs since; for some of the axes only since 18. */
const padded: Operator = (inputs, attributes, node, context) => onTensors(1, ([x]) => {
  const tensor = x!
  const mode = attributes.string('mode', 'constant')
  only(node, 'mode', mode, 'constant', 'reflect', 'edge', 'wrap')
  const numbers = inputs[1] ? toNumbers(inputs[1]) : attributes.ints('pads') ?? fail('data', node.operator, 'it has no pads. The file is damaged')
  const axes = inputs[3] ? toNumbers(inputs[3]).map(axis => normaliseAxis(node.operator, axis, tensor.rank)) : tensor.shape.map((_, i) => i)
  perAxis(node, 'pads', numbers, 2 * axes.length, tensor)
  const widths = tensor.shape.map((_, axis): [number, number] => {
    const i = axes.indexOf(axis)
    return i < 0 ? [0, 0] : [numbers[i]!, numbers[i + axes.length]!]
  })
  const value = inputs[2] ? toNumbers(inputs[2])[0] ?? 0 : attributes.float('value', 0)
  if (mode === 'constant') return tensor.dtype === 'bool' ? cast(pad(cast(tensor, 'uint8'), widths, { value }), 'bool') : pad(tensor, widths, { value })
  const cropped = widths.reduce((y, [low, high], axis) => low < 0 || high < 0 ? narrow(y, axis, Math.max(0, -low), y.shape[axis]! + Math.min(0, low) + Math.min(0, high)) : y, tensor)
  return pad(cropped, widths.map(([low, high]) => [Math.max(0, low), Math.max(0, high)] as const), { mode: mode === 'wrap' ? 'circular' : mode as 'reflect' | 'edge' })
})(inputs, attributes, node, context)

const constantOfShape: Operator = onValues(1, ([shape], attributes, node) => {
  const given = attributes.stored('value')
  const sizes = toNumbers(shape!)
  const bad = sizes.find(n => !Number.isSafeInteger(n) || n < 0)
  if (bad !== undefined) fail('value', node.operator, `a size is ${bad}`)
  const count = sizeOf(sizes)
  if (given instanceof StringTensor) return new StringTensor(sizes, new Array<string>(entries(node.operator, count)).fill(given.data[0]!))
  const { dtype, data, type } = given ?? { dtype: 'float32' as const, data: new Float32Array(1) }
  if (type) return new Carried(type, full(sizes, Number(data[0]), dtype))
  if (dtype === 'int64' && count <= knownLimit) return new Known(dtype, sizes, new BigInt64Array(count).fill(data[0] as bigint))
  const value = Number(data[0])
  return dtype === 'bool' ? cast(full(sizes, value, 'uint8'), 'bool') : full(sizes, value, dtype)
})

const range: Operator = onValues(3, ([start, limit, delta]) => {
  const [from, to, by] = [start!, limit!, delta!].map(value => toNumbers(value)[0]!) as [number, number, number]
  const count = Math.max(0, Math.ceil((to - from) / by))
  const { dtype } = start!
  if (dtype === 'int64' && count <= knownLimit) return int64s(Array.from({ length: count }, (_, i) => from + i * by))
  return add(mul(iota(count, dtype), by), from)
})

const triangle: Operator = onValues(1, ([x, k], attributes) => {
  const diagonal = k ? toNumbers(k)[0]! : 0
  const keep = attributes.int('upper', 1) !== 0 ? triu : tril
  const tensor = toTensor(x!)
  if (tensor.size === 0) return tensor
  return tensor.dtype === 'bool' ? cast(keep(cast(tensor, 'uint8'), diagonal), 'bool') : keep(tensor, diagonal)
})

/** Blocks of channels laid out in space, and back: [n, c·b², h, w] ↔ [n, c, h·b, w·b]. */
function depthToSpace(x: Tensor, block: number, mode: string): Tensor {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const depth = c / block ** 2
  return mode === 'CRD'
    ? reshape(transpose(reshape(x, [n, depth, block, block, h, w]), [0, 1, 4, 2, 5, 3]), [n, depth, h * block, w * block])
    : reshape(transpose(reshape(x, [n, block, block, depth, h, w]), [0, 3, 4, 1, 5, 2]), [n, depth, h * block, w * block])
}

function spaceToDepth(x: Tensor, block: number, mode: string): Tensor {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  return reshape(transpose(reshape(x, [n, c, h / block, block, w / block, block]), mode === 'CRD' ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]), [n, c * block ** 2, h / block, w / block])
}

const ofRank = (x: Tensor, rank: number, node: ModelNode): Tensor => x.rank === rank ? x : fail('shape', node.operator, `needs ${rank} axes, got ${describe(x)}`)

const repeated: Operator = (inputs, attributes, node, context) =>
  onTensors(1, ([x]) => tile(x!, perAxis(node, 'repeats', toNumbers(inputs[1] ?? fail('data', node.operator, 'repeats is missing')), x!.rank, x!)))(inputs, attributes, node, context)

const eye: Operator = onValues(1, ([x], attributes, node) => {
  const [rows, columns] = x!.shape as [number, number]
  const type = attributes.has('dtype') ? typeOfCode(node.operator, attributes.int('dtype', 1), 'attribute dtype') : elementTypeOf(x!)
  return convertTo(node.operator, equal(sub(reshape(iota(columns), [1, columns]), reshape(iota(rows), [rows, 1])), attributes.int('k', 0)), type)
})

/** 1 (or another value) at each index along a new axis, else 0 (or another). */
const oneHotAt: Operator = onValues(3, ([index, depth, values], attributes, node) => {
  const at = toTensor(index!)
  const classes = toNumbers(depth!)[0]!
  const axis = normaliseAxis(node.operator, attributes.int('axis', -1), at.rank + 1)
  const places = cast(at, 'int32')
  const wrapped = select(less(places, 0), add(places, classes), places)
  const hot = equal(reshape(wrapped, at.shape.toSpliced(axis, 0, 1)), reshape(iota(classes), [classes, ...new Array<number>(at.rank - axis).fill(1)]))
  const [off, on] = split(toTensor(values!), 1).map(x => reshape(x, [])) as [Tensor, Tensor]
  return select(hot, on, off)
})

/** Operators on shapes and places by name. */
export const shape: Operators = {
  Shape: shapeOf,
  Size: onValues(1, ([x]) => int64s([sizeOf(x!.shape)], [])),
  Reshape: onValues(1, ([x, target], attributes, node) => {
    const sizes = target ? toNumbers(target) : fail('data', node.operator, 'the target shape is missing. The file is damaged')
    return reshape(toTensor(x!), reshaped(x!, sizes, attributes, node))
  }),
  Flatten: onTensors(1, ([x], attributes, node) => reshape(x!, flattened(x!, attributes, node))),
  Squeeze: onValues(1, (inputs, attributes, node) => reshape(toTensor(inputs[0]!), squeezed(inputs, attributes, node))),
  Unsqueeze: onValues(1, (inputs, attributes, node) => reshape(toTensor(inputs[0]!), unsqueezed(inputs, attributes, node))),
  Transpose: onTensors(1, ([x], attributes, node) => transpose(x!, permutation(x!, attributes, node))),
  Concat: onTensors(1, (xs, attributes, node) => concat(xs, normaliseAxis(node.operator, attributes.int('axis', 1), xs[0]!.rank))),
  Split: onValues(1, (inputs, attributes, node) => {
    const axis = normaliseAxis(node.operator, attributes.int('axis', 0), inputs[0]!.shape.length)
    return split(toTensor(inputs[0]!), parts(inputs, axis, attributes, node), axis)
  }),
  Slice: onValues(1, (inputs, attributes, node) => sliceTensor(toTensor(inputs[0]!), sliced(inputs, attributes, node))),
  Gather: onTensors(2, ([x, index], attributes, node) => take(x!, index!, normaliseAxis(node.operator, attributes.int('axis', 0), x!.rank))),
  Expand: onValues(2, ([x, target], _attributes, node) => broadcastTo(toTensor(x!), expanded(x!, toNumbers(target!), node))),
  Tile: repeated, Pad: padded, ConstantOfShape: constantOfShape, Range: range, Trilu: triangle, EyeLike: eye, OneHot: oneHotAt,
  DepthToSpace: onTensors(1, ([x], attributes, node) => depthToSpace(ofRank(x!, 4, node), attributes.int('blocksize', 1), attributes.string('mode', 'DCR'))),
  SpaceToDepth: onTensors(1, ([x], attributes, node) => spaceToDepth(ofRank(x!, 4, node), attributes.int('blocksize', 1), attributes.string('mode', 'DCR'))),
}
