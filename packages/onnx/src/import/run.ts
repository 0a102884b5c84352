// Runs the steps of a model one after the other, and the graphs inside them, on values by name.

import { BpError, noGrad, Tensor, Variable } from '@bp/core'
import { fail, isFloat, outside } from '@bp/core/extend'
import { detach } from '@bp/ops'
import { onKnown } from '../operators/known.ts'
import type { Context, Operator } from '../operators/operator.ts'
import { knownLimit } from '../operators/shape.ts'
import { UnsupportedError, UnsupportedOperatorError } from './errors.ts'
import type { ModelNode } from './load.ts'
import { settle } from './settle.ts'
import { carrierIn, Known, type Value } from './value.ts'

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
  /** The names that the model gives the parameters and buffers of the graph, by their names in it. */
  readonly weights: ReadonlyMap<string, string>
}

/** What each name stands for at a point of a run. */
export type Values = Map<string, Value | undefined>

/** What a node makes, in the order of its outputs. */
export type Results = readonly (Value | undefined)[]

/** Runs steps in one mode, with one set of parameters and buffers. */
export class Runner {
  private readonly training: boolean | null
  private readonly variables: ReadonlyMap<string, Tensor>

  constructor(training: boolean | null, variables: ReadonlyMap<string, Tensor>) {
    this.training = training
    this.variables = variables
  }

  /** Runs steps in order, and leaves in `values` what is still read afterwards. */
  run(steps: readonly Step[], values: Values): void {
    for (const step of steps) {
      const results = this.step(step, values)
      step.node.outputs.forEach((name, i) => { if (name !== '') values.set(name, results[i]) })
      for (const name of step.last) values.delete(name)
    }
  }

  /** Runs a graph inside a node, which also sees what the graph around it has made. */
  body({ inputs, outputs, steps, constants, weights }: Body, around: Values, feeds: Results): Results {
    const own = [...weights].map(([name, key]) => [name, this.variables.get(key)] as const)
    const values: Values = new Map([...around, ...own, ...constants, ...inputs.map((name, i) => [name, feeds[i]] as const)])
    this.run(steps, values)
    return outputs.map(name => values.get(name))
  }

  /** The results of a step. */
  step(step: Step, values: Values): Results {
    return this.compute(step, values)
  }

  /** The results of an operator that reads nothing but known whole numbers; they are known too, also where a program is being traced. */
  protected literally(run: () => Results): Results {
    return outside(run).map(asKnown)
  }

  protected compute({ node, operator, bodies }: Step, values: Values): Results {
    const inputs = node.inputs.map(name => name === '' ? undefined : values.get(name) ?? absent(node, name))
    const context: Context = {
      training: this.training,
      update: (input, value) => {
        const variable = values.get(node.inputs[input] ?? '')
        if (variable instanceof Variable) noGrad(() => { variable.assign(detach(value)) })
      },
      run: (attribute, feeds) => this.body(bodies.get(attribute) ?? fail('data', 'OnnxModule', `it has no graph ${attribute}. The file is damaged`), values, feeds),
    }
    const run = (): Results => [operator(inputs, node.attributes, node, context)].flat()
    const carriers = inputs.map(value => value && carrierIn(value))
    const literals: readonly Known[] | null = bodies.size === 0 && allKnown(carriers) ? carriers : null
    try {
      const known = literals && Object.hasOwn(onKnown, node.operator) ? onKnown[node.operator]!(literals, node.attributes, node) : null
      const results = known ? [known] : literals?.every(({ dtype }) => !isFloat(dtype)) ? this.literally(run) : run()
      return settle(node.operator, inputs, results)
    } catch (error) {
      return explain(error, node)
    }
  }
}

const allKnown = (inputs: readonly (Value | undefined)[]): inputs is readonly Known[] =>
  inputs.length > 0 && inputs.every(value => value instanceof Known && value.data.length <= knownLimit)

/** A small tensor of whole numbers that can be read is known. */
const asKnown = (value: Value | undefined): Value | undefined =>
  value instanceof Tensor && value.storage && value.backend.readSync && !isFloat(value.dtype) && value.size <= knownLimit ? new Known(value.dtype, value.shape, value.dataSync()) : value

/** An input of one whole number is a setting, such as a sampling rate: it is known, unless it is being traced or may be assigned. */
export const settingOf = (x: Tensor): Value | undefined => x.size === 1 && !(x instanceof Variable) ? asKnown(x) : x

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
