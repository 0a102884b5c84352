// exportTrainingStep: forward, backward, clipping and the optimiser's step as one ONNX graph from state and batch to state and loss.

import { type Tensor, tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import type { Module } from '@bp/nn'
import { attributeType, encodeModel, type GraphProto, type TensorProto } from '../proto/proto.ts'
import { writeTensor } from '../proto/tensor.ts'
import { Builder } from './builder.ts'
import { batches, type ExportInput, valueInfo, Writer } from './export.ts'
import { withoutRepeats } from './merge.ts'
import { PureStep, type TrainingState, type TrainingStepOptions, withoutGradients } from './pureStep.ts'
import { type Size, traceTwin, type TwinAval } from './twin.ts'

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
  const { optimiser, inputs, targets = [], clipNorm, defaults = false, opset = 18, irVersion = 8, name = 'training_step', producer = 'bp' } = options
  if (!Number.isInteger(opset) || opset < 13 || opset > 22) fail('value', 'exportTrainingStep', `opset must be 13 to 22, got ${opset}`)
  const specs = [...named(inputs, 'input'), ...named(targets, 'target')]
  for (const { name, shape, dynamicBatch } of specs) if (dynamicBatch && shape.length === 0) fail('shape', 'exportTrainingStep', `the scalar ${name} has no batch axis. Leave dynamicBatch out`)
  const batch = specs.map(({ shape, dtype = 'float32', dynamicBatch }): TwinAval => ({ dtype, sizes: shape.map((n, i): Size => dynamicBatch && i === 0 ? batches : [n, n]) }))
  const alone = <R>(f: () => R): R => withoutGradients([...model.parameters(), ...optimiser.parameters()], f)
  const step = alone(() => new PureStep(model, options, batch.map(({ dtype, sizes }) => ({ dtype, shape: sizes.map(([n]) => n) }))))
  const { state } = step
  const rates = optimiser.groups.map(({ lr }, i) => ({ input: optimiser.groups.length === 1 ? 'lr' : `lr.${i}`, initial: tensor(lr) }))
  const fixed = [...rates, ...state].map(({ initial }): TwinAval => ({ dtype: initial.dtype, sizes: initial.shape.map((n): Size => [n, n]) }))
  const avals = [...batch, ...fixed]
  const twin = alone(() => withoutRepeats(traceTwin((...xs) => step.run(xs.slice(0, batch.length), xs.slice(batch.length, batch.length + rates.length), xs.slice(batch.length + rates.length)), avals)))
  const given = [...rates, ...state]
  const names = [...specs.map(({ name }) => name), ...given.map(({ input }) => input)]
  const open = specs.find(({ dynamicBatch }) => dynamicBatch)
  const b = new Builder(opset, open ? { name: open.name, batches } : null)
  for (const input of names) b.claim(input)
  const gradNorm = clipNorm === undefined ? null : 'grad_norm'
  const outputs = new Writer(b, step.names).write(twin, names, ['loss', ...gradNorm === null ? [] : [gradNorm], ...state.map(({ output }) => output)])
  const scheme = { batch: specs.map(({ name }) => name), rates: rates.map(({ input }) => input), state: state.map(({ role, input, output }) => ({ role, input, output })), loss: 'loss', gradNorm }
  const file = (graph: GraphProto): Uint8Array => encodeModel({ irVersion, producerName: producer, opsetImport: [{ domain: '', version: opset }], metadataProps: [{ key: 'bp.training_step', value: JSON.stringify(scheme) }], graph })
  const bytes = file({
    name, node: b.nodes, initializer: [...defaults ? given.map(({ input, initial }) => literal(input, initial)) : [], ...b.initialisers],
    input: names.map((input, i) => valueInfo(b, input, avals[i]!)),
    output: outputs.map((output, i) => valueInfo(b, output, twin.avals.get(twin.outputs[i]!)!)),
  })
  const start = (): Uint8Array => file({
    name: `${name}_start`, node: given.map(({ input, initial }) => ({ opType: 'Constant', name: input, output: [input], attribute: [{ name: 'value', type: attributeType('TENSOR'), t: literal('', initial) }] })),
    output: given.map(({ input }, i) => valueInfo(b, input, fixed[i]!)),
  })
  return { bytes, batch: scheme.batch, rates, state, loss: 'loss', gradNorm, start }
}

const literal = (name: string, x: Tensor): TensorProto => writeTensor(name, { dtype: x.dtype, shape: x.shape, data: x.dataSync() })

type Named = ExportInput & { readonly name: string }

const named = (specs: readonly ExportInput[], base: string): Named[] => specs.map((spec, i) => ({ ...spec, name: spec.name ?? (specs.length === 1 ? base : `${base}_${i}`) }))
