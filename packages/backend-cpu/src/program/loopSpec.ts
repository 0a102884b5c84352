// A loop nest as data: what a group of elementwise ops and reductions reads, computes and writes, and along which axes.

import type { DType } from '@bp/core'

/** Where an op of a loop takes an operand from: memory, an earlier op of the loop, or a constant. */
export type Arg =
  | { readonly kind: 'load'; readonly at: number }
  | { readonly kind: 'value'; readonly at: number }
  | { readonly kind: 'constant'; readonly value: number; readonly dtype: DType }

/** Elements in memory: address of the first, and the distance in elements along each axis of the loop. */
export interface Place {
  readonly address: number
  readonly dtype: DType
  readonly strides: readonly number[]
}

/** How far a reduction reaches: within a row, over all rows, or over everything. */
export type Reach = 'row' | 'column' | 'all'

/** An op on one element, or the reduction of an op over elements. */
export type LoopOp =
  | { readonly kind: 'map'; readonly name: string; readonly dtype: DType; readonly args: readonly Arg[]; readonly argTypes: readonly DType[] }
  | { readonly kind: 'reduce'; readonly how: 'sum' | 'max'; readonly reach: Reach; readonly dtype: DType; readonly arg: Arg }

/** A loop nest. */
export interface LoopSpec {
  readonly name: string
  /** Sizes, in the order in which the results lie in memory. */
  readonly axes: readonly number[]
  /** Which axes run within a row; `null` where nothing is reduced by rows or columns, and the split is free. */
  readonly within: readonly boolean[] | null
  readonly loads: readonly Place[]
  readonly ops: readonly LoopOp[]
  /** Which ops are written to memory, and where. A result that is reduced over an axis has stride 0 there. */
  readonly stores: readonly { readonly op: number; readonly to: Place }[]
}
