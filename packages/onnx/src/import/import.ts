// importOnnx: a file's bytes to a module, with everything that could go wrong found before the first run.

import { Variable } from '@bp/core'
import { convert, fail, isFloat } from '@bp/core/extend'
import { Parameter } from '@bp/nn'
import { operators as builtIn } from '../operators/index.ts'
import type { Operator, Operators } from '../operators/operator.ts'
import type { ExternalData, Literal } from '../proto/tensor.ts'
import { UnsupportedOperatorError } from './errors.ts'
import { call, type Callees, calleesOf, everyNode, reachable } from './functions.ts'
import { defaultLimits, type ImportLimits } from './limits.ts'
import { loadGraph, type LoadedFunction, type ModelNode, type NestedGraph } from './load.ts'
import { type Body, custom, type CustomOperator, fromLiteral, OnnxModule, type Step } from './module.ts'
import type { StoredTensors } from './stored.ts'
import { int64s, Known } from './value.ts'

/** Options of {@link importOnnx}. */
export interface ImportOptions {
  /** Returns the bytes of a file beside the model, for tensors that are stored outside it; paths are relative and stay inside. */
  readonly externalData?: ExternalData
  /** Operators that the importer has not, by name, `domain:Name` outside the default domain; they win over built-in ones. */
  readonly operators?: Readonly<Record<string, CustomOperator>>
  /** What the file may come to; the bounds are meant for files that are not to be trusted. */
  readonly limits?: ImportLimits
}

/**
 * Reads an ONNX model as an ordinary differentiable module, which can be fine-tuned and exported again.
 *
 * Float initialisers become parameters under their own names, as in a PyTorch state dict, and so do float Constant nodes
 * that hold weights; running statistics become buffers; everything else is constant, also what functions of the file's own hold. An
 * operator that is not implemented, but for which the file has a function, is computed by it. Throws a `data` error that names the
 * place where the file is damaged or contradicts itself, and an {@link UnsupportedOperatorError} that lists all nodes whose
 * operators are not implemented.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { mul } from '@bp/ops'
 * import { exportOnnx, importOnnx } from '@bp/onnx'
 * const bytes = exportOnnx(x => mul(x, 2), [{ name: 'x', shape: [2], dtype: 'float32' }])
 * importOnnx(bytes).forward(tensor([1, 2])) // => tensor([2, 4], float32)
 * ```
 */
export function importOnnx(bytes: Uint8Array, options: ImportOptions = {}): OnnxModule {
  const limits = { ...defaultLimits, ...options.limits }
  const graph = loadGraph(bytes, options.externalData, limits)
  const table: Operators = { ...builtIn, ...Object.fromEntries(Object.entries(options.operators ?? {}).map(([name, f]) => [name.replace(/^ai\.onnx:/, ''), custom(f)])) }
  const callees = calleesOf(graph.functions, table)
  const functions = reachable(graph.nodes, callees, limits.nodes)
  checkSupported([graph.nodes, ...functions.map(({ nodes }) => nodes)].flatMap(everyNode).filter(node => node.operator !== 'Constant' && !callees(node)), table)
  const variables = new Map<string, Variable>()
  const model = { table, uses: usesOf(graph.nodes, callees), variables, producer: graph.producer, nested: false, callees, functions: new Map<LoadedFunction, Body>(), tensors: graph.tensors }
  const { steps, constants } = prepare(graph, graph.outputs.map(({ name }) => name), model)
  return new OnnxModule({ producer: { name: graph.producer, version: graph.producerVersion }, metadata: graph.metadata, inputs: graph.inputs, outputs: graph.outputs, steps, variables, constants })
}

/** What preparing any graph of a model needs of the whole. */
interface Model {
  readonly table: Operators
  readonly uses: ReadonlyMap<string, Use>
  /** Filled with what is a parameter or a buffer. */
  readonly variables: Map<string, Variable>
  readonly producer: string
  /** Whether the graph stands in a node; all that it holds is constant then, for exporters keep weights in the outer graph. */
  readonly nested: boolean
  readonly callees: Callees
  /** Filled with the functions that are called, each prepared once. */
  readonly functions: Map<LoadedFunction, Body>
  readonly tensors: StoredTensors
}

