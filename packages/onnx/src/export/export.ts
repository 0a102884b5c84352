// exportOnnx: a module or function, traced and written as an ONNX file.

import type { Tensor, Variable } from '@bp/core'
import { fail } from '@bp/core/extend'
import { Module } from '@bp/nn'
import type { ModelValue } from '../import/load.ts'
import { OnnxModule } from '../import/module.ts'
import { encodeModel } from '../proto/proto.ts'
import { CustomDomains, type CustomOperators } from './custom.ts'
import { type ExportInput, settleInputs, traceOpen, valueInfo } from './inputs.ts'
import { Writer, type WriterOptions } from './writer.ts'

/** What a file says about itself. */
export interface ExportMetadata {
  /** The program that the file is from; `bp` unless given. */
  readonly producer?: string
  readonly producerVersion?: string
  /** Whose model it is, as a reversed domain name, `com.acme`. */
  readonly domain?: string
  /** A whole number. */
  readonly modelVersion?: number
  /** What the model is, in words. */
  readonly doc?: string
  /** What the graph is, in words. */
  readonly graphDoc?: string
  /** Texts by name: licence, author, labels. */
  readonly metadata?: Readonly<Record<string, string>>
}

/** Options of {@link exportOnnx}. */
export interface ExportOptions extends ExportMetadata {
  /** The operator set to write, 13 to 23; 17 unless given. */
  readonly opset?: number
  /** The version of the file format; unless given 8, or 9, 10 and 11 from the operator sets 19, 21 and 23. */
  readonly irVersion?: number
  /** The name of the graph; `main_graph` unless given. */
  readonly name?: string
  /** Names of the outputs; `output`, or `output_0` and so on, unless given. */
  readonly outputs?: readonly string[]
  /** Names of variables that a plain function reads; a module's are its state dict's. */
  readonly parameters?: Iterable<readonly [name: string, variable: Variable]>
  /** Whether composites become the operator that ONNX has for them, where it has one, or what they are made of; `operators` unless given. */
  readonly composites?: 'operators' | 'decomposed'
  /** Ops written as operators of domains of their own, by their names. */
  readonly customOperators?: CustomOperators
}

/** What {@link exportOnnx} takes. */
export type Exportable = Module<never, Tensor | Tensor[]> | ((...xs: Tensor[]) => Tensor | readonly Tensor[])

/* The operator sets that are written. */
const exportOpsets: readonly [least: number, most: number] = [13, 23]

/** Throws where an operator set is none that is written. */
export function checkOpset(op: string, opset: number): void {
  const [least, most] = exportOpsets
  if (!Number.isInteger(opset) || opset < least || opset > most) fail('value', op, `opset must be ${least} to ${most}, got ${opset}`)
}

/** The least version of the file format for an operator set (https://github.com/onnx/onnx/blob/main/docs/Versioning.md), and at least 8. */
export const irVersionOf = (opset: number): number => opset >= 23 ? 11 : opset >= 21 ? 10 : opset >= 19 ? 9 : 8

/**
 * Writes what a module or function computes as an ONNX file. A module is exported in evaluation mode, and its parameters
 * keep their state-dict names; the same input gives the same bytes. A module that was read from a file has its own inputs, outputs
 * and metadata unless others are given.
 *
 * A size may be left open by naming it. The program is then traced at several sizes, and what depends on them is computed in the
 * graph. Throws where an op has no counterpart in ONNX and no decomposition, and where something depends on an open size in
 * another way than by sums, products and the shapes of values; the error names the op.
 *
 * @example
 * ```ts
 * import { Conv2d, GlobalAvgPool, Sequential } from '@bp/nn'
 * import { exportOnnx, importOnnx } from '@bp/onnx'
 * const bytes = exportOnnx(new Sequential(new Conv2d(3, 8, 3), new GlobalAvgPool()), [{ name: 'x', shape: ['batch', 3, 'height', 'width'] }])
 * const model = importOnnx(bytes)
 * model.inputs[0].shape // => [batch, 3, height, width]
 * model.outputs[0].shape // => [batch, 8]
 * model.namedParameters().map(([name]) => name) // => [0.weight, 0.bias]
 * ```
 */
