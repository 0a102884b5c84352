// Views: strides over a shape, and how ops that only move elements change them.

import type { Shape } from '@bp/core'
import { repeatedStrides, stridesOf } from '@bp/core/extend'
import type { SliceParams } from '@bp/ops/extend'

/** A stride for each axis, and where the first element stands. */
export interface View {
  readonly strides: readonly number[]
  readonly offset: number
}

/** The view of what lies in order. */
export const inOrder = (shape: Shape): View => ({ strides: stridesOf(shape), offset: 0 })

type Change<P> = (view: View, x: Shape, p: P, out: Shape) => View

/** What becomes of a view of shape `x`, by op. */
export const changes = {
  broadcastTo: (({ strides, offset }, x, _p, out) => ({ offset, strides: repeatedStrides(strides, x, out) })) satisfies Change<{ readonly shape: Shape }>,
  transpose: (({ strides, offset }, _x, p) => ({ offset, strides: p.perm.map(axis => strides[axis]!) })) satisfies Change<{ readonly perm: readonly number[] }>,
  slice: (({ strides, offset }, _x, p) => ({
    strides: strides.map((stride, axis) => stride * p.steps[axis]!), offset: strides.reduce((sum, stride, axis) => sum + stride * p.starts[axis]!, offset),
  })) satisfies Change<SliceParams>,
  flip: (({ strides, offset }, x, p) => ({
    strides: strides.map((stride, axis) => p.axes.includes(axis) ? -stride : stride), offset: p.axes.reduce((sum, axis) => sum + strides[axis]! * (x[axis]! - 1), offset),
  })) satisfies Change<{ readonly axes: readonly number[] }>,
}
