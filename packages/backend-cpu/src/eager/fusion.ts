// Which decompositions and pullbacks run as one program in eager mode, and what that saves.

import { type Graph, type GraphNode, sizeOf } from '@bp/core/extend'
import type { Plan } from './programs.ts'
import { mostSummed } from './works.ts'

/** What an element of an op takes in TypeScript, in nanoseconds: a result in fresh memory, and little else. */
const perElement = 2

/** A graph that may run as one program; `null` where reductions in it are so long that sums are taken in double precision, in TypeScript. */
export function fusionOf(graph: Graph | null): Plan | null {
  if (!graph) return null
  const sizes = new Map(graph.inputs.map(({ id, aval }) => [id, sizeOf(aval.shape)]))
  for (const { outputs, avals } of graph.nodes) outputs.forEach((id, i) => sizes.set(id, sizeOf(avals[i]!.shape)))
  const operand = ({ inputs }: GraphNode): number => inputs.reduce((most, id) => Math.max(most, sizes.get(id)!), 0)
  const long = graph.nodes.some(node => node.row.fuse === 'reduce' && operand(node) > mostSummed * sizeOf(node.avals[0]!.shape))
  return long ? null : { graph, nanoseconds: graph.nodes.reduce((sum, node) => sum + perElement * operand(node), 0) }
}
