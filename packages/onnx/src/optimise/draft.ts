// A graph that is being rewritten: its nodes, its constants, who makes a value and who reads it.

import { fail, isFloat, sizeOf } from '@bp/core/extend'
import { Attributes } from '../import/attributes.ts'
import { StringTensor } from '../import/value.ts'
import type { GraphProto, NodeProto, TensorProto } from '../proto/proto.ts'
import type { ElementType } from '../proto/elementType.ts'
import { type ExternalData, type Literal, readStored, writeTensor } from '../proto/tensor.ts'
import type { Inferred } from './inferred.ts'

const op = 'optimiseOnnx'

/** What a node reads, also from within the graphs that it holds. */
export function readsOf(node: NodeProto): string[] {
  return [...node.input ?? [], ...graphsOf(node).flatMap(graph => [...(graph.node ?? []).flatMap(readsOf), ...(graph.output ?? []).map(({ name }) => name ?? '')])].filter(name => name !== '')
}

/** The graphs that a node holds. */
export const graphsOf = (node: NodeProto): GraphProto[] => (node.attribute ?? []).flatMap(({ g, graphs }) => [...g ? [g] : [], ...graphs ?? []])

/** Whether a node is of one of these operators of the default domain. */
export const is = (node: NodeProto | null | undefined, ...operators: readonly string[]): node is NodeProto => !!node && !node.domain && operators.includes(node.opType ?? '')

/** Adds `more` to a list in a map. */
const push = <T>(map: Map<string, T[]>, key: string, more: T): void => {
  const list = map.get(key)
  if (list) list.push(more)
  else map.set(key, [more])
}

/** A graph of a model under rewriting. Initialisers and Constant nodes are constants alike while it lasts. */
export class Draft {
  nodes: NodeProto[]
  readonly opset: number
  /** Tensors that are known, by name. */
  readonly constants = new Map<string, TensorProto>()
  /** The names that the graph gives away. */
  readonly outputs: ReadonlySet<string>
  /** How many axes a value has, as far as the file or an inference says. */
  readonly ranks: ReadonlyMap<string, number>
  private readonly known: Inferred
  private readonly graph: GraphProto
  private readonly overridable: ReadonlySet<string>
  private readonly external: ExternalData | undefined
  private readonly literals = new WeakMap<TensorProto, Literal>()
  private makers: Map<string, NodeProto> | null = null
  private readers: Map<string, NodeProto[]> | null = null
  private names = 0

  constructor(graph: GraphProto, opset: number, ranks: ReadonlyMap<string, number>, known: Inferred, external?: ExternalData) {
    this.graph = graph
    this.opset = opset
    this.ranks = new Map([...ranks, ...[...known.values].flatMap(([name, { shape }]) => shape ? [[name, shape.length] as const] : [])])
    this.known = known
    this.external = external
    this.overridable = new Set((graph.input ?? []).map(({ name }) => name ?? ''))
    this.outputs = new Set((graph.output ?? []).map(({ name }) => name ?? ''))
    for (const t of graph.initializer ?? []) this.constants.set(t.name ?? '', t)
    this.nodes = (graph.node ?? []).filter(node => {
      const t = node.opType === 'Constant' && !node.domain ? (node.attribute ?? []).find(({ name }) => name === 'value')?.t : null
      if (!t || this.outputs.has(node.output![0]!)) return true
      this.constants.set(node.output![0]!, { ...t, name: node.output![0]! })
      return false
    })
  }

  /** Forgets what was derived from the nodes; to be called once they have changed. */
  changed(): void {
    this.makers = null
    this.readers = null
  }

  /** The node that makes a value, if one does. */
  maker(name: string | null | undefined): NodeProto | null {
    this.makers ??= new Map(this.nodes.flatMap(node => (node.output ?? []).map(made => [made, node] as const)))
    return this.makers.get(name ?? '') ?? null
  }

  /** The nodes that read a value, each as often as it does. */
  readersOf(name: string): readonly NodeProto[] {
    if (!this.readers) {
      this.readers = new Map()
      for (const node of this.nodes) for (const read of readsOf(node)) push(this.readers, read, node)
    }
    return this.readers.get(name) ?? []
  }

  /** The one node that reads a value, itself and not from a graph inside; `null` where there are others, or the value is given away. */
  soleReader(name: string): NodeProto | null {
    const readers = this.readersOf(name)
    return readers.length === 1 && !this.outputs.has(name) && readers[0]!.input!.includes(name) ? readers[0]! : null
  }

