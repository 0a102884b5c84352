// exportOnnx: a module or function, traced and written as an ONNX file.

import type { DType, Shape, Tensor, Variable } from '@bp/core'
import { fail, type Id } from '@bp/core/extend'
import { Module } from '@bp/nn'
import { encodeModel, type ValueInfoProto } from '../proto/proto.ts'
import { dtypeCodes, writeTensor } from '../proto/tensor.ts'
import { Builder } from './builder.ts'
import { compositeEmitters } from './composites.ts'
import type { Emission, Emitters } from './emit.ts'
import { Fuser } from './fuse.ts'
import { maps } from './maps.ts'
import { randomEmitters } from './random.ts'
import { recurrentEmitters } from './recurrent.ts'
import { isFixed, type Size, traceTwin, type Twin, type TwinAval, type TwinNode } from './twin.ts'
import { views } from './views.ts'

/** One input of the model to be written. */
export interface ExportInput {
  /** `input` unless given; `input_1` and so on for further ones. */
  readonly name?: string
  readonly shape: Shape
  /** float32 unless given. */
  readonly dtype?: DType
  /** Leaves the first axis open, under the name `batch`; its size in `shape` is then of no matter. */
  readonly dynamicBatch?: boolean
}

/** Options of {@link exportOnnx}. */
export interface ExportOptions {
  /** The operator set to write, 13 to 22; 17 unless given. */
  readonly opset?: number
  /** The version of the file format; 8 unless given. */
  readonly irVersion?: number
  /** The name of the graph; `main_graph` unless given. */
  readonly name?: string
  /** What the file names as its producer; `bp` unless given. */
  readonly producer?: string
  /** Names of the outputs; `output`, or `output_0` and so on, unless given. */
  readonly outputs?: readonly string[]
  /** Names of variables that a plain function reads; a module's are its state dict's. */
  readonly parameters?: Iterable<readonly [name: string, variable: Variable]>
}

type Exportable = Module<never, Tensor | Tensor[]> | ((...xs: Tensor[]) => Tensor | readonly Tensor[])

const emitters: Emitters = { ...maps, ...views, ...compositeEmitters, ...recurrentEmitters, ...randomEmitters }

/** Two batch sizes to compare. Both are even, for programs that halve the batch; halves and thirds of them differ. */
export const batches: Size = [6, 10]

/**
 * Writes what a module or function computes as an ONNX file. A module is exported in evaluation mode, and its parameters
 * keep their state-dict names; the same input gives the same bytes.
 *
 * Throws where an op has no counterpart in ONNX and no decomposition, and, with a dynamic batch, where a size is no
 * multiple of the batch; the error names the op.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Linear } from '@bp/nn'
 * import { exportOnnx, importOnnx } from '@bp/onnx'
 * const bytes = exportOnnx(new Linear(3, 2), [{ name: 'x', shape: [1, 3], dynamicBatch: true }])
 * const model = importOnnx(bytes)
 * model.inputs[0].shape // => [batch, 3]
 * model.namedParameters().map(([name]) => name) // => [weight, bias]
 * ```
 */
export function exportOnnx(model: Exportable, inputs: readonly ExportInput[], options: ExportOptions = {}): Uint8Array {
  const { opset = 17, irVersion = 8, name = 'main_graph', producer = 'bp' } = options
  if (!Number.isInteger(opset) || opset < 13 || opset > 22) fail('value', 'exportOnnx', `opset must be 13 to 22, got ${opset}`)
  const names = inputNames(inputs)
  const open = inputs.findIndex(({ dynamicBatch }) => dynamicBatch)
  for (const { shape, dynamicBatch } of inputs) if (dynamicBatch && shape.length === 0) fail('shape', 'exportOnnx', 'a scalar input has no batch axis. Leave dynamicBatch out')
  const b = new Builder(opset, open < 0 ? null : { name: names[open]!, batches })
  for (const input of names) b.claim(input)
  const avals = inputs.map(({ shape, dtype = 'float32', dynamicBatch }): TwinAval => ({ dtype, sizes: shape.map((n, i): Size => dynamicBatch && i === 0 ? batches : [n, n]) }))
  const twin = inEvaluation(model, f => traceTwin(f, avals))
  const outputs = new Writer(b, stateNames(model, options)).write(twin, names, options.outputs)
  return encodeModel({
    irVersion, producerName: producer, opsetImport: [{ domain: '', version: opset }],
    graph: {
      name, node: b.nodes, initializer: b.initialisers,
      input: names.map((input, i) => valueInfo(b, input, avals[i]!)),
      output: outputs.map((output, i) => valueInfo(b, output, twin.avals.get(twin.outputs[i]!)!)),
    },
  })
}

function inputNames(inputs: readonly ExportInput[]): string[] {
  return inputs.map(({ name }, i) => name ?? (inputs.length === 1 ? 'input' : `input_${i}`))
}

/** Runs `trace` on the model as a function; a module's submodules are in evaluation mode meanwhile. */
function inEvaluation(model: Exportable, trace: (f: (...xs: Tensor[]) => Tensor | readonly Tensor[]) => Twin): Twin {
  if (!(model instanceof Module)) return trace(model)
  const modes = model.namedModules().map(([, module]) => [module, module.training] as const)
  const forward = (...xs: Tensor[]): Tensor | readonly Tensor[] => model.forward(...xs as never)
  try {
    for (const [module] of modes) module.training = false
    return trace(forward)
  } finally {
    for (const [module, training] of modes) module.training = training
  }
}

