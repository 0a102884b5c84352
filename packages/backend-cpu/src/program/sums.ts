// Sums of products: those that only their sum is asked for become one product, so that its elements are written once.

import { addRow, Aval, defineOp, type Graph, type GraphNode, type Id, sameShape } from '@bp/core/extend'
import type { DotParams } from '@bp/ops/extend'

/** C = Σᵢ Aᵢ·Bᵢ, operands A₁, B₁, A₂, B₂, …: one product along all of the inner axes, laid end to end. Lowering alone binds it. */
const dotSumRow = /* @__PURE__ */ defineOp({
  name: 'dotSum', arity: 'n', fuse: 'contract', diff: { kind: 'linear', transpose: [null] },
  infer: ([a, b], { ta, tb }: DotParams) => new Aval([a!.shape[ta ? 1 : 0]!, b!.shape[tb ? 0 : 1]!], a!.dtype),
})

/** A graph, and how many products are parts of others in it. */
export interface Summed {
  readonly graph: Graph
  readonly joined: number
}

/**
 * The graph with each sum of matrix products of one shape as one product, where the operands of a product are fewer elements than its
 * result: the gradient of a weight that each step of a sequence has used. Sums differ in their order only.
 */
export function sumsOfProducts(graph: Graph): Summed {
  const makers = new Map(graph.nodes.flatMap(node => node.outputs.map((id): [Id, GraphNode] => [id, node])))
  const avals = new Map([...graph.inputs, ...graph.constants, ...graph.variables, ...graph.live].map(({ id, aval }): [Id, Aval] => [id, aval]))
  for (const { outputs, avals: list } of graph.nodes) outputs.forEach((id, i) => avals.set(id, list[i]!))
  const uses = new Map<Id, number>()
  for (const id of [...graph.nodes.flatMap(({ inputs }) => inputs), ...graph.outputs, ...graph.updates.map(({ id }) => id)]) uses.set(id, (uses.get(id) ?? 0) + 1)

  const isSum = ({ row, inputs, avals: [out] }: GraphNode): boolean => row === addRow && inputs.every(id => sameShape(avals.get(id)!.shape, out!.shape))
  /** What makes a value for one sum alone, in the same era. */
  const within = (sum: GraphNode, id: Id): GraphNode | undefined => {
    const maker = makers.get(id)
    return maker && uses.get(id) === 1 && maker.fence === sum.fence ? maker : undefined
  }
  /** The inner axis, and what products must have in common to be one; `null` of what is none, or larger than what it makes. */
  const kindOf = ({ row, params, inputs, avals: [out] }: GraphNode): string | null => {
    if (row.name !== 'dot' || out!.shape.length !== 2) return null
    const { ta, tb } = params as DotParams
    const [m, n] = out!.shape as [number, number]
    const k = avals.get(inputs[0]!)!.shape[ta ? 0 : 1]!
    return k * (m + n) < m * n ? `${k} ${ta} ${tb}` : null
  }
  const inner = new Set<GraphNode>()
  for (const node of graph.nodes) if (isSum(node)) for (const id of node.inputs) { const maker = within(node, id); if (maker && isSum(maker)) inner.add(maker) }

  const gone = new Set<GraphNode>()
  const instead = new Map<GraphNode, readonly GraphNode[]>()
  let next = Math.max(-1, ...avals.keys()) + 1
  for (const root of graph.nodes) {
    if (!isSum(root) || inner.has(root)) continue
    const kinds = new Map<string, GraphNode[]>()
    const others: Id[] = []
    const sums: GraphNode[] = []
    const pending = [root.outputs[0]!]
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      const maker = id === root.outputs[0] ? root : within(root, id)
      const kind = maker ? kindOf(maker) : null
      if (maker && isSum(maker)) {
        sums.push(maker)
        pending.push(...maker.inputs.toReversed())
      } else if (maker && kind !== null) kinds.set(kind, [...kinds.get(kind) ?? [], maker])
      else others.push(id)
    }
    const made: GraphNode[] = []
    const terms = [...kinds.values()].map(products => {
      if (products.length === 1) return products[0]!.outputs[0]!
      for (const product of products) gone.add(product)
      made.push({ ...root, row: dotSumRow, params: products[0]!.params, inputs: products.flatMap(({ inputs }) => inputs), outputs: [next++] })
      return made.at(-1)!.outputs[0]!
    })
    if (made.length === 0) continue
    for (const sum of sums) gone.add(sum)
    const [first, ...rest] = [...terms, ...others] as [Id, ...Id[]]
    rest.reduce((sum, id) => {
      made.push({ ...root, inputs: [sum, id], outputs: [next++] })
      return made.at(-1)!.outputs[0]!
    }, first)
    made.push({ ...made.pop()!, outputs: root.outputs })
    instead.set(root, made)
  }
  const nodes = graph.nodes.flatMap(node => instead.get(node) ?? (gone.has(node) ? [] : node))
  return { graph: instead.size === 0 ? graph : { ...graph, nodes }, joined: [...gone].filter(({ row }) => row !== addRow).length }
}
