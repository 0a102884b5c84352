// What backward will keep of a forward pass, layer by layer, found on shapes alone.

import { enableGrad, type Tensor } from '@bp/core'
import { type Aval, bytesPerElement, type Graph, type Id, idOf, recordedApart, savedFor, sizeOf, trace } from '@bp/core/extend'
import type { Module } from './module.ts'
import { tensorsIn, watch } from './summary.ts'

/** What a layer keeps for the backward pass. */
export interface LayerMemory {
  /** The path of the layer's field; `''` for what is computed outside of all layers, such as the loss. */
  readonly name: string
  /** Predicted: what no layer before it keeps already. */
  readonly bytes: number
}

/** Bytes of the elements of such a tensor. */
export const bytesOf = ({ shape, dtype }: Pick<Aval, 'shape' | 'dtype'>): number => sizeOf(shape) * bytesPerElement(dtype)

/** What the tape of `step`, a function of the model, holds of an input of this form, beside parameters, buffers and the input. */
export function predictTape(model: Module, step: (x: Tensor) => Tensor, input: Tensor): LayerMemory[] {
  const names = ['']
  const keepers = new Map<Id, number>()
  const seen: Parameters<typeof savedFor>[1] = new Set()
  const keep = (result: unknown, layer: number): void => {
    for (const x of tensorsIn(result).flatMap(y => savedFor(y, seen))) {
      const id = idOf(x)
      if (id !== null && !keepers.has(id)) keepers.set(id, layer)
    }
  }
  const innermost = model.namedModules().filter(([, module]) => module.namedModules().length === 1)
  const restore = innermost.map(([name, module]) => watch(module, y => { keep(y, names.push(name) - 1) }))
  let graph: Graph
  try {
    graph = trace(x => {
      const y = enableGrad(() => step(x))
      keep(y, 0)
      return y
    }, [input], { inlines: recordedApart })
  } finally {
    for (const undo of restore) undo()
  }
  const bytes = names.map(() => 0)
  const { avals, baseOf } = valuesOf(graph)
  const counted = new Set([...graph.inputs, ...graph.variables].map(({ id }) => id))
  for (const [id, layer] of keepers) {
    const base = baseOf(id)
    if (counted.has(base)) continue
    counted.add(base)
    bytes[layer]! += bytesOf(avals.get(id)!)
  }
  return [...names.slice(1), ''].map((name, i) => ({ name, bytes: bytes[(i + 1) % names.length]! }))
}

/** Shape and dtype of each value of a graph, and what it is a view of. */
function valuesOf(graph: Graph): { readonly avals: ReadonlyMap<Id, Aval>; readonly baseOf: (id: Id) => Id } {
  const avals = new Map<Id, Aval>()
  const bases = new Map<Id, Id>()
  for (const { id, aval } of [...graph.inputs, ...graph.constants, ...graph.variables, ...graph.live]) avals.set(id, aval)
  for (const { row, inputs, outputs, avals: results } of graph.nodes) {
    outputs.forEach((id, i) => avals.set(id, results[i]!))
    const [x] = inputs
    if (row.fuse === 'view' && x !== undefined && sizeOf(avals.get(x)!.shape) === sizeOf(results[0]!.shape)) bases.set(outputs[0]!, bases.get(x) ?? x)
  }
  return { avals, baseOf: id => bases.get(id) ?? id }
}