/** A graph as steps to run, with its constants; its weights become variables of the model. */
function prepare(graph: Pick<NestedGraph, 'initialisers' | 'nodes'>, outputs: readonly string[], model: Model): Pick<Body, 'steps' | 'constants'> {
  const { uses, variables, producer, nested } = model
  const settled = (name: string): boolean => nested || uses.get(name) === 'setting'
  const constants = new Map<string, Known>()
  for (const [name, literal] of graph.initialisers) {
    if (settled(name) || !isFloat(literal.dtype) || (isUniform(literal) && isMadeUp(name, producer))) constants.set(name, asValue(literal))
    else variables.set(name, uses.get(name) === 'statistic' ? new Variable(fromLiteral(literal)) : new Parameter(fromLiteral(literal)))
  }
  for (const node of graph.nodes) {
    if (!isLiteral(node)) continue
    const literal = constantOf(node, model.tensors)
    const name = node.outputs[0] ?? ''
    if (!settled(name) && isWeight(name, literal, producer)) variables.set(name, new Parameter(fromLiteral(literal)))
    else constants.set(name, asValue(literal))
  }
  return { steps: schedule(graph.nodes.filter(node => !isLiteral(node)), outputs, model), constants }
}

/** Whether a node holds what is known before a run: what a Constant refers to, a call of its function gives. */
const isLiteral = ({ operator, attributes }: ModelNode): boolean => operator === 'Constant' && !attributes.refer

function checkSupported(nodes: readonly ModelNode[], table: Operators): void {
  const missing = nodes.filter(({ operator }) => !Object.hasOwn(table, operator))
  if (missing.length === 0) return
  const list = missing.slice(0, 50).map(({ operator, name, opset }) => `${operator} (node ${JSON.stringify(name)}, opset ${opset})`)
  const more = missing.length > list.length ? ` and ${missing.length - list.length} more nodes` : ''
  const { operator } = missing[0]!
  throw new UnsupportedOperatorError('importOnnx', missing.map(node => node.operator), `unsupported operators: ${list.join(', ')}${more}. Export the model without them, or pass implementations in importOnnx(bytes, { operators: { ${/^\w+$/.test(operator) ? operator : JSON.stringify(operator)}: … } })`)
}

/** Inputs that tell an operator what to do rather than what to compute with. */
const settings: Readonly<Record<string, readonly number[]>> = { Resize: [1, 2], Upsample: [1], Dropout: [1, 2], Range: [0, 1, 2], Pad: [2], OneHot: [2] }

type Use = 'statistic' | 'setting'

/** How the nodes, and the functions that they call, use a value where that decides what it becomes: a running statistic, or a setting. */
function usesOf(nodes: readonly ModelNode[], callees: Callees, inside = new Map<LoadedFunction, ReadonlyMap<string, Use>>()): ReadonlyMap<string, Use> {
  const uses = new Map<string, Use>()
  for (const node of everyNode(nodes)) {
    const { operator, inputs } = node
    if (operator === 'BatchNormalization') for (const name of inputs.slice(3, 5)) uses.set(name, 'statistic')
    for (const i of Object.hasOwn(settings, operator) ? settings[operator]! : []) if (inputs[i]) uses.set(inputs[i], 'setting')
    const f = callees(node)
    if (!f) continue
    const own = inside.get(f) ?? usesOf(f.nodes, callees, inside)
    inside.set(f, own)
    inputs.forEach((name, i) => { if (name !== '' && own.has(f.inputs[i]!)) uses.set(name, own.get(f.inputs[i]!)!) })
  }
  return uses
}

/**
 * Whether a Constant node holds weights: floats with at least one axis, unless the output's name is one that PyTorch's
 * exporters make up for a literal in the program (`/a/Constant_3_output_0`); their weights are initialisers.
 */
