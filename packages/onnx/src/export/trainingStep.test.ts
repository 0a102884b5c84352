// Training steps in files: ONNX Runtime and the importer train as the framework does.

import { type Tensor, tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import {
  Adam, AdamW, AvgPool2d, BatchNorm1d, BatchNorm2d, clipGradNorm, clipGradValue, Conv2d, Dropout, Embedding, EmbeddingBag, Flatten, GRU, LayerNorm, LBFGS, Linear, LSTM, MaxPool2d, Module, mseLoss,
  crossEntropy, RAdam, ReLU, Sequential, SGD, TransformerEncoderLayer,
} from '@bp/nn'
import { cast, Generator, mean, reshape } from '@bp/ops'
import proto from 'onnx-proto'
import * as runtime from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { exportOnnx, exportTrainingStep, importOnnx, type TrainingStepFile, type TrainingStepOptions } from '../index.ts'

use(cpu())

const generator = new Generator(4)

type Feeds = Record<string, Tensor>

/** Runs a file once: by name, from values to values. */
type Run = (feeds: Feeds) => Promise<Feeds>

async function inRuntime(bytes: Uint8Array): Promise<Run> {
  const session = await runtime.InferenceSession.create(bytes)
  return async feeds => {
    const results = await session.run(Object.fromEntries(Object.entries(feeds).map(([name, x]) => [name, new runtime.Tensor(x.dtype as 'float32', x.dataSync() as Float32Array, [...x.shape])])))
    return Object.fromEntries(Object.entries(results).map(([name, { type, data, dims }]) => [name, tensor(data as Float32Array, { dtype: type as 'float32', shape: dims })]))
  }
}

const imported = (bytes: Uint8Array): Run => {
  const model = importOnnx(bytes)
  return feeds => Promise.resolve(model.run(feeds))
}

const startOf = ({ rates, state }: TrainingStepFile): Feeds => Object.fromEntries([...rates, ...state].map(({ input, initial }) => [input, initial]))

/** One step after the other, state fed back; returns the losses and what is left. */
async function train(file: TrainingStepFile, run: Run, batches: readonly (readonly Tensor[])[]): Promise<{ readonly losses: number[]; readonly feeds: Feeds }> {
  const losses: number[] = []
  let feeds = startOf(file)
  for (const batch of batches) {
    const results = await run({ ...feeds, ...Object.fromEntries(file.batch.map((name, i) => [name, batch[i]!])) })
    losses.push(results[file.loss]!.item())
    feeds = { ...feeds, ...Object.fromEntries(file.state.map(({ input, output }) => [input, results[output]!])) }
  }
  return { losses, feeds }
}

/** The same op by op. */
function trainHere<O>(model: Module<never, O>, { loss: criterion, optimiser, inputs, clipNorm, clipValue }: TrainingStepOptions<O>, batches: readonly (readonly Tensor[])[]): number[] {
  return batches.map(batch => {
    optimiser.zeroGrad()
    const loss = criterion(model.forward(...batch.slice(0, inputs.length) as never), batch[inputs.length]!)
    loss.backward()
    if (clipValue !== undefined) clipGradValue(optimiser.parameters(), clipValue)
    if (clipNorm !== undefined) clipGradNorm(optimiser.parameters(), clipNorm)
    optimiser.step()
    return loss.item()
  })
}

const numbersOf = (x: Tensor): number[] => Array.from<number | bigint, number>(x.dataSync(), Number)

function expectClose(what: string, got: readonly number[], want: readonly number[], tolerance: number): void {
  expect(got.length, what).toBe(want.length)
  const scale = Math.max(1e-2, ...want.map(Math.abs))
  got.forEach((value, i) => { expect(Math.abs(value - want[i]!), `${what}[${i}]: ${value} and ${want[i]}`).toBeLessThanOrEqual(tolerance * scale) })
}

/** Trains in ONNX Runtime, by the importer and here from one start, and compares losses and final state. */
async function expectSame<O>(model: Module<never, O>, options: TrainingStepOptions<O>, batches: readonly (readonly Tensor[])[], importedSteps = 3): Promise<void> {
  const file = exportTrainingStep(model, options)
  const { losses, feeds } = await train(file, await inRuntime(file.bytes), batches)
  const again = await train(file, imported(file.bytes), batches.slice(0, importedSteps))
  const want = trainHere(model, options, batches)
  losses.forEach((loss, i) => { expect(Math.abs(loss - want[i]!), `loss of step ${i}: ${loss} and ${want[i]}`).toBeLessThanOrEqual(1e-4 * Math.abs(want[i]!)) })
  expect(losses.at(-1)).toBeLessThan(losses[1]!)
  expectClose('imported', again.losses, want.slice(0, importedSteps), 1e-5)
  for (const [name, value] of model.stateDict()) if (name in feeds) expectClose(name, numbersOf(feeds[name]!), numbersOf(value), 1e-3)
}

const labels = (shape: readonly number[], classes: number): Tensor => cast(cast(generator.uniform(shape, { high: classes }), 'int32'), 'int64')

/** Few different batches, so that the loss falls. */
const batchesOf = (make: (i: number) => readonly Tensor[], steps = 50): (readonly Tensor[])[] => {
  const some = Array.from({ length: 2 }, (_, i) => make(i))
  return Array.from({ length: steps }, (_, i) => some[i % some.length]!)
}

const perceptron = (): Sequential => new Sequential(new Linear(4, 8, { generator }), new ReLU(), new Linear(8, 3, { generator }))
const vectors = { name: 'x', shape: [1, 4], dynamicBatch: true } as const
const classes = { name: 'y', shape: [1], dtype: 'int64', dynamicBatch: true } as const
const batchOfVectors = (i: number): Tensor[] => [generator.normal([5 + i, 4]), labels([5 + i], 3)]

describe('a perceptron of any batch size', () => {
  const rows: readonly (readonly [string, (model: Sequential) => TrainingStepOptions<Tensor>['optimiser'], { readonly clipNorm?: number; readonly clipValue?: number }])[] = [
    ['SGD', m => new SGD(m.parameters(), { lr: 0.1 }), {}],
    ['SGD with momentum, dampening and decay', m => new SGD(m.parameters(), { lr: 0.1, momentum: 0.9, dampening: 0.2, weightDecay: 0.01 }), { clipNorm: 0.5 }],
    ['SGD of Nesterov', m => new SGD(m.parameters(), { lr: 0.05, momentum: 0.9, nesterov: true }), { clipValue: 0.1 }],
    ['Adam', m => new Adam(m.parameters(), { lr: 0.01 }), {}],
    ['Adam with decay and the largest mean square', m => new Adam(m.parameters(), { lr: 0.01, amsgrad: true, weightDecay: 0.01 }), { clipNorm: 0.1, clipValue: 0.05 }],
    ['AdamW', m => new AdamW(m.parameters(), { lr: 0.01, weightDecay: 0.1 }), { clipNorm: 0.5 }],
    ['groups', m => new SGD([{ params: m.parameters().slice(0, 2), lr: 0.1 }, { params: m.parameters().slice(2), momentum: 0.5, lr: 0.01 }]), {}],
  ]
  test.each(rows)('%s', async (_name, optimiserOf, clip) => {
    const model = perceptron()
    await expectSame(model, { loss: crossEntropy, optimiser: optimiserOf(model), inputs: [vectors], targets: [classes], ...clip }, batchesOf(batchOfVectors))
  })
})

describe('50 steps of Adam', () => {
  const adam = (model: Module<never>): Adam => new Adam(model.parameters(), { lr: 3e-3, eps: 1e-5 })
  const images = { name: 'x', shape: [6, 1, 28, 28] } as const
  const ofImages = (): Tensor[] => [generator.normal([6, 1, 28, 28]), labels([6], 10)]

  test('the network of the digits', async () => {
    const model = new Sequential(
      new Conv2d(1, 8, 5, { padding: 2, generator }), new ReLU(), new MaxPool2d(2), new Conv2d(8, 16, 5, { padding: 2, generator }), new ReLU(), new MaxPool2d(2), new Flatten(),
      new Linear(16 * 7 * 7, 10, { generator }),
    )
    await expectSame(model, { loss: crossEntropy, optimiser: adam(model), inputs: [{ ...images, dynamicBatch: true }], targets: [classes] }, batchesOf(ofImages), 1)
  })

  test('strides, groups, dilation, mean pooling, and running statistics that follow', async () => {
    const model = new Sequential(
      new Conv2d(1, 4, 3, { stride: 2, padding: 1, bias: false, generator }), new BatchNorm2d(4), new ReLU(), new Conv2d(4, 4, 3, { groups: 2, dilation: 2, generator }), new ReLU(), new AvgPool2d(2),
      new Flatten(), new Linear(100, 10, { bias: false, generator }), new BatchNorm1d(10, { momentum: null }),
    )
    const options = { loss: crossEntropy, optimiser: adam(model), inputs: [images], targets: [{ ...classes, shape: [6], dtype: 'int32', dynamicBatch: false }] } as const
    const { state } = exportTrainingStep(model, options)
    expect(state.filter(({ role }) => role === 'buffer').map(({ input }) => input)).toEqual(['1.running_mean', '1.running_var', '1.num_batches_tracked', '8.running_mean', '8.running_var', '8.num_batches_tracked'])
    await expectSame(model, options, batchesOf(() => ofImages().map((x, i) => i === 0 ? x : cast(x, 'int32'))), 1)
  })

  class Classifier extends Module {
    readonly layer = new TransformerEncoderLayer(8, 2, { feedForward: 16, batchFirst: true, dropout: 0, generator })
    readonly out = new Linear(8, 3, { generator })
    override forward(x: Tensor): Tensor {
      return this.out.forward(mean(this.layer.forward(x), 1))
    }
  }

  class Language extends Module {
    readonly embedding = new Embedding(11, 8, { generator })
    readonly layer = new TransformerEncoderLayer(8, 2, { feedForward: 16, batchFirst: true, normFirst: true, dropout: 0, generator })
    readonly norm = new LayerNorm(8)
    readonly out = new Linear(8, 11, { generator })
    override forward(x: Tensor): Tensor {
      return this.out.forward(this.norm.forward(this.layer.forward(this.embedding.forward(x), { isCausal: true })))
    }
  }

  class Recurrent extends Module {
    readonly layer: LSTM | GRU
    readonly out = new Linear(6, 3, { generator })
    constructor(layer: LSTM | GRU) {
      super()
      this.layer = layer
    }

    override forward(x: Tensor): Tensor {
      const [y] = this.layer instanceof LSTM ? this.layer.forward(x) : this.layer.forward(x)
      return this.out.forward(mean(y, 1))
    }
  }

  const sequences = { name: 'x', shape: [4, 5, 8], dynamicBatch: true } as const
  const ofSequences = (): Tensor[] => [generator.normal([4, 5, 8]), labels([4], 3)]

  test.each<readonly [string, () => Module]>([
    ['a transformer', () => new Classifier()],
    ['an LSTM', () => new Recurrent(new LSTM(8, 6, { batchFirst: true, generator }))],
    ['a GRU in both directions', () => new Recurrent(new GRU(8, 3, { batchFirst: true, bidirectional: true, generator }))],
  ])('%s', async (_name, make) => {
    const model = make()
    await expectSame(model, { loss: crossEntropy, optimiser: adam(model), inputs: [sequences], targets: [classes] }, batchesOf(ofSequences))
  })

  test('a language model', async () => {
    const model = new Language()
    const tokens = { shape: [4, 6], dtype: 'int64', dynamicBatch: true } as const
    await expectSame(model, {
      loss: (y, next) => crossEntropy(reshape(y, [-1, 11]), reshape(next, [-1])), optimiser: adam(model), inputs: [{ ...tokens, name: 'tokens' }], targets: [{ ...tokens, name: 'next' }],
    }, batchesOf(() => [labels([4, 6], 11), labels([4, 6], 11)]))
  })

  test.each(['sum', 'mean', 'max'] as const)('bags of words, their %s, in batches of several sizes', async mode => {
    const model = new Sequential(new EmbeddingBag(11, 8, { mode, generator }), new Linear(8, 3, { generator }))
    const words = { name: 'words', shape: [4, 6], dtype: 'int64', dynamicBatch: true } as const
    await expectSame(model, { loss: crossEntropy, optimiser: adam(model), inputs: [words], targets: [classes] }, batchesOf(i => [labels([3 + i, 6], 11), labels([3 + i], 3)]))
  })
})

test('an imported network, its batch normalisation in training', async () => {
  const made = new Sequential(new Conv2d(1, 4, 3, { bias: false, generator }), new BatchNorm2d(4), new ReLU(), new MaxPool2d(2), new Flatten(), new Linear(36, 3, { generator }))
  const model = importOnnx(exportOnnx(made, [{ shape: [1, 1, 8, 8], dynamicBatch: true }])).train()
  const options: TrainingStepOptions<Tensor | Tensor[]> = {
    loss: (y, target) => crossEntropy(y as Tensor, target), optimiser: new Adam(model.parameters(), { lr: 3e-3 }), inputs: [{ name: 'x', shape: [1, 1, 8, 8], dynamicBatch: true }], targets: [classes],
  }
  expect(exportTrainingStep(model, options).state.filter(({ role }) => role === 'buffer').map(({ input }) => input)).toEqual(['1.running_mean', '1.running_var'])
  await expectSame(model, options, batchesOf(() => [generator.normal([5, 1, 8, 8]), labels([5], 3)], 20))
})

describe('dropout', () => {
  const dropping = (): Sequential => new Sequential(new Linear(4, 16, { generator }), new Dropout(0.5, { generator: new Generator(5) }), new Linear(16, 3, { generator }))

  test('draws what it draws here, its generator a part of the state', async () => {
    const model = dropping()
    const options = { loss: crossEntropy, optimiser: new SGD(model.parameters(), { lr: 0.1 }), inputs: [vectors], targets: [classes] } as const
    const file = exportTrainingStep(model, options)
    expect(file.state.at(-1)).toMatchObject({ role: 'variable', input: 'variable', output: 'next.variable' })
    const batches = batchesOf(batchOfVectors, 20)
    const { losses, feeds } = await train(file, await inRuntime(file.bytes), batches)
    expectClose('losses', losses, trainHere(model, options, batches), 1e-5)
    expect(numbersOf(feeds.variable!)).toEqual([5, 20])
  })

  test('needs operator set 18', () => {
    const model = dropping()
    expect(() => exportTrainingStep(model, { loss: crossEntropy, optimiser: new SGD(model.parameters()), inputs: [vectors], targets: [classes], opset: 17 })).toThrow(/randomBits \(op \d+ of \d+\) draws random numbers, which operator set 18 is needed for. Export with { opset: 18 }, or without dropout/)
  })
})

describe('the file', () => {
  const step = (model: Module, options: Partial<TrainingStepOptions<Tensor>> = {}): TrainingStepFile =>
    exportTrainingStep(model, { loss: mseLoss, optimiser: new Adam(model.parameters(), { lr: 0.5 }), inputs: [{ shape: [2, 3] }], targets: [{ shape: [2, 1] }], clipNorm: 1, ...options })

  test('says which output is for which input', () => {
    const { bytes, state, ...rest } = step(new Linear(3, 1, { bias: false }))
    expect({ batch: rest.batch, rates: rest.rates.map(({ input, initial }) => [input, initial.item()]), loss: rest.loss, gradNorm: rest.gradNorm }).toEqual({ batch: ['input', 'target'], rates: [['lr', 0.5]], loss: 'loss', gradNorm: 'grad_norm' })
    expect(state.map(({ role, input, output, initial }) => [role, input, output, initial.dtype, initial.shape].join(' '))).toMatchInlineSnapshot(`
      [
        "parameter weight next.weight float32 1,3",
        "optimizer optimizer.exp_avg.weight next.optimizer.exp_avg.weight float32 1,3",
        "optimizer optimizer.exp_avg_sq.weight next.optimizer.exp_avg_sq.weight float32 1,3",
        "step optimizer.step next.optimizer.step int64 ",
      ]
    `)
    const { graph, metadataProps } = proto.onnx.ModelProto.decode(bytes)
    expect(metadataProps.map(({ key }) => key)).toEqual(['bp.training_step'])
    expect(JSON.parse(metadataProps[0]!.value!)).toEqual({ batch: ['input', 'target'], rates: ['lr'], state: state.map(({ role, input, output }) => ({ role, input, output })), loss: 'loss', gradNorm: 'grad_norm' })
    expect(graph!.input!.map(({ name }) => name)).toEqual(['input', 'target', 'lr', ...state.map(({ input }) => input)])
    expect(graph!.output!.map(({ name }) => name)).toEqual(['loss', 'grad_norm', ...state.map(({ output }) => output)])
    expect(graph!.initializer).toEqual([])
  })

  test('is the same for the same model, and leaves model, gradients and optimiser as they were', () => {
    const model = new Linear(3, 1, { generator })
    const before = [...model.parameters()].map(numbersOf)
    model.weight.grad = tensor([[1, 2, 3]])
    const optimiser = new Adam(model.parameters())
    expect(step(model, { optimiser }).bytes).toEqual(step(model, { optimiser }).bytes)
    expect(model.parameters().map(numbersOf)).toEqual(before)
    expect(numbersOf(model.weight.grad)).toEqual([1, 2, 3])
    expect(optimiser.stateDict().steps).toEqual([0, 0])
    expect(optimiser.groups[0]!.lr).toBe(1e-3)
  })

  test('has what to begin with beside it, or in it', async () => {
    const model = new Linear(3, 1, { generator })
    const file = step(model, { defaults: true })
    const start = await (await inRuntime(file.start()))({})
    expect(Object.entries(start).map(([name, x]) => [name, x.dtype, x.shape, numbersOf(x)])).toEqual(Object.entries(startOf(file)).map(([name, x]) => [name, x.dtype, x.shape, numbersOf(x)]))
    const batch = { input: generator.normal([2, 3]), target: generator.normal([2, 1]) }
    const session = await runtime.InferenceSession.create(file.bytes, { logSeverityLevel: 3 })
    expect(session.inputNames).toEqual(['input', 'target'])
    const plain = await (await inRuntime(step(model).bytes))({ ...startOf(file), ...batch })
    expectClose('next.weight', numbersOf(importOnnx(file.bytes).run(batch)['next.weight']!), numbersOf(plain['next.weight']!), 1e-6)
  })

  test('goes on where training has stopped, and trains what is not frozen', async () => {
    const model = perceptron()
    const options = { loss: crossEntropy, optimiser: new Adam(model.parameters(), { lr: 0.01 }), inputs: [vectors], targets: [classes] }
    trainHere(model, options, batchesOf(batchOfVectors, 5))
    model.layers[0]!.requiresGrad(false)
    options.optimiser.groups[0]!.lr = 0.02
    const file = exportTrainingStep(model, options)
    expect(file.state.map(({ input }) => input)).toMatchInlineSnapshot(`
      [
        "2.weight",
        "2.bias",
        "optimizer.exp_avg.2.weight",
        "optimizer.exp_avg_sq.2.weight",
        "optimizer.exp_avg.2.bias",
        "optimizer.exp_avg_sq.2.bias",
        "optimizer.step",
      ]
    `)
    expect(file.state.at(-1)!.initial.item()).toBe(5)
    expect(proto.onnx.ModelProto.decode(file.bytes).graph!.initializer!.map(({ name }) => name)).toEqual(['0.weight', '0.bias'])
    const { feeds } = await train(file, await inRuntime(file.bytes), batchesOf(batchOfVectors, 5))
    expect(feeds['optimizer.step']!.item()).toBe(10)
    model.layers[0]!.requiresGrad(true)
    await expectSame(model, options, batchesOf(batchOfVectors, 20))
  })

  test('has a learning rate for each step', async () => {
    const model = new Linear(3, 1, { generator })
    const file = step(model)
    const run = await inRuntime(file.bytes)
    const still = await run({ ...startOf(file), lr: tensor(0), input: generator.normal([2, 3]), target: generator.normal([2, 1]) })
    expect(numbersOf(still['next.weight']!)).toEqual(numbersOf(model.weight))
    expect(numbersOf(still['next.optimizer.step']!)).toEqual([1])
  })
})

describe('what cannot be exported says why', () => {
  const model = new Linear(3, 1, { generator })
  const inputs = [{ shape: [2, 3] }]
  const targets = [{ shape: [2, 1] }]

  test('optimisers whose rule is none of ops', () => {
    expect(() => exportTrainingStep(model, { loss: mseLoss, optimiser: new RAdam(model.parameters()), inputs, targets })).toThrowErrorMatchingInlineSnapshot(`[BpError: RAdam: a number of its update depends on the learning rate or on the number of the step, and cannot be written to a file. Pass now() the same in ops: now(step => lr / step, (lr, step) => div(lr, step))]`)
    expect(() => exportTrainingStep(model, { loss: mseLoss, optimiser: new LBFGS(model.parameters()), inputs, targets })).toThrowErrorMatchingInlineSnapshot(`[BpError: LBFGS: its step calls the loss as often as the values of the loss demand, and cannot be written to a file. Take SGD, Adam or AdamW]`)
  })

  test('losses that are no scalar', () => {
    const optimiser = new SGD(model.parameters())
    expect(() => exportTrainingStep(model, { loss: y => y, optimiser, inputs })).toThrowErrorMatchingInlineSnapshot(`[BpError: exportTrainingStep: the loss must be a scalar, got f32[2,1]. Reduce it with mean or sum]`)
  })

  test('names that are taken', () => {
    expect(() => exportTrainingStep(model, { loss: mseLoss, optimiser: new SGD(model.parameters()), inputs: [{ name: 'weight', shape: [2, 3] }], targets })).toThrow('two values would have the name "weight"')
  })
})
