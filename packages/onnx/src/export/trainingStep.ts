// exportTrainingStep: forward, backward, clipping and the optimiser's step as one ONNX graph from state and batch to state and loss.

import { add, type DType, type Shape, Tensor, tensor, type Variable } from '@bp/core'
import { describe, fail, type Graph, outside, runGraph, simplify, trace } from '@bp/core/extend'
import { type AnyOptimizer, clipGradNorm, clipGradValue, Module } from '@bp/nn'
import { cast } from '@bp/ops'
import { encodeModel } from '../proto/proto.ts'
import { writeTensor } from '../proto/tensor.ts'
import { Builder } from './builder.ts'
import { batches, type ExportInput, valueInfo, Writer } from './export.ts'
import { type Size, traceTwin, type TwinAval } from './twin.ts'

/** What a step that is written to a file is made of. */
export interface TrainingStepOptions<Output> {
  /** The loss, a scalar, from the model's output and the targets; may use any ops. */
  readonly loss: (output: Output, ...targets: Tensor[]) => Tensor
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
  /** Writes learning rates and initial state into the file too, as values that inputs have where they are not given. */
  readonly defaults?: boolean
  /** The operator set to write, 13 to 22; 18 unless given, which random numbers need. */
  readonly opset?: number
  /** The version of the file format; 8 unless given. */
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

/** A training step as a file, and what is to be fed to it. */
export interface TrainingStepFile {
  /** The ONNX file. */
  readonly bytes: Uint8Array
  /** The inputs that are a batch: the model's, then the targets. */
  readonly batch: readonly string[]
  /** The inputs that are learning rates, scalars: `lr`, or `lr.0`, `lr.1`, … of several groups; and what the optimiser has. */
  readonly rates: readonly { readonly input: string; readonly initial: Tensor }[]
  /** What goes from step to step. */
  readonly state: readonly TrainingState[]
  /** The output that is the loss, a scalar. */
  readonly loss: string
  /** The output that is the norm of the gradients, where they are clipped by it. */
  readonly gradNorm: string | null
}

/**
 * Writes a training step as an ONNX graph of ordinary operators, so that any runtime can train the model: from learning rates,
 * state and a batch to the loss and the next state. The step is what `loss.backward()`, clipping and `optimiser.step()` do now:
 * modules are in the mode that they are in, and what is frozen stays in the file as it is. Numbers of the optimiser other than
 * the learning rate are fixed.
 *
 * State has the names of the state dict, `weight`; of the optimiser `optimizer.exp_avg.weight`, and `optimizer.step`, how many steps
 * were taken, int64. The output for the next step has `next.` before it. The entry `bp.training_step` of the file's metadata says
 * the same as JSON: `{ batch, rates, state: [{ role, input, output }], loss, gradNorm }`.
 *
 * Throws where an op has no counterpart in ONNX, and where the optimiser's rule cannot be written.
 *
 * @example
 * ```ts
 * import { SGD, Linear, mseLoss } from '@bp/nn'
 * import { exportTrainingStep } from '@bp/onnx'
 * const model = new Linear(3, 1)
 * const step = exportTrainingStep(model, {
 *   loss: mseLoss, optimiser: new SGD(model.parameters(), { lr: 0.1 }),
 *   inputs: [{ name: 'x', shape: [1, 3], dynamicBatch: true }], targets: [{ name: 'y', shape: [1, 1], dynamicBatch: true }],
 * })
 * step.state.map(({ input, output }) => `${input} → ${output}`) // => [weight → next.weight, bias → next.bias]
 * ```
 */
export function exportTrainingStep<Output>(model: Module<never, Output>, options: TrainingStepOptions<Output>): TrainingStepFile {
  const { optimiser, inputs, targets = [], clipNorm, defaults = false, opset = 18, irVersion = 8, name = 'training_step', producer = 'bp' } = options
  if (!Number.isInteger(opset) || opset < 13 || opset > 22) fail('value', 'exportTrainingStep', `opset must be 13 to 22, got ${opset}`)
  const specs = [...named(inputs, 'input'), ...named(targets, 'target')]
  for (const { name, shape, dynamicBatch } of specs) if (dynamicBatch && shape.length === 0) fail('shape', 'exportTrainingStep', `the scalar ${name} has no batch axis. Leave dynamicBatch out`)
  const batch = specs.map(({ shape, dtype = 'float32', dynamicBatch }): TwinAval => ({ dtype, sizes: shape.map((n, i): Size => dynamicBatch && i === 0 ? batches : [n, n]) }))
  const step = new Step(model, options)
  const { state, counted } = step.stateOf(batch.map(({ dtype, sizes }) => ({ dtype, shape: sizes.map(([n]) => n) })))
  const rates = optimiser.groups.map(({ lr }, i) => ({ input: optimiser.groups.length === 1 ? 'lr' : `lr.${i}`, initial: tensor(lr) }))
  const fixed = [...rates, ...state].map(({ initial }): TwinAval => ({ dtype: initial.dtype, sizes: initial.shape.map((n): Size => [n, n]) }))
  const avals = [...batch, ...fixed]
  const twin = traceTwin((...xs) => step.run(xs, batch.length, rates.length, state, counted), avals)
  const names = [...specs, ...rates.map(({ input }) => ({ name: input })), ...state.map(({ input }) => ({ name: input }))].map(({ name }) => name)
  const open = specs.find(({ dynamicBatch }) => dynamicBatch)
  const b = new Builder(opset, open ? { name: open.name, batches } : null)
  for (const input of names) b.claim(input)
  const gradNorm = clipNorm === undefined ? null : 'grad_norm'
  const outputs = new Writer(b, step.names).write(twin, names, ['loss', ...gradNorm === null ? [] : [gradNorm], ...state.map(({ output }) => output)])
  const scheme = { batch: specs.map(({ name }) => name), rates: rates.map(({ input }) => input), state: state.map(({ role, input, output }) => ({ role, input, output })), loss: 'loss', gradNorm }
  const initial = defaults ? [...rates, ...state].map(({ input, initial }) => writeTensor(input, { dtype: initial.dtype, shape: initial.shape, data: initial.dataSync() })) : []
  const bytes = encodeModel({
    irVersion, producerName: producer, opsetImport: [{ domain: '', version: opset }], metadataProps: [{ key: 'bp.training_step', value: JSON.stringify(scheme) }],
    graph: {
      name, node: b.nodes, initializer: [...initial, ...b.initialisers],
      input: names.map((input, i) => valueInfo(b, input, avals[i]!)),
      output: outputs.map((output, i) => valueInfo(b, output, twin.avals.get(twin.outputs[i]!)!)),
    },
  })
  return { bytes, batch: scheme.batch, rates, state: state.map(({ role, input, output, initial }) => ({ role, input, output, initial })), loss: 'loss', gradNorm }
}

type Named = ExportInput & { readonly name: string }

const named = (specs: readonly ExportInput[], base: string): Named[] => specs.map((spec, i) => ({ ...spec, name: spec.name ?? (specs.length === 1 ? base : `${base}_${i}`) }))

/** A value of the state with the variable that holds it; the number of steps has none. */
interface Held extends TrainingState {
  readonly variable: Variable | null
}

interface Spec {
  readonly dtype: DType
  readonly shape: Shape
}

/** A training step as a function without side effects. */
class Step<Output> {
  /** Names of the model's variables. */
  readonly names: ReadonlyMap<Variable, string>
  private readonly model: Module<never, Output>
  private readonly options: TrainingStepOptions<Output>

