// Choosing parts of a tensor: Compress, Unique, CenterCropPad.

import { type Tensor, tensor } from '@bp/core'
import { describe, fail, normaliseAxis, stridesOf } from '@bp/core/extend'
import { cast, flatten, pad, reshape, take } from '@bp/ops'
import { int64s, readable, toNumbers, toTensor } from '../import/value.ts'
import { onTensors, onValues, type Operator, type Operators } from './operator.ts'

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
type Key = number | bigint

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

const keysOf = (x: Tensor): Key[] => x.dtype === 'int64' ? [...readable(x).dataSync() as BigInt64Array] : toNumbers(x)

/** Distinct elements, or entries of an axis, in order of size or of appearance; where each came first, where each element went, how many. */
const unique: Operator = onTensors(1, ([x], attributes, node) => {
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
  const y = take(axis === null ? flatten(x!) : x!, indices(first, x!), axis ?? 0)
  return [y, int64s(first), int64s(inverse), int64s(groups.map(group => group.length))]
})

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

/** Choosing parts by name. */
export const selection: Operators = { Compress: compress, Unique: unique, CenterCropPad: centred }
