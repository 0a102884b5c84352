// The imported model: a module whose forward pass runs the file's nodes in order.

import { BpError, type DType, noGrad, Tensor, type TypedArray, tensor, type Variable } from '@bp/core'
import { depends, fail, isFloat, outside, settles } from '@bp/core/extend'
import { Module } from '@bp/nn'
import { detach } from '@bp/ops'
import { onKnown } from '../operators/known.ts'
import type { Context, Operator } from '../operators/operator.ts'
import { knownLimit } from '../operators/shape.ts'
import { UnsupportedError, UnsupportedOperatorError } from './errors.ts'
import type { NarrowType } from '../proto/elementType.ts'
import { giveOut, type OnnxValue, readFeeds } from './feeds.ts'
import type { ModelNode, ModelValue } from './load.ts'
import { narrowTo } from './narrow.ts'
import { prepare, settle } from './settle.ts'
import { carrierIn, Known, toTensor, type Value } from './value.ts'

/** A node with the function that computes it, the values that nothing reads after it, and the graphs that it runs. */
export interface Step {
  readonly node: ModelNode
  readonly operator: Operator
  readonly last: readonly string[]
  /** What the node and the graphs inside it read, by name. */
  readonly reads: readonly string[]
  readonly bodies: ReadonlyMap<string, Body>
}

/** A graph inside a node, ready to run. */
export interface Body {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly steps: readonly Step[]
  readonly constants: ReadonlyMap<string, Value>
}

type Values = Map<string, Value | undefined>

/** The program that wrote a file, as the file says; empty where it does not. */
export interface Producer {
  readonly name: string
  readonly version: string
}

/** What {@link OnnxModule} is made of. */
export interface ModelParts {
  readonly producer: Producer
  readonly inputs: readonly ModelValue[]
  readonly outputs: readonly ModelValue[]
  readonly steps: readonly Step[]
  /** Parameters and buffers by the names of their initialisers. */
  readonly variables: ReadonlyMap<string, Variable>
  /** The element types of those whose type in the file is no dtype: they are kept in the carrier's dtype, and rounded where they are used. */
  readonly narrow: ReadonlyMap<string, NarrowType>
  readonly constants: ReadonlyMap<string, Value>
}

/**
 * A model read from an ONNX file, as an ordinary differentiable module: float initialisers are its parameters, under the
 * names that they have in the file. Until {@link train} or {@link eval} is called, dropout and batch normalisation behave
 * as the file says; afterwards as in any other module, running statistics included.
 */
export class OnnxModule extends Module<Tensor[], Tensor | Tensor[]> {
  readonly producer: Producer
  /** The inputs to feed, in the order of {@link forward}. */
  readonly inputs: readonly ModelValue[]
  readonly outputs: readonly ModelValue[]
  private readonly parts: ModelParts
  private readonly byName: Map<string, Variable>
  private asFile = true

  constructor(parts: ModelParts) {
    super()
    this.producer = parts.producer
    this.inputs = parts.inputs
    this.outputs = parts.outputs
    this.parts = parts
    this.byName = new Map(parts.variables)
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return this.byName
  }

  protected override setField(name: string, value: unknown): void {
    this.byName.set(name, value as Variable)
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
    const ys = this.evaluate(new Map(this.inputs.map(({ name }, i) => [name, xs[i]!]))).map((y, i) => onlyTensor(this.outputs[i]!, y))
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
    const ys = this.evaluate(new Map(Object.entries(feeds)))
    return Object.fromEntries(this.outputs.map(({ name }, i) => [name, ys[i]!]))
  }

  private evaluate(feeds: ReadonlyMap<string, OnnxValue>): OnnxValue[] {
    const { constants, narrow, steps } = this.parts
    const read = readFeeds(this.inputs, feeds)
    const given = (): Values => new Map<string, Value | undefined>([...this.byName, ...constants, ...read, ...Array.from(narrow, ([name, type]) => [name, narrowTo(type, this.byName.get(name)!)] as const)])
    const values = given()
    this.runSteps(steps, values, given)
    return this.outputs.map(output => giveOut(output, values.get(output.name) ?? fail('data', 'OnnxModule', `the output ${JSON.stringify(output.name)} was left out by the operator that makes it`)))
  }

