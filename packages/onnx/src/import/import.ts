// importOnnx: a file's bytes to a module, with everything that could go wrong found before the first run.

import { BpError, type Variable } from '@bp/core'
import { convert, fail } from '@bp/core/extend'
import { operators as builtIn } from '../operators/index.ts'
import type { Operator, Operators } from '../operators/operator.ts'
import { carrierOf, elementType, type NarrowType } from '../proto/elementType.ts'
import type { ExternalData, Stored } from '../proto/tensor.ts'
import { unsupported, UnsupportedOperatorError } from './errors.ts'
import { call, type Callees, calleesOf, everyNode, reachable } from './functions.ts'
import { defaultLimits, type ImportLimits } from './limits.ts'
import { cut, readsOf, untied, unused, valuesOf } from './adapt.ts'
import { type LoadedFunction, type LoadedGraph, loadGraph, type ModelNode, type ModelValue, type NestedGraph } from './load.ts'
import { custom, type CustomOperator, OnnxModule } from './module.ts'
import type { Body, Step } from './run.ts'
import type { StoredTensors } from './stored.ts'
import { checkShapes, shapesOf, type ValueShape } from './shapes.ts'
import { fromStored, int64s, StringTensor, type Value } from './value.ts'
import { type Place, readersOf, variableOf } from './weights.ts'

/** Options of {@link importOnnx}. */
export interface ImportOptions {
  /** Returns the bytes of a file beside the model, for tensors that are stored outside it; paths are relative and stay inside. */
  readonly externalData?: ExternalData
  /**
   * Operators that the importer has not, by name, `domain:Name` outside the default domain; they win over built-in ones. They also run on
   * tensors without elements, as in a compiled function, where only shapes are asked for.
   */
  readonly operators?: Readonly<Record<string, CustomOperator>>
  /**
   * Gives weights of their own to what an exporter has merged because it was equal, such as the ones of all normalisations at
   * first. `true`: those that PyTorch's older exporter leaves an Identity for, under the names of the state dict. Names of
   * parameters: each node that reads one gets its own, the first under that name, others under `node.name`.
   */
  readonly untie?: true | readonly string[]
  /** The values to feed, by name, instead of the file's inputs: any that it makes (see `valueNames` of the module). */
  readonly inputs?: readonly string[]
  /** The values to return, by name, instead of the file's outputs, in this order; nodes that they do not need are dropped. */
  readonly outputs?: readonly string[]
  /** What the file may come to; the bounds are meant for files that are not to be trusted. */
  readonly limits?: ImportLimits
  /** Whether to refuse a model whose shapes contradict each other where the file leaves no size of its inputs open; true unless given. */
  readonly checkShapes?: boolean
  /**
   * Whether plain calls may compile themselves: from the second on the same shapes on, in evaluation mode and where nothing is recorded for a
   * gradient. True unless given; models with operators of a user's own run op by op in any case.
   */
  readonly compile?: boolean
}

/**
 * Reads an ONNX model as an ordinary differentiable module, which can be fine-tuned and exported again.
 *
 * Float initialisers become parameters under their own names, as in a PyTorch state dict, and so do float Constant nodes
 * that hold weights; running statistics become buffers; everything else is constant. Weights of bfloat16 are kept in float32 and
 * rounded at every use. Throws a `data` error that names the
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
  const loaded = loadGraph(bytes, options.externalData, limits)
  const table = tableOf(options)
  const graph = options.untie ? untied(loaded, options.untie) : loaded
  const model = moduleOf(options.inputs || options.outputs ? cutAt(graph, options, table, limits) : graph, table, limits, (options.compile ?? true) && Object.keys(options.operators ?? {}).length === 0)
  if (options.checkShapes ?? true) checkShapes(model)
  return model
}

/** A module to look at: operators that are not implemented are refused when they run. */
export function draft(bytes: Uint8Array, options: Pick<ImportOptions, 'externalData' | 'operators' | 'limits'> = {}): OnnxModule {
  const limits = { ...defaultLimits, ...options.limits }
  const graph = loadGraph(bytes, options.externalData, limits)
  const table = tableOf(options)
  const callees = calleesOf(graph.functions, table)
  const missing = [graph.nodes, ...graph.functions.map(({ nodes }) => nodes)].flatMap(everyNode).filter(node => !Object.hasOwn(table, node.operator) && !callees(node))
  return moduleOf(graph, { ...table, ...Object.fromEntries(missing.map(({ operator }) => [operator, () => unsupported(operator, 'running it')])) }, limits)
}

