// The imported model: a module whose forward pass runs the file's nodes in order.

import { type DType, Tensor, type TypedArray, tensor, type Variable } from '@bp/core'
import { bytesPerElement, depends, fail, settles } from '@bp/core/extend'
import { type LowRankUpdate, Module, type Parameter, withUpdate } from '@bp/nn'
import type { Operator } from '../operators/operator.ts'
import type { NarrowType } from '../proto/elementType.ts'
import { within, type Work } from './budget.ts'
import { Calls } from './calls.ts'
import { giveOut, type OnnxValue, readFeeds } from './feeds.ts'
import type { Declared, ModelNode, ModelValue } from './load.ts'
import type { ModelMetadata } from './metadata.ts'
import { narrowTo } from './narrow.ts'
import { Runner, settingOf, type Step } from './run.ts'
import { toTensor, type Value } from './value.ts'

/** The program that wrote a file, as the file says; empty where it does not. */
export interface Producer {
  readonly name: string
  readonly version: string
}

/** What {@link OnnxModule} is made of. */
export interface ModelParts {
  readonly producer: Producer
  readonly metadata: ModelMetadata
  readonly inputs: readonly ModelValue[]
  readonly outputs: readonly ModelValue[]
  readonly steps: readonly Step[]
  /** Parameters and buffers by the names of their initialisers. */
  readonly variables: ReadonlyMap<string, Variable>
  /** The element types of those whose type in the file is no dtype: they are kept in the carrier's dtype, and rounded where they are used. */
  readonly narrow: ReadonlyMap<string, NarrowType>
  readonly constants: ReadonlyMap<string, Value>
  /** What the file says of its values. */
  readonly declared: ReadonlyMap<string, Declared>
  /** What a run may do beside its tensors. */
  readonly work: Work
  /** Whether calls that are not differentiated may become programs. */
  readonly compiles: boolean
}

/**
 * A model read from an ONNX file, as an ordinary differentiable module: float initialisers are its parameters, under the
 * names that they have in the file. Until {@link train} or {@link eval} is called, dropout and batch normalisation behave
 * as the file says; afterwards as in any other module, running statistics included.
 */
export class OnnxModule extends Module<Tensor[], Tensor | Tensor[]> {
  readonly producer: Producer
  /** What else the file says about itself: its versions, names, texts. */
  readonly metadata: ModelMetadata
  /** The inputs to feed, in the order of {@link forward}. */
  readonly inputs: readonly ModelValue[]
  readonly outputs: readonly ModelValue[]
  private readonly parts: ModelParts
  private readonly byName: Map<string, Variable>
  private readonly updates = new Map<string, LowRankUpdate>()
  private readonly calls: Calls | null
  private asFile = true

  constructor(parts: ModelParts) {
    super()
    this.producer = parts.producer
    this.metadata = parts.metadata
    this.inputs = parts.inputs
    this.outputs = parts.outputs
    this.parts = parts
    this.byName = new Map(parts.variables)
    this.calls = parts.compiles ? new Calls(feeds => this.evaluate(feeds), [...parts.variables.values()].reduce((n, { size, dtype }) => n + size * bytesPerElement(dtype), 1)) : null
  }

  /**
   * The nodes in the order in which they run, for reading: operator, name, and the names of the values that they read and make. Those inside
   * a node are in its `graphs`.
   */
  get nodes(): readonly ModelNode[] {
    return this.parts.steps.map(({ node }) => node)
  }

  /**
   * The names of all values outside of bodies: the inputs, the parameters and buffers, the constants, and what the nodes make.
   * Any of them can be an output: `importOnnx(bytes, { outputs: [name] })`.
   */
  valueNames(): string[] {
    const { variables, constants, steps, inputs } = this.parts
    return [...new Set([...inputs.map(({ name }) => name), ...variables.keys(), ...constants.keys(), ...steps.flatMap(({ node }) => node.outputs)])].filter(name => name !== '')
  }

  /**
   * The model as a layer of one input and one output, to stand in a `Sequential` with others: the same object, under the type that layers
   * have. Throws where it has more of either.
   */
  asLayer(): Module {
    if (this.inputs.length !== 1 || this.outputs.length !== 1) fail('value', 'OnnxModule', `a layer has one input and one output, the model has ${this.inputs.length} (${this.inputs.map(({ name }) => name).join(', ')}) and ${this.outputs.length} (${this.outputs.map(({ name }) => name).join(', ')}). Choose one with importOnnx(bytes, { outputs: [name] })`)
    return this as unknown as Module
  }

  /** What a model is made of, for tools that look at it without running it. */
  static partsOf({ parts, byName }: OnnxModule): ModelParts {
    return { ...parts, variables: byName }
  }

  /** Sets, or with `null` takes away, the low-rank update of a parameter, which is added to it whenever the model runs; see {@link addOnnxLoRA}. */
  static setUpdate({ updates, calls }: OnnxModule, name: string, update: LowRankUpdate | null): void {
    settles(updates)
    calls?.clear()
    if (update) updates.set(name, update)
    else updates.delete(name)
  }

  /** The low-rank updates by the names of their parameters. */
  static updatesOf({ updates }: OnnxModule): ReadonlyMap<string, LowRankUpdate> {
    return updates
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    const updates = [...this.updates].flatMap(([name, { lora_A, lora_B }]) => [[`${name}.lora_A`, lora_A], [`${name}.lora_B`, lora_B]] as const)
    return [...this.byName, ...updates]
  }

