// A graph as steps: views and constants resolved, copies put in where elements must be moved, each op sorted by how it runs.

import type { DType, Shape } from '@bp/core'
import { Aval, type Graph, type GraphNode, type Id, sizeOf } from '@bp/core/extend'
import { isVectorOp } from './elementwise.ts'
import { dense, isDense, type Layout, reshapeLayout } from './space.ts'
import { inVectors } from './vector.ts'
import { isView, viewLayout } from './views.ts'

/** A value as an operand: a constant, or elements of a dense base value. */
export type Ref =
  | { readonly constant: number; readonly dtype: DType; readonly layout: Layout }
  | { readonly base: Id; readonly dtype: DType; readonly layout: Layout }

/** One op to be run. */
export type Step =
  | { readonly kind: 'map'; readonly name: string; readonly ins: readonly Ref[]; readonly out: Id; readonly aval: Aval }
  | { readonly kind: 'reduce'; readonly name: string; readonly how: 'sum' | 'max'; readonly ins: readonly [Ref]; readonly axes: readonly number[]; readonly out: Id; readonly aval: Aval }
  | { readonly kind: 'special'; readonly name: string; readonly node: GraphNode; readonly ins: readonly Ref[]; readonly out: Id; readonly aval: Aval }
  | { readonly kind: 'island'; readonly name: string; /** None where elements are only moved, of a type that vectors do not hold. */ readonly node: GraphNode | null; readonly ins: readonly Ref[]; readonly outs: readonly Id[]; readonly avals: readonly Aval[] }

/** The results of a step. */
export const outsOf = (step: Step): readonly Id[] => step.kind === 'island' ? step.outs : [step.out]

/** The values that a step reads. */
export const basesOf = ({ ins }: Step): Id[] => ins.flatMap(ref => 'base' in ref ? ref.base : [])

/** A graph in steps, with what each value and each result is. */
export interface Steps {
  readonly steps: readonly Step[]
  readonly avals: ReadonlyMap<Id, Aval>
  /** What the graph's outputs and updates are: dense bases. */
  readonly outputs: readonly Id[]
  readonly updates: readonly Id[]
  /** In which era each step runs, if there are several: eras run one after the other, and no loop has steps of two. */
  readonly eras?: readonly number[]
}

/** Which ops have kernels of their own, and which of their operands may lie by strides. */
export interface Specials {
  /** Whether this node has a kernel. */
  takes(node: GraphNode, types: readonly DType[]): boolean
  /** Whether operand `i` may be read through this layout; else it is copied first. */
  strided(node: GraphNode, i: number, layout: Layout): boolean
}

/** Takes a graph of primitives apart into steps. */
export function stepsOf(graph: Graph, specials: Specials): Steps {
  const steps: Step[] = []
  const eras: number[] = []
  let era = 0
  const push = (step: Step): void => {
    steps.push(step)
    eras.push(era)
  }
  const avals = new Map<Id, Aval>()
  const refs = new Map<Id, Ref>()
  let next = 0
  const own = (id: Id, aval: Aval): void => {
    avals.set(id, aval)
    refs.set(id, { base: id, dtype: aval.dtype, layout: dense(aval.shape) })
    next = Math.max(next, id + 1)
  }
  for (const { id, aval } of [...graph.inputs, ...graph.constants, ...graph.variables, ...graph.live]) own(id, aval)
  for (const { outputs, avals: list } of graph.nodes) outputs.forEach((id, i) => { own(id, list[i]!) })

  /** The elements of a reference, moved into a new dense value. */
  const copy = (ref: Ref, shape: Shape, out = next++): Id => {
    const aval = new Aval(shape, ref.dtype)
    own(out, aval)
    if (inVectors(ref.dtype)) push({ kind: 'map', name: 'copy', ins: [ref], out, aval })
    else push({ kind: 'island', name: 'copy', node: null, ins: [ref], outs: [out], avals: [aval] })
    return out
  }
  const copies = new Map<Ref, Id>()
  const densely = (ref: Ref): Ref & { readonly base: Id } => {
    if ('base' in ref && isDense(ref.layout) && sizeOf(avals.get(ref.base)!.shape) === sizeOf(ref.layout.shape)) return ref
    let out = copies.get(ref)
    if (out === undefined) copies.set(ref, out = copy(ref, ref.layout.shape))
    return { base: out, dtype: ref.dtype, layout: dense(ref.layout.shape) }
  }

  for (const node of graph.nodes) {
    const { row, params, inputs, outputs } = node
    const [out] = outputs as [Id]
    const aval = node.avals[0]!
    const ins = inputs.map(id => refs.get(id)!)
    // a copy that lives across a fence would be kept where the fence is there to let go
    if (node.fence !== undefined && node.fence !== era) {
      era = node.fence
      copies.clear()
    }
    const argTypes = ins.map(({ dtype }) => dtype)
    if (row.name === 'fill') {
      const { value } = params as { readonly value: number }
      refs.set(out, { constant: aval.dtype === 'bool' ? Number(value !== 0) : value, dtype: aval.dtype, layout: { offset: 0, shape: aval.shape, strides: aval.shape.map(() => 0) } })
    } else if (isView(node) || dropsOnes(node, ins)) {
      const [x] = ins as [Ref]
      const layout = isView(node) ? viewLayout(node, x.layout) : reshapeLayout(x.layout, aval.shape)
      if (layout) refs.set(out, { ...x, layout })
      else {
        copy(x, x.layout.shape, out)
        own(out, aval)
      }
    } else if (row.fuse === 'map' && isVectorOp({ name: row.name, dtype: aval.dtype, argTypes })) {
      push({ kind: 'map', name: row.name, ins, out, aval })
    } else if ((row.name === 'sumTo' || row.name === 'amax') && inVectors(aval.dtype) && aval.dtype !== 'bool') {
      const how = row.name === 'amax' ? 'max' : 'sum'
      const [x] = ins as [Ref]
      push({ kind: 'reduce', name: row.name, how, ins: [x], axes: reducedAxes(x.layout.shape, aval.shape), out, aval })
    } else if (specials.takes(node, argTypes)) {
      push({ kind: 'special', name: row.name, node, ins: ins.map((ref, i) => 'base' in ref && specials.strided(node, i, ref.layout) ? ref : densely(ref)), out, aval })
    } else {
      push({ kind: 'island', name: row.name, node, ins: ins.map(densely), outs: outputs, avals: node.avals })
    }
  }
  const settle = (id: Id): Id => densely(refs.get(id)!).base
  const outputs = graph.outputs.map(settle)
  const updates = graph.updates.map(({ id }) => settle(id))
  return { steps, avals, outputs, updates, eras }
}

/** Whether a reduction runs over axes of size 1 alone, and so leaves every element as it is. */
const dropsOnes = ({ row, avals }: GraphNode, [x]: readonly Ref[]): boolean => (row.name === 'sumTo' || row.name === 'amax') && sizeOf(x!.layout.shape) === sizeOf(avals[0]!.shape)

/** The axes of x along which y has size 1, or none: what a sum to y's shape runs over. */
function reducedAxes(x: Shape, y: Shape): number[] {
  const lead = x.length - y.length
  return x.flatMap((size, i) => size !== 1 && (i < lead || y[i - lead] === 1) ? i : [])
}

