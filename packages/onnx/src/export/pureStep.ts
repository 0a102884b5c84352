// A training step as a function without side effects: what it reads and assigns are its arguments and results.

import { add, type DType, type Shape, Tensor, tensor, type Variable } from '@bp/core'
import { describe, fail, type Graph, runGraph, trace } from '@bp/core/extend'
import { type AnyOptimizer, clipGradNorm, clipGradValue, type Module, type Parameter } from '@bp/nn'
import { cast } from '@bp/ops'
import type { ExportInput } from './inputs.ts'

/** What a step that is written to a file is made of. */
export interface TrainingStepOptions<Output, Targets extends readonly Tensor[] = [target: Tensor]> {
  /** The loss, a scalar, from the model's output and the targets; may use any ops. */
  readonly loss: (output: Output, ...targets: Targets) => Tensor
  /** Any whose update rule can be written in ops: SGD, Adam, AdamW, Adamax, RMSprop, Adagrad, Adadelta, Lion, Muon. */
  readonly optimiser: AnyOptimizer
  /** The model's inputs. */
  readonly inputs: readonly ExportInput[]
  /** What the loss takes besides: labels may be int32 or int64. `target`, or `target_0` and so on, unless named. */
  readonly targets?: readonly ExportInput[]
  /** Scales all gradients so that their common norm is at most this, and makes that norm an output, `grad_norm`. */
  readonly clipNorm?: number
  /** Cuts every element of every gradient to [−limit, limit]; before `clipNorm`. */
  readonly clipValue?: number
  /**
   * Writes learning rates and initial state into the file too, as what inputs are where they are not given. Not for ONNX Runtime in
   * JavaScript, which then passes over what it is given.
   */
  readonly defaults?: boolean
  /** The operator set to write, 13 to 23; 18 unless given, which random numbers need. */
  readonly opset?: number
  /** The version of the file format; the least that goes with the operator set unless given, and at least 8. */
  readonly irVersion?: number
  /** The name of the graph; `training_step` unless given. */
  readonly name?: string
  /** What the file names as its producer; `bp` unless given. */
  readonly producer?: string
}

/** What a value of the state is: of the model, of the optimiser, its number of steps, or any other variable, such as a generator's key. */
export type StateRole = 'parameter' | 'buffer' | 'optimizer' | 'step' | 'variable'

/** A value that a step takes and gives back. */
export interface TrainingState {
  readonly role: StateRole
  /** The name of the input. */
  readonly input: string
  /** The name of the output that is to be the input of the next step. */
  readonly output: string
  /** What to begin with. */
  readonly initial: Tensor
}

/** A value of the state with the variable that holds it; the number of steps has none. */
interface Held extends TrainingState {
  readonly variable: Variable | null
}

interface Spec {
  readonly dtype: DType
  readonly shape: Shape
}

/** The program of a step on a batch, learning rates and the number of the step. */
interface Program {
  readonly graph: Graph
  /** Whether the number of the step is read. */
  readonly counted: boolean
}

/** A training step without side effects. */
export class PureStep<Output> {
  /** Names of the model's variables. */
  readonly names: ReadonlyMap<Variable, string>
  /** What the step assigns, in the order of the file. */
  readonly state: readonly TrainingState[]
  private readonly held: readonly Held[]
  private readonly model: Module<never, Output>
  private readonly options: TrainingStepOptions<Output, Tensor[]>

  /** `batch` is what a batch may look like. */
  constructor(model: Module<never, Output>, options: TrainingStepOptions<Output, Tensor[]>, batch: readonly Spec[]) {
    this.model = model
    this.options = options
    this.names = new Map([...model.namedParameters(), ...model.namedBuffers()].map(([name, variable]) => [variable, name]))
    this.held = this.stateOf(this.trace(batch))
    this.state = this.held.map(({ variable: _, ...state }) => state)
  }