export function exportOnnx(model: Exportable, inputs: readonly ExportInput[] | null = null, options: ExportOptions = {}): Uint8Array {
  const { opset = 17, irVersion = irVersionOf(opset), composites = 'operators', customOperators = {}, ...rest } = options
  checkOpset('exportOnnx', opset)
  const own = model instanceof OnnxModule ? model : null
  const { producer = 'bp', producerVersion, domain, modelVersion, doc, graphDoc, metadata = {}, name = 'main_graph', outputs = own?.outputs.map(output => output.name) } = { ...own?.metadata, ...rest }
  const settled = settleInputs('exportOnnx', inputs ?? own?.inputs.map(inputOf) ?? fail('value', 'exportOnnx', 'needs the inputs: [{ name, shape, dtype }]. Only a module that was read from a file knows its own'))
  const { twin, builder, avals } = inEvaluation(model, f => traceOpen(settled, f, own !== null))
  const b = builder(opset)
  const names = stateNames(model, options)
  const domains = new CustomDomains((body, program, operands) => new Writer(body, { names: new Map(), composites: composites === 'operators' }).inline(program, operands))
  const how: WriterOptions = { names, composites: composites === 'operators', custom: { operators: customOperators, write: domains.write } }
  const results = new Writer(b, how).write(twin, settled.map(input => input.name), outputs)
  return encodeModel({
    irVersion, producerName: producer, opsetImport: [['', opset] as const, ...domains.versions].map(([of, version]) => ({ domain: of, version })),
    ...producerVersion !== undefined && { producerVersion }, ...domain !== undefined && { domain }, ...modelVersion !== undefined && { modelVersion }, ...doc !== undefined && { docString: doc },
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })), functions: domains.functions,
    graph: {
      name, node: b.nodes, initializer: b.initialisers, ...graphDoc !== undefined && { docString: graphDoc },
      input: settled.map((input, i) => valueInfo(b, input.name, avals[i]!)),
      output: results.map((output, i) => valueInfo(b, output, twin.avals.get(twin.outputs[i]!)!)),
    },
  })
}

/** An input of a model that was read, as it is to be written: in the dtype that carries its element type. */
function inputOf({ name, kind, type, dtype, shape }: ModelValue): ExportInput {
  if (kind !== 'tensor' || type === 'string' || shape === null) return fail('value', 'exportOnnx', `the input ${name} is ${kind === 'tensor' ? shape === null ? 'of any shape' : 'of strings' : `of kind ${kind}`}, which cannot be written. Give the inputs: [{ name, shape, dtype }]`)
  return { name, dtype, shape }
}

/** Runs `use` on the model as a function; a module's submodules are in evaluation mode meanwhile, but for those that were read from a file and do as it says. */
function inEvaluation<R>(model: Exportable, use: (f: (...xs: Tensor[]) => Tensor | readonly Tensor[]) => R): R {
  if (!(model instanceof Module)) return use(model)
  const chosen = model.namedModules().map(([, module]) => module).filter(module => !(module instanceof OnnxModule && module.mode === null))
  const modes = chosen.map(module => [module, module.training] as const)
  const forward = (...xs: Tensor[]): Tensor | readonly Tensor[] => model.forward(...xs as never)
  try {
    for (const [module] of modes) module.training = false
    return use(forward)
  } finally {
    for (const [module, training] of modes) module.training = training
  }
}

function stateNames(model: Exportable, options: ExportOptions): ReadonlyMap<Variable, string> {
  const named = model instanceof Module ? [...model.namedParameters(), ...model.namedBuffers()] : [...options.parameters ?? []]
  return new Map(named.map(([name, variable]) => [variable, name]))
}
