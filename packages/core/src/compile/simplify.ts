// Simplifying a graph without changing a bit of its results: what is computed twice is computed once, what nobody reads not at all.

import type { Graph, GraphNode, Id } from '../graph.ts'
import { keyOf } from './keys.ts'

/** A graph, and how many ops {@link simplify} took away. */
export interface Simplified {
  readonly graph: Graph
  /** Ops that had been computed before. */
  readonly repeated: number
  /** Ops whose results nobody reads. */
  readonly unused: number
}

/** Merges repeated ops (common subexpressions) and drops those that no result depends on (dead code). */
export function simplify(graph: Graph): Simplified {
  const stands = new Map<Id, Id>()
  const known = new Map<string, readonly Id[]>()
  const nodes: GraphNode[] = []
  let repeated = 0
  const now = (id: Id): Id => stands.get(id) ?? id
  for (const original of graph.nodes) {
    const node = { ...original, inputs: original.inputs.map(now) }
    // what is computed again behind a fence is meant to be
    const key = `${node.fence ?? 0} ${keyOf(node.row)} ${node.inputs.join()} ${keyOf(node.params)}`
    const before = known.get(key)
    if (before) {
      node.outputs.forEach((id, i) => stands.set(id, before[i]!))
      repeated++
    } else {
      known.set(key, node.outputs)
      nodes.push(node)
    }
  }
  const outputs = graph.outputs.map(now)
  const updates = graph.updates.map(({ variable, id }) => ({ variable, id: now(id) }))
  const results = [...outputs, ...updates.map(({ id }) => id)]
  const kept = needed(nodes, results)
  const used = new Set([...results, ...kept.flatMap(({ inputs }) => inputs)])
  return {
    graph: {
      ...graph, nodes: kept, outputs, updates,
      constants: graph.constants.filter(({ id }) => used.has(id)),
      variables: graph.variables.filter(({ id, value }) => used.has(id) || updates.some(({ variable }) => variable === value)),
      live: graph.live.filter(({ id }) => used.has(id)),
    },
    repeated, unused: nodes.length - kept.length,
  }
}

/** The nodes that the results depend on. */
export function needed(nodes: readonly GraphNode[], results: readonly Id[]): GraphNode[] {
  const wanted = new Set(results)
  const kept: GraphNode[] = []
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!
    if (!node.outputs.some(id => wanted.has(id))) continue
    for (const id of node.inputs) wanted.add(id)
    kept.push(node)
  }
  return kept.reverse()
}