  /** From batch, learning rates and state to the loss, the norm of the gradients if they are clipped by it, and the next state. */
  run(batch: readonly Tensor[], rates: readonly Tensor[], state: readonly Tensor[]): Tensor[] {
    const { graph } = this.trace(batch)
    const values = new Map(this.held.map(({ variable }, i) => [variable, state[i]!]))
    const next = new Map([...graph.updates.map(({ variable, id }) => [variable, id] as const)])
    const given = graph.variables.filter(({ value }) => values.has(value))
    const pure: Graph = {
      ...graph, inputs: [...graph.inputs, ...given], variables: graph.variables.filter(({ value }) => !values.has(value)),
      outputs: [...graph.outputs, ...this.held.flatMap(({ variable }) => variable ? next.get(variable)! : [])], updates: [], effects: [],
    }
    const taken = values.get(null)
    const number = taken ? add(taken, 1) : null
    const results = runGraph(pure, [...batch, ...rates, number ? cast(number, 'float32') : tensor(1), ...given.map(({ value }) => values.get(value)!)])
    const extra = results.splice(0, graph.outputs.length)
    return [...extra, ...this.held.map(({ variable }) => variable ? results.shift()! : number!)]
  }

  private stateOf({ graph, counted }: Program): Held[] {
    const { optimiser } = this.options
    const { tensors, steps } = optimiser.stateDict()
    const left = new Map<Tensor, Variable>(graph.updates.map(({ variable }) => [variable, variable]))
    const state: Held[] = []
    const enter = (role: StateRole, input: string, variable: Variable | null, initial: Tensor): void => { state.push({ role, input, output: `next.${input}`, variable, initial }) }
    const enterAssigned = (role: StateRole, input: string, tensor: Tensor): void => {
      const variable = left.get(tensor)
      if (variable) enter(role, input, variable, copy(variable))
      left.delete(tensor)
    }
    const all = optimiser.parameters()
    const name = (parameter: Variable): string => this.names.get(parameter) ?? `parameter.${all.findIndex(other => other === parameter)}`
    for (const parameter of new Set([...this.model.parameters(), ...all])) enterAssigned('parameter', name(parameter), parameter)
    for (const buffer of this.model.buffers()) enterAssigned('buffer', name(buffer), buffer)
    for (const [key, value] of tensors) {
      const [, index, what] = /^(\d+)\.(.+)$/.exec(key)!
      enterAssigned('optimizer', `optimizer.${what}.${name(all[Number(index)]!)}`, value)
    }
    if (counted) enter('step', 'optimizer.step', null, tensor(BigInt(Math.max(...steps))))
    for (const [i, variable] of [...left.values()].entries()) enterAssigned('variable', i === 0 ? 'variable' : `variable.${i}`, variable)
    return state
  }

  /** Writes down what a step does now; its results are the loss and, if asked for, the norm of the gradients. */
  private trace(batch: readonly Spec[]): Program {
    const { optimiser, inputs, loss: criterion, clipNorm, clipValue } = this.options
    const scalars = [...optimiser.groups, null].map((): Spec => ({ dtype: 'float32', shape: [] }))
    const graph = trace((...xs) => {
      const loss = criterion(this.model.forward(...xs.slice(0, inputs.length) as never), ...xs.slice(inputs.length, batch.length))
      if (!((loss as unknown) instanceof Tensor) || loss.size !== 1) fail('shape', 'exportTrainingStep', `the loss must be a scalar, got ${(loss as unknown) instanceof Tensor ? describe(loss) : typeof loss}. Reduce it with mean or sum`)
      loss.backward()
      if (clipValue !== undefined) clipGradValue(optimiser.parameters(), clipValue)
      const norm = clipNorm === undefined ? [] : [clipGradNorm(optimiser.parameters(), clipNorm)]
      optimiser.stepWith({ rates: xs.slice(batch.length, -1), step: xs.at(-1)! })
      return [loss, ...norm]
    }, [...batch, ...scalars])
    if (graph.live.length > 0) fail('value', 'exportTrainingStep', 'the loss reads a number that changes from run to run, which a file cannot. Make it an input among the targets')
    const number = graph.inputs.at(-1)!.id
    return { graph, counted: graph.nodes.some(node => node.inputs.includes(number)) }
  }
}

/** Runs `f` as if there were no gradients yet, and puts them back. */
export function withoutGradients<R>(parameters: readonly Parameter[], f: () => R): R {
  const learned = parameters.filter(({ requiresGrad }) => requiresGrad)
  const grads = learned.map(({ grad }) => grad)
  for (const parameter of learned) parameter.grad = null
  try {
    return f()
  } finally {
    learned.forEach((parameter, i) => { parameter.grad = grads[i]! })
  }
}

/** What a variable holds now, whatever becomes of it. */
const copy = (variable: Variable): Tensor => tensor(variable.dataSync().slice(), { dtype: variable.dtype, shape: variable.shape })
