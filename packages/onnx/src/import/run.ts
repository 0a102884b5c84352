// Runs the steps of a model one after the other, and the graphs inside them, on values by name.

import { BpError, noGrad, Tensor, Variable } from '@bp/core'
import { fail, isFloat, outside } from '@bp/core/extend'
import { detach } from '@bp/ops'
import { isMask, onKnown } from '../operators/known.ts'
import type { Context, Operator } from '../operators/operator.ts'
import type { Attributes } from './attributes.ts'
import { UnsupportedError, UnsupportedOperatorError } from './errors.ts'
import type { ModelNode } from './load.ts'
import { prepare, settle } from './settle.ts'
import { carrierIn, Known, knownLimit, type Value } from './value.ts'

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
  /** The names that the model gives the parameters and buffers of the graph, by their names in it. */
  readonly weights: ReadonlyMap<string, string>
  /** Of a function, which sees nothing of what is around its call: the values of attributes that a call leaves out. */
  readonly defaults?: Attributes
}

/** What nodes see beside values: nothing in the model's own graph, in a function what its call gives. */
export interface Frame {
  /** The attributes to which the nodes' may refer. */
  readonly attributes: Attributes | null
  /** The inputs that the call leaves out. */
  readonly omitted: ReadonlySet<string>
}

/** The frame of a model's own graph. */
export const outermost: Frame = { attributes: null, omitted: /* @__PURE__ */ new Set() }

/* Up to so many elements are results of known operands known themselves. */
let mostKnown = knownLimit

/** What `f` returns, while no result of more elements than given is computed beside the program that is traced: what follows sizes stays a computation. */
export function knowingUpTo<R>(most: number, f: () => R): R {
  const before = mostKnown
  mostKnown = most
  try {
    return f()
  } finally {
    mostKnown = before
  }
}

/** What each name stands for at a point of a run. */
export type Values = Map<string, Value | undefined>

/** What a node makes, in the order of its outputs. */
export type Results = readonly (Value | undefined)[]

/** Runs steps in one mode, with one set of parameters and buffers. */
export class Runner {
  private readonly training: boolean | null
  private readonly variables: ReadonlyMap<string, Value>

  constructor(training: boolean | null, variables: ReadonlyMap<string, Value>) {
    this.training = training
    this.variables = variables
  }

  /** Runs steps in order, and returns what is still read afterwards; `given` makes the values that they begin with. */
  run(steps: readonly Step[], given: () => Values, frame: Frame = outermost): Values {
    const values = given()
    const recompute: Context['recompute'] = (name, changed) => this.recompute(name, steps, new Map([...given(), ...changed]), frame, recompute)
    for (const step of steps) {
      const results = this.step(step, values, frame, recompute)
      step.node.outputs.forEach((name, i) => { if (name !== '') values.set(name, results[i]) })
      for (const name of step.last) values.delete(name)
    }
    return values
  }

  /** Runs the steps that make a value of those that are known. */
  private recompute(name: string, steps: readonly Step[], values: Values, frame: Frame, recompute: Context['recompute']): Value {
    const wanted = new Set([name])
    const makers = steps.toReversed().filter(({ node, reads }) => {
      if (!node.outputs.some(output => wanted.has(output) && !values.has(output))) return false
      for (const read of reads) wanted.add(read)
      return true
    })
    for (const step of makers.reverse()) {
      const results = this.step(step, values, frame, recompute)
      step.node.outputs.forEach((output, i) => { if (output !== '' && !values.has(output)) values.set(output, results[i]) })
    }
    return values.get(name) ?? fail('data', 'OnnxModule', `nothing in its graph makes ${JSON.stringify(name)}. The file is damaged`)
  }

  /** Runs a graph inside a node, which also sees what the graph around it has made. */
  body({ inputs, outputs, steps, constants, weights, defaults }: Body, node: ModelNode, around: Values, feeds: Results, frame: Frame): Results {
    const own = [...weights].map(([name, key]) => [name, this.variables.get(key)] as const)
    const given = (): Values => new Map([...defaults ? [] : around, ...own, ...constants, ...inputs.map((name, i) => [name, feeds[i]] as const)])
    const values = this.run(steps, given, defaults ? { attributes: node.attributes.or(defaults), omitted: new Set(inputs.filter((_, i) => feeds[i] === undefined)) } : frame)
    return outputs.map(name => values.get(name))
  }

