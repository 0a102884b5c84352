// Slices: how each value in memory can be made again of others, and what that costs.

import type { Graph, GraphNode, Id } from '../graph.ts'
import type { Unit, Units } from './units.ts'
import { avalsOf, bytesOf, costOf } from './work.ts'

/** What makes one value of others that lie in memory. */
export interface Slice {
  readonly nodes: readonly GraphNode[]
  readonly reads: readonly Id[]
  readonly cost: number
}

/** The slices of a graph. */
export interface Slices {
  readonly slices: ReadonlyMap<Id, Slice>
  /** The values whose slices read a value. */
  readonly children: ReadonlyMap<Id, readonly Id[]>
  /** Bytes of all values that can lie in memory. */
  readonly sizes: ReadonlyMap<Id, number>
  /** Values of each unit that no other unit reads. */
  readonly spares: ReadonlyMap<Unit, readonly Id[]>
  /** The cost of the whole graph. */
  readonly cost: number
}

/** How much smaller than what is made of it a value must be, to be kept in its stead. */
const smaller = 1 / 2

/**
 * Finds how the values between units are made. Where a unit computes on the way to one of them something much smaller, such as
 * the bools of a mask that is read as numbers, or the sums of rows, that is a spare: nobody reads it, but it can be kept instead.
 */
export function slicesOf(graph: Graph, { units, makers, free, held, basesOf }: Units): Slices {
  const avals = avalsOf(graph)
  const costs = new Map(graph.nodes.map(node => [node, free.has(node) ? 0 : costOf(node, avals)]))
  const sizes = new Map(held)
  const sliceOf = (id: Id): Slice => {
    const nodes: GraphNode[] = []
    const reads = new Set<Id>()
    const seen = new Set<GraphNode>()
    const visit = (node: GraphNode): void => {
      if (seen.has(node)) return
      seen.add(node)
      for (const base of new Set(node.inputs.flatMap(basesOf))) {
        if (!makers.has(base)) continue
        if (sizes.has(base)) reads.add(base)
        else visit(makers.get(base)!)
      }
      nodes.push(node)
    }
    visit(makers.get(id)!)
    return { nodes, reads: [...reads], cost: nodes.reduce((sum, node) => sum + costs.get(node)!, 0) }
  }
  const spares = new Map(units.map(unit => {
    const found = new Set(unit.makes.flatMap(id => sliceOf(id).nodes.flatMap(({ outputs }) => outputs.filter(out => !held.has(out) && bytesOf(avals.get(out)!) <= smaller * held.get(id)!))))
    return [unit, [...found]] as const
  }))
  for (const ids of spares.values()) for (const id of ids) sizes.set(id, bytesOf(avals.get(id)!))
  const slices = new Map([...sizes.keys()].map(id => [id, sliceOf(id)]))
  const children = new Map<Id, Id[]>()
  for (const [id, { reads }] of slices) for (const read of reads) children.set(read, [...children.get(read) ?? [], id])
  return { slices, children, sizes, spares, cost: [...costs.values()].reduce((sum, cost) => sum + cost, 0) }
}
