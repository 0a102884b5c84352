// Shapes: counting, comparing, broadcasting, and how errors print them.

import { type DType, shortName } from './dtype.ts'
import { fail } from './errors.ts'

/** The size of each axis, outermost first; `[]` is a scalar. */
export type Shape = readonly number[]

/** How many elements a shape holds. */
export function sizeOf(shape: Shape): number {
  let n = 1
  for (let i = 0; i < shape.length; i++) n *= shape[i]!
  return n
}

/** Whether two shapes are equal axis by axis. */
export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Row-major strides, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length)
  for (let i = shape.length - 1, step = 1; i >= 0; i--) {
    strides[i] = step
    step *= shape[i]!
  }
  return strides
}

/** `f32[2,3]`, as every error prints a tensor. */
export function describe(x: { readonly shape: Shape; readonly dtype: DType }): string {
  return `${shortName(x.dtype)}[${x.shape.join(',')}]`
}

/**
 * The shape that NumPy's broadcasting gives two shapes, aligned at the last axis.
 * Throws a `shape` error that names `op` where an axis differs and neither side is 1.
 */
export function broadcastShapes(op: string, a: Shape, b: Shape): Shape {
  if (sameShape(a, b)) return a
  const rank = Math.max(a.length, b.length)
  const out = new Array<number>(rank)
  for (let i = 1; i <= rank; i++) {
    const p = a[a.length - i] ?? 1
    const q = b[b.length - i] ?? 1
    if (p !== q && p !== 1 && q !== 1) {
      fail('shape', op, `cannot broadcast [${a.join(',')}] with [${b.join(',')}]: axis ${rank - i} has ${p} and ${q}. Axes must be equal or 1; reshape or slice one operand first`)
    }
    out[rank - i] = p === 1 ? q : p
  }
  return out
}

/** Whether `from` broadcasts to `to` without changing `to`. */
export function broadcastsTo(from: Shape, to: Shape): boolean {
  const lead = to.length - from.length
  if (lead < 0) return false
  for (let i = 0; i < from.length; i++) if (from[i] !== 1 && from[i] !== to[i + lead]) return false
  return true
}

/** An axis counted from the end made non-negative; throws an `axis` error where it is out of range. */
export function normaliseAxis(op: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    const range = rank === 0 ? 'a scalar has no axes' : `use ${-rank} to ${rank - 1}`
    fail('axis', op, `axis ${axis} is out of range for rank ${rank}: ${range}`)
  }
  return axis < 0 ? axis + rank : axis
}

/** One axis, several, or all of them (`undefined`), made non-negative, sorted and checked for repeats. */
export function normaliseAxes(op: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i)
  const list = (typeof axes === 'number' ? [axes] : axes).map(axis => normaliseAxis(op, axis, rank)).sort((a, b) => a - b)
  const repeated = list.find((axis, i) => axis === list[i - 1])
  if (repeated !== undefined) fail('axis', op, `axis ${repeated} is given twice in [${String(axes)}]`)
  return list
}

/** Checks that every size is a whole number ≥ 0 and that the product can be addressed. */
export function checkShape(op: string, shape: Shape): Shape {
  for (const [axis, size] of shape.entries()) {
    if (!Number.isInteger(size) || size < 0) fail('shape', op, `axis ${axis} of [${shape.join(',')}] must be a whole number ≥ 0, got ${size}`)
  }
  if (sizeOf(shape) > maxElements) fail('shape', op, `[${shape.join(',')}] has more than ${maxElements} elements; split the work into smaller tensors`)
  return shape
}

/** 2³²: the largest element count of a typed array in today's engines is near it. */
const maxElements = 2 ** 32
