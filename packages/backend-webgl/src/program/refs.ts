// What ops read, seen through views: a value that something made, its shape, and strides where it does not lie dense.

import type { Shape } from '@bp/core'
import { type GraphNode, type Id, repeatedStrides, sameShape, sizeOf, stridesOf } from '@bp/core/extend'
import { changes, inOrder, type View } from '../glsl/view.ts'

/** A value as an op sees it. */
export interface Ref {
  /** The value that lies in a texture. */
  readonly base: Id
  /** How many elements that value has. */
  readonly length: number
  readonly shape: Shape
  /** `null` where the elements lie in order. */
  readonly view: View | null
}

/** The result of a node that only moves elements, as a view of what its operand is a view of; `null` where it must be computed. */
export function viewed({ row, params, avals }: GraphNode, x: Ref): Ref | null {
  const { shape } = avals[0]!
  if (row.name === 'reshape' || row.name === 'detach') return x.view === null || sameShape(x.shape, shape) ? { ...x, shape } : null
  const change = Object.hasOwn(changes, row.name) ? changes[row.name as keyof typeof changes] : null
  if (!change || sizeOf(shape) === 0) return null
  const view = change(x.view ?? inOrder(x.shape), x.shape, params as never, shape)
  const dense = stridesOf(shape)
  const unmoved = view.offset === 0 && sizeOf(shape) === sizeOf(x.shape) && x.view === null && view.strides.every((stride, axis) => stride === dense[axis] || shape[axis] === 1)
  return { ...x, shape, view: unmoved ? null : view }
}

/** Strides by which a value is read for each element of `shape`, to which it broadcasts. */
export function stridesFor({ shape: from, view }: Ref, shape: Shape): View {
  const { strides, offset } = view ?? inOrder(from)
  return { offset, strides: repeatedStrides(strides, from, shape) }
}

/** Whether a value is read in its own order for each element of `shape`. */
export const inStep = (ref: Ref, shape: Shape): boolean => ref.view === null && sizeOf(ref.shape) === sizeOf(shape) && sameShape(ref.shape.filter(n => n !== 1), shape.filter(n => n !== 1))
