// A graph as its backend runs it: units of ops that run as one, and the values that lie in memory between them.

import type { MemoryPlan } from '../backend.ts'
import type { Graph, GraphNode, Id } from '../graph.ts'
import { avalsOf, bytesOf } from './work.ts'

/** Ops that run as one. */
export interface Unit {
  readonly nodes: readonly GraphNode[]
  /** Values in memory that it reads. */
  readonly reads: readonly Id[]
  /** Values that it leaves in memory. */
  readonly makes: readonly Id[]
  /** Arguments, constants and variables that it reads. */
  readonly given: readonly Id[]
}

/** The units of a graph in the order in which they run, and what is between them. */
export interface Units {
  readonly units: readonly Unit[]
  /** The node that makes each value. */
  readonly makers: ReadonlyMap<Id, GraphNode>
  /** Nodes that take neither time nor memory: views, and constants that are written into what reads them. */
  readonly free: ReadonlySet<GraphNode>
  /** Bytes of each value between units; 0 where it takes up no memory of its own. */
  readonly held: ReadonlyMap<Id, number>
  /** Values in memory at the end: what outputs and updates are, or are views of. */
  readonly results: ReadonlySet<Id>
  /** The values that a value is a view of, or itself. */
  readonly basesOf: (id: Id) => readonly Id[]
}

/** Sorts the nodes of a graph into the groups of a plan. */
export function unitsOf(graph: Graph, { groups, kept }: Omit<MemoryPlan, 'bytes'>): Units {
  const makers = new Map<Id, GraphNode>()
  for (const node of graph.nodes) for (const id of node.outputs) makers.set(id, node)
  const unitOf = new Map<GraphNode, number>()
  groups.forEach((ids, u) => {
    for (const id of ids) {
      const node = makers.get(id)
      if (node) unitOf.set(node, u)
    }
  })
  const lists = groups.map((): GraphNode[] => [])
  for (const node of graph.nodes) {
    const u = unitOf.get(node)
    if (u !== undefined) lists[u]!.push(node)
  }
  const free = new Set(graph.nodes.filter(node => !unitOf.has(node)))
  const known = new Map<Id, readonly Id[]>()
  const basesOf = (id: Id): readonly Id[] => {
    let bases = known.get(id)
    if (bases === undefined) {
      const maker = makers.get(id)
      bases = maker && free.has(maker) ? [...new Set(maker.inputs.flatMap(basesOf))] : [id]
      known.set(id, bases)
    }
    return bases
  }
  const avals = avalsOf(graph)
  const held = new Map<Id, number>()
  const placed = new Set(kept)
  const hold = (id: Id): void => { held.set(id, placed.has(id) ? bytesOf(avals.get(id)!) : 0) }
  const results = new Set([...graph.outputs, ...graph.updates.map(({ id }) => id)].flatMap(basesOf).filter(id => makers.has(id)))
  for (const id of results) hold(id)
  const outside = lists.map((nodes, u) => {
    const bases = new Set(nodes.flatMap(({ inputs }) => inputs.flatMap(basesOf)))
    const reads = [...bases].filter(id => makers.has(id) && unitOf.get(makers.get(id)!) !== u)
    for (const id of reads) hold(id)
    return { reads, given: [...bases].filter(id => !makers.has(id)) }
  })
  const units = lists.map((nodes, u) => ({ nodes, ...outside[u]!, makes: nodes.flatMap(({ outputs }) => outputs.filter(id => held.has(id))) }))
  return { units: units.filter(({ nodes }) => nodes.length > 0), makers, free, held, results, basesOf }
}

/** Each node by itself, in the order of the graph, but for those that take no memory. */
export function apart(graph: Graph, free: ReadonlySet<GraphNode>): Units {
  const groups = graph.nodes.filter(node => !free.has(node)).map(({ outputs }) => outputs)
  return unitsOf(graph, { groups, kept: groups.flat() })
}
