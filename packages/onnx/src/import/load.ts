// From bytes to a checked graph: what is decoded here can be run node by node without surprises.

import type { DType } from '@bp/core'
import { fail } from '@bp/core/extend'
import { decodeModel, type Dimension, type FunctionProto, type GraphProto, type Int64, type ModelProto, type NodeProto, type TensorType, toNumber, type TypeProto, type ValueInfoProto } from '../proto/proto.ts'
import { carrierOf, type ElementType } from '../proto/elementType.ts'
import { type ExternalData, type Stored, typeOfCode } from '../proto/tensor.ts'
import { Attributes } from './attributes.ts'
import { UnsupportedError } from './errors.ts'
import { defaultLimits, type ImportLimits } from './limits.ts'
import { type ModelMetadata, readMetadata } from './metadata.ts'
import { StoredTensors } from './stored.ts'

/** What an input or output holds: a tensor, a list of tensors, or one of them or nothing. */
export type ValueKind = 'tensor' | 'sequence' | 'optional' | 'optional sequence'

/** An input or output of a model; a size that varies is given by its name. */
export interface ModelValue {
  readonly name: string
  readonly kind: ValueKind
  /** The element type that the file declares; `null` for an inner value that was made an output, of which it says nothing. */
  readonly type: ElementType | null
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
  /** Which of several functions of the operator's name it calls, where the file tells them apart. */
  readonly overload: string
}

/** A graph inside a node. Its nodes may also read what the graph around it has made before. */
export interface NestedGraph {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly initialisers: ReadonlyMap<string, Stored>
  readonly nodes: readonly ModelNode[]
}

/** What a file says of a value: the number of its element type, and its sizes, `null` each where it is left open; `null` where even the number of axes is. */
export interface Declared {
  readonly code: number
  readonly sizes: readonly (number | string | null)[] | null
}

/** A function of the file's own: nodes for which an operator's name stands. Its values are its own; it reads none from outside. */
export interface LoadedFunction {
  /** As {@link ModelNode.operator} has it. */
  readonly operator: string
  readonly overload: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** The values of attributes that a call leaves out. */
  readonly defaults: Attributes
  readonly nodes: readonly ModelNode[]
}

/** A checked graph, with the functions that its nodes may call. */
export interface LoadedGraph {
  readonly producer: string
  readonly producerVersion: string
  readonly metadata: ModelMetadata
  readonly functions: readonly LoadedFunction[]
  /** Where nodes' attributes hold tensors, this reads them. */
  readonly tensors: StoredTensors
  readonly inputs: readonly ModelValue[]
  readonly outputs: readonly ModelValue[]
  readonly initialisers: ReadonlyMap<string, Stored>
  readonly nodes: readonly ModelNode[]
  /** What the file says of inputs, outputs and inner values. */
  readonly declared: ReadonlyMap<string, Declared>
}

/** What reading any graph of a file needs of the file. */
interface File {
  readonly versions: ReadonlyMap<string, number>
  readonly tensors: StoredTensors
  readonly producer: string
  /** The operators for which the file has functions. */
  readonly functions: ReadonlySet<string>
  /** Whether what is read stands in a function, to whose attributes nodes may refer. */
  readonly inFunction: boolean
}

/** The versions of the default operator set whose meaning is implemented; of earlier ones, models of operators that 6 did not change. */
export const opsets: readonly [least: number, most: number] = [6, 28]

const op = 'importOnnx'
const quote = (name: string): string => JSON.stringify(name)

/** The newest version of the file format whose fields are known. */
const newestFormat = 14

/** Decodes and checks a model. Throws a `data` error that names the place for anything that does not hold together. */
export function loadGraph(bytes: Uint8Array, external?: ExternalData, limits: Required<ImportLimits> = defaultLimits): LoadedGraph {
  const model = decodeModel(op, bytes, limits.messages)
  if (!model.graph) fail('data', op, `the file holds no graph${bytes.length === 0 ? ' (it is empty)' : ''}. Is it an ONNX model?`)
  const metadata = readMetadata(model)
  if (metadata.irVersion > newestFormat) throw new UnsupportedError(op, `the file is of IR version ${metadata.irVersion}; versions up to ${newestFormat} are supported. Save the model with an older version of onnx, or update @bp/onnx`)
  const versions = versionsOf(model.opsetImport, model.graph)
  const { graph } = model
  const file = { versions, tensors: new StoredTensors(external, limits), producer: model.producerName ?? '', functions: new Set((model.functions ?? []).map(operatorOf)), inFunction: false }
  const initialisers = readInitialisers(graph, file)
  const inputs = (graph.input ?? []).filter(({ name }) => !initialisers.has(name ?? '')).map(info => readValue(info, 'input'))
  const nodes = (graph.node ?? []).map((node, i) => readNode(node, i, file))
  checkOrder(nodes, [...inputs.map(({ name }) => name), ...initialisers.keys()], (graph.output ?? []).map(({ name }) => name ?? ''), 'the model')
  return { producer: file.producer, producerVersion: model.producerVersion ?? '', metadata, inputs, outputs: (graph.output ?? []).map(info => readValue(info, 'output')), initialisers, nodes, functions: readFunctions(model.functions ?? [], file), tensors: file.tensors, declared: declaredIn(graph) }
}

