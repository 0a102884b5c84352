// One program traced at several sample points of its open dimensions, walked side by side: where the traces differ is where these are.

import type { DType, Shape, Tensor, Variable } from '@bp/core'
import { type AnyRow, fail, type Graph, type Id, trace } from '@bp/core/extend'
import { isFixed, type Size, zip } from './sizes.ts'

/** A value of the program: its dtype and its sizes. */
export interface TwinAval {
  readonly dtype: DType
  readonly sizes: readonly Size[]
}

/** One op of the program, with its parameters at every sample point. */
export interface TwinNode {
  readonly row: AnyRow
  readonly params: readonly unknown[]
  readonly inputs: readonly Id[]
  readonly outputs: readonly Id[]
}

/** The program at all sample points, with dead ops left out. */
export interface Twin {
  readonly inputs: readonly Id[]
  /** `values` is what it holds at every sample point. */
  readonly constants: readonly { readonly id: Id; readonly values: readonly Tensor[] }[]
  readonly variables: readonly { readonly id: Id; readonly value: Variable }[]
  readonly nodes: readonly TwinNode[]
  readonly outputs: readonly Id[]
  readonly avals: ReadonlyMap<Id, TwinAval>
}

/** Parameters as a text in which they can be compared. */
export const printParams = (params: unknown): string | undefined => JSON.stringify(params, (key, value: unknown) => key === 'backend' ? undefined : value)

/** Traces `f` on arguments of the given sizes at every one of `points` sample points; `f` learns at which it is. */
export function traceTwin(f: (xs: Tensor[], point: number) => Tensor | readonly Tensor[], inputs: readonly TwinAval[], points: number, varies = false): Twin {
  const at = (point: number): Graph => trace((...xs) => f(xs, point), inputs.map(({ dtype, sizes }) => ({ dtype, shape: sizes.map(size => size[point]!) })))
  const base = at(0)
  if (base.updates.length > 0) fail('value', 'exportOnnx', 'the function assigns variables, which a graph for inference cannot. Call eval() on modules, or export a function without side effects')
  const open = varies || inputs.some(({ sizes }) => !sizes.every(isFixed))
  return join(Array.from({ length: points }, (_, i) => i > 0 && open ? at(i) : base))
}

interface Traced {
  readonly id: Id
  readonly aval: { readonly shape: Shape; readonly dtype: DType }
}

function join(graphs: readonly Graph[]): Twin {
  const [base, ...others] = graphs as [Graph, ...Graph[]]
  const avals = new Map<Id, TwinAval>()
  for (const other of others) {
    const alike = base.nodes.length === other.nodes.length && base.nodes.every((node, i) => node.row === other.nodes[i]!.row) && base.constants.length === other.constants.length
    if (!alike) fail('value', 'exportOnnx', 'the function runs other ops at another size of a dimension that is to stay open. Remove the branch on the size, or export at a fixed size')
  }
  const join = (at: (graph: Graph) => Traced): void => {
    const { id, aval } = at(base)
    avals.set(id, { dtype: aval.dtype, sizes: zip(graphs.map(graph => at(graph).aval.shape)) })
  }
  base.inputs.forEach((_, i) => { join(graph => graph.inputs[i]!) })
  base.constants.forEach((_, i) => { join(graph => graph.constants[i]!) })
  for (const x of base.variables) join(() => x)
  base.nodes.forEach((node, i) => { node.outputs.forEach((_, k) => { join(({ nodes }) => ({ id: nodes[i]!.outputs[k]!, aval: nodes[i]!.avals[k]! })) }) })
  const needed = new Set(base.outputs)
  const nodes: TwinNode[] = []
  for (let i = base.nodes.length - 1; i >= 0; i--) {
    const { row, inputs, outputs } = base.nodes[i]!
    if (!outputs.some(id => needed.has(id))) continue
    for (const id of inputs) needed.add(id)
    nodes.unshift({ row, params: graphs.map(graph => graph.nodes[i]!.params), inputs, outputs })
  }
  const live = ({ id }: { readonly id: Id }): boolean => needed.has(id)
  const constants = base.constants.flatMap(({ id }, i) => needed.has(id) ? [{ id, values: graphs.map(graph => graph.constants[i]!.value) }] : [])
  return { inputs: base.inputs.map(({ id }) => id), constants, variables: base.variables.filter(live), nodes, outputs: base.outputs, avals }
}