const tableOf = ({ operators = {} }: ImportOptions): Operators => ({ ...builtIn, ...Object.fromEntries(Object.entries(operators).map(([name, f]) => [name.replace(/^ai\.onnx:/, ''), custom(f)])) })

function moduleOf(graph: LoadedGraph, table: Operators, limits: Required<ImportLimits>, compiles = false): OnnxModule {
  const callees = calleesOf(graph.functions, table)
  const functions = reachable(graph.nodes, callees, limits.nodes)
  checkSupported([graph.nodes, ...functions.map(({ nodes }) => nodes)].flatMap(everyNode).filter(node => node.operator !== 'Constant' && !callees(node)), table)
  const variables = new Map<string, Variable>()
  const narrow = new Map<string, NarrowType>()
  const { producer, metadata, inputs, outputs, declared } = graph
  const { steps, constants } = prepare(graph, outputs.map(({ name }) => name), { table, producer, clashing: clashesOf(graph), variables, narrow, callees, functions: new Map(), tensors: graph.tensors })
  return new OnnxModule({ producer: { name: producer, version: graph.producerVersion }, metadata, inputs, outputs, steps, variables, narrow, constants, declared, work: limits, compiles })
}

/** The graph from some values to others, of which the file may say nothing: then what they are is inferred. */
function cutAt(graph: LoadedGraph, { inputs, outputs }: ImportOptions, table: Operators, limits: Required<ImportLimits>): LoadedGraph {
  const all = valuesOf(graph)
  const missing = [...inputs ?? [], ...outputs ?? []].find(name => !all.has(name))
  if (missing !== undefined) fail('value', 'importOnnx', `the model has no value named ${JSON.stringify(missing)}; it has ${[...all].slice(0, 8).join(', ')}${all.size > 8 ? ' and others. importOnnx(bytes).valueNames() lists them' : ''}`)
  const shapes = shapesFor(graph, new Set([...inputs ?? [], ...outputs ?? []]), table, limits)
  const described = (name: string): ModelValue => {
    const own = [...graph.inputs, ...graph.outputs].find(value => value.name === name)
    const { type, shape } = shapes.get(name) ?? { type: null, shape: null }
    const numbers = type && type !== 'complex64' && type !== 'complex128' ? type : 'float32'
    return own ?? { ...undeclared(name), type: numbers, dtype: numbers === 'string' ? 'int32' : carrierOf(numbers), shape: shape?.map((size, i) => size === '?' ? `${name}_${i}` : size) ?? null }
  }
  const declared = new Map(graph.declared)
  for (const name of inputs ?? []) if (!declared.has(name)) declared.set(name, { code: 0, sizes: shapes.get(name)?.shape?.map(size => size === '?' ? null : size) ?? null })
  return { ...cut(graph, { inputs: inputs?.map(described) ?? null, outputs: outputs?.map(described) ?? graph.outputs }), declared }
}

/** What values are, as far as it can be told: what makes them may be unsupported or not fit, and is perhaps to be cut off. */
function shapesFor(graph: LoadedGraph, names: ReadonlySet<string>, table: Operators, limits: Required<ImportLimits>): ReadonlyMap<string, ValueShape> {
  try {
    return shapesOf(moduleOf(cut(graph, { inputs: null, outputs: [...names].map(undeclared) }), table, limits)).values
  } catch (error) {
    if (!(error instanceof BpError)) throw error
    return new Map([...graph.declared].map(([name, { code, sizes }]) => [name, { type: elementType(code), shape: sizes?.map(size => size ?? '?') ?? null }]))
  }
}

