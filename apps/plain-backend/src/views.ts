// The ops that move elements. Most of them move none: they are another way of walking the same list.

import type { Shape } from '@bp/core'
import type { Kernel } from '@bp/core/extend'
import type { PadParams, SliceParams } from '@bp/ops/extend'
import { broadcast, copy, dense, readable, type View, zeros } from './view.ts'

/** The same elements, walked in the same order under another shape; a list of its own where the view has another order. */
export const reshape: Kernel<View, unknown> = ([x], _p, out) => dense(readable(x!.storage, x!.shape), out.shape)

/** The same view. */
export const detach: Kernel<View, unknown> = ([x]) => x!.storage

/** A step of 0 along each axis that is repeated. */
export const broadcastTo: Kernel<View, { readonly shape: Shape }> = ([x], p) => broadcast(x!.storage, x!.shape, p.shape)

/** The steps in another order. */
export const transpose: Kernel<View, { readonly perm: readonly number[] }> = ([x], { perm }) =>
  ({ ...x!.storage, strides: perm.map(axis => x!.storage.strides[axis]!) })

/** A later beginning and longer steps. */
export const slice: Kernel<View, SliceParams> = ([x], { starts, steps }) => {
  const { data, offset, strides } = x!.storage
  return { data, offset: offset + starts.reduce((sum, start, axis) => sum + start * strides[axis]!, 0), strides: strides.map((stride, axis) => stride * steps[axis]!) }
}

/** From the last element of each axis backwards. */
export const flip: Kernel<View, { readonly axes: readonly number[] }> = ([x], { axes }) => {
  const { data, offset, strides } = x!.storage
  return { data, offset: offset + axes.reduce((sum, axis) => sum + (x!.shape[axis]! - 1) * strides[axis]!, 0), strides: strides.map((stride, axis) => axes.includes(axis) ? -stride : stride) }
}

/** A view of a list of zeros, written through once. */
export const pad: Kernel<View, PadParams> = ([x], { low, interior }, out) => {
  const data = zeros(out.shape)
  const all = dense(data, out.shape)
  const offset = low.reduce((sum, n, axis) => sum + n * all.strides[axis]!, 0)
  copy(x!.storage, { data, offset, strides: all.strides.map((stride, axis) => stride * (interior[axis]! + 1)) }, x!.shape)
  return all
}

/** Views of one list, written through one after the other. */
export const concat: Kernel<View, { readonly axis: number }> = (xs, { axis }, out) => {
  const data = zeros(out.shape)
  const all = dense(data, out.shape)
  let start = 0
  for (const x of xs) {
    copy(x.storage, { data, offset: start * all.strides[axis]!, strides: all.strides }, x.shape)
    start += x.shape[axis]!
  }
  return all
}
