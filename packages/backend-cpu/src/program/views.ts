// Views: ops that only say where elements lie, so that nothing is computed for them.

import type { GraphNode } from '@bp/core/extend'
import { broadcast, type Layout, reshapeLayout } from './space.ts'

interface ViewParams {
  readonly perm: readonly number[]
  readonly starts: readonly number[]
  readonly steps: readonly number[]
  readonly axes: readonly number[]
}

type ViewRule = (x: Layout, p: ViewParams, to: readonly number[]) => Layout | null

const rules: Readonly<Record<string, ViewRule>> = {
  reshape: (x, _p, to) => reshapeLayout(x, to),
  detach: x => x,
  broadcastTo: (x, _p, to) => broadcast(x, to),
  transpose: (x, { perm }, to) => ({ offset: x.offset, shape: to, strides: perm.map(axis => x.strides[axis]!) }),
  slice: (x, { starts, steps }, to) => ({
    offset: starts.reduce((sum, start, i) => sum + start * x.strides[i]!, x.offset),
    shape: to, strides: x.strides.map((stride, i) => stride * steps[i]!),
  }),
  flip: (x, { axes }, to) => ({
    offset: axes.reduce((sum, axis) => sum + (x.shape[axis]! - 1) * x.strides[axis]!, x.offset),
    shape: to, strides: x.strides.map((stride, i) => axes.includes(i) ? -stride : stride),
  }),
}

/** Whether a node can be a view of its operand. */
export const isView = ({ row }: GraphNode): boolean => Object.hasOwn(rules, row.name)

/** Where the result of a view lies, given where its operand does; `null` where elements would have to be moved. */
export const viewLayout = ({ row, params, avals }: GraphNode, x: Layout): Layout | null => rules[row.name]!(x, params as ViewParams, avals[0]!.shape)