  constructor(model: Module<never, Output>, options: TrainingStepOptions<Output>) {
    this.model = model
    this.options = options
    this.names = new Map([...model.namedParameters(), ...model.namedBuffers()].map(([name, variable]) => [variable, name]))
  }

  /** The variables that a step assigns, in the order of the file. */
  stateOf(batch: readonly Spec[]): { readonly state: readonly Held[]; readonly counted: boolean } {
    const { optimiser } = this.options
    const { graph, counted } = this.graph(batch)
    const assigned = new Set(graph.updates.map(({ variable }) => variable))
    const state: Held[] = []
    const enter = (role: StateRole, input: string, variable: Variable | null, initial: Tensor): void => { state.push({ role, input, output: `next.${input}`, variable, initial }) }
    const parameters = new Set<Variable>([...this.model.parameters(), ...optimiser.parameters()])
    for (const variable of [...parameters, ...this.model.buffers()]) {
      if (assigned.delete(variable)) enter(parameters.has(variable) ? 'parameter' : 'buffer', this.names.get(variable) ?? `parameter.${state.length}`, variable, copy(variable))
    }
    for (const [key, value] of optimiser.stateDict().tensors) {
      const [, index, name] = /^(\d+)\.(.+)$/.exec(key)!
      const variable = value as Variable
      const parameter = optimiser.parameters()[Number(index)]!
      if (assigned.delete(variable)) enter('optimizer', `optimizer.${name}.${this.names.get(parameter) ?? `parameter.${index}`}`, variable, copy(variable))
    }
    if (counted) enter('step', 'optimizer.step', null, tensor(Math.max(...optimiser.stateDict().steps), { dtype: 'int64' }))
    ;[...assigned].forEach((variable, i) => { enter('variable', i === 0 ? 'variable' : `variable.${i}`, variable, copy(variable)) })
    return { state, counted }
  }

