// From bytes to a checked graph: what is decoded here can be run node by node without surprises.

import type { DType } from '@bp/core'
import { fail } from '@bp/core/extend'
import { decodeModel, type Dimension, type GraphProto, type Int64, type NodeProto, toNumber, type ValueInfoProto } from '../proto/proto.ts'
import { dtypeOfCode, type ExternalData, type Literal, readTensor } from '../proto/tensor.ts'
import { Attributes } from './attributes.ts'
import { UnsupportedError } from './errors.ts'

/** An input or output of a model; a size that varies is given by its name. */
export interface ModelValue {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly (string | number)[]
}

/** A node of the graph: an operator, and by name the values that it reads (`''` for one left out) and makes. */
export interface ModelNode {
  readonly operator: string
  readonly name: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Attributes
  /** The version of the operator set that gives the operator its meaning. */
  readonly opset: number
  /** The program that wrote the file, where it says. */
  readonly producer: string
  /** The graphs that it runs, by attribute: the branches of an If, the body of a Loop. */
  readonly graphs: ReadonlyMap<string, NestedGraph>
}

/** A graph inside a node. Its nodes may also read what the graph around it has made before. */
export interface NestedGraph {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly initialisers: ReadonlyMap<string, Literal>
  readonly nodes: readonly ModelNode[]
}

/** What a file says of a value: the number of its element type, and its sizes, `null` each where it is left open; `null` where even the number of axes is. */
export interface Declared {
  readonly code: number
  readonly sizes: readonly (number | string | null)[] | null
}

/** A checked graph. */
export interface LoadedGraph {
  readonly producer: string
  readonly producerVersion: string
  readonly inputs: readonly ModelValue[]
  readonly outputs: readonly ModelValue[]
  readonly initialisers: ReadonlyMap<string, Literal>
  readonly nodes: readonly ModelNode[]
  /** What the file says of inputs, outputs and inner values. */
  readonly declared: ReadonlyMap<string, Declared>
}

/** What reading any graph of a file needs of the file. */
interface File {
  readonly versions: ReadonlyMap<string, number>
  readonly external: ExternalData | undefined
  readonly producer: string
}

/** The versions of the default operator set whose meaning is implemented. */
export const opsets: readonly [least: number, most: number] = [6, 28]

const op = 'importOnnx'
const quote = (name: string): string => JSON.stringify(name)

/** Decodes and checks a model. Throws a `data` error that names the place for anything that does not hold together. */
export function loadGraph(bytes: Uint8Array, external?: ExternalData): LoadedGraph {
  const model = decodeModel(op, bytes)
  if (!model.graph) fail('data', op, `the file holds no graph${bytes.length === 0 ? ' (it is empty)' : ''}. Is it an ONNX model?`)
  const versions = new Map((model.opsetImport ?? []).map(({ domain, version }) => [domain === 'ai.onnx' ? '' : domain ?? '', toNumber(version as Int64)]))
  const opset = versions.get('') ?? 1
  if (versions.has('') && (opset < opsets[0] || opset > opsets[1])) throw new UnsupportedError(op, `the model is of operator set ${opset}; ${opsets[0]} to ${opsets[1]} are supported. Convert it with onnx.version_converter`)
  const { graph } = model
  const file = { versions, external, producer: model.producerName ?? '' }
  const initialisers = readInitialisers(graph, file)
  const inputs = (graph.input ?? []).filter(({ name }) => !initialisers.has(name ?? '')).map(info => readValue(info, 'input'))
  const nodes = (graph.node ?? []).map((node, i) => readNode(node, i, file))
  checkOrder(nodes, [...inputs.map(({ name }) => name), ...initialisers.keys()], (graph.output ?? []).map(({ name }) => name ?? ''))
  return { producer: file.producer, producerVersion: model.producerVersion ?? '', inputs, outputs: (graph.output ?? []).map(info => readValue(info, 'output')), initialisers, nodes, declared: declaredIn(graph) }
}

function readInitialisers(graph: GraphProto, { external }: File): Map<string, Literal> {
  if (graph.sparseInitializer?.length) throw new UnsupportedError(op, 'the model has sparse initialisers, which are unsupported. Export it with dense ones')
  const out = new Map<string, Literal>()
  for (const t of graph.initializer ?? []) {
    const name = t.name ?? ''
    if (name === '') fail('data', op, 'an initialiser has no name. The file is damaged')
    if (out.has(name)) fail('data', op, `two initialisers have the name ${quote(name)}. The file is damaged; export the model again`)
    out.set(name, readTensor(op, t, `the initialiser ${quote(name)}`, external))
  }
  return out
}