function stateNames(model: Exportable, options: ExportOptions): ReadonlyMap<Variable, string> {
  const named = model instanceof Module ? [...model.namedParameters(), ...model.namedBuffers()] : [...options.parameters ?? []]
  return new Map(named.map(([name, variable]) => [variable, name]))
}

/** What the file says of an input or output. */
export function valueInfo(b: Builder, name: string, { dtype, sizes }: TwinAval): ValueInfoProto {
  const dim = sizes.map(size => {
    if (isFixed(size)) return { dimValue: size[0] }
    const times = b.timesBatch(size, `the value ${name}`)
    return { dimParam: times === 1 ? 'batch' : `${times}*batch` }
  })
  return { name, type: { tensorType: { elemType: dtypeCodes[dtype], shape: { dim } } } }
}

/** Writes programs, and the decompositions inside them, into one builder. */
export class Writer {
  private readonly b: Builder
  private readonly names: ReadonlyMap<Variable, string>
  private readonly written = new Map<Variable, string>()

  constructor(b: Builder, names: ReadonlyMap<Variable, string>) {
    this.b = b
    this.names = names
  }

  /** Writes the whole program and returns the names of its outputs. */
  write(twin: Twin, inputs: readonly string[], outputNames?: readonly string[]): string[] {
    if (outputNames && outputNames.length !== twin.outputs.length) fail('value', 'exportOnnx', `the model has ${twin.outputs.length} outputs, got ${outputNames.length} names for them`)
    const outputs = twin.outputs.map((_, i) => this.b.claim(outputNames?.[i] ?? (twin.outputs.length === 1 ? 'output' : `output_${i}`)))
    const results = this.inline(twin, inputs)
    const last = new Map(this.b.nodes.flatMap(node => (node.output ?? []).map((name, i) => [name, { node, i }] as const)))
    const renamed = new Map<string, string>()
    results.forEach((name, i) => {
      if (last.has(name) && !renamed.has(name) && last.get(name)!.node.opType !== 'Constant') renamed.set(name, outputs[i]!)
      else this.b.emit('Identity', [renamed.get(name) ?? name], [outputs[i]!])
    })
    for (const node of this.b.nodes) {
      node.input = (node.input ?? []).map(name => renamed.get(name) ?? name)
      node.output = (node.output ?? []).map(name => renamed.get(name) ?? name)
    }
    this.b.sweep(outputs)
    return outputs
  }

  /** Writes the ops of a program on operands that have names, and returns the names of its results. */
  private inline(twin: Twin, inputs: readonly string[]): string[] {
    const values = new Map<Id, string>(twin.inputs.map((id, i) => [id, inputs[i]!]))
    for (const { id, value } of twin.variables) values.set(id, this.variable(value))
    for (const { id, value } of twin.constants) values.set(id, this.constant(value, twin.avals.get(id)!))
    const name = (id: Id): string => values.get(id)!
    const fuser = new Fuser(twin)
    const done = new Set<TwinNode>()
    twin.nodes.forEach((node, i) => {
      if (done.has(node)) return
      const fusion = fuser.at(node, this.b)
      if (fusion) {
        for (const swallowed of fusion.swallowed) done.add(swallowed)
        values.set(fusion.output, fusion.emit(name))
        return
      }
      const results = this.node(twin, node, node.inputs.map(name), `${node.row.name} (op ${i + 1} of ${twin.nodes.length})`)
      node.outputs.forEach((id, k) => { values.set(id, results[k]!) })
    })
    return twin.outputs.map(name)
  }

  private node(twin: Twin, node: TwinNode, inputs: readonly string[], where: string): string[] {
    const { row } = node
    const xs = node.inputs.map(id => twin.avals.get(id)!)
    const emission: Emission = { node, inputs, xs, ys: node.outputs.map(id => twin.avals.get(id)!), where }
    const emitter = Object.hasOwn(emitters, row.name) ? emitters[row.name] : undefined
    const result = emitter?.(this.b, emission) ?? null
    if (result !== null) return [result].flat()
    if (row.decompose === null) return fail('value', 'exportOnnx', `${where} has no counterpart in ONNX and no decomposition. Give its row a decompose in terms of ops that have one`)
    const sides = node.params
    let side = 0
    return this.inline(traceTwin((...ys) => row.decompose!(ys, sides[side++]), xs), inputs)
  }

  private variable(value: Variable): string {
    const known = this.written.get(value)
    if (known !== undefined) return known
    const given = this.names.get(value)
    const name = given === undefined ? this.b.fresh('parameter') : this.b.claim(given)
    this.b.initialisers.push(writeTensor(name, { dtype: value.dtype, shape: value.shape, data: value.dataSync() }))
    this.written.set(value, name)
    return name
  }

  private constant(value: Tensor, { sizes }: TwinAval): string {
    if (!sizes.every(isFixed)) return fail('value', 'exportOnnx', `a tensor that the function makes from data has a shape that depends on the batch, [${sizes.map(([a]) => a).join(',')}]. Make it with ops, or export without dynamicBatch`)
    return this.b.constant(value.dtype, value.shape, value.dataSync())
  }
}