  /** The step on tensors: from batch, rates and state to the loss, the norm of the gradients if asked for, and the next state. */
  run(xs: readonly Tensor[], batch: number, rates: number, state: readonly Held[], counted: boolean): Tensor[] {
    const { graph, extra } = this.graph(xs.slice(0, batch))
    const values = xs.slice(batch + rates)
    const held = new Map(state.flatMap(({ variable }, i) => variable ? [[variable, values[i]!] as const] : []))
    const count = counted ? values[state.findIndex(({ role }) => role === 'step')]! : null
    const given = graph.variables.filter(({ value }) => held.has(value))
    const pure: Graph = {
      ...graph, inputs: [...graph.inputs, ...given], variables: graph.variables.filter(({ value }) => !held.has(value)),
      outputs: [...graph.outputs, ...state.flatMap(({ variable }) => variable ? graph.updates.find(update => update.variable === variable)!.id : [])], updates: [], effects: [],
    }
    const results = runGraph(pure, [...xs.slice(0, batch + rates), count === null ? outside(() => tensor(1)) : cast(add(count, 1), 'float32'), ...given.map(({ value }) => held.get(value)!)])
    const next = results.slice(extra)
    return [...results.slice(0, extra), ...state.map(({ variable }) => variable ? next.shift()! : add(count!, 1))]
  }

  /** The program of a step on a batch, learning rates and the number of the step; its first results are no state. */
  private graph(batch: readonly Spec[]): { readonly graph: Graph; readonly counted: boolean; readonly extra: number } {
    const { optimiser, inputs, loss: criterion, clipNorm, clipValue } = this.options
    const params = [...new Set([...this.model.parameters(), ...optimiser.parameters()])]
    const grads = params.map(({ grad }) => grad)
    const scalars = [...optimiser.groups, null].map((): Spec => ({ dtype: 'float32', shape: [] }))
    for (const parameter of params) parameter.grad = null
    try {
      const graph = simplify(trace((...xs) => {
        const output = this.model.forward(...xs.slice(0, inputs.length) as never)
        const loss = criterion(output, ...xs.slice(inputs.length, batch.length))
        if (!(loss instanceof Tensor) || loss.size !== 1) fail('shape', 'exportTrainingStep', `the loss must be a scalar, got ${loss instanceof Tensor ? describe(loss) : typeof loss}. Reduce it with mean or sum`)
        loss.backward()
        if (clipValue !== undefined) clipGradValue(optimiser.parameters(), clipValue)
        const norm = clipNorm === undefined ? [] : [clipGradNorm(optimiser.parameters(), clipNorm)]
        optimiser.stepWith({ rates: xs.slice(batch.length, -1), step: xs.at(-1)! })
        return [loss, ...norm]
      }, [...batch, ...scalars])).graph
      const number = graph.inputs.at(-1)!.id
      return { graph, counted: graph.nodes.some(node => node.inputs.includes(number)), extra: clipNorm === undefined ? 1 : 2 }
    } finally {
      params.forEach((parameter, i) => { parameter.grad = grads[i]! })
    }
  }
}

/** What a variable holds now, whatever becomes of it. */
const copy = (variable: Variable): Tensor => tensor(variable.dataSync().slice(), { dtype: variable.dtype, shape: variable.shape })
