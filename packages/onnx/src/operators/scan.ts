// Scan: a body that runs once for each entry of sequences, and what it has in common with Loop.

import { BpError, full, Tensor } from '@bp/core'
import { allocate, bytesPerElement, describe, fail, isFloat, normaliseAxis, sizeOf } from '@bp/core/extend'
import { cast, narrow, pad, reshape, stack } from '@bp/ops'
import { take } from '../import/budget.ts'
import { unsupported } from '../import/errors.ts'
import type { ModelNode } from '../import/load.ts'
import { carrierIn, Known, ofTypeOf, toNumbers, toTensor, type Value } from '../import/value.ts'
import type { Context, Operator } from './operator.ts'

/** Values of which some may be left out. */
export type Results = readonly (Value | undefined)[]

const whole = (value: Value): value is Known => value instanceof Known && !isFloat(value.dtype)

/** Values of one shape along a new axis; whole numbers that are known stay so. */
export function stacked(values: Results, axis: number, { operator }: ModelNode): Value {
  const given = values.map(value => value ?? fail('data', operator, 'a result that is collected is left out by the body. The file is damaged'))
  const [first] = given as [Value]
  const carriers = given.map(carrierIn)
  if (axis === 0 && carriers.every(whole)) {
    const { dtype, shape } = carriers[0]!
    const size = sizeOf(shape)
    const data = allocate(dtype, size * carriers.length)
    carriers.forEach((known, i) => { known.data.forEach((n: number | bigint, k: number) => { data[i * size + k] = n }) })
    return ofTypeOf(first, new Known(dtype, [carriers.length, ...shape], data))
  }
  const tensors = given.map(toTensor)
  return ofTypeOf(first, stack(tensors, normaliseAxis(operator, axis, tensors[0]!.rank + 1)))
}

/** Entry i of an axis, without the axis. */
function entry(value: Value, axis: number, i: number): Value {
  const carrier = carrierIn(value)
  if (axis === 0 && whole(carrier)) {
    const shape = carrier.shape.slice(1)
    return ofTypeOf(value, new Known(carrier.dtype, shape, carrier.data.slice(i * sizeOf(shape), (i + 1) * sizeOf(shape))))
  }
  const x = toTensor(value)
  return ofTypeOf(value, reshape(narrow(x, axis, i, 1), x.shape.toSpliced(axis, 1)))
}

/** No elements, in the type and with the other axes of a value that would be collected along an axis. */
const emptied = (value: Value, axis: number, node: ModelNode): Value => {
  const { shape, dtype } = toTensor(value)
  return ofTypeOf(value, cast(full(shape.toSpliced(normaliseAxis(node.operator, axis, shape.length + 1), 0, 0), 0, 'uint8'), dtype))
}

/**
 * What is collected of no steps. The shapes are those of a step that is taken to see them; where none can be, they are unknown.
 * `axes` gives the axes of collection, 0 unless given.
 */
export function ofNoSteps(step: () => Results, node: ModelNode, axes: readonly number[] = []): Results {
  try {
    return step().map((value, i) => emptied(value!, axes[i] ?? 0, node))
  } catch (error) {
    if (error instanceof BpError) return unsupported(node.operator, `collecting the results of no steps, whose shapes no step tells (${error.message}),`)
    throw error
  }
}

/** What a value takes beside its elements, in bytes. */
const ownBytes = 512

/** What a step gives to be collected, its bytes taken from what a run may collect. */
export function collected(made: Results, operator: string): Results {
  take('collected', operator, made.reduce((sum, value) => sum + (value ? ownBytes + bytesIn(value) : 0), 0))
  return made
}

function bytesIn(value: Value): number {
  const carrier = carrierIn(value)
  return carrier instanceof Tensor || carrier instanceof Known ? sizeOf(carrier.shape) * bytesPerElement(carrier.dtype) : 0
}

/** A sequence to scan. */
interface Track {
  readonly value: Value
  readonly axis: number
  readonly reverse: boolean
}

/** Runs the body over the first entries of sequences; gives the states after the last, and of each step what is collected. */
function run(initial: Results, tracks: readonly Track[], length: number, context: Context): { readonly states: Results; readonly steps: readonly Results[] } {
  let states = initial
  const steps: Results[] = []
  for (let t = 0; t < length; t++) {
    take('steps', 'Scan', 1)
    const made = context.run('body', [...states, ...tracks.map(({ value, axis, reverse }) => entry(value, axis, reverse ? length - 1 - t : t))])
    states = made.slice(0, initial.length)
    steps.push(collected(made.slice(initial.length), 'Scan'))
  }
  return { states, steps }
}

