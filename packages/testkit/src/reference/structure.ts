// The reference backend's kernels that move, reduce, order and make elements.

import type { DType, TypedArray } from '@bp/core'
import { convert, type FillParams, type Kernel, type Operand, sizeOf } from '@bp/core/extend'
import type { KernelTable, PoolGeometry } from '@bp/ops/extend'
import { broadcastAt, eachIndex, flatAt } from './indices.ts'
import { philox } from './philox.ts'

type Structural = 'fill' | 'broadcastTo' | 'sumTo' | 'reshape' | 'transpose' | 'slice' | 'pad' | 'concat' | 'flip' | 'detach'
  | 'amax' | 'argMax' | 'argSort' | 'cumSum' | 'gather' | 'scatterAdd' | 'poolArgMax' | 'iota' | 'randomBits'

type Value = number | bigint

const numbers = (x: Operand<TypedArray>): number[] => Array.from(x.storage as ArrayLike<Value>, Number)
const zeros = (shape: readonly number[]): number[] => new Array<number>(sizeOf(shape)).fill(0)
/** Zeros of a dtype, whose sums are exact. */
const none = (shape: readonly number[], dtype: DType): Value[] => new Array<Value>(sizeOf(shape)).fill(dtype === 'int64' ? 0n : 0)
const plus = (a: Value, b: Value): Value => typeof a === 'bigint' ? a + (b as bigint) : a + (b as number)

/** The result read element by element from the operand, at the place that `from` names. */
function reading(x: Operand<TypedArray>, out: { readonly shape: readonly number[] }, from: (index: readonly number[]) => readonly number[]): TypedArray {
  const values: Value[] = []
  eachIndex(out.shape, index => values.push(x.storage[flatAt(x.shape, from(index))]!))
  return convert(values, x.dtype)
}

/** The operand cut into the lines that run along one axis. */
function eachLine(x: Operand<TypedArray>, axis: number, visit: (line: Value[], places: number[]) => void): void {
  const rest = x.shape.map((size, i) => i === axis ? 1 : size)
  eachIndex(rest, index => {
    const places = Array.from({ length: x.shape[axis]! }, (_, i) => flatAt(x.shape, index.with(axis, i)))
    visit(places.map(place => x.storage[place]!), places)
  })
}

/** NaN counts as the largest. */
const compare = (a: Value, b: Value): number => Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : a < b ? -1 : a > b ? 1 : 0

const poolArgMax: Kernel<TypedArray, PoolGeometry> = ([x], p, out) => {
  const values: number[] = []
  eachIndex(out.shape, ([n, c, ...at]) => {
    let best = -1
    eachIndex(p.kernel, window => {
      const place = window.map((k, i) => at[i]! * p.stride[i]! + k * p.dilation[i]! - p.padding[i]![0])
      if (place.some((i, axis) => i < 0 || i >= x!.shape[axis + 2]!)) return
      const flat = flatAt(x!.shape, [n!, c!, ...place])
      if (best < 0 || compare(x!.storage[flat]!, x!.storage[best]!) > 0) best = flat
    })
    values.push(best)
  })
  return convert(values, out.dtype)
}

