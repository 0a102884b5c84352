// One program traced at two batch sizes, walked side by side: where the two differ is where the batch is.

import type { DType, Shape, Tensor, Variable } from '@bp/core'
import { type AnyRow, fail, type Graph, type Id, trace } from '@bp/core/extend'

/** A size at both batch sizes; equal where it does not depend on the batch. */
export type Size = readonly [a: number, b: number]

/** A value of the program: its dtype and its sizes. */
export interface TwinAval {
  readonly dtype: DType
  readonly sizes: readonly Size[]
}

/** One op of the program at both batch sizes. */
export interface TwinNode {
  readonly row: AnyRow
  readonly params: readonly [a: unknown, b: unknown]
  readonly inputs: readonly Id[]
  readonly outputs: readonly Id[]
}

/** The program at both batch sizes, with dead ops left out. */
export interface Twin {
  readonly inputs: readonly Id[]
  readonly constants: readonly { readonly id: Id; readonly value: Tensor }[]
  readonly variables: readonly { readonly id: Id; readonly value: Variable }[]
  readonly nodes: readonly TwinNode[]
  readonly outputs: readonly Id[]
  readonly avals: ReadonlyMap<Id, TwinAval>
}

/** Whether a size is the same at both batch sizes. */
export const isFixed = ([a, b]: Size): boolean => a === b

/** Sizes of two shapes of one rank. */
export const zip = (a: Shape, b: Shape): Size[] => a.map((size, i): Size => [size, b[i]!])

/** Traces `f` on arguments of the given sizes. */
export function traceTwin(f: (...xs: Tensor[]) => Tensor | readonly Tensor[], inputs: readonly TwinAval[]): Twin {
  const at = (side: 0 | 1): Graph => trace(f, inputs.map(({ dtype, sizes }) => ({ dtype, shape: sizes.map(size => size[side]) })))
  const a = at(0)
  if (a.updates.length > 0) fail('value', 'exportOnnx', 'the function assigns variables, which a graph for inference cannot. Call eval() on modules, or export a function without side effects')
  return join(a, inputs.some(({ sizes }) => sizes.some(size => !isFixed(size))) ? at(1) : a)
}

interface Traced {
  readonly id: Id
  readonly aval: { readonly shape: Shape; readonly dtype: DType }
}

function join(a: Graph, b: Graph): Twin {
  const avals = new Map<Id, TwinAval>()
  const alike = a.nodes.length === b.nodes.length && a.nodes.every((node, i) => node.row === b.nodes[i]!.row) && a.constants.length === b.constants.length
  if (!alike) fail('value', 'exportOnnx', 'the function runs other ops at another batch size, so the batch cannot be left open. Remove the branch on the batch size, or export without dynamicBatch')
  const pair = (x: Traced, y: Traced): void => {
    avals.set(x.id, { dtype: x.aval.dtype, sizes: zip(x.aval.shape, y.aval.shape) })
  }
  a.inputs.forEach((x, i) => { pair(x, b.inputs[i]!) })
  a.constants.forEach((x, i) => { pair(x, b.constants[i]!) })
  for (const x of a.variables) pair(x, b.variables.find(({ value }) => value === x.value) ?? x)
  a.nodes.forEach((node, i) => { node.outputs.forEach((id, k) => { pair({ id, aval: node.avals[k]! }, { id: b.nodes[i]!.outputs[k]!, aval: b.nodes[i]!.avals[k]! }) }) })
  const needed = new Set(a.outputs)
  const nodes: TwinNode[] = []
  for (let i = a.nodes.length - 1; i >= 0; i--) {
    const { row, params, inputs, outputs } = a.nodes[i]!
    if (!outputs.some(id => needed.has(id))) continue
    for (const id of inputs) needed.add(id)
    nodes.unshift({ row, params: [params, b.nodes[i]!.params], inputs, outputs })
  }
  const live = ({ id }: { readonly id: Id }): boolean => needed.has(id)
  return { inputs: a.inputs.map(({ id }) => id), constants: a.constants.filter(live), variables: a.variables.filter(live), nodes, outputs: a.outputs, avals }
}
