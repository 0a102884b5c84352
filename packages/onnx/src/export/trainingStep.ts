// exportTrainingStep: forward, backward, clipping and the optimiser's step as one ONNX graph from state and batch to state and loss.

import { type Tensor, tensor } from '@bp/core'
import type { Module } from '@bp/nn'
import { attributeType, encodeModel, type GraphProto, type TensorProto } from '../proto/proto.ts'
import { writeTensor } from '../proto/tensor.ts'
import { checkOpset, irVersionOf } from './export.ts'
import { type SettledInput, settleInputs, traceOpen, valueInfo } from './inputs.ts'
import { PureStep, type TrainingState, type TrainingStepOptions, withoutGradients } from './pureStep.ts'
import { Writer } from './writer.ts'

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
  /** An ONNX file without inputs that gives what to begin with: its outputs have the names of the inputs for learning rates and state. */
  start(): Uint8Array
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
export function exportTrainingStep<Output>(model: Module<never, Output>, options: TrainingStepOptions<Output>): TrainingStepFile
export function exportTrainingStep<Output>(model: Module<never, Output>, options: TrainingStepOptions<Output, Tensor[]>): TrainingStepFile
export function exportTrainingStep<Output>(model: Module<never, Output>, options: TrainingStepOptions<Output, Tensor[]>): TrainingStepFile {
  const { optimiser, inputs, targets = [], clipNorm, defaults = false, opset = 18, irVersion = irVersionOf(opset), name = 'training_step', producer = 'bp' } = options
  checkOpset('exportTrainingStep', opset)
  const specs = [...settleInputs('exportTrainingStep', inputs), ...settleInputs('exportTrainingStep', targets, 'target')]
  const rates = optimiser.groups.map(({ lr }, i) => ({ input: optimiser.groups.length === 1 ? 'lr' : `lr.${i}`, initial: tensor(lr) }))
  const { step, state, twin, builder, avals } = withoutGradients([...model.parameters(), ...optimiser.parameters()], () => {
    let found: PureStep<Output> | undefined
    traceOpen(specs, (...xs) => {
      found ??= new PureStep(model, options, xs)
      return xs
    })
    const step = found!
    const fixed = [...rates, ...step.state].map(({ input, initial }): SettledInput => ({ name: input, dtype: initial.dtype, shape: initial.shape }))
    const { length } = specs
    return { step, state: step.state, ...traceOpen([...specs, ...fixed], (...xs) => step.run(xs.slice(0, length), xs.slice(length, length + rates.length), xs.slice(length + rates.length))) }
  })
  const given = [...rates, ...state]
  const names = [...specs.map(({ name }) => name), ...given.map(({ input }) => input)]
  const b = builder(opset)
  const gradNorm = clipNorm === undefined ? null : 'grad_norm'
  const outputs = new Writer(b, { names: step.names }).write(twin, names, ['loss', ...gradNorm === null ? [] : [gradNorm], ...state.map(({ output }) => output)])
  const scheme = { batch: specs.map(({ name }) => name), rates: rates.map(({ input }) => input), state: state.map(({ role, input, output }) => ({ role, input, output })), loss: 'loss', gradNorm }
  const file = (graph: GraphProto): Uint8Array => encodeModel({ irVersion, producerName: producer, opsetImport: [{ domain: '', version: opset }], metadataProps: [{ key: 'bp.training_step', value: JSON.stringify(scheme) }], graph })
  const bytes = file({
    name, node: b.nodes, initializer: [...defaults ? given.map(({ input, initial }) => literal(input, initial)) : [], ...b.initialisers],
    input: names.map((input, i) => valueInfo(b, input, avals[i]!)),
    output: outputs.map((output, i) => valueInfo(b, output, twin.avals.get(twin.outputs[i]!)!)),
  })
  const start = (): Uint8Array => file({
    name: `${name}_start`, node: given.map(({ input, initial }) => ({ opType: 'Constant', name: input, output: [input], attribute: [{ name: 'value', type: attributeType('TENSOR'), t: literal('', initial) }] })),
    output: given.map(({ input }, i) => valueInfo(b, input, avals[specs.length + i]!)),
  })
  return { bytes, batch: scheme.batch, rates, state, loss: 'loss', gradNorm, start }
}

const literal = (name: string, x: Tensor): TensorProto => writeTensor(name, { dtype: x.dtype, shape: x.shape, data: x.dataSync() })
