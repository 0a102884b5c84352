// The imported model: a module whose forward pass runs the file's nodes in order.

import { BpError, type DType, noGrad, Tensor, type TypedArray, tensor, Variable } from '@bp/core'
import { depends, describe, fail, isFloat, outside, settles } from '@bp/core/extend'
import { Module } from '@bp/nn'
import { detach } from '@bp/ops'
import { onKnown } from '../operators/known.ts'
import type { Context, Operator } from '../operators/operator.ts'
import { knownLimit } from '../operators/shape.ts'
import { UnsupportedError, UnsupportedOperatorError } from './errors.ts'
import type { ModelNode, ModelValue } from './load.ts'
import { settle } from './settle.ts'
import { carrierIn, Known, toTensor, type Value } from './value.ts'

/** A node with the function that computes it, the values that nothing reads after it, and the graphs that it runs. */
export interface Step {
  readonly node: ModelNode
  readonly operator: Operator
  readonly last: readonly string[]
  readonly bodies: ReadonlyMap<string, Body>
}

/** A graph inside a node, ready to run. */
export interface Body {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly steps: readonly Step[]
  readonly constants: ReadonlyMap<string, Known>
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
  readonly constants: ReadonlyMap<string, Known>
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
    const ys = this.evaluate(new Map(this.inputs.map(({ name }, i) => [name, xs[i]!])))
    return ys.length === 1 ? ys[0]! : ys
  }

  /** Feeds inputs by name and returns all outputs by name. Throws where one is missing, unknown, or of another dtype or shape. */
  run(feeds: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
    const missing = this.inputs.filter(({ name }) => !Object.hasOwn(feeds, name)).map(({ name }) => name)
    const unknown = Object.keys(feeds).filter(name => !this.inputs.some(input => input.name === name))
    if (missing.length > 0 || unknown.length > 0) fail('value', 'OnnxModule', `${[...missing.length > 0 ? [`missing inputs: ${missing.join(', ')}`] : [], ...unknown.length > 0 ? [`unknown inputs: ${unknown.join(', ')}`] : []].join('; ')}. The model takes ${this.inputs.map(({ name }) => name).join(', ') || 'none'}`)
    const ys = this.evaluate(new Map(Object.entries(feeds)))
    return Object.fromEntries(this.outputs.map(({ name }, i) => [name, ys[i]!]))
  }

  private evaluate(feeds: ReadonlyMap<string, Tensor>): Tensor[] {
    checkFeeds(this.inputs, feeds)
    const { constants, steps } = this.parts
    const values: Values = new Map<string, Value | undefined>([...this.byName, ...constants, ...[...feeds].map(([name, x]) => [name, settingOf(x)] as const)])
    this.runSteps(steps, values)
    return this.outputs.map(({ name }) => toTensor(values.get(name) ?? fail('data', 'OnnxModule', `the output ${JSON.stringify(name)} was left out by the operator that makes it`)))
  }

  private runSteps(steps: readonly Step[], values: Values): void {
    for (const step of steps) {
      const results = this.compute(step, values)
      step.node.outputs.forEach((name, i) => { if (name !== '') values.set(name, results[i]) })
      for (const name of step.last) values.delete(name)
    }
  }

  private runBody({ inputs, outputs, steps, constants }: Body, around: Values, feeds: readonly (Value | undefined)[]): readonly (Value | undefined)[] {
    const values: Values = new Map([...around, ...constants, ...inputs.map((name, i) => [name, feeds[i]] as const)])
    this.runSteps(steps, values)
    return outputs.map(name => values.get(name))
  }

  private compute({ node, operator, bodies }: Step, values: Values): readonly (Value | undefined)[] {
    const inputs = node.inputs.map(name => name === '' ? undefined : values.get(name) ?? absent(node, name))
    const context: Context = {
      training: this.mode,
      update: (input, value) => {
        const variable = this.byName.get(node.inputs[input] ?? '')
        if (variable) noGrad(() => { variable.assign(detach(value)) })
      },
      run: (attribute, feeds) => this.runBody(bodies.get(attribute) ?? fail('data', 'OnnxModule', `it has no graph ${attribute}. The file is damaged`), values, feeds),
    }
    const run = (): readonly (Value | undefined)[] => [operator(inputs, node.attributes, node, context)].flat()
    const carriers = inputs.map(value => value && carrierIn(value))
    const literals: readonly Known[] | null = bodies.size === 0 && allKnown(carriers) ? carriers : null
    try {
      const known = literals && Object.hasOwn(onKnown, node.operator) ? onKnown[node.operator]!(literals, node.attributes, node) : null
      const results = known ? [known] : literals?.every(({ dtype }) => !isFloat(dtype)) ? outside(run).map(asKnown) : run()
      return settle(node.operator, inputs, results)
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

/** An input of one whole number is a setting, such as a sampling rate: it is known, unless it is being traced or may be assigned. */
const settingOf = (x: Tensor): Value | undefined => x.size === 1 && !(x instanceof Variable) ? asKnown(x) : x

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

function checkFeeds(inputs: readonly ModelValue[], feeds: ReadonlyMap<string, Tensor>): void {
  const sizes = new Map<string, number>()
  for (const { name, dtype, shape } of inputs) {
    const x = feeds.get(name)!
    if (!((x as unknown) instanceof Tensor)) fail('value', 'OnnxModule', `input ${name} is no tensor. Make one with tensor(data)`)
    const fits = x.dtype === dtype && (shape.length === 0 || x.rank === shape.length) && shape.every((size, i) => typeof size === 'string' || size === x.shape[i])
    if (!fits) fail('shape', 'OnnxModule', `input ${name} must be ${dtype}[${shape.join(',')}], got ${describe(x)}`)
    shape.forEach((size, i) => {
      if (typeof size !== 'string') return
      const before = sizes.get(size)
      if (before !== undefined && before !== x.shape[i]) fail('shape', 'OnnxModule', `the axis ${size} is ${before} in one input and ${x.shape[i]} in ${name}. They must be equal`)
      sizes.set(size, x.shape[i]!)
    })
  }
}

/** A custom operator of a user: tensors in, tensors out. */
export type CustomOperator = (inputs: readonly (Tensor | undefined)[], attributes: ModelNode['attributes'], node: ModelNode) => Tensor | readonly (Tensor | undefined)[]

/** A user's operator as the importer calls it. */
export const custom = (f: CustomOperator): Operator => (inputs, attributes, node) => f(inputs.map(value => value && toTensor(value)), attributes, node)

/** A literal as a tensor of its own. */
export const fromLiteral = ({ data, dtype, shape }: { readonly data: TypedArray; readonly dtype: DType; readonly shape: readonly number[] }): Tensor => tensor(data, { dtype, shape })
