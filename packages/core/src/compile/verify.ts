// The verifier: what must hold of a graph after every pass, and is looked at in tests.

import type { Aval } from '../aval.ts'
import { fail } from '../errors.ts'
import type { Graph, Id } from '../graph.ts'
import { describe } from '../shape.ts'

/** Looks at a graph that a pass has made; throws where something is wrong with it. */
export type Verifier = (graph: Graph, pass: string) => void

/** What `compile` shows each graph to, `null` where nobody looks. */
export let verifier: Verifier | null = null

/**
 * Sets what `compile` shows each graph to after every pass: {@link verifyGraph} in tests.
 *
 * @example
 * ```ts
 * import { compile, mul, tensor } from '@bp/core'
 * import { setVerifier, verifyGraph } from '@bp/core/extend'
 * setVerifier(verifyGraph)
 * compile(x => mul(x, x))(tensor([1, 2, 3])) // => tensor([1, 4, 9], float32)
 * ```
 */
export function setVerifier(next: Verifier | null): void {
  verifier = next
}

/**
 * Throws unless each value is made once and before it is read, has the shape and dtype that its op infers, results and
 * updates exist, variables are updated with values of their own form, and fences only rise.
 *
 * @example
 * ```ts
 * import { mul } from '@bp/core'
 * import { trace, verifyGraph } from '@bp/core/extend'
 * const graph = trace(x => mul(x, x), [{ shape: [2], dtype: 'float32' }])
 * verifyGraph(graph, 'traced') // => undefined
 * ```
 */
export function verifyGraph(graph: Graph, pass: string): void {
  const wrong = (what: string): never => fail('value', 'verify', `after the pass ${pass}, ${what}`)
  const made = new Map<Id, Aval>()
  const make = (id: Id, aval: Aval): void => {
    if (made.has(id)) wrong(`%${id} is made twice`)
    made.set(id, aval)
  }
  for (const { id, aval } of [...graph.inputs, ...graph.constants, ...graph.variables, ...graph.live]) make(id, aval)
  let fence = 0
  for (const node of graph.nodes) {
    const { row, params, inputs, outputs, avals } = node
    const operands = inputs.map(id => made.get(id) ?? wrong(`${row.name} reads %${id}, which nothing before it makes`))
    if ((node.fence ?? 0) < fence) wrong(`${row.name} stands behind a fence of ${fence}, with one of ${node.fence ?? 0} itself`)
    fence = node.fence ?? 0
    if (outputs.length !== avals.length) wrong(`${row.name} has ${outputs.length} results and ${avals.length} forms of them`)
    if (row.infer) {
      const inferred = [row.infer(operands.map(aval => ({ aval, shape: aval.shape, dtype: aval.dtype })), params)].flat()
      inferred.forEach((aval, i) => { if (describe(aval) !== describe(avals[i]!)) wrong(`%${outputs[i]!} of ${row.name} is ${describe(avals[i]!)}, but its operands make ${describe(aval)}`) })
    }
    outputs.forEach((id, i) => { make(id, avals[i]!) })
  }
  for (const id of graph.outputs) if (!made.has(id)) wrong(`an output is %${id}, which nothing makes`)
  for (const { variable, id } of graph.updates) {
    const aval = made.get(id) ?? wrong(`a variable is updated with %${id}, which nothing makes`)
    if (describe(aval) !== describe(variable)) wrong(`a variable ${describe(variable)} is updated with %${id}: ${describe(aval)}`)
  }
}
