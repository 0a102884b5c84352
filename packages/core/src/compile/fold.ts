// Constant folding: what depends on no argument, variable or live number is computed once, while compiling.

import type { Graph, Id } from '../graph.ts'
import { bind, bindMany } from '../interpreter.ts'
import { outside } from '../live.ts'
import { sizeOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { fillRow } from '../vector.ts'

/** Elements up to which a result is worth keeping instead of computing. */
const largest = 65536

/** Replaces ops on constants by their results; `fill` stays, for backends write one number better themselves. */
export function fold(graph: Graph): { readonly graph: Graph; readonly folded: number } {
  const known = new Map<Id, Tensor>(graph.constants.map(({ id, value }) => [id, value]))
  const constants = [...graph.constants]
  const nodes = graph.nodes.filter(({ row, params, inputs, outputs, avals }) => {
    if (!inputs.every(id => known.has(id)) || avals.some(({ shape }) => sizeOf(shape) > largest)) return true
    const values = outside(() => {
      const operands = inputs.map(id => known.get(id)!)
      return avals.length === 1 ? [bind(row, operands, params)] : bindMany(row, operands, params)
    })
    outputs.forEach((id, i) => known.set(id, values[i]!))
    if (row === fillRow) return true
    outputs.forEach((id, i) => constants.push({ id, aval: avals[i]!, value: values[i]! }))
    return false
  })
  return { graph: { ...graph, constants, nodes }, folded: graph.nodes.length - nodes.length }
}