  /** The results of a step. */
  step(step: Step, values: Values, frame: Frame, recompute: Context['recompute']): Results {
    return this.compute(step, values, frame, recompute)
  }

  /** The results of an operator that reads nothing but known whole numbers; they are known too, also where a program is being traced. */
  protected literally(run: () => Results): Results {
    const results = outside(run)
    return mostKnown < knownLimit && results.some(value => value instanceof Tensor && value.size > mostKnown) ? run() : results.map(asKnown)
  }

  protected compute({ node: written, operator, bodies }: Step, values: Values, frame: Frame, recompute: Context['recompute']): Results {
    const node = written.attributes.refer && frame.attributes ? { ...written, attributes: written.attributes.within(frame.attributes) } : written
    const given = node.inputs.map(name => name === '' ? undefined : values.get(name) ?? (frame.omitted.has(name) ? undefined : absent(node, name)))
    const context: Context = {
      training: this.training,
      update: (input, value) => {
        const variable = values.get(node.inputs[input] ?? '')
        if (variable instanceof Variable) noGrad(() => { variable.assign(detach(value)) })
      },
      run: (attribute, feeds) => this.body(bodies.get(attribute) ?? fail('data', 'OnnxModule', `it has no graph ${attribute}. The file is damaged`), node, values, feeds, frame),
      recompute,
    }
    try {
      if (bodies.size > 0) return [operator(given, node.attributes, node, context)].flat()
      const { inputs, texts } = prepare(node.operator, given)
      const run = (): Results => [operator(inputs, node.attributes, node, context)].flat()
      const carriers = inputs.map(value => value && carrierIn(value))
      const literals: readonly Known[] | null = allKnown(carriers) ? carriers : null
      const known = literals && Object.hasOwn(onKnown, node.operator) ? onKnown[node.operator]!(literals, node.attributes, node) : null
      const small = known === null || known.data.length <= mostKnown
      const results = known && small ? [known] : small && literals?.every(({ dtype }) => !isFloat(dtype)) && !isMask(node.operator, literals) ? this.literally(run) : run()
      return settle(node.operator, given, results, texts)
    } catch (error) {
      return explain(error, node)
    }
  }
}

const allKnown = (inputs: readonly (Value | undefined)[]): inputs is readonly Known[] =>
  inputs.length > 0 && inputs.every(value => value instanceof Known && value.data.length <= mostKnown)

/** A small tensor of whole numbers that can be read is known. */
const asKnown = (value: Value | undefined): Value | undefined =>
  value instanceof Tensor && value.storage && value.backend.readSync && !isFloat(value.dtype) && value.size <= knownLimit ? new Known(value.dtype, value.shape, value.dataSync()) : value

/** An input of one whole number is a setting, such as a sampling rate: it is known, unless it is being traced or may be assigned. */
export const settingOf = (x: Value): Value | undefined => x instanceof Tensor && x.size === 1 && !(x instanceof Variable) ? asKnown(x) : x

function absent(node: ModelNode, name: string): never {
  return fail('data', 'OnnxModule', `node ${JSON.stringify(node.name)} (${node.operator}) reads ${JSON.stringify(name)}, an output that its maker leaves out`)
}

/** The same error, told where in the model it arose. */
function explain(error: unknown, node: ModelNode): never {
  const where = `node ${JSON.stringify(node.name)} (${node.operator})`
  if (error instanceof UnsupportedOperatorError) throw new UnsupportedOperatorError('OnnxModule', error.operators, `${where}: ${error.message}`)
  if (error instanceof UnsupportedError) throw new UnsupportedError('OnnxModule', `${where}: ${error.message}`, error.code)
  if (error instanceof BpError) throw new BpError(error.code, 'OnnxModule', `${where}: ${error.message}`, { cause: error })
  if (error instanceof RangeError) throw new BpError('memory', 'OnnxModule', `${where}: its result is larger than what can be allocated (${error.message})`, { cause: error })
  if (error instanceof TypeError) throw new BpError('data', 'OnnxModule', `${where}: it cannot be computed from its inputs (${error.message}). The file is damaged, or an operator has a mistake`, { cause: error })
  throw error
}
