// From bytes to a checked graph: what is decoded here can be run node by node without surprises.

import type { DType } from '@bp/core'
import { fail } from '@bp/core/extend'
import { decodeModel, type GraphProto, type Int64, type NodeProto, type TensorType, toNumber, type TypeProto, type ValueInfoProto } from '../proto/proto.ts'
import { carrierOf, type ElementType } from '../proto/elementType.ts'
import { type ExternalData, readStored, type Stored, typeOfCode } from '../proto/tensor.ts'
import { Attributes } from './attributes.ts'
import { UnsupportedError } from './errors.ts'

/** What an input or output holds: a tensor, a list of tensors, or one of them or nothing. */
export type ValueKind = 'tensor' | 'sequence' | 'optional' | 'optional sequence'

/** An input or output of a model; a size that varies is given by its name. */
export interface ModelValue {
  readonly name: string
  readonly kind: ValueKind
  /** The element type that the file declares. */
  readonly type: ElementType
  /** The dtype in which tensors of the type are fed and returned: the type itself where it is one, else what carries it. Texts count as int32 inside. */
  readonly dtype: DType
  /** The shape, of the tensors of a sequence too; `null` where the file leaves even the number of axes open. */
  readonly shape: readonly (string | number)[] | null
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
  readonly initialisers: ReadonlyMap<string, Stored>
  readonly nodes: readonly ModelNode[]
}

/** A checked graph. */
export interface LoadedGraph {
  readonly producer: string
  readonly producerVersion: string
  readonly inputs: readonly ModelValue[]
  readonly outputs: readonly ModelValue[]
  readonly initialisers: ReadonlyMap<string, Stored>
  readonly nodes: readonly ModelNode[]
}

/** What reading any graph of a file needs of the file. */
interface File {
  readonly versions: ReadonlyMap<string, number>
  readonly external: ExternalData | undefined
  readonly producer: string
}

/** The versions of the default operator set whose meaning is implemented; of earlier ones, models of operators that 6 did not change. */
export const opsets: readonly [least: number, most: number] = [6, 28]

const op = 'importOnnx'
const quote = (name: string): string => JSON.stringify(name)

/** Decodes and checks a model. Throws a `data` error that names the place for anything that does not hold together. */
export function loadGraph(bytes: Uint8Array, external?: ExternalData): LoadedGraph {
  const model = decodeModel(op, bytes)
  if (!model.graph) fail('data', op, `the file holds no graph${bytes.length === 0 ? ' (it is empty)' : ''}. Is it an ONNX model?`)
  const versions = new Map((model.opsetImport ?? []).map(({ domain, version }) => [domain === 'ai.onnx' ? '' : domain ?? '', toNumber(version as Int64)]))
  const opset = versions.get('') ?? 1
  const unsupported = opset > opsets[1] || (opset < opsets[0] && !everyOperator(model.graph).every(operator => unchanged.has(operator)))
  if (versions.has('') && unsupported) throw new UnsupportedError(op, `the model is of operator set ${opset}; ${opsets[0]} to ${opsets[1]} are supported. Convert it with onnx.version_converter`)
  const { graph } = model
  const file = { versions, external, producer: model.producerName ?? '' }
  const initialisers = readInitialisers(graph, file)
  const inputs = (graph.input ?? []).filter(({ name }) => !initialisers.has(name ?? '')).map(info => readValue(info, 'input'))
  const nodes = (graph.node ?? []).map((node, i) => readNode(node, i, file))
  checkOrder(nodes, [...inputs.map(({ name }) => name), ...initialisers.keys()], (graph.output ?? []).map(({ name }) => name ?? ''))
  return { producer: file.producer, producerVersion: model.producerVersion ?? '', inputs, outputs: (graph.output ?? []).map(info => readValue(info, 'output')), initialisers, nodes }
}

/** Operators that have had one meaning from the first version up to 6. */
const unchanged: ReadonlySet<string> = /* @__PURE__ */ new Set([
  'ArgMax', 'ArgMin', 'AveragePool', 'Constant', 'Conv', 'ConvTranspose', 'DepthToSpace', 'Flatten', 'Gather', 'GlobalAveragePool', 'GlobalMaxPool', 'Identity', 'If',
  'LRN', 'LogSoftmax', 'Loop', 'MaxPool', 'Not', 'ReduceL1', 'ReduceL2', 'ReduceLogSum', 'ReduceLogSumExp', 'ReduceMax', 'ReduceMean', 'ReduceMin', 'ReduceProd', 'ReduceSum',
  'ReduceSumSquare', 'Shape', 'Size', 'Slice', 'Softmax', 'Softplus', 'Softsign', 'SpaceToDepth', 'Squeeze', 'Transpose', 'Unsqueeze',
])

/** The names of all operators of a graph and of those inside its nodes. */
const everyOperator = (graph: GraphProto): string[] =>
  (graph.node ?? []).flatMap(({ opType, attribute }) => [opType ?? '', ...(attribute ?? []).flatMap(({ g }) => g ? everyOperator(g) : [])])

function readInitialisers(graph: GraphProto, { external }: File): Map<string, Stored> {
  if (graph.sparseInitializer?.length) throw new UnsupportedError(op, 'the model has sparse initialisers, which are unsupported. Export it with dense ones')
  const out = new Map<string, Stored>()
  for (const t of graph.initializer ?? []) {
    const name = t.name ?? ''
    if (name === '') fail('data', op, 'an initialiser has no name. The file is damaged')
    if (out.has(name)) fail('data', op, `two initialisers have the name ${quote(name)}. The file is damaged; export the model again`)
    out.set(name, readStored(op, t, `the initialiser ${quote(name)}`, external))
  }
  return out
}

function readValue(info: ValueInfoProto, role: 'input' | 'output'): ModelValue {
  const name = info.name ?? ''
  if (name === '') fail('data', op, `an ${role} of the model has no name. The file is damaged`)
  const where = `the ${role} ${quote(name)}`
  const { kind, tensor } = kindOf(info.type, where)
  const shape = tensor.shape ? (tensor.shape.dim ?? []).map((dim, i) => {
    if (dim.dimParam) return dim.dimParam
    const size = Object.hasOwn(dim, 'dimValue') ? toNumber(dim.dimValue as Int64) : -1
    return size < 0 ? `${name}_${i}` : size
  }) : null
  const type = typeOfCode(op, tensor.elemType ?? 0, where)
  return { name, kind, type, dtype: type === 'string' ? 'int32' : carrierOf(type), shape }
}

/** What a type declares, and the type of the tensors in it. */
function kindOf(type: TypeProto | null | undefined, where: string): { readonly kind: ValueKind; readonly tensor: TensorType } {
  if (type?.tensorType) return { kind: 'tensor', tensor: type.tensorType }
  const listed = type?.sequenceType?.elemType?.tensorType
  if (listed) return { kind: 'sequence', tensor: listed }
  const inner = type?.optionalType?.elemType
  if (inner?.tensorType) return { kind: 'optional', tensor: inner.tensorType }
  if (inner?.sequenceType?.elemType?.tensorType) return { kind: 'optional sequence', tensor: inner.sequenceType.elemType.tensorType }
  throw new UnsupportedError(op, `${where} is no tensor, sequence of tensors, or optional of either, which is unsupported. Export a model whose inputs and outputs are such`)
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