/** Operators that have had one meaning from the first version up to 6. */
const unchanged: ReadonlySet<string> = /* @__PURE__ */ new Set([
  'ArgMax', 'ArgMin', 'AveragePool', 'Constant', 'Conv', 'ConvTranspose', 'DepthToSpace', 'Flatten', 'Gather', 'GlobalAveragePool', 'GlobalMaxPool', 'Identity', 'If',
  'LRN', 'LogSoftmax', 'Loop', 'MaxPool', 'Not', 'ReduceL1', 'ReduceL2', 'ReduceLogSum', 'ReduceLogSumExp', 'ReduceMax', 'ReduceMean', 'ReduceMin', 'ReduceProd', 'ReduceSum',
  'ReduceSumSquare', 'Shape', 'Size', 'Slice', 'Softmax', 'Softplus', 'Softsign', 'SpaceToDepth', 'Squeeze', 'Transpose', 'Unsqueeze',
])

/** The names of the operators of all nodes and of those inside them. */
const everyOperator = (nodes: GraphProto['node']): string[] =>
  (nodes ?? []).flatMap(({ opType, attribute }) => [opType ?? '', ...(attribute ?? []).flatMap(({ g }) => everyOperator(g?.node))])

/** The version of each domain's operators that is imported; of sets before the first one, where the nodes are of operators that have not changed since. */
function versionsOf(imports: ModelProto['opsetImport'], { node }: Pick<GraphProto, 'node'>): ReadonlyMap<string, number> {
  const versions = new Map((imports ?? []).map(({ domain, version }) => [domain === 'ai.onnx' ? '' : domain ?? '', toNumber(version as Int64)]))
  const opset = versions.get('') ?? opsets[0]
  const early = opset < opsets[0] && !everyOperator(node).every(operator => unchanged.has(operator))
  if (early || opset > opsets[1]) throw new UnsupportedError(op, `the model is of operator set ${opset}; ${opsets[0]} to ${opsets[1]} are supported. Convert it with onnx.version_converter`)
  return versions
}

/** An operator's name, with its domain unless that is ONNX's own. */
function operatorOf({ domain, name }: { readonly domain?: string | null; readonly name?: string | null }): string {
  return domain && domain !== 'ai.onnx' ? `${domain}:${name ?? ''}` : name ?? ''
}

/** What tells functions of one file apart. */
export const functionKey = ({ operator, overload }: Pick<ModelNode, 'operator' | 'overload'>): string => JSON.stringify([operator, overload])

function readFunctions(functions: readonly FunctionProto[], file: File): LoadedFunction[] {
  const seen = new Set<string>()
  return functions.map(f => {
    const [operator, overload] = [operatorOf(f), f.overload ?? '']
    const where = `the function ${quote(operator)}${overload === '' ? '' : ` (overload ${quote(overload)})`}`
    const key = functionKey({ operator, overload })
    if (!f.name) fail('data', op, 'a function has no name. The file is damaged')
    if (seen.has(key)) fail('data', op, `the file holds ${where} twice. It is damaged; export the model again`)
    seen.add(key)
    const own = { ...file, inFunction: true, versions: new Map([...file.versions, ...versionsOf(f.opsetImport, f)]) }
    const [inputs, outputs] = [f.input ?? [], f.output ?? []]
    const nodes = (f.node ?? []).map((node, i) => readNode(node, i, own))
    checkOrder(nodes, inputs, outputs, where)
    return { operator, overload, inputs, outputs, defaults: new Attributes(f.attributeProto ?? [], where), nodes }
  })
}

