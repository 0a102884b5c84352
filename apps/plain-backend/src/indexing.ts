// Reading and adding by index: slices of one view copied to slices of another.

import type { Kernel, Operand } from '@bp/core/extend'
import { fail, sizeOf } from '@bp/core/extend'
import { copy, dense, listOf, rounded, type View, zeros } from './view.ts'

/** The index as places from 0; negative ones count from the end. */
function places(op: string, index: Operand<View>, size: number): number[] {
  return Array.from(listOf(index.storage, index.shape), at => at >= -size && at < size ? (at + size) % size : fail('value', op, `index ${at} is out of range for an axis of size ${size}. Use ${-size} to ${size - 1}`))
}

/** Entries of an axis, which the index's axes take the place of. */
export const gather: Kernel<View, { readonly axis: number }> = (xs, { axis }, out) => {
  const [x, index] = [xs[0]!, xs[1]!]
  const data = zeros(out.shape)
  const one = x.shape.with(axis, 1)
  const to = dense(data, x.shape.with(axis, sizeOf(index.shape)))
  const { offset, strides } = x.storage
  places('gather', index, x.shape[axis]!).forEach((at, i) => {
    copy({ ...x.storage, offset: offset + at * strides[axis]! }, { data, offset: i * to.strides[axis]!, strides: to.strides }, one)
  })
  return dense(data, out.shape)
}

/** Zeros with the entries added in. */
export const scatterAdd: Kernel<View, { readonly axis: number; readonly size: number }> = (xs, { axis, size }, out) => {
  const [x, index] = [xs[0]!, xs[1]!]
  const data = zeros(out.shape)
  const shape = [...x.shape.slice(0, axis), sizeOf(index.shape), ...x.shape.slice(axis + index.shape.length)]
  const from = dense(listOf(x.storage, x.shape), shape)
  const to = dense(data, out.shape)
  places('scatterAdd', index, size).forEach((at, i) => {
    copy({ ...from, offset: i * from.strides[axis]! }, { data, offset: at * to.strides[axis]!, strides: to.strides }, shape.with(axis, 1), true)
  })
  return rounded(data, out)
}
