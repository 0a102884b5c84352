// The storage: a list of doubles, seen from a place on in steps, one step an axis. Views share the list, which never changes.

import type { DType, Shape } from '@bp/core'
import { type Aval, fail, sizeOf, stridesOf } from '@bp/core/extend'

/** A tensor's elements: index (i, j, …) lies at offset + i·strides[0] + j·strides[1] + … */
export interface View {
  readonly data: Float64Array
  readonly offset: number
  readonly strides: readonly number[]
}

/** How a number is kept in each element type; what is not here, this backend has not. */
const rounding: Readonly<Partial<Record<DType, (x: number) => number>>> = {
  float64: x => x,
  float32: Math.fround,
  int32: x => x | 0,
  uint8: x => x & 255,
  bool: x => Number(x !== 0),
}

/** The rounding of an element type, or the error that says that there is none. */
export const roundingOf = (dtype: DType): (x: number) => number =>
  rounding[dtype] ?? fail('dtype', 'plain', `the plain backend has no ${dtype}. Convert with cast(x, 'float32') before you move the tensor here`)

/** Row-major elements as a view. */
export const dense = (data: Float64Array, shape: Shape): View => ({ data, offset: 0, strides: stridesOf(shape) })

/** A list of zeros. */
export const zeros = (shape: Shape): Float64Array => new Float64Array(sizeOf(shape))

/** The result of a kernel that computed in double precision. */
export function rounded(data: Float64Array, out: Aval): View {
  const round = roundingOf(out.dtype)
  if (out.dtype !== 'float64') for (let i = 0; i < data.length; i++) data[i] = round(data[i]!)
  return dense(data, out.shape)
}

/** The view repeated to a larger shape: a step of 0 along each axis that broadcasting repeats. */
export function broadcast({ data, offset, strides }: View, from: Shape, to: Shape): View {
  const lead = to.length - from.length
  return { data, offset, strides: to.map((_, axis) => axis < lead || from[axis - lead] === 1 ? 0 : strides[axis - lead]!) }
}

/** Visits the rows along the last axis: where each view's row begins, and how many elements it has. The list is one and the same. */
export function eachRow(shape: Shape, views: readonly Pick<View, 'offset' | 'strides'>[], visit: (starts: readonly number[], count: number) => void): void {
  if (shape.includes(0)) return
  const last = Math.max(0, shape.length - 1)
  const starts = views.map(view => view.offset)
  const walk = (axis: number): void => {
    if (axis === last) {
      visit(starts, shape[last] ?? 1)
      return
    }
    const size = shape[axis]!
    for (let i = 0; i < size; i++) {
      walk(axis + 1)
      for (let k = 0; k < starts.length; k++) starts[k]! += views[k]!.strides[axis]!
    }
    for (let k = 0; k < starts.length; k++) starts[k]! -= size * views[k]!.strides[axis]!
  }
  walk(0)
}

/** The step along the last axis. */
export const lastStep = ({ strides }: Pick<View, 'strides'>): number => strides.at(-1) ?? 0

/** Copies elements, or adds them to what is there. */
export function copy(from: View, to: View, shape: Shape, add = false): void {
  const [step, place] = [lastStep(from), lastStep(to)]
  eachRow(shape, [from, to], ([a, o], n) => {
    if (add) for (let i = 0; i < n; i++) to.data[o! + i * place]! += from.data[a! + i * step]!
    else for (let i = 0; i < n; i++) to.data[o! + i * place] = from.data[a! + i * step]!
  })
}

/** The elements in row-major order, as a list that nobody else holds. */
export function listOf(x: View, shape: Shape): Float64Array {
  const data = zeros(shape)
  copy(x, dense(data, shape), shape)
  return data
}

/** The same, but the view's own list where it is in that order already. */
export function readable(x: View, shape: Shape): Float64Array {
  const plain = x.offset === 0 && x.data.length === sizeOf(shape) && stridesOf(shape).every((stride, axis) => stride === x.strides[axis] || shape[axis] === 1)
  return plain ? x.data : listOf(x, shape)
}
