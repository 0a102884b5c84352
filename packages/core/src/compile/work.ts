// What an op costs: operations, and with the bytes that it moves a measure of time.

import type { Abstract } from '../aval.ts'
import { bytesPerElement } from '../dtype.ts'
import type { Graph, GraphNode, Id } from '../graph.ts'
import { sizeOf } from '../shape.ts'

/** Bytes of a value. */
export const bytesOf = ({ shape, dtype }: Abstract): number => sizeOf(shape) * bytesPerElement(dtype)

/** What each value of a graph is. */
export function avalsOf(graph: Graph): Map<Id, Abstract> {
  const avals = new Map<Id, Abstract>()
  for (const { id, aval } of [...graph.inputs, ...graph.constants, ...graph.variables, ...graph.live]) avals.set(id, aval)
  for (const { outputs, avals: list } of graph.nodes) outputs.forEach((id, i) => avals.set(id, list[i]!))
  return avals
}

/** Operations of a node; views have none. */
export function flopsOf({ row, params, inputs, avals: ys }: GraphNode, avals: ReadonlyMap<Id, Abstract>): number {
  if (row.fuse === 'view') return 0
  const xs = inputs.map(id => avals.get(id)!)
  if (row.flops) return row.flops(xs, ys, params)
  const elements = Math.max(...[...xs, ...ys].map(({ shape }) => sizeOf(shape)))
  return row.fuse === 'opaque' ? elements * Math.max(1, ...[...xs, ...ys].flatMap(({ shape }) => shape)) : elements
}

/** Operations of all nodes of a graph. */
export function flopsOfGraph(graph: Graph): number {
  const avals = avalsOf(graph)
  return graph.nodes.reduce((sum, node) => sum + flopsOf(node, avals), 0)
}

/**
 * The time that a node takes, in operations: a byte read or written counts as one, for processors do about as many operations
 * as their memory moves bytes (the balance of a core in Williams, Waterman & Patterson 2009, "Roofline").
 */
export const costOf = (node: GraphNode, avals: ReadonlyMap<Id, Abstract>): number =>
  flopsOf(node, avals) + [...node.inputs.map(id => avals.get(id)!), ...node.avals].reduce((sum, aval) => sum + bytesOf(aval), 0)
