// Walking the elements of an array by their indices: the loop that every reference kernel is written in.

import type { Shape } from '@bp/core'
import { sizeOf } from '@bp/core/extend'

/** Calls `visit` with each index of `shape`, row-major, and its flat place. The index is reused: copy it to keep it. */
export function eachIndex(shape: Shape, visit: (index: number[], flat: number) => void): void {
  const index = shape.map(() => 0)
  const size = sizeOf(shape)
  for (let flat = 0; flat < size; flat++) {
    visit(index, flat)
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis]! < shape[axis]!) break
      index[axis] = 0
    }
  }
}

/** The flat place of an index, row-major. */
export function flatAt(shape: Shape, index: readonly number[]): number {
  let flat = 0
  for (let axis = 0; axis < shape.length; axis++) flat = flat * shape[axis]! + index[axis]!
  return flat
}

/** The flat place in an array of `shape` that an index of a shape it broadcasts to reads. */
export function broadcastAt(shape: Shape, index: readonly number[]): number {
  const lead = index.length - shape.length
  let flat = 0
  for (let axis = 0; axis < shape.length; axis++) flat = flat * shape[axis]! + (shape[axis] === 1 ? 0 : index[axis + lead]!)
  return flat
}