  /** Runs steps in order on values, which grow and are dropped; `given` makes the values that they began with again. */
  private runSteps(steps: readonly Step[], values: Values, given: () => Values): void {
    const recompute: Context['recompute'] = (name, changed) => this.recompute(name, steps, new Map([...given(), ...changed]), recompute)
    for (const step of steps) {
      const results = this.compute(step, values, recompute)
      step.node.outputs.forEach((name, i) => { if (name !== '') values.set(name, results[i]) })
      for (const name of step.last) values.delete(name)
    }
  }

  private runBody({ inputs, outputs, steps, constants }: Body, around: Values, feeds: readonly (Value | undefined)[]): readonly (Value | undefined)[] {
    const given = (): Values => new Map([...around, ...constants, ...inputs.map((name, i) => [name, feeds[i]] as const)])
    const values = given()
    this.runSteps(steps, values, given)
    return outputs.map(name => values.get(name))
  }

  /** Runs the steps that make a value of those that are known. */
  private recompute(name: string, steps: readonly Step[], values: Values, recompute: Context['recompute']): Value {
    const wanted = new Set([name])
    const makers = steps.toReversed().filter(({ node, reads }) => {
      if (!node.outputs.some(output => wanted.has(output) && !values.has(output))) return false
      for (const read of reads) wanted.add(read)
      return true
    })
    for (const step of makers.reverse()) {
      const results = this.compute(step, values, recompute)
      step.node.outputs.forEach((output, i) => { if (output !== '' && !values.has(output)) values.set(output, results[i]) })
    }
    return values.get(name) ?? fail('data', 'OnnxModule', `nothing in its graph makes ${JSON.stringify(name)}. The file is damaged`)
  }

  private compute({ node, operator, bodies }: Step, values: Values, recompute: Context['recompute']): readonly (Value | undefined)[] {
    const given = node.inputs.map(name => name === '' ? undefined : values.get(name) ?? absent(node, name))
    const context: Context = {
      training: this.mode,
      update: (input, value) => {
        const variable = this.byName.get(node.inputs[input] ?? '')
        if (variable) noGrad(() => { variable.assign(detach(value)) })
      },
      run: (attribute, feeds) => this.runBody(bodies.get(attribute) ?? fail('data', 'OnnxModule', `it has no graph ${attribute}. The file is damaged`), values, feeds),
      recompute,
    }
    try {
      if (bodies.size > 0) return [operator(given, node.attributes, node, context)].flat()
      const { inputs, texts } = prepare(node.operator, given)
      const run = (): readonly (Value | undefined)[] => [operator(inputs, node.attributes, node, context)].flat()
      const carriers = inputs.map(value => value && carrierIn(value))
      const literals: readonly Known[] | null = allKnown(carriers) ? carriers : null
      const known = literals && Object.hasOwn(onKnown, node.operator) ? onKnown[node.operator]!(literals, node.attributes, node) : null
      const results = known ? [known] : literals?.every(({ dtype }) => !isFloat(dtype)) ? outside(run).map(asKnown) : run()
      return settle(node.operator, given, results, texts)
    } catch (error) {
      return explain(error, node)
    }
  }
}

const allKnown = (inputs: readonly (Value | undefined)[]): inputs is readonly Known[] =>
  inputs.length > 0 && inputs.every(value => value instanceof Known && value.data.length <= knownLimit)

/** A result computed from nothing but known whole numbers is known too, also where a program is being traced. */
const asKnown = (value: Value | undefined): Value | undefined =>
  value instanceof Tensor && value.storage && value.backend.readSync && !isFloat(value.dtype) && value.size <= knownLimit ? new Known(value.dtype, value.shape, value.dataSync()) : value

function absent(node: ModelNode, name: string): never {
  return fail('data', 'OnnxModule', `node ${JSON.stringify(node.name)} (${node.operator}) reads ${JSON.stringify(name)}, an output that its maker leaves out`)
}

/** The same error, told where in the model it arose. */
function explain(error: unknown, node: ModelNode): never {
  const where = `node ${JSON.stringify(node.name)} (${node.operator})`
  if (error instanceof UnsupportedOperatorError) throw new UnsupportedOperatorError('OnnxModule', error.operators, `${where}: ${error.message}`)
  if (error instanceof UnsupportedError) throw new UnsupportedError('OnnxModule', `${where}: ${error.message}`, error.code)
  if (error instanceof BpError) throw new BpError(error.code, 'OnnxModule', `${where}: ${error.message}`, { cause: error })
  throw error
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
