// Published models fine-tuned and exported again: ONNX Runtime computes what the module does.

import { compile, type Tensor, tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { Adam, clipGradNorm, crossEntropy, Linear, Module, mseLoss, nllLoss } from '@bp/nn'
import { abs, add, amax, log, sub } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { exportOnnx, exportTrainingStep, importOnnx, type OnnxModule } from '../index.ts'
import { expectEqual, expectSamePictures, files, picture, published, theirs } from '../../test/real.ts'

use(cpu())

describe('unchanged, the file that is written does what the one that was read does', () => {
  test.each([
    ['detection', files.detection, [3, 64, 96], [[1, 64, 96], [3, 64, 96]]],
    ['recognition', files.recognition, [3, 48, 64], [[1, 48, 64], [2, 48, 64]]],
    ['orientation', files.orientation, [3, 48, 192], [[1, 48, 192], [2, 48, 192]]],
  ] as const)('%s', async (_name, file, shape, sizes) => {
    const model = importOnnx(published(file))
    const bytes = exportOnnx(model, [{ name: 'x', shape: [1, ...shape], dynamicBatch: true }], { outputs: model.outputs.map(({ name }) => name) })
    await expectSamePictures(model, bytes, sizes)
    await expectSamePictures(importOnnx(bytes), bytes, sizes)
  })
})

describe('with the open dimensions of the file that was read', () => {
  test.each([
    ['detection', files.detection, [[1, 64, 96], [2, 96, 128]]],
    ['recognition', files.recognition, [[1, 48, 64], [2, 48, 160]]],
    ['orientation', files.orientation, [[1, 48, 192], [3, 64, 96]]],
  ] as const)('%s', async (_name, file, sizes) => {
    const model = importOnnx(published(file))
    const bytes = exportOnnx(model)
    expect(importOnnx(bytes).inputs).toEqual(model.inputs)
    await expectSamePictures(model, bytes, sizes)
  })
})

test('the model of orientation trains elsewhere, by a step in a file, as here', async () => {
  const [x, y] = [picture(2, 48, 96), tensor([[0, 1], [1, 0]])]
  const [model, twin] = [0, 1].map(() => importOnnx(published(files.orientation)).train()) as [OnnxModule, OnnxModule]
  const file = exportTrainingStep(model, {
    loss: (z, target) => mseLoss(z as Tensor, target), optimiser: new Adam(model.parameters(), { lr: 1e-4, eps: 1e-5 }), clipNorm: 1,
    inputs: [{ name: 'x', shape: ['batch', 3, 48, 96] }], targets: [{ name: 'y', shape: ['batch', 2] }],
  })
  const session = await theirs(file.bytes)
  const optimiser = new Adam(twin.parameters(), { lr: 1e-4, eps: 1e-5 })
  let feeds: Record<string, Tensor> = Object.fromEntries([...file.rates, ...file.state].map(({ input, initial }) => [input, initial]))
  const losses: number[] = []
  for (let i = 0; i < 5; i++) {
    const results = await session({ ...feeds, x, y })
    optimiser.zeroGrad()
    const loss = mseLoss(twin.forward(x) as Tensor, y)
    loss.backward()
    clipGradNorm(optimiser.parameters(), 1)
    optimiser.step()
    losses.push(loss.item())
    expect(Math.abs((results[file.loss]!.data as Float32Array)[0]! - loss.item()), `loss of step ${i}`).toBeLessThanOrEqual(1e-4 * loss.item())
    feeds = { ...feeds, ...Object.fromEntries(file.state.map(({ input, output }) => [input, tensor(results[output]!.data as Float32Array, { shape: results[output]!.dims, dtype: results[output]!.type as 'float32' })])) }
  }
  expect(losses.at(-1)! / losses[0]!).toBeLessThan(0.1)
})

test.each(files.wakeWords)('a wake word, unchanged: %s', async file => {
  const model = importOnnx(published(file))
  const shape = model.inputs[0]!.shape as number[]
  const run = await theirs(exportOnnx(model, [{ name: 'x', shape }], { outputs: ['y'] }))
  const x = picture(1, 25, 96)
  const feed = tensor(x.dataSync().slice(0, shape.reduce((n, size) => n * size)), { shape })
  expectEqual(file, { y: model.forward(feed) as Tensor }, await run({ x: feed }))
})

test('the model of orientation, fine-tuned for 20 steps, exported and run elsewhere', async () => {
  const model = importOnnx(published(files.orientation)).train()
  // two kinds of pictures: text as it is, and brighter text further apart
  const x = picture(4, 48, 96)
  const y = tensor([0, 1, 0, 1], { dtype: 'int32' })
  const optimiser = new Adam(model.parameters(), { lr: 1e-3 })
  const step = compile((x: Tensor, y: Tensor) => {
    optimiser.zeroGrad()
    const loss = nllLoss(log(add(model.forward(x) as Tensor, 1e-7)), y)
    loss.backward()
    optimiser.step()
    return loss
  })
  const losses = Array.from({ length: 20 }, () => step(x, y).item())
  expect(losses.at(-1)! / losses[0]!).toBeLessThan(0.2)

  model.eval()
  const bytes = exportOnnx(model, [{ name: 'x', shape: [1, 3, 48, 96], dynamicBatch: true }], { outputs: ['y'] })
  const run = await theirs(bytes)
  const back = importOnnx(bytes)
  for (const n of [1, 4]) {
    const feed = picture(n, 48, 96, 1)
    const want = await run({ x: feed })
    expectEqual(`batch ${n}`, { y: model.forward(feed) as Tensor }, want)
    expectEqual(`batch ${n}, read back`, { y: back.forward(feed) as Tensor }, want)
  }
  const before = importOnnx(published(files.orientation)).eval().forward(x) as Tensor
  expect(amax(abs(sub(before, model.forward(x) as Tensor))).item()).toBeGreaterThan(0.1)
})

test('the model of orientation with another head, for five classes', async () => {
  const backbone = importOnnx(published(files.orientation), { outputs: ['reshape2_0.tmp_0'] }).eval()
  const model = new (class extends Module<[Tensor]> {
    readonly backbone = backbone
    readonly head = new Linear(200, 5)
    override forward(x: Tensor): Tensor {
      return this.head.forward(this.backbone.forward(x) as Tensor)
    }
  })()
  const x = picture(5, 48, 96)
  const y = tensor([0, 1, 2, 3, 4], { dtype: 'int32' })
  const optimiser = new Adam(model.parameters(), { lr: 1e-3 })
  const step = compile((x: Tensor, y: Tensor) => {
    optimiser.zeroGrad()
    const loss = crossEntropy(model.forward(x), y)
    loss.backward()
    optimiser.step()
    return loss
  })
  const losses = Array.from({ length: 20 }, () => step(x, y).item())
  expect(losses.at(-1)! / losses[0]!).toBeLessThan(0.5)
  const bytes = exportOnnx(model, [{ name: 'x', shape: [1, 3, 48, 96], dynamicBatch: true }], { outputs: ['y'] })
  const names = importOnnx(bytes).namedParameters().map(([name]) => name)
  expect(names).toContain('head.weight')
  expect(names.some(name => name.endsWith('fc_0.w_0'))).toBe(false)
  const run = await theirs(bytes)
  for (const n of [1, 5]) {
    const feed = picture(n, 48, 96, 1)
    expectEqual(`batch ${n}`, { y: model.forward(feed) }, await run({ x: feed }))
  }
})

test('what a published model has as running statistics is no parameter', () => {
  const model = importOnnx(published(files.orientation))
  const parameters = new Set(model.namedParameters().map(([name]) => name))
  const buffers = [...model.stateDict().keys()].filter(name => !parameters.has(name))
  // a mean and a variance of each of 35 normalisations
  expect([buffers.length, buffers[0]]).toEqual([70, 'batch_norm_0.w_1'])
})