function readInitialisers(graph: GraphProto, { tensors }: File): Map<string, Stored> {
  const out = new Map<string, Stored>()
  const add = (name: string | null | undefined, read: (where: string) => Stored): void => {
    if (!name) return fail('data', op, 'an initialiser has no name. The file is damaged')
    if (out.has(name)) fail('data', op, `two initialisers have the name ${quote(name)}. The file is damaged; export the model again`)
    out.set(name, read(`the initialiser ${quote(name)}`))
  }
  for (const t of graph.initializer ?? []) add(t.name, where => tensors.dense(t, where))
  for (const t of graph.sparseInitializer ?? []) add(t.values?.name, where => tensors.sparse(t, where))
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
  const operator = operatorOf({ domain, name: node.opType ?? '' })
  const name = [node.name, ...node.output ?? []].find(text => text) ?? `node ${index}`
  if (!node.opType) fail('data', op, `node ${index} (${quote(name)}) names no operator. The file is damaged`)
  const opset = file.versions.get(domain) ?? (file.functions.has(operator) ? 1 : undefined)
  if (opset === undefined) fail('data', op, `node ${quote(name)} (${operator}) is of the ${domain === '' ? 'default domain' : `domain ${quote(domain)}`}, of which the model imports no version. The file is damaged`)
  const given = node.attribute ?? []
  const referring = given.find(({ refAttrName }) => refAttrName)
  if (referring && !file.inFunction) fail('data', op, `attribute ${referring.name ?? ''} of node ${quote(name)} (${operator}) refers to an attribute of a function, but the node is in no function. The file is damaged`)
  const graphs = new Map(given.flatMap(({ name: attribute, g }) => g ? [[attribute ?? '', readNested(g, file)] as const] : []))
  if (given.some(({ refAttrName, type }) => refAttrName && Number(type) === 5)) throw new UnsupportedError(op, `node ${quote(name)} (${operator}) has a graph that the caller of its function gives, which is unsupported. Inline the model's functions with onnx.inliner`)
  return { operator, name, inputs: node.input ?? [], outputs: node.output ?? [], attributes: new Attributes(given, `node ${quote(name)} (${operator})`), opset, producer: file.producer, graphs, overload: node.overload ?? '' }
}

const readNested = (graph: GraphProto, file: File): NestedGraph => ({
  inputs: (graph.input ?? []).map(({ name }) => name ?? ''), outputs: (graph.output ?? []).map(({ name }) => name ?? ''),
  initialisers: readInitialisers(graph, file), nodes: (graph.node ?? []).map((node, i) => readNode(node, i, file)),
})

/** The values that can be read at some place, with their makers: those of the graph, and around it those of the graphs in which it stands. */
class Scope {
  private readonly makers = new Map<string, string>()
  private readonly around: Scope | null

  constructor(around: Scope | null) {
    this.around = around
  }

  has(name: string): boolean {
    return this.makers.has(name) || (this.around?.has(name) ?? false)
  }

  make(name: string, maker: string): void {
    const before = this.makers.get(name)
    if (before !== undefined) fail('data', op, `two values have the name ${quote(name)}: ${before} and ${maker}. The file is damaged; export the model again`)
    this.makers.set(name, maker)
  }
}

/** Every value must have one maker and stand before its readers; `where` is what the nodes are of. */
function checkOrder(nodes: readonly ModelNode[], given: readonly string[], outputs: readonly string[], where: string, around: Scope | null = null): void {
  const scope = new Scope(around)
  for (const name of given) scope.make(name, 'an input or initialiser')
  const later = new Set(nodes.flatMap(node => node.outputs))
  for (const node of nodes) {
    for (const name of node.inputs) {
      if (name === '' || scope.has(name)) continue
      if (later.has(name)) fail('data', op, `node ${quote(node.name)} (${node.operator}) reads ${quote(name)} before it is made: the graph has a cycle, or its nodes are out of order. Sort them topologically`)
      fail('data', op, `node ${quote(node.name)} (${node.operator}) reads ${quote(name)}, which nothing makes. The file is damaged; export the model again`)
    }
    for (const { inputs, outputs: made, initialisers, nodes: inner } of node.graphs.values()) checkOrder(inner, [...new Set([...inputs, ...initialisers.keys()])], made, where, scope)
    for (const name of node.outputs) if (name !== '') scope.make(name, `an output of node ${quote(node.name)} (${node.operator})`)
  }
  const missing = outputs.find(name => !scope.has(name))
  if (missing !== undefined) fail('data', op, `${where}'s output ${quote(missing)} is made by no node. The file is damaged; export the model again`)
}
