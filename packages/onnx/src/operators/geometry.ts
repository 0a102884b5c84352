// Arithmetic on shapes and axes that operators on tensors and on known values share.

import type { Shape } from '@bp/core'
import { type Abstract, describe, fail, normaliseAxes, normaliseAxis, sizeOf } from '@bp/core/extend'
import type { Attributes } from '../import/attributes.ts'
import { entries } from '../import/budget.ts'
import type { ModelNode } from '../import/load.ts'
import { toNumbers, type Value } from '../import/value.ts'
import { numbersOf, only, perAxis } from './operator.ts'

type Inputs = readonly (Value | undefined)[]

/** The shape that Reshape asks for: 0 keeps an axis, −1 is found. */
export function reshaped(x: Abstract, target: readonly number[], attributes: Attributes, node: ModelNode): number[] {
  const keep = attributes.int('allowzero', 0) === 0
  const shape = target.map((size, i) => size === 0 && keep ? x.shape[i] ?? fail('shape', node.operator, `the target [${target.join(',')}] keeps axis ${i}, which ${describe(x)} has not`) : size)
  const open = shape.indexOf(-1)
  const rest = sizeOf(shape.filter((_, i) => i !== open))
  if (open >= 0) shape[open] = rest === 0 ? 0 : sizeOf(x.shape) / rest
  if (sizeOf(shape) !== sizeOf(x.shape) || shape.some(n => !Number.isInteger(n) || n < 0)) fail('shape', node.operator, `${describe(x)} cannot take the shape [${target.join(',')}]`)
  return shape
}

/** The shape of Flatten: all axes before the given one as the first, the rest as the second. */
export function flattened(x: Abstract, attributes: Attributes, node: ModelNode): number[] {
  const axis = attributes.int('axis', 1)
  const at = axis === x.shape.length ? axis : normaliseAxis(node.operator, axis, x.shape.length)
  return [sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at))]
}

/** The shape without axes of size 1: the given ones, or all. */
export function squeezed(inputs: Inputs, attributes: Attributes, node: ModelNode): number[] {
  const { shape } = inputs[0]!
  const given = numbersOf('axes', 1, inputs, attributes)
  const axes = given ? normaliseAxes(node.operator, given, shape.length) : shape.flatMap((size, i) => size === 1 ? i : [])
  const wrong = axes.find(axis => shape[axis] !== 1)
  if (wrong !== undefined) fail('shape', node.operator, `axis ${wrong} of ${describe(inputs[0]!)} is not of size 1`)
  return shape.filter((_, i) => !axes.includes(i))
}

/** The shape with new axes of size 1 at the given places of the result. */
export function unsqueezed(inputs: Inputs, attributes: Attributes, node: ModelNode): number[] {
  const { shape } = inputs[0]!
  const given = numbersOf('axes', 1, inputs, attributes) ?? fail('data', node.operator, 'it names no axes. The file is damaged')
  const axes = normaliseAxes(node.operator, given, shape.length + given.length)
  return axes.reduce<number[]>((out, axis) => out.toSpliced(axis, 0, 1), [...shape])
}

/** The order of axes of Transpose, reversed unless given. */
export const permutation = (x: Abstract, attributes: Attributes, node: ModelNode): readonly number[] =>
  perAxis(node, 'perm', attributes.ints('perm') ?? x.shape.map((_, i) => x.shape.length - 1 - i), x.shape.length, x)

/** One axis of a slice: `count` elements from `start` on, `step` (which may be negative) apart. */
export interface SliceAxis {
  readonly start: number
  readonly step: number
  readonly count: number
}

/** What Slice takes of every axis of its first input. */
export function sliced(inputs: Inputs, attributes: Attributes, node: ModelNode): SliceAxis[] {
  const { shape } = inputs[0]!
  const starts = numbersOf('starts', 1, inputs, attributes)
  const ends = numbersOf('ends', 2, inputs, attributes)
  if (!starts || ends?.length !== starts.length) return fail('data', node.operator, 'starts and ends are missing or of different lengths. The file is damaged')
  const axes = (numbersOf('axes', 3, inputs, attributes) ?? starts.map((_, i) => i)).map(axis => normaliseAxis(node.operator, axis, shape.length))
  const steps = inputs[4] ? toNumbers(inputs[4]) : starts.map(() => 1)
  const out = shape.map((size): SliceAxis => ({ start: 0, step: 1, count: size }))
  axes.forEach((axis, i) => {
    const size = shape[axis]!
    const step = steps[i]!
    if (step === 0) fail('value', node.operator, `the step of axis ${axis} is 0`)
    const [least, most] = step > 0 ? [0, size] : [-1, size - 1]
    const place = (at: number): number => Math.min(most, Math.max(least, at < 0 ? at + size : at))
    const start = place(starts[i]!)
    out[axis] = { start, step, count: Math.max(0, Math.ceil((place(ends[i]!) - start) / step)) }
  })
  return out
}

/** A tensor takes as much as so many numbers that are laid out. */
export const perPart = 64

/** The sizes of the parts that Split makes of an axis. */
export function parts(inputs: Inputs, axis: number, attributes: Attributes, node: ModelNode): number[] {
  const given = numbersOf('split', 1, inputs, attributes)
  if (given) {
    entries(node.operator, perPart * given.length)
    return given
  }
  const total = inputs[0]!.shape[axis]!
  const count = attributes.int('num_outputs', node.outputs.length)
  if (count !== node.outputs.length) fail('data', node.operator, `num_outputs is ${count}, but the node has ${node.outputs.length} outputs. The file is damaged`)
  const size = Math.ceil(total / count)
  if (node.opset < 18 && total % count !== 0) fail('shape', node.operator, `axis ${axis} of ${describe(inputs[0]!)} does not divide into ${count} equal parts`)
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(size, total - i * size)))
}

/** Broadcasting of a shape and what Expand asks for, which may be smaller. */
export function expanded(x: Abstract, target: readonly number[], node: ModelNode): Shape {
  const rank = Math.max(x.shape.length, target.length)
  return Array.from({ length: rank }, (_, i) => {
    const a = x.shape[i - rank + x.shape.length] ?? 1
    const b = target[i - rank + target.length] ?? 1
    if (a !== b && a !== 1 && b !== 1) fail('shape', node.operator, `${describe(x)} does not broadcast with [${target.join(',')}]`)
    return a === 1 ? b : a
  })
}

/** Zeros before and after each spatial axis of a window, from `pads` or `auto_pad`. */
export function windowPadding(size: Shape, kernel: Shape, stride: Shape, dilation: Shape, attributes: Attributes, node: ModelNode): [number, number][] {
  const auto = attributes.string('auto_pad', 'NOTSET')
  only(node, 'auto_pad', auto, 'NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER')
  if (auto === 'VALID') return size.map(() => [0, 0])
  if (auto === 'NOTSET') {
    const pads = attributes.ints('pads') ?? new Array<number>(2 * size.length).fill(0)
    if (pads.length !== 2 * size.length) fail('data', node.operator, `pads has ${pads.length} entries, needs ${2 * size.length}. The file is damaged`)
    return size.map((_, i) => [pads[i]!, pads[i + size.length]!])
  }
  return size.map((n, i) => {
    const total = Math.max(0, (Math.ceil(n / stride[i]!) - 1) * stride[i]! + (kernel[i]! - 1) * dilation[i]! + 1 - n)
    const less = Math.floor(total / 2)
    return auto === 'SAME_UPPER' ? [less, total - less] : [total - less, less]
  })
}