/** Every primitive that is neither a map nor a contraction. */
export const structural: Pick<KernelTable<TypedArray>, Structural> = {
  fill: (_xs, p: FillParams, out) => convert(zeros(out.shape).fill(p.value), out.dtype),
  iota: (_xs, _p, out) => convert(zeros(out.shape).map((_, i) => i), out.dtype),
  randomBits: ([key], _p, out) => convert(zeros(out.shape).map((_, i) => philox(i, Number(key!.storage[0]), Number(key!.storage[1])) >>> 8), out.dtype),
  broadcastTo: ([x], _p, out) => {
    const values: Value[] = []
    eachIndex(out.shape, index => values.push(x!.storage[broadcastAt(x!.shape, index)]!))
    return convert(values, out.dtype)
  },
  sumTo: ([x], _p, out) => {
    const values = none(out.shape, out.dtype)
    eachIndex(x!.shape, (index, flat) => {
      const at = broadcastAt(out.shape, index)
      values[at] = plus(values[at]!, x!.storage[flat]!)
    })
    return convert(values, out.dtype)
  },
  reshape: ([x]) => x!.storage,
  detach: ([x]) => x!.storage,
  transpose: ([x], p, out) => reading(x!, out, index => p.perm.map((_, axis) => index[p.perm.indexOf(axis)]!)),
  slice: ([x], p, out) => reading(x!, out, index => index.map((n, i) => p.starts[i]! + n * p.steps[i]!)),
  flip: ([x], p, out) => reading(x!, out, index => index.map((n, i) => p.axes.includes(i) ? out.shape[i]! - 1 - n : n)),
  pad: ([x], p, out) => {
    const values = none(out.shape, out.dtype)
    eachIndex(x!.shape, (index, flat) => {
      values[flatAt(out.shape, index.map((n, i) => p.low[i]! + n * (p.interior[i]! + 1)))] = x!.storage[flat]!
    })
    return convert(values, out.dtype)
  },
  concat: (xs, p, out) => {
    const values = none(out.shape, out.dtype)
    let start = 0
    for (const x of xs) {
      eachIndex(x.shape, (index, flat) => { values[flatAt(out.shape, index.with(p.axis, start + index[p.axis]!))] = x.storage[flat]! })
      start += x.shape[p.axis]!
    }
    return convert(values, out.dtype)
  },
  amax: ([x], _p, out) => {
    const values: Value[] = []
    eachIndex(x!.shape, (index, flat) => {
      const at = broadcastAt(out.shape, index)
      const value = x!.storage[flat]!
      if (values[at] === undefined || compare(value, values[at]) > 0) values[at] = value
    })
    return convert(values, out.dtype)
  },
  argMax: ([x], p, out) => {
    const values: number[] = []
    eachLine(x!, p.axis, line => values.push(line.reduce<number>((best, value, i) => compare(value, line[best]!) > 0 ? i : best, 0)))
    return convert(values, out.dtype)
  },
  argSort: ([x], p, out) => {
    const values = zeros(out.shape)
    eachLine(x!, p.axis, (line, places) => {
      const order = line.map((_, i) => i).sort((i, j) => p.descending ? compare(line[j]!, line[i]!) : compare(line[i]!, line[j]!))
      order.forEach((from, i) => { values[places[i]!] = from })
    })
    return convert(values, out.dtype)
  },
  cumSum: ([x], p, out) => {
    const values = none(out.shape, out.dtype)
    eachLine(x!, p.axis, (line, places) => {
      let sum: Value = out.dtype === 'int64' ? 0n : 0
      const steps = line.map((_, i) => p.reverse ? line.length - 1 - i : i)
      for (const i of steps) values[places[i]!] = sum = plus(sum, line[i]!)
    })
    return convert(values, out.dtype)
  },
  gather: ([x, index], p, out) => {
    const values = numbers(index!).map(place => place < 0 ? place + x!.shape[p.axis]! : place)
    const rank = index!.shape.length
    return reading(x!, out, at => [...at.slice(0, p.axis), values[flatAt(index!.shape, at.slice(p.axis, p.axis + rank))]!, ...at.slice(p.axis + rank)])
  },
  scatterAdd: ([x, index], p, out) => {
    const values = none(out.shape, out.dtype)
    const rank = index!.shape.length
    eachIndex(x!.shape, (at, flat) => {
      const place = Number(index!.storage[flatAt(index!.shape, at.slice(p.axis, p.axis + rank))])
      const to = place < 0 ? place + p.size : place
      const target = flatAt(out.shape, [...at.slice(0, p.axis), to, ...at.slice(p.axis + rank)])
      values[target] = plus(values[target]!, x!.storage[flat]!)
    })
    return convert(values, out.dtype)
  },
  poolArgMax,
}