  /** A float constant; `null` for any other value, or one that a caller may override. */
  floats(name: string | null | undefined): Literal | null {
    const literal = this.literal(name)
    return literal && isFloat(literal.dtype) && literal.dtype !== 'float16' ? literal : null
  }

  /** A constant of numbers; `null` for any other value, or one that a caller may override. */
  literal(name: string | null | undefined): Literal | null {
    const t = this.constants.get(name ?? '')
    if (!t || this.overridable.has(name!)) return null
    const known = this.literals.get(t) ?? readStored(op, t, `the constant ${JSON.stringify(name)}`, this.external)
    if (known instanceof StringTensor) return null
    this.literals.set(t, known)
    return known
  }

  /** The number that a constant of one element is. */
  number(name: string | null | undefined): number | null {
    const literal = this.literal(name)
    return literal && sizeOf(literal.shape) === 1 ? Number(literal.data[0]) : null
  }

  /** The element type of a value, where it can be told. */
  type(name: string | null | undefined): ElementType | null {
    return this.known.values.get(name ?? '')?.type ?? null
  }

  /** The sizes of a value, where they are the same for all inputs that the model takes. */
  sizes(name: string | null | undefined): readonly number[] | null {
    const shape = this.known.fixed ? this.known.values.get(name ?? '')?.shape : null
    return shape?.every(size => typeof size === 'number') ? shape : null
  }

  /** Whether a value is known and no caller may override it. */
  isConstant(name: string): boolean {
    return this.constants.has(name) && !this.overridable.has(name)
  }

  /** A constant under a new name that tells where it is from. */
  constant(base: string, literal: Literal): string {
    const name = this.fresh(base)
    this.constants.set(name, writeTensor(name, literal))
    return name
  }

  private fresh(base: string): string {
    for (;;) {
      const name = `${base}_optimised${this.names === 0 ? '' : `_${this.names}`}`
      this.names++
      if (!this.constants.has(name) && !this.maker(name) && !this.overridable.has(name)) return name
    }
  }

  attributes(node: NodeProto): Attributes {
    return new Attributes(node.attribute ?? [], `node ${JSON.stringify(node.name ?? node.output?.[0] ?? '')} (${node.opType})`)
  }

  /** Puts other nodes in the place of some, at the place of the last of these. */
  replace(old: readonly NodeProto[], by: readonly NodeProto[]): void {
    const gone = new Set(old)
    const at = Math.max(...old.map(node => this.nodes.indexOf(node)))
    this.nodes = this.nodes.flatMap((node, i) => [...gone.has(node) ? [] : [node], ...i === at ? by : []])
    this.changed()
  }

  /** Lets all readers of a value read another one; `false` where the graph gives the value away under its name. */
  redirect(from: string, to: string): boolean {
    if (this.outputs.has(from)) return false
    for (const node of this.nodes) rename(node, from, to)
    this.changed()
    return true
  }

  /** Writes what has become of the graph into its message. */
  finish(): void {
    const read = new Set([...this.outputs, ...this.nodes.flatMap(readsOf)])
    const made = new Set(this.nodes.flatMap(node => node.output ?? []))
    this.graph.node = this.nodes
    this.graph.initializer = [...this.constants.values()].filter(({ name }) => read.has(name ?? '') || this.overridable.has(name ?? '')).map(t => this.inlined(t))
    this.graph.valueInfo = (this.graph.valueInfo ?? []).filter(({ name }) => made.has(name ?? ''))
  }

  /** A tensor with its data in the file. */
  private inlined(t: TensorProto): TensorProto {
    return (t.dataLocation ?? 0) === 0 ? t : writeTensor(t.name ?? '', this.literal(t.name ?? undefined) ?? fail('data', op, `the constant ${JSON.stringify(t.name)} is stored outside the file and may be overridden. Store it inside`))
  }
}

function rename(node: NodeProto, from: string, to: string): void {
  node.input = (node.input ?? []).map(name => name === from ? to : name)
  for (const graph of graphsOf(node)) {
    for (const inner of graph.node ?? []) rename(inner, from, to)
    for (const output of graph.output ?? []) if (output.name === from && !(graph.node ?? []).some(inner => inner.output?.includes(from))) output.name = to
  }
}
