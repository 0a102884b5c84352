// Iteration spaces: the axes that the ops of one loop nest share, and where each operand's elements lie along them.

import type { Shape } from '@bp/core'
import { sameShape, stridesOf } from '@bp/core/extend'

/** How a value's elements lie in a buffer: distances in elements along each axis of its shape. */
export interface Layout {
  readonly offset: number
  readonly shape: Shape
  readonly strides: readonly number[]
}

/** Row-major from the start. */
export const dense = (shape: Shape): Layout => ({ offset: 0, shape, strides: stridesOf(shape) })

/** Whether elements lie row-major without gaps, whatever axes of size 1 say. */
export function isDense({ offset, shape, strides }: Layout): boolean {
  if (offset !== 0) return false
  for (let i = shape.length - 1, step = 1; i >= 0; step *= shape[i--]!) if (shape[i] !== 1 && strides[i] !== step) return false
  return true
}

/** The coarsest axes that both lists of axes divide into (row-major, of one size), or `null` where they cut across each other. */
export function refine(a: Shape, b: Shape): number[] | null {
  const out: number[] = []
  let i = a.length - 1, j = b.length - 1
  let restA = 1, restB = 1
  for (;;) {
    while (restA === 1 && i >= 0) restA = a[i--]!
    while (restB === 1 && j >= 0) restB = b[j--]!
    if (restA === 1 || restB === 1) return restA === restB ? out.reverse() : null
    const [small, large] = restA < restB ? [restA, restB] : [restB, restA]
    if (large % small !== 0) return null
    out.push(small)
    restA /= small
    restB /= small
  }
}

/** The strides of a layout along finer axes. */
export function refineStrides({ shape, strides }: Pick<Layout, 'shape' | 'strides'>, axes: Shape): number[] {
  const out = new Array<number>(axes.length)
  let k = axes.length - 1
  for (let i = shape.length - 1; i >= 0; i--) {
    for (let size = 1; size < shape[i]!; k--) {
      out[k] = strides[i]! * size
      size *= axes[k]!
    }
  }
  return out
}

/** A layout seen under a larger shape: 0 along the axes that broadcasting repeats. */
export function broadcast({ offset, shape, strides }: Layout, to: Shape): Layout {
  const lead = to.length - shape.length
  return { offset, shape: to, strides: to.map((size, i) => i < lead || (shape[i - lead] === 1 && size !== 1) ? 0 : strides[i - lead]!) }
}

/** The same elements in the same order under another shape, or `null` where no strides say so. */
export function reshapeLayout(layout: Layout, to: Shape): Layout | null {
  const kept = layout.shape.flatMap((size, i) => size === 1 ? [] : [i])
  // neighbouring axes that are walked without a jump are one
  const sizes: number[] = []
  const steps: number[] = []
  for (const i of kept) {
    const last = sizes.length - 1
    const joined = layout.strides[i]! * layout.shape[i]!
    if (steps[last] === joined) {
      sizes[last]! *= layout.shape[i]!
      steps[last] = layout.strides[i]!
    } else {
      sizes.push(layout.shape[i]!)
      steps.push(layout.strides[i]!)
    }
  }
  const axes = refine(sizes, to)
  const trimmed = to.filter(size => size !== 1)
  if (axes === null || !sameShape(axes, trimmed)) return null
  const strides = refineStrides({ shape: sizes, strides: steps }, axes)
  let k = 0
  return { offset: layout.offset, shape: to, strides: to.map(size => size === 1 ? 0 : strides[k++]!) }
}
