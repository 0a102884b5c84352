// A graph as items: elementwise ops, ops with kernels of their own, and copies of what is a view where it must lie dense.

import type { DType } from '@bp/core'
import { type Aval, type FillParams, fillRow, type Graph, type GraphNode, type Id, sizeOf } from '@bp/core/extend'
import { encodingOf } from '../device/storage.ts'
import { inChains } from '../glsl/body.ts'
import { type Ref, viewed } from './refs.ts'

/** A number that is the same for each element: known, or the live scalar of an index. */
export interface NumberRef {
  readonly number: number | { readonly live: number }
  readonly aval: Aval
}

/** An elementwise op. */
export interface MapItem {
  readonly kind: 'map'
  readonly name: string
  readonly ins: readonly (Ref | NumberRef)[]
  readonly types: readonly DType[]
  readonly out: Id
  readonly aval: Aval
  readonly fence: number
}

/** An op with a kernel of its own. */
export interface KernelItem {
  readonly kind: 'kernel'
  readonly node: GraphNode
  readonly ins: readonly { readonly base: Id; readonly aval: Aval }[]
}

/** A view that is laid out. */
export interface CopyItem {
  readonly kind: 'copy'
  readonly from: Ref
  readonly out: Id
  readonly aval: Aval
}

export type Item = MapItem | KernelItem | CopyItem

/** A graph's items, and where its results stand. */
export interface Items {
  readonly items: readonly Item[]
  /** The value that lies dense for a result or an update. */
  readonly dense: (id: Id) => Id
  readonly avals: ReadonlyMap<Id, Aval>
}

export const isRef = (x: Ref | NumberRef): x is Ref => 'base' in x

/** What an item makes. */
export const outsOf = (item: Item): readonly Id[] => item.kind === 'kernel' ? item.node.outputs : [item.out]

/** The values that an item reads. */
export const basesOf = (item: Item): Id[] => item.kind === 'copy' ? [item.from.base] : item.kind === 'kernel' ? item.ins.map(({ base }) => base) : item.ins.flatMap(x => isRef(x) ? x.base : [])

const onGpu = ({ dtype }: Aval): boolean => encodingOf(dtype) !== 'none'

/** Writes a graph as items. Views are read through by elementwise ops, and laid out for others. */
export function itemsOf(graph: Graph): Items {
  const avals = new Map<Id, Aval>()
  const refs = new Map<Id, Ref>()
  const numbers = new Map<Id, NumberRef>()
  const items: Item[] = []
  const add = (id: Id, aval: Aval, ref: Ref = { base: id, length: sizeOf(aval.shape), shape: aval.shape, view: null }): void => {
    avals.set(id, aval)
    refs.set(id, ref)
  }
  for (const { id, aval } of [...graph.inputs, ...graph.constants, ...graph.variables]) add(id, aval)
  graph.live.forEach(({ id, aval }, i) => {
    add(id, aval)
    if (onGpu(aval)) numbers.set(id, { number: { live: i }, aval })
  })
  /** The value as it lies dense, laid out now where it does not. */
  const dense = (id: Id): Id => {
    const ref = refs.get(id)!
    const aval = avals.get(id)!
    const fill = fills.get(id)
    if (fill) {
      fills.delete(id)
      items.push({ kind: 'kernel', node: fill, ins: [] })
    }
    if (ref.view === null) return ref.base
    items.push({ kind: 'copy', from: ref, out: id, aval })
    refs.set(id, { base: id, length: sizeOf(aval.shape), shape: aval.shape, view: null })
    return id
  }
  /** Numbers that are written nowhere yet, by the node that would. */
  const fills = new Map<Id, GraphNode>()
  const kernelItem = (node: GraphNode): KernelItem => ({ kind: 'kernel', node, ins: node.inputs.map(id => ({ base: dense(id), aval: avals.get(id)! })) })
  for (const node of graph.nodes) {
    const { row, inputs, outputs, avals: outs, params, fence = 0 } = node
    const [out] = outputs as readonly [Id]
    const [aval] = outs as readonly [Aval]
    const gpu = outs.every(onGpu) && inputs.every(id => onGpu(avals.get(id)!))
    if (row.name === 'fill' && gpu) {
      add(out, aval)
      numbers.set(out, { number: (params as FillParams).value, aval })
      fills.set(out, node)
      continue
    }
    const number = inputs.length === 1 ? numbers.get(inputs[0]!) : undefined
    // a number moved is that number, under another shape
    if (number && gpu && row.fuse === 'view' && row.name !== 'pad' && row.name !== 'concat' && typeof number.number === 'number') {
      add(out, aval)
      numbers.set(out, { number: number.number, aval })
      fills.set(out, fillNode(number.number, out, aval))
      continue
    }
    const view = gpu && row.fuse === 'view' && inputs.length === 1 && !number ? viewed(node, refs.get(inputs[0]!)!) : null
    if (view) {
      add(out, aval, view)
      continue
    }
    if (inChains(row.name) && gpu && sizeOf(aval.shape) > 0) {
      const ins = inputs.map(id => numbers.get(id) ?? refs.get(id)!)
      items.push({ kind: 'map', name: row.name, ins, types: inputs.map(id => avals.get(id)!.dtype), out, aval, fence })
    } else items.push(kernelItem(node))
    outputs.forEach((id, i) => { add(id, outs[i]!) })
  }
  for (const id of [...graph.outputs, ...graph.updates.map(update => update.id)]) dense(id)
  const lasting = new Map([...refs].map(([id, { base }]) => [id, base]))
  return { items, avals, dense: id => lasting.get(id)! }
}

const fillNode = (value: number, out: Id, aval: Aval): GraphNode => ({ row: fillRow, params: { value, shape: aval.shape, dtype: aval.dtype } satisfies FillParams, inputs: [], outputs: [out], avals: [aval] })
