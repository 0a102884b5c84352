// What ops read, seen through views: a value that something made, its shape, and strides where it does not lie dense.

import type { Shape } from '@bp/core'
import { type GraphNode, type Id, sameShape, sizeOf, stridesOf } from '@bp/core/extend'
import type { SliceParams } from '@bp/ops/extend'

/** Strides over a shape, and where they start. */
export interface View {
  readonly strides: readonly number[]
  readonly offset: number
}

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

type Compose = (view: View, x: Shape, p: never, out: Shape) => View

/** How ops that only move elements change a view. */
const composers: Readonly<Record<string, Compose>> = {
  broadcastTo: ({ strides, offset }, x, _p, out) => ({ offset, strides: broadcastView(strides, x, out) }),
  transpose: ({ strides, offset }, _x, p: { readonly perm: readonly number[] }) => ({ offset, strides: p.perm.map(axis => strides[axis]!) }),
  slice: ({ strides, offset }, _x, p: SliceParams) => ({
    strides: strides.map((stride, axis) => stride * p.steps[axis]!), offset: strides.reduce((sum, stride, axis) => sum + stride * p.starts[axis]!, offset),
  }),
  flip: ({ strides, offset }, x, p: { readonly axes: readonly number[] }) => ({
    strides: strides.map((stride, axis) => p.axes.includes(axis) ? -stride : stride), offset: p.axes.reduce((sum, axis) => sum + strides[axis]! * (x[axis]! - 1), offset),
  }),
}

/** Strides over `to` of what has strides over `from`, which broadcasts to it. */
export function broadcastView(strides: readonly number[], from: Shape, to: Shape): number[] {
  const lead = to.length - from.length
  return to.map((_, axis) => axis < lead || from[axis - lead] === 1 ? 0 : strides[axis - lead]!)
}

/** The result of a node that only moves elements, as a view of what its operand is a view of; `null` where it must be computed. */
export function viewed({ row, params, avals }: GraphNode, x: Ref): Ref | null {
  const { shape } = avals[0]!
  if (row.name === 'reshape' || row.name === 'detach') return x.view === null || sameShape(x.shape, shape) ? { ...x, shape } : null
  const compose = Object.hasOwn(composers, row.name) ? composers[row.name]! : null
  if (!compose || sizeOf(shape) === 0) return null
  const view = compose(x.view ?? { strides: stridesOf(x.shape), offset: 0 }, x.shape, params as never, shape)
  const dense = stridesOf(shape)
  const inOrder = view.offset === 0 && sizeOf(shape) === sizeOf(x.shape) && x.view === null && view.strides.every((stride, axis) => stride === dense[axis] || shape[axis] === 1)
  return { ...x, shape, view: inOrder ? null : view }
}

/** Strides by which a value is read for each element of `shape`, to which it broadcasts. */
export function stridesFor({ shape: from, view }: Ref, shape: Shape): View {
  return { offset: view?.offset ?? 0, strides: broadcastView(view?.strides ?? stridesOf(from), from, shape) }
}

/** Whether a value is read in its own order for each element of `shape`. */
export const inStep = (ref: Ref, shape: Shape): boolean => ref.view === null && sizeOf(ref.shape) === sizeOf(shape) && sameShape(ref.shape.filter(n => n !== 1), shape.filter(n => n !== 1))
