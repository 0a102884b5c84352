// Graphs as diagrams: Graphviz' DOT and Mermaid.

import type { Graph, Id } from './graph.ts'
import { describe } from './shape.ts'

interface Diagram {
  readonly values: { readonly id: Id; readonly label: string; readonly shape: 'input' | 'op' }[]
  readonly edges: { readonly from: Id; readonly to: Id; readonly label: string }[]
  readonly outputs: readonly Id[]
}

/** Inputs and ops as boxes; an arrow for each operand, with what flows along it. A node of several results is its first. */
function diagramOf(graph: Graph, names: readonly string[]): Diagram {
  const made = new Map<Id, { readonly at: Id; readonly label: string }>()
  const values: Diagram['values'] = []
  const edges: Diagram['edges'] = []
  const enter = (id: Id, label: string, flow: string): void => {
    values.push({ id, label, shape: 'input' })
    made.set(id, { at: id, label: flow })
  }
  graph.inputs.forEach(({ id, aval }, i) => { enter(id, names[i] ?? `x${i}`, describe(aval)) })
  graph.variables.forEach(({ id, aval }, i) => { enter(id, `variable ${i}`, describe(aval)) })
  graph.constants.forEach(({ id, aval, value }) => { enter(id, value.size === 1 ? String(value.item()) : 'constant', describe(aval)) })
  for (const { row, inputs, outputs, avals } of graph.nodes) {
    const at = outputs[0]!
    values.push({ id: at, label: row.name, shape: 'op' })
    outputs.forEach((id, i) => made.set(id, { at, label: describe(avals[i]!) }))
    for (const id of inputs) edges.push({ from: made.get(id)!.at, to: at, label: made.get(id)!.label })
  }
  return { values, edges, outputs: graph.outputs.map(id => made.get(id)!.at) }
}

/** A graph in Graphviz' DOT language, for `dot -Tsvg`; `names` are those of its inputs. */
export function toDot(graph: Graph, names: readonly string[] = []): string {
  const { values, edges, outputs } = diagramOf(graph, names)
  return [
    'digraph {',
    ...values.map(({ id, label, shape }) => `  n${id} [label=${JSON.stringify(label)}, shape=${shape === 'input' ? 'ellipse' : 'box'}]`),
    ...edges.map(({ from, to, label }) => `  n${from} -> n${to} [label=${JSON.stringify(label)}]`),
    ...outputs.map((id, i) => `  y${i} [label="y${i}", shape=ellipse]\n  n${id} -> y${i}`),
    '}',
  ].join('\n')
}

/** A graph as a Mermaid flowchart, as Markdown viewers draw it; `names` are those of its inputs. */
export function toMermaid(graph: Graph, names: readonly string[] = []): string {
  const { values, edges, outputs } = diagramOf(graph, names)
  const quoted = (label: string): string => `"${label.replaceAll('"', '#quot;')}"`
  return [
    'flowchart TD',
    ...values.map(({ id, label, shape }) => shape === 'input' ? `  n${id}([${quoted(label)}])` : `  n${id}[${quoted(label)}]`),
    ...edges.map(({ from, to, label }) => `  n${from} -->|${quoted(label)}| n${to}`),
    ...outputs.map((id, i) => `  n${id} --> y${i}(["y${i}"])`),
  ].join('\n')
}
