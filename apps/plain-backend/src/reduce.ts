// Sums, maxima, orders and running sums: walks in which the result, or one axis, has a step of its own.

import type { Shape } from '@bp/core'
import { type Kernel, type Operand, stridesOf } from '@bp/core/extend'
import type { PoolGeometry } from '@bp/ops/extend'
import { broadcast, copy, dense, eachRow, rounded, type View, zeros } from './view.ts'

/** Added into the result, which is walked as if it were repeated. */
export const sumTo: Kernel<View, { readonly shape: Shape }> = ([x], _p, out) => {
  const data = zeros(out.shape)
  copy(x!.storage, broadcast(dense(data, out.shape), out.shape, x!.shape), x!.shape, true)
  return rounded(data, out)
}

/** Whether a comes before b where the largest is asked for: NaN counts as the largest. */
const beats = (a: number, b: number): boolean => a > b || (Number.isNaN(a) && !Number.isNaN(b))

/** The largest over some axes, kept at size 1. */
export const amax: Kernel<View, { readonly axes: readonly number[] }> = ([x], _p, out) => {
  const data = zeros(out.shape).fill(-Infinity)
  const to = broadcast(dense(data, out.shape), out.shape, x!.shape)
  const [step, place] = [x!.storage.strides.at(-1) ?? 0, to.strides.at(-1) ?? 0]
  eachRow(x!.shape, [x!.storage, to], ([a, o], n) => {
    for (let i = 0; i < n; i++) {
      const value = x!.storage.data[a! + i * step]!
      if (beats(value, data[o! + i * place]!)) data[o! + i * place] = value
    }
  })
  return rounded(data, out)
}

/** Visits the lines along an axis: where each begins in x, and in a result that has the axis at the size given. */
function eachLine({ storage, shape }: Operand<View>, axis: number, size: number, visit: (from: number, to: number) => void): void {
  const rest = shape.with(axis, 1)
  const to = { offset: 0, strides: stridesOf(shape.with(axis, size)) }
  eachRow([...rest, 1], [storage, to].map(({ offset, strides }) => ({ offset, strides: [...strides, 0] })), ([a, o]) => { visit(a!, o!) })
}

/** The place of the largest along an axis, the first of several. */
export const argMax: Kernel<View, { readonly axis: number }> = ([x], { axis }, out) => {
  const { data, strides } = x!.storage
  const places = zeros(out.shape)
  eachLine(x!, axis, 1, (from, to) => {
    for (let i = 1; i < x!.shape[axis]!; i++) if (beats(data[from + i * strides[axis]!]!, data[from + places[to]! * strides[axis]!]!)) places[to] = i
  })
  return dense(places, out.shape)
}

/** The places that sort an axis; Array's sort keeps equal elements in their order. */
export const argSort: Kernel<View, { readonly axis: number; readonly descending: boolean }> = ([x], { axis, descending }, out) => {
  const { data, strides } = x!.storage
  const [order, step] = [zeros(out.shape), stridesOf(out.shape)[axis]!]
  const sign = descending ? -1 : 1
  eachLine(x!, axis, x!.shape[axis]!, (from, to) => {
    const at = (i: number): number => data[from + i * strides[axis]!]!
    const sorted = Array.from({ length: x!.shape[axis]! }, (_, i) => i).sort((i, j) => beats(at(i), at(j)) ? sign : beats(at(j), at(i)) ? -sign : 0)
    sorted.forEach((place, i) => { order[to + i * step] = place })
  })
  return dense(order, out.shape)
}

/** Running sums along an axis, from either end. */
export const cumSum: Kernel<View, { readonly axis: number; readonly reverse: boolean }> = ([x], { axis, reverse }, out) => {
  const { data, strides } = x!.storage
  const [sums, step, size] = [zeros(out.shape), stridesOf(out.shape)[axis]!, x!.shape[axis]!]
  eachLine(x!, axis, size, (from, to) => {
    let sum = 0
    for (let i = 0; i < size; i++) {
      const at = reverse ? size - 1 - i : i
      sums[to + at * step] = sum += data[from + at * strides[axis]!]!
    }
  })
  return rounded(sums, out)
}

/** For each window the flat place of its largest element; what lies outside is never asked. */
export const poolArgMax: Kernel<View, PoolGeometry> = ([x], { kernel, stride, padding, dilation }, out) => {
  const { data, offset, strides } = x!.storage
  const flat = stridesOf(x!.shape)
  const places: number[] = []
  let [best, top] = [-1, 0]
  const look = (axis: number, window: readonly number[], from: number, place: number): void => {
    if (axis === x!.shape.length) {
      if (best >= 0 && !beats(data[from]!, top)) return
      best = place
      top = data[from]!
      return
    }
    for (let k = 0; k < kernel[axis - 2]!; k++) {
      const at = window[axis - 2]! * stride[axis - 2]! + k * dilation[axis - 2]! - padding[axis - 2]![0]
      if (at >= 0 && at < x!.shape[axis]!) look(axis + 1, window, from + at * strides[axis]!, place + at * flat[axis]!)
    }
  }
  const slide = (axis: number, window: readonly number[], from: number, place: number): void => {
    if (axis === out.shape.length) {
      best = -1
      look(2, window, from, place)
      places.push(best)
      return
    }
    for (let i = 0; i < out.shape[axis]!; i++) {
      if (axis < 2) slide(axis + 1, window, from + i * strides[axis]!, place + i * flat[axis]!)
      else slide(axis + 1, [...window, i], from, place)
    }
  }
  slide(0, [], offset, 0)
  return dense(Float64Array.from(places), out.shape)
}