/** The body's results for an entry of zeros, for their shapes. */
const trial = (initial: Results, tracks: readonly Track[], context: Context): Results =>
  context.run('body', [...initial, ...tracks.map(({ value, axis }) => {
    const { shape, dtype } = toTensor(value)
    return ofTypeOf(value, cast(full(shape.toSpliced(axis, 1), 0, 'uint8'), dtype))
  })]).slice(initial.length)

/** The sequences among the inputs, with their axes and directions, and their length. */
function tracksOf(values: Results, axes: readonly number[] | null, directions: readonly number[] | null, node: ModelNode): { readonly tracks: readonly Track[]; readonly length: number } {
  const tracks = values.map((value, i): Track => {
    if (!value) return fail('data', node.operator, 'a sequence is missing. The file is damaged')
    return { value, axis: normaliseAxis(node.operator, axes?.[i] ?? 0, value.shape.length), reverse: (directions?.[i] ?? 0) !== 0 }
  })
  const lengths = tracks.map(({ value, axis }) => value.shape[axis]!)
  if (tracks.length === 0 || lengths.some(n => n !== lengths[0])) fail('shape', node.operator, `needs sequences of one length, got ${tracks.map(({ value, axis }) => `${describe(value)} along axis ${axis}`).join(', ') || 'none'}`)
  return { tracks, length: lengths[0]! }
}

/** Runs a body over the entries of sequences, along any axis and either way, carrying states and collecting results. */
export const scan: Operator = (inputs, attributes, node, context) => {
  const count = attributes.int('num_scan_inputs', 0)
  if (node.opset < 9) return scanBatch(inputs[0], inputs.slice(1), count, attributes.ints('directions'), node, context)
  const first = inputs.length - count
  const initial = inputs.slice(0, first)
  const { tracks, length } = tracksOf(inputs.slice(first), attributes.ints('scan_input_axes'), attributes.ints('scan_input_directions'), node)
  const axes = attributes.ints('scan_output_axes')
  const backwards = attributes.ints('scan_output_directions')
  const { states, steps } = run(initial, tracks, length, context)
  if (length === 0) return [...states, ...ofNoSteps(() => trial(initial, tracks, context), node, axes ?? [])]
  return [...states, ...steps[0]!.map((_, k) => {
    const rows = steps.map(step => step[k])
    return stacked(backwards?.[k] ? rows.reverse() : rows, axes?.[k] ?? 0, node)
  })]
}

/** Version 8: axis 0 is the batch and axis 1 the sequence, of which each entry of the batch may use a part of its own; the rest are zeros. */
function scanBatch(lengths: Value | undefined, inputs: Results, count: number, directions: readonly number[] | null, node: ModelNode, context: Context): Results {
  const first = inputs.length - count
  const batch = inputs.at(-1)?.shape[0] ?? 0
  const used = lengths && toNumbers(lengths)
  const rows = Array.from({ length: batch }, (_, b) => {
    const at = (value: Value | undefined): Value => entry(value ?? fail('data', node.operator, 'an input is missing. The file is damaged'), 0, b)
    const initial = inputs.slice(0, first).map(at)
    const { tracks, length } = tracksOf(inputs.slice(first).map(at), null, directions, node)
    const own = used?.[b] ?? length
    if (!(own >= 0 && own <= length)) fail('value', node.operator, `entry ${b} has the length ${own}, of sequences of ${length}`)
    const { states, steps } = run(initial, tracks, own, context)
    const collected = own === 0 ? ofNoSteps(() => trial(initial, tracks, context), node) : steps[0]!.map((_, k) => stacked(steps.map(step => step[k]), 0, node))
    return [...states, ...collected.map(value => own === length ? value! : ofTypeOf(value!, filled(toTensor(value!), length)))]
  })
  if (batch === 0) return unsupported(node.operator, 'a batch of none')
  return rows[0]!.map((_, i) => stacked(rows.map(row => row[i]), 0, node))
}

/** Zeros after the entries of the first axis, up to a length. */
const filled = (x: Tensor, length: number): Tensor => pad(x, x.shape.map((n, axis) => [0, axis === 0 ? length - n : 0] as const))
