// The graph: a traced program as data, which can be printed, run, exported and compiled.

import type { Aval } from './aval.ts'
import { fail } from './errors.ts'
import { current, type Setting } from './interpreter.ts'
import type { AnyRow } from './row.ts'
import { describe } from './shape.ts'
import type { Tensor, Variable } from './tensor.ts'
import { full } from './vector.ts'

/** The number by which a graph knows a value. */
export type Id = number

/** One op of a graph. */
export interface GraphNode {
  readonly row: AnyRow
  readonly params: unknown
  readonly inputs: readonly Id[]
  readonly outputs: readonly Id[]
  /** Shape and dtype of each output. */
  readonly avals: readonly Aval[]
  /**
   * Ops on different sides of a fence are not fused, so that what is computed late is not drawn to where it could be early.
   * Counts up along the graph; 0 unless given.
   */
  readonly fence?: number
}

/** A setting that was read, and what it was. */
export interface Guard {
  readonly read: () => Setting
  readonly value: Setting
}

/** A traced program: nodes in the order in which they run. */
export interface Graph {
  readonly inputs: { readonly id: Id; readonly aval: Aval }[]
  /** Tensors that the function closed over. */
  readonly constants: { readonly id: Id; readonly aval: Aval; readonly value: Tensor }[]
  /** Variables that the function read; `id` is the value at the start. */
  readonly variables: { readonly id: Id; readonly aval: Aval; readonly value: Variable }[]
  readonly nodes: GraphNode[]
  readonly outputs: readonly Id[]
  /** What variables hold at the end. */
  readonly updates: { readonly variable: Variable; readonly id: Id }[]
  /** Scalars that are read anew before every run; see {@link live}. */
  readonly live: { readonly id: Id; readonly aval: Aval; readonly read: () => number }[]
  /** Settings that the graph was written down for; see {@link depends}. */
  readonly guards?: readonly Guard[]
  /** What else happens after every run; see {@link effect}. */
  readonly effects: readonly (() => void)[]
}

/** Runs a graph op by op in the current interpreter, updates its variables, and returns its outputs. */
export function runGraph(graph: Graph, args: readonly Tensor[]): Tensor[] {
  if (args.length !== graph.inputs.length) fail('value', 'runGraph', `the graph takes ${graph.inputs.length} inputs, got ${args.length}`)
  const values = new Map<Id, Tensor>()
  graph.inputs.forEach(({ id, aval }, i) => {
    const x = args[i]!
    if (describe(x) !== describe(aval)) fail('shape', 'runGraph', `input ${i} is ${describe(x)}, the graph was traced with ${describe(aval)}. Trace again for this shape`)
    values.set(id, x)
  })
  for (const { id, value } of [...graph.constants, ...graph.variables]) values.set(id, value)
  for (const { id, aval, read } of graph.live) values.set(id, full([], read(), aval.dtype))
  for (const { row, params, inputs, outputs } of graph.nodes) {
    const ys = [current.bind(row, inputs.map(id => values.get(id)!), params)].flat()
    outputs.forEach((id, i) => values.set(id, ys[i]!))
  }
  // what a variable held before, also where it or another is assigned
  const assigned = new Map<Tensor, Variable>(graph.updates.map(({ variable }) => [variable, variable]))
  const before = (x: Tensor): Tensor => {
    const variable = assigned.get(x)
    return variable ? current.read(variable) : x
  }
  const results = graph.outputs.map(id => before(values.get(id)!))
  const updates = graph.updates.map(({ variable, id }) => ({ variable, value: before(values.get(id)!) }))
  for (const { variable, value } of updates) variable.assign(value)
  for (const happen of graph.effects) happen()
  return results
}

/** Prints a graph, one op a line: `%2: f32[2] = mul(%0, %1)`. */
export function printGraph(graph: Graph): string {
  const value = (id: Id, aval: Aval): string => `%${id}: ${describe(aval)}`
  const lines = [
    ...graph.constants.map(({ id, aval }) => `${value(id, aval)} = constant`),
    ...graph.variables.map(({ id, aval }) => `${value(id, aval)} = variable`),
    ...graph.live.map(({ id, aval }) => `${value(id, aval)} = live`),
    ...graph.nodes.flatMap(({ row, params, inputs, outputs, avals, fence = 0 }, i) => [
      ...fence > (graph.nodes[i - 1]?.fence ?? 0) ? [`--- fence ${fence}`] : [],
      `${outputs.map((id, k) => value(id, avals[k]!)).join(', ')} = ${row.name}(${inputs.map(id => `%${id}`).join(', ')})${printParams(params)}`,
    ]),
    ...graph.updates.map(({ variable, id }) => `assign(%${graph.variables.find(({ value }) => value === variable)!.id}, %${id})`),
  ]
  const inputs = graph.inputs.map(({ id, aval }) => value(id, aval)).join(', ')
  return [`graph(${inputs}) {`, ...lines.map(line => `  ${line}`), `  return ${graph.outputs.map(id => `%${id}`).join(', ')}`, '}'].join('\n')
}

const printParams = (params: unknown): string =>
  params === undefined ? '' : ` ${JSON.stringify(params, (key, value: unknown) => key === 'backend' ? undefined : value)}`