/** A value of which nothing is known. */
const undeclared = (name: string): ModelValue => ({ name, kind: 'tensor', type: null, dtype: 'float32', shape: null })

/** What preparing any graph of a model needs of the whole. */
interface Model {
  readonly table: Operators
  readonly producer: string
  /** The names of constants that more than one graph of the model has. */
  readonly clashing: ReadonlySet<string>
  /** Filled with what is a parameter or a buffer. */
  readonly variables: Map<string, Variable>
  /** Filled with the element types of those that the framework keeps in a wider dtype. */
  readonly narrow: Map<string, NarrowType>
  readonly callees: Callees
  /** Filled with the functions that are called, each prepared once. */
  readonly functions: Map<LoadedFunction, Body>
  readonly tensors: StoredTensors
}

/** A graph as steps to run, with its constants; its weights become variables of the model. `path` names the nodes that it stands in. */
function prepare(graph: Pick<NestedGraph, 'initialisers' | 'nodes'>, outputs: readonly string[], model: Model, path: readonly string[] = []): Pick<Body, 'steps' | 'constants' | 'weights'> {
  const { variables, narrow, producer, clashing } = model
  const place: Place = { readers: readersOf(graph.nodes, model.callees), producer, nested: path.length > 0 }
  const constants = new Map<string, Value>()
  const weights = new Map<string, string>()
  for (const [name, stored, fromNode] of literalsOf(graph, model.tensors)) {
    const variable = variableOf(name, stored, fromNode, place)
    if (variable) {
      const key = place.nested && (clashing.has(name) || variables.has(name)) ? unused([...path, name].join('.'), variables) : name
      weights.set(name, key)
      variables.set(key, variable)
      if (!(stored instanceof StringTensor) && stored.type) narrow.set(key, stored.type)
    } else constants.set(name, fromStored(stored))
  }
  return { steps: schedule(graph.nodes.filter(node => !isLiteral(node)), outputs, model, path), constants, weights }
}

/** The initialisers of a graph and the tensors of its Constant nodes; those are marked. */
function* literalsOf({ initialisers, nodes }: Pick<NestedGraph, 'initialisers' | 'nodes'>, tensors: StoredTensors): Generator<readonly [name: string, stored: Stored, fromNode: boolean]> {
  for (const [name, literal] of initialisers) yield [name, literal, false]
  for (const node of nodes) if (isLiteral(node)) yield [node.outputs[0] ?? '', constantOf(node, tensors), true]
}

/** Whether a node holds what is known before a run: what a Constant refers to, a call of its function gives. */
const isLiteral = ({ operator, attributes }: ModelNode): boolean => operator === 'Constant' && !attributes.refer

/** The names that initialisers and Constant nodes have in more than one graph. */
function clashesOf(graph: Pick<NestedGraph, 'initialisers' | 'nodes'>): Set<string> {
  const [seen, clashing] = [new Set<string>(), new Set<string>()]
  const visit = ({ initialisers, nodes }: Pick<NestedGraph, 'initialisers' | 'nodes'>): void => {
    for (const name of [...initialisers.keys(), ...nodes.flatMap(({ operator, outputs }) => operator === 'Constant' ? outputs : [])]) (seen.has(name) ? clashing : seen).add(name)
    for (const { graphs } of nodes) for (const inner of graphs.values()) visit(inner)
  }
  visit(graph)
  return clashing
}

