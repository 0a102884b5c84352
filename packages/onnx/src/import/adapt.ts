// Graphs made into other graphs before they are prepared: equal weights told apart again, and parts cut out at inner values.

import { fail, isFloat } from '@bp/core/extend'
import type { LoadedGraph, ModelNode, ModelValue, NestedGraph } from './load.ts'

const quote = (name: string): string => JSON.stringify(name)

/** What a node reads, also from inside. */
export const readsOf = ({ inputs, graphs }: ModelNode): string[] => [...inputs, ...[...graphs.values()].flatMap(({ nodes, outputs }) => [...nodes.flatMap(readsOf), ...outputs])]

/**
 * The graph with weights of their own where an exporter has merged equal ones. `true`: each Identity of an initialiser becomes
 * an initialiser under the name of its output. Names: of the nodes that read such an initialiser each gets one of its own, the first under the name in the
 * file, further ones under `node.name`. Throws where a name is no float initialiser.
 */
export const untied = (graph: LoadedGraph, which: true | readonly string[]): LoadedGraph =>
  which === true ? withoutIdentities(graph) : which.reduce(withOneEach, graph)

function withoutIdentities(graph: LoadedGraph): LoadedGraph {
  const initialisers = new Map(graph.initialisers)
  const nodes = graph.nodes.filter(({ operator, inputs, outputs }) => {
    const literal = operator === 'Identity' ? initialisers.get(inputs[0] ?? '') : undefined
    if (!literal || !isFloat(literal.dtype) || !outputs[0]) return true
    initialisers.set(outputs[0], literal)
    return false
  })
  return { ...graph, initialisers, nodes }
}

function withOneEach(graph: LoadedGraph, name: string): LoadedGraph {
  const literal = graph.initialisers.get(name)
  if (!literal || !isFloat(literal.dtype)) return fail('value', 'importOnnx', `untie names ${quote(name)}, which is no initialiser of floats. Use names of namedParameters(), or true for all that the exporter merged`)
  const initialisers = new Map(graph.initialisers)
  const taken = new Set([...initialisers.keys(), ...graph.inputs.map(input => input.name), ...graph.nodes.flatMap(node => node.outputs)])
  let first = true
  const nodes = graph.nodes.map(node => {
    if (!readsOf(node).includes(name)) return node
    if (first) {
      first = false
      return node
    }
    const own = unused(`${node.name}.${name}`, taken)
    taken.add(own)
    initialisers.set(own, literal)
    return reading(node, name, own)
  })
  return { ...graph, initialisers, nodes }
}

/** A name, or one that begins with it, that is not taken. */
export function unused(name: string, taken: { readonly has: (name: string) => boolean }): string {
  let free = name
  for (let i = 1; taken.has(free); i++) free = `${name}_${i}`
  return free
}

/** The node reading `other` wherever it reads `name`, also from inside. */
function reading(node: ModelNode, name: string, other: string): ModelNode {
  const renamed = (names: readonly string[]): string[] => names.map(read => read === name ? other : read)
  const inside = (graph: NestedGraph): NestedGraph => ({ ...graph, outputs: renamed(graph.outputs), nodes: graph.nodes.map(inner => reading(inner, name, other)) })
  return { ...node, inputs: renamed(node.inputs), graphs: new Map([...node.graphs].map(([attribute, graph]) => [attribute, inside(graph)])) }
}

/** Where to cut a graph. */
export interface Cut {
  /** The values to feed; those of the file that are still needed, unless given. */
  readonly inputs: readonly ModelValue[] | null
  readonly outputs: readonly ModelValue[]
}

/** The part of a graph that makes some values from others, without what they do not need. Throws where an input would be missing. */
export function cut(graph: LoadedGraph, { inputs, outputs }: Cut): LoadedGraph {
  const fed = new Set((inputs ?? graph.inputs).map(({ name }) => name))
  const needed = new Set(outputs.map(({ name }) => name))
  const nodes = graph.nodes.toReversed().filter(node => {
    if (!node.outputs.some(name => needed.has(name) && !fed.has(name))) return false
    for (const name of readsOf(node)) needed.add(name)
    return true
  }).reverse().map(node => ({ ...node, outputs: node.outputs.map(name => fed.has(name) ? '' : name) }))
  const missing = graph.inputs.find(({ name }) => needed.has(name) && !fed.has(name))
  if (missing) fail('value', 'importOnnx', `the outputs ${outputs.map(({ name }) => quote(name)).join(', ')} also need the input ${quote(missing.name)}. Name it among the inputs, or cut at other values`)
  const initialisers = new Map([...graph.initialisers].filter(([name]) => needed.has(name) && !fed.has(name)))
  return { ...graph, inputs: inputs ?? graph.inputs.filter(({ name }) => needed.has(name)), outputs, initialisers, nodes }
}

/** The values of a graph by name: its inputs, initialisers, and what its nodes make. */
export const valuesOf = (graph: LoadedGraph): Set<string> =>
  new Set([...graph.inputs.map(({ name }) => name), ...graph.initialisers.keys(), ...graph.nodes.flatMap(({ outputs }) => outputs)].filter(name => name !== ''))