function readValue(info: ValueInfoProto, role: 'input' | 'output'): ModelValue {
  const name = info.name ?? ''
  const type = info.type?.tensorType
  if (name === '') fail('data', op, `an ${role} of the model has no name. The file is damaged`)
  if (!type) throw new UnsupportedError(op, `the ${role} ${quote(name)} is no tensor${info.type?.sequenceType ? ' but a sequence' : info.type?.optionalType ? ' but an optional' : ''}, which is unsupported. Export a model whose inputs and outputs are tensors`)
  const shape = (type.shape?.dim ?? []).map((dim, i) => {
    if (dim.dimParam) return dim.dimParam
    const size = Object.hasOwn(dim, 'dimValue') ? toNumber(dim.dimValue as Int64) : -1
    return size < 0 ? `${name}_${i}` : size
  })
  return { name, dtype: dtypeOfCode(op, type.elemType ?? 0, `the ${role} ${quote(name)}`), shape }
}

/** What a graph says of its values that are tensors; a size of 0 is how some exporters say that they do not know it. */
function declaredIn(graph: GraphProto): Map<string, Declared> {
  const tensors = [...graph.valueInfo ?? [], ...graph.input ?? [], ...graph.output ?? []].flatMap(({ name, type }) => name && type?.tensorType ? [[name, type.tensorType] as const] : [])
  const sizeIn = ({ dimParam, dimValue }: Dimension): number | string | null => {
    const size = toNumber(dimValue as Int64)
    if (size > 0) return size
    return dimParam === '' ? null : dimParam ?? null
  }
  return new Map(tensors.map(([name, { elemType, shape }]) => [name, { code: elemType ?? 0, sizes: shape ? (shape.dim ?? []).map(sizeIn) : null }]))
}

function readNode(node: NodeProto, index: number, file: File): ModelNode {
  const domain = node.domain === 'ai.onnx' ? '' : node.domain ?? ''
  const operator = domain === '' ? node.opType ?? '' : `${domain}:${node.opType ?? ''}`
  const name = [node.name, ...node.output ?? []].find(text => text) ?? `node ${index}`
  if (operator === '') fail('data', op, `node ${index} (${quote(name)}) names no operator. The file is damaged`)
  const opset = file.versions.get(domain)
  if (opset === undefined) fail('data', op, `node ${quote(name)} (${operator}) is of the domain ${quote(domain)}, of which the model imports no version. The file is damaged`)
  const graphs = new Map((node.attribute ?? []).flatMap(({ name: attribute, g }) => g ? [[attribute ?? '', readNested(g, file)] as const] : []))
  return { operator, name, inputs: node.input ?? [], outputs: node.output ?? [], attributes: new Attributes(node.attribute ?? [], `node ${quote(name)} (${operator})`), opset, producer: file.producer, graphs }
}

const readNested = (graph: GraphProto, file: File): NestedGraph => ({
  inputs: (graph.input ?? []).map(({ name }) => name ?? ''), outputs: (graph.output ?? []).map(({ name }) => name ?? ''),
  initialisers: readInitialisers(graph, file), nodes: (graph.node ?? []).map((node, i) => readNode(node, i, file)),
})

/** Every value must have one maker and stand before its readers. */
function checkOrder(nodes: readonly ModelNode[], given: readonly string[], outputs: readonly string[]): void {
  const makers = new Map<string, string>()
  const make = (name: string, maker: string): void => {
    const before = makers.get(name)
    if (before !== undefined) fail('data', op, `two values have the name ${quote(name)}: ${before} and ${maker}. The file is damaged; export the model again`)
    makers.set(name, maker)
  }
  for (const name of given) make(name, 'an input or initialiser')
  const later = new Set(nodes.flatMap(node => node.outputs))
  for (const node of nodes) {
    for (const name of node.inputs) {
      if (name === '' || makers.has(name)) continue
      if (later.has(name)) fail('data', op, `node ${quote(node.name)} (${node.operator}) reads ${quote(name)} before it is made: the graph has a cycle, or its nodes are out of order. Sort them topologically`)
      fail('data', op, `node ${quote(node.name)} (${node.operator}) reads ${quote(name)}, which nothing makes. The file is damaged; export the model again`)
    }
    for (const { inputs, outputs: made, initialisers, nodes: inner } of node.graphs.values()) checkOrder(inner, [...makers.keys(), ...inputs, ...initialisers.keys()], made)
    for (const name of node.outputs) if (name !== '') make(name, `an output of node ${quote(node.name)} (${node.operator})`)
  }
  const missing = outputs.find(name => !makers.has(name))
  if (missing !== undefined) fail('data', op, `the model's output ${quote(missing)} is made by no node. The file is damaged; export the model again`)
}