function checkSupported(nodes: readonly ModelNode[], table: Operators): void {
  const missing = nodes.filter(({ operator }) => !Object.hasOwn(table, operator))
  if (missing.length === 0) return
  const list = missing.slice(0, 50).map(({ operator, name, opset }) => `${operator} (node ${JSON.stringify(name)}, opset ${opset})`)
  const more = missing.length > list.length ? ` and ${missing.length - list.length} more nodes` : ''
  const { operator } = missing[0]!
  throw new UnsupportedOperatorError('importOnnx', missing.map(node => node.operator), `unsupported operators: ${list.join(', ')}${more}. Export the model without them, or pass implementations in importOnnx(bytes, { operators: { ${/^\w+$/.test(operator) ? operator : JSON.stringify(operator)}: … } })`)
}

/** What a Constant node holds, in whichever of its attributes. */
function constantOf(node: ModelNode, tensors: StoredTensors): Stored {
  const { attributes } = node
  const tensor = attributes.stored('value', (t, where) => tensors.dense(t, where)) ?? attributes.sparse('sparse_value', (t, where) => tensors.sparse(t, where))
  if (tensor) return tensor
  const floats = attributes.floats('value_floats')
  if (floats) return { dtype: 'float32', shape: [floats.length], data: Float32Array.from(floats) }
  const ints = attributes.ints('value_ints')
  if (ints) return int64s(ints)
  if (attributes.has('value_float')) return { dtype: 'float32', shape: [], data: Float32Array.of(attributes.float('value_float', 0)) }
  if (attributes.has('value_int')) return { dtype: 'int64', shape: [], data: convert([attributes.int('value_int', 0)], 'int64') }
  const texts = attributes.strings('value_strings')
  if (texts) return new StringTensor([texts.length], texts)
  if (attributes.has('value_string')) return new StringTensor([], [attributes.string('value_string', '')])
  if (attributes.names.length === 0) return fail('data', 'importOnnx', `the Constant node ${JSON.stringify(node.name)} holds nothing. The file is damaged`)
  throw new UnsupportedOperatorError('importOnnx', ['Constant'], `the Constant node ${JSON.stringify(node.name)} holds ${attributes.names.join(', ')}, which is unsupported. Export the model with tensors as constants`)
}

/** Each node with its function, the values that can be dropped after it, and the graphs inside it. */
function schedule(nodes: readonly ModelNode[], outputs: readonly string[], model: Model, path: readonly string[]): Step[] {
  const lastReader = new Map<string, number>()
  nodes.forEach((node, i) => { for (const name of [...node.outputs, ...readsOf(node)]) lastReader.set(name, i) })
  for (const name of outputs) lastReader.delete(name)
  const last = nodes.map((): string[] => [])
  for (const [name, i] of lastReader) if (name !== '') last[i]!.push(name)
  const bodies = (node: ModelNode): Step['bodies'] => {
    const f = model.callees(node)
    const inner = new Map([...node.graphs].map(([name, graph]): [string, Body] => [name, { ...graph, ...prepare(graph, graph.outputs, model, [...path, node.name, name]) }]))
    return f ? inner.set('', bodyOf(f, model)) : inner
  }
  const constant: Operator = (_inputs, _attributes, node) => fromStored(constantOf(node, model.tensors))
  const operatorOf = (node: ModelNode): Operator => node.operator === 'Constant' ? constant : model.callees(node) ? call : model.table[node.operator]!
  return nodes.map((node, i) => ({ node, operator: operatorOf(node), last: last[i]!, reads: readsOf(node), bodies: bodies(node) }))
}

/** A function as a graph to run: prepared once, however often it is called. Its own numbers are constants. */
function bodyOf(f: LoadedFunction, model: Model): Body {
  const known = model.functions.get(f)
  if (known) return known
  const steps = schedule(f.nodes.filter(node => !isLiteral(node)), f.outputs, model, [f.operator])
  const constants = new Map([...literalsOf({ initialisers: new Map(), nodes: f.nodes }, model.tensors)].map(([name, stored]) => [name, fromStored(stored)]))
  const body: Body = { inputs: f.inputs, outputs: f.outputs, defaults: f.defaults, steps, constants, weights: new Map() }
  model.functions.set(f, body)
  return body
}