  protected override setField(name: string, value: unknown): void {
    this.calls?.clear()
    const [, base, factor] = /^(.*)\.(lora_[AB])$/.exec(name) ?? []
    const update = base === undefined || this.byName.has(name) ? undefined : this.updates.get(base)
    if (update) this.updates.set(base!, { ...update, [factor!]: value as Parameter })
    else this.byName.set(name, value as Variable)
  }

  override train(on = true): this {
    settles(this.parts)
    this.asFile = false
    return super.train(on)
  }

  /** Whether training mode has been chosen; `null` while the file decides. */
  get mode(): boolean | null {
    return depends(this.parts, () => this.asFile) && this.training ? null : this.training
  }

  /** Feeds inputs in the file's order; a model with one output returns it, one with several a list. */
  override forward(...xs: Tensor[]): Tensor | Tensor[] {
    if (xs.length !== this.inputs.length) fail('value', 'OnnxModule', `the model takes ${this.inputs.length} input(s) (${this.inputs.map(({ name }) => name).join(', ')}), got ${xs.length}`)
    const ys = this.call(new Map(this.inputs.map(({ name }, i) => [name, xs[i]!]))).map((y, i) => onlyTensor(this.outputs[i]!, y))
    return ys.length === 1 ? ys[0]! : ys
  }

  /**
   * Feeds tensors by name and returns all outputs by name; tensors of an element type that is no dtype in the dtype that carries it.
   * Throws where an input is missing, unknown, or of another dtype or shape, and where an output is no tensor of numbers: see
   * {@link runValues}.
   */
  run(feeds: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
    return Object.fromEntries(Object.entries(this.runValues(feeds)).map(([name, y], i) => [name, onlyTensor(this.outputs[i]!, y)]))
  }

  /** {@link run} for models whose inputs or outputs are strings, sequences (lists) or optionals (`null` where empty). */
  runValues(feeds: Readonly<Record<string, OnnxValue>>): Record<string, OnnxValue> {
    const missing = this.inputs.filter(({ name }) => !Object.hasOwn(feeds, name)).map(({ name }) => name)
    const unknown = Object.keys(feeds).filter(name => !this.inputs.some(input => input.name === name))
    if (missing.length > 0 || unknown.length > 0) fail('value', 'OnnxModule', `${[...missing.length > 0 ? [`missing inputs: ${missing.join(', ')}`] : [], ...unknown.length > 0 ? [`unknown inputs: ${unknown.join(', ')}`] : []].join('; ')}. The model takes ${this.inputs.map(({ name }) => name).join(', ') || 'none'}`)
    const ys = this.call(new Map(this.inputs.map(({ name }) => [name, feeds[name]!])))
    return Object.fromEntries(this.outputs.map(({ name }, i) => [name, ys[i]!]))
  }

  private call(feeds: ReadonlyMap<string, OnnxValue>): OnnxValue[] {
    return this.calls && this.mode !== true ? this.calls.run(feeds, this.readable()) : this.evaluate(feeds)
  }

  /** All that a run may read, low-rank updates too. */
  private* readable(): Generator<Variable> {
    yield* this.byName.values()
    for (const { lora_A, lora_B } of this.updates.values()) yield* [lora_A, lora_B]
  }

  private evaluate(feeds: ReadonlyMap<string, OnnxValue>): OnnxValue[] {
    const { constants, narrow, steps, work } = this.parts
    const variables = new Map<string, Value>(this.byName)
    if (depends(this.updates, () => this.updates.size) > 0) for (const [name, update] of this.updates) variables.set(name, withUpdate(toTensor(variables.get(name)!), update))
    for (const [name, type] of narrow) variables.set(name, narrowTo(type, toTensor(variables.get(name)!)))
    const read = [...readFeeds(this.inputs, feeds)].map(([name, x]) => [name, settingOf(x)] as const)
    const values = within(work, () => new Runner(this.mode, variables).run(steps, () => new Map<string, Value | undefined>([...variables, ...constants, ...read])))
    return this.outputs.map(output => giveOut(output, values.get(output.name) ?? fail('data', 'OnnxModule', `the output ${JSON.stringify(output.name)} was left out by the operator that makes it`)))
  }
}

/** An output as `run` and `forward` give it. */
const onlyTensor = ({ name, kind, type }: ModelValue, y: OnnxValue): Tensor =>
  y instanceof Tensor ? y : fail('value', 'OnnxModule', `the output ${name} is ${kind === 'tensor' ? 'a tensor' : `of kind ${kind}`} of ${type}. Get it from runValues`)

/** A custom operator of a user: tensors in, tensors out. */
export type CustomOperator = (inputs: readonly (Tensor | undefined)[], attributes: ModelNode['attributes'], node: ModelNode) => Tensor | readonly (Tensor | undefined)[]

/** A user's operator as the importer calls it. */
export const custom = (f: CustomOperator): Operator => (inputs, attributes, node) => f(inputs.map(value => value && toTensor(value)), attributes, node)

/** A literal as a tensor of its own. */
export const fromLiteral = ({ data, dtype, shape }: { readonly data: TypedArray; readonly dtype: DType; readonly shape: readonly number[] }): Tensor => tensor(data, { dtype, shape })