const isWeight = (name: string, { dtype, shape }: Literal, producer: string): boolean =>
  isFloat(dtype) && shape.length > 0 && !/(^|\/)Constant(_\d+)?_output_\d+$|^onnx::/.test(name) && !isMadeUp(name, producer)

/**
 * Whether PyTorch's exporter, since 2.5, has made up a name. An initialiser of such a name holds what the exporter computed
 * before: where all its numbers are equal, a literal or a fill of the program; else weights that it has turned or joined,
 * which are to be trained.
 */
const isMadeUp = (name: string, producer: string): boolean => producer === 'pytorch' && /^(val|tmp|scalar_tensor_default|(new_)?(zeros|ones|full)(_like)?|\w+_cast)(_\d+)?$/.test(name)

const asValue = ({ dtype, shape, data }: Literal): Known => new Known(dtype, shape, data)

const isUniform = ({ data }: Literal): boolean => data.every((value: number | bigint) => value === data[0])

/** What a Constant node holds, in whichever of its attributes. */
function constantOf(node: ModelNode, tensors: StoredTensors): Literal {
  const { attributes } = node
  const tensor = attributes.tensor('value', (t, where) => tensors.dense(t, where)) ?? attributes.sparse('sparse_value', (t, where) => tensors.sparse(t, where))
  if (tensor) return tensor
  const floats = attributes.floats('value_floats')
  if (floats) return { dtype: 'float32', shape: [floats.length], data: Float32Array.from(floats) }
  const ints = attributes.ints('value_ints')
  if (ints) return int64s(ints)
  if (attributes.has('value_float')) return { dtype: 'float32', shape: [], data: Float32Array.of(attributes.float('value_float', 0)) }
  if (attributes.has('value_int')) return { dtype: 'int64', shape: [], data: convert([attributes.int('value_int', 0)], 'int64') }
  if (attributes.names.length === 0) return fail('data', 'importOnnx', `the Constant node ${JSON.stringify(node.name)} holds nothing. The file is damaged`)
  throw new UnsupportedOperatorError('importOnnx', ['Constant'], `the Constant node ${JSON.stringify(node.name)} holds ${attributes.names.join(', ')}, which is unsupported. Export the model with tensors as constants`)
}

/** What a node reads, also from inside. */
const readsOf = ({ inputs, graphs }: ModelNode): string[] => [...inputs, ...[...graphs.values()].flatMap(({ nodes, outputs }) => [...nodes.flatMap(readsOf), ...outputs])]

/** Each node with its function, the values that can be dropped after it, and the graphs inside it. */
function schedule(nodes: readonly ModelNode[], outputs: readonly string[], model: Model): Step[] {
  const lastReader = new Map<string, number>()
  nodes.forEach((node, i) => { for (const name of [...node.outputs, ...readsOf(node)]) lastReader.set(name, i) })
  for (const name of outputs) lastReader.delete(name)
  const last = nodes.map((): string[] => [])
  for (const [name, i] of lastReader) if (name !== '') last[i]!.push(name)
  const bodies = (node: ModelNode): Step['bodies'] => {
    const f = model.callees(node)
    const inner = new Map([...node.graphs].map(([name, graph]): [string, Body] => [name, { ...graph, ...prepare(graph, graph.outputs, { ...model, nested: true }) }]))
    return f ? inner.set('', bodyOf(f, model)) : inner
  }
  const constant: Operator = (_inputs, _attributes, node) => asValue(constantOf(node, model.tensors))
  const operatorOf = (node: ModelNode): Operator => node.operator === 'Constant' ? constant : model.callees(node) ? call : model.table[node.operator]!
  return nodes.map((node, i) => ({ node, operator: operatorOf(node), last: last[i]!, bodies: bodies(node) }))
}

/** A function as a graph to run: prepared once, however often it is called. */
function bodyOf(f: LoadedFunction, model: Model): Body {
  const known = model.functions.get(f)
  if (known) return known
  const body = { inputs: f.inputs, outputs: f.outputs, defaults: f.defaults, ...prepare({ initialisers: new Map(), nodes: f.nodes }, f.outputs, { ...model, nested: true }) }
  model.functions.set(f, body)
  return body
}
