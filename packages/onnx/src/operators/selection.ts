// Choosing parts of a tensor: Compress, Unique, CenterCropPad, TensorScatter.

import { type Tensor, tensor } from '@bp/core'
import { describe, fail, normaliseAxis, sizeOf, stridesOf } from '@bp/core/extend'
import { add, broadcastTo, cast, flatten, iota, pad, remainder, reshape, scatter, take } from '@bp/ops'
import { int64s, readable, StringTensor, toNumbers, toTensor, type Value } from '../import/value.ts'
import { only, onTensors, onValues, type Operator, type Operators } from './operator.ts'

const indices = (at: readonly number[], like: Tensor): Tensor => tensor(Int32Array.from(at), { backend: like.backend })

/** The entries of an axis, or of all elements in order, where the condition is true; what the condition does not reach is left out. */
const compress: Operator = onValues(2, ([x, condition], attributes, node) => {
  const whole = toTensor(x!)
  const places = toNumbers(condition!).flatMap((value, i) => value === 0 ? [] : i)
  const [from, axis] = attributes.has('axis') ? [whole, normaliseAxis(node.operator, attributes.int('axis', 0), whole.rank)] as const : [reshape(whole, [whole.size]), 0] as const
  const size = from.shape[axis]!
  const outside = places.find(i => i >= size)
  if (outside !== undefined) fail('value', node.operator, `the condition chooses entry ${outside} of an axis of ${size}`)
  return take(from, indices(places, from), axis)
})

/** What distinct entries are compared by. */
type Key = number | bigint | string

/** NaN is equal to itself here, and comes last. */
const order = (a: Key, b: Key): number => a === b ? 0 : a < b ? -1 : a > b ? 1 : a !== a ? (b !== b ? 0 : 1) : -1

const orderOfLists = (a: readonly Key[], b: readonly Key[]): number => {
  for (let i = 0; i < a.length; i++) {
    const by = order(a[i]!, b[i]!)
    if (by !== 0) return by
  }
  return 0
}

/** The elements of each entry along an axis. */
function entries(data: readonly Key[], shape: readonly number[], axis: number): Key[][] {
  const inner = stridesOf(shape)[axis]!
  const n = shape[axis]!
  const out = Array.from({ length: n }, (): Key[] => [])
  data.forEach((value, i) => out[Math.floor(i / inner) % n]!.push(value))
  return out
}

function keysOf(value: Value): Key[] {
  if (value instanceof StringTensor) return [...value.data]
  const x = toTensor(value)
  return x.dtype === 'int64' ? [...readable(x).dataSync() as BigInt64Array] : toNumbers(value)
}

/** Distinct elements, or entries of an axis, in order of size or of appearance; where each came first, where each element went, how many. */
const unique: Operator = onValues(1, ([x], attributes, node) => {
  const { shape } = x!
  const keys = keysOf(x!)
  const axis = attributes.has('axis') ? normaliseAxis(node.operator, attributes.int('axis', 0), shape.length) : null
  const rows = axis === null ? keys.map(key => [key]) : entries(keys, shape, axis)
  const sorted = rows.map((_, i) => i).sort((a, b) => orderOfLists(rows[a]!, rows[b]!) || a - b)
  const groups: number[][] = []
  for (const i of sorted) {
    const last = groups.at(-1)
    if (last && orderOfLists(rows[last[0]!]!, rows[i]!) === 0) last.push(i)
    else groups.push([i])
  }
  if (attributes.int('sorted', 1) === 0) groups.sort((a, b) => a[0]! - b[0]!)
  const first = groups.map(group => group[0]!)
  const inverse = new Array<number>(rows.length)
  groups.forEach((group, which) => { for (const i of group) inverse[i] = which })
  return [chosen(x!, first, axis), int64s(first), int64s(inverse), int64s(groups.map(group => group.length))]
})

function chosen(x: Value, first: readonly number[], axis: number | null): Value {
  if (!(x instanceof StringTensor)) return axis === null ? take(flatten(toTensor(x)), indices(first, toTensor(x))) : take(toTensor(x), indices(first, toTensor(x)), axis)
  const shape = axis === null ? [first.length] : x.shape.with(axis, first.length)
  const inner = axis === null ? 1 : stridesOf(x.shape)[axis]!
  const n = axis === null ? x.data.length : x.shape[axis]!
  const source = (i: number): number => (Math.floor(i / (inner * first.length)) * n + first[Math.floor(i / inner) % first.length]!) * inner + i % inner
  return new StringTensor(shape, Array.from({ length: sizeOf(shape) }, (_, i) => x.data[source(i)]!))
}

/** Axes cut or filled up with zeros to sizes, the same on both sides; the odd element is cut, or put, at the end. */
const centred: Operator = onValues(2, ([x, target], attributes, node) => {
  const { shape } = x!
  const sizes = toNumbers(target!)
  const axes = (attributes.ints('axes') ?? shape.map((_, i) => i)).map(axis => normaliseAxis(node.operator, axis, shape.length))
  if (sizes.length !== axes.length) fail('shape', node.operator, `${sizes.length} sizes for ${axes.length} axes of ${describe(x!)}`)
  const widths = shape.map((n, axis): [number, number] => {
    const total = (sizes[axes.indexOf(axis)] ?? n) - n
    const before = Math.trunc(total / 2)
    return [before, total - before]
  })
  const whole = toTensor(x!)
  return whole.dtype === 'bool' ? cast(pad(cast(whole, 'uint8'), widths), 'bool') : pad(whole, widths)
})

/** Writes entries of an axis into a cache, from a place of each example's own on; `circular` goes on at the start. */
const written: Operator = onTensors(2, ([past, update, starts], attributes, node) => {
  const mode = attributes.string('mode', 'linear')
  only(node, 'mode', mode, 'linear', 'circular')
  const axis = normaliseAxis(node.operator, attributes.int('axis', -2), past!.rank)
  const [n, most] = [past!.shape[0]!, past!.shape[axis]!]
  if (axis === 0 || update!.rank !== past!.rank || update!.shape.some((size, i) => i === axis ? size > most : size !== past!.shape[i])) {
    fail('shape', node.operator, `${describe(update!)} does not fit into ${describe(past!)} along axis ${axis}`)
  }
  const steps = iota(update!.shape[axis]!, 'int32', past!.backend)
  const along = (line: Tensor, at: number): Tensor => reshape(line, past!.shape.map((_, i) => i === at ? line.size : 1))
  const shifted = starts ? add(along(steps, axis), along(reshape(cast(starts, 'int32'), [n]), 0)) : along(steps, axis)
  const places = mode === 'circular' ? remainder(shifted, most) : shifted
  return scatter(past!, axis, broadcastTo(places, update!.shape), update!)
})

/** Choosing parts by name. */
export const selection: Operators = { Compress: compress, Unique: unique, CenterCropPad: centred, TensorScatter: written }
