// Open dimensions: files run at sizes that were never traced, declare what follows from their names, and stay open when written again.

import { noGrad, type Tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, BatchNorm2d, Conv2d, ConvTranspose2d, Embedding, Flatten, generateSquareSubsequentMask, GroupNorm, LearnedPositions, Linear, LSTM, MaxPool2d, Module, PixelShuffle, ReLU, Sequential, SinusoidalPositions, Transformer, TransformerEncoderLayer, Upsample } from '@bp/nn'
import * as ops from '@bp/ops'
import * as runtime from 'onnxruntime-node'
import { expect, test } from 'vitest'
import { exportOnnx, type ExportInput, importOnnx } from '../index.ts'

use(cpu())

const generator = new ops.Generator(5)
type Program = Module<never, Tensor | Tensor[]> | ((...xs: Tensor[]) => Tensor | readonly Tensor[])

/** A program, its inputs, sizes to run it at, and the shapes that its outputs declare. */
type Case = readonly [name: string, program: Program, inputs: readonly ExportInput[], runs: readonly Readonly<Record<string, number>>[], outputs: readonly (readonly (string | number)[])[]]

const image: ExportInput = { name: 'x', shape: ['batch', 3, 'height', 'width'] }
const tokens: ExportInput = { name: 'x', shape: ['batch', 'time'], dtype: 'int64' }
const sequence = (name: string, time: string): ExportInput => ({ name, shape: ['batch', time, 4] })
const small = { feedForward: 8, batchFirst: true }

class Language extends Module {
  readonly words = new Embedding(7, 4)
  readonly positions = new SinusoidalPositions({ batchFirst: true })
  readonly layer = new TransformerEncoderLayer(4, 2, small)
  readonly head = new Linear(4, 7)

  override forward(x: Tensor): Tensor {
    const y = this.positions.forward(this.words.forward(x))
    return this.head.forward(this.layer.forward(y, { srcMask: generateSquareSubsequentMask(x.shape[1]!) }))
  }
}

class Learned extends Module {
  readonly positions = new LearnedPositions(32, 4, { batchFirst: true })
  readonly layer = new TransformerEncoderLayer(4, 2, small)

  override forward(x: Tensor): Tensor {
    return this.layer.forward(this.positions.forward(x), { causal: true })
  }
}

class Recurrent extends Module<[x: Tensor], Tensor[]> {
  readonly lstm = new LSTM(4, 3, { numLayers: 2, bidirectional: true, batchFirst: true })

  override forward(x: Tensor): Tensor[] {
    return this.lstm.forward(x).flat()
  }
}

class Skipping extends Module {
  readonly down = new Conv2d(3, 4, 3, { padding: 1 })
  readonly pool = new MaxPool2d(2)
  readonly up = new ConvTranspose2d(4, 4, 2, { stride: 2 })

  override forward(x: Tensor): Tensor {
    const y = this.down.forward(x)
    return ops.concat([y, this.up.forward(this.pool.forward(y))], 1)
  }
}

class Patches extends Module {
  readonly cut = new Conv2d(3, 4, 4, { stride: 4 })
  readonly layer = new TransformerEncoderLayer(4, 2, small)

  override forward(x: Tensor): Tensor {
    const y = this.cut.forward(x)
    const [n, c, h, w] = y.shape as [number, number, number, number]
    return this.layer.forward(ops.transpose(ops.reshape(y, [n, c, h * w]), [0, 2, 1]))
  }
}

const odd = [{ batch: 1, height: 33, width: 46 }, { batch: 3, height: 22, width: 65 }]
const spoken = [{ batch: 1, time: 1 }, { batch: 4, time: 21 }]

const cases: readonly Case[] = [
  ['a convolutional network that pools to one', new Sequential(new Conv2d(3, 4, 3, { stride: 2, padding: 1 }), new BatchNorm2d(4), new ReLU(), new MaxPool2d(3, { stride: 2, ceilMode: true }), new AdaptiveAvgPool2d(1), new Flatten(), new Linear(4, 2)), [image], odd, [['batch', 2]]],
  ['the largest of an image', new Sequential(new Conv2d(3, 4, 3), new AdaptiveMaxPool2d(1), new Flatten()), [image], odd, [['batch', 4]]],
  ['means with overhang', new Sequential(new AvgPool2d(3, { stride: 2, padding: 1, ceilMode: true })), [image], odd, [['batch', 3, 'output_2', 'output_3']]],
  ['groups of channels', new Sequential(new Conv2d(3, 4, 3), new GroupNorm(2, 4)), [image], odd, [['batch', 4, 'height - 2', 'width - 2']]],
  ['pixels shuffled', new Sequential(new Conv2d(3, 8, 3, { padding: 1 }), new PixelShuffle(2)), [image], odd, [['batch', 2, '2*height', '2*width']]],
  ['strides that shrink small images to one texel', new Sequential(...[3, 4, 4, 4, 4].map(c => new Conv2d(c, 4, 3, { stride: 2, padding: 1 })), new AdaptiveAvgPool2d(1), new Flatten(), new Linear(4, 2)), [image], [{ batch: 2, height: 97, width: 65 }, { batch: 1, height: 5, width: 9 }], [['batch', 2]]],
  ['nearest neighbours', new Sequential(new Conv2d(3, 4, 3, { padding: 1 }), new Upsample({ scaleFactor: 2 })), [image], odd, [['batch', 4, '2*height', '2*width']]],
  ['between neighbours', new Sequential(new Conv2d(3, 4, 3, { padding: 1 }), new Upsample({ scaleFactor: 2, mode: 'bilinear', alignCorners: true })), [image], odd, [['batch', 4, '2*height', '2*width']]],
  ['down and up, at even sizes', new Skipping(), [image], [{ batch: 1, height: 8, width: 30 }], [['batch', 8, 'height', 'width']]],
  ['patches as tokens', new Patches(), [image], odd, [['batch', 'output_1', 4]]],
  ['a language model with a mask', new Language(), [tokens], spoken, [['batch', 'time', 7]]],
  ['learned positions, causal', new Learned(), [sequence('x', 'time')], spoken, [['batch', 'time', 4]]],
  ['a whole transformer', new Transformer(4, 2, { numEncoderLayers: 1, numDecoderLayers: 1, ...small }), [sequence('x', 'source'), sequence('y', 'target')], [{ batch: 2, source: 3, target: 5 }], [['batch', 'target', 4]]],
  ['a recurrent network', new Recurrent(), [sequence('x', 'time')], spoken, [['batch', 'time', 6], [4, 'batch', 3], [4, 'batch', 3]]],
  ['a cache of the past', (past, x) => [ops.concat([past, x], 1), ops.mean(ops.concat([past, x], 1), 1)], [sequence('past', 'before'), sequence('x', 'now')], [{ batch: 2, before: 9, now: 1 }], [['batch', 'before + now', 4], ['batch', 4]]],
  ['numbers that follow from sizes', x => [ops.variance(x), ops.narrow(x, 1, x.shape[1]! - 1, 1), ops.narrow(x, 1, 1, x.shape[1]! - 2), ops.sort(x, 1)[0], ops.cumSum(x, 1), ops.tril(x), ops.roll(x, 1, 1)], [{ name: 'x', shape: ['rows', 'columns'] }], [{ rows: 3, columns: 5 }],
    [[], ['rows', 1], ['rows', 'columns - 2'], ['rows', 'columns'], ['rows', 'columns'], ['rows', 'columns'], ['rows', 'columns']]],
]

function expectClose(what: string, got: ArrayLike<number | bigint>, want: Tensor): void {
  const expected = Array.from<number | bigint, number>(want.dataSync(), Number)
  expected.forEach((value, i) => { expect(Math.abs(Number(got[i]) - value), `${what}[${i}]: ${got[i]} and ${value}`).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(value))) })
}

test.each(cases)('%s', async (_name, program, inputs, runs, outputs) => {
  if (program instanceof Module) program.eval()
  const bytes = exportOnnx(program, inputs)
  const back = importOnnx(bytes)
  expect(back.inputs.map(({ shape }) => shape)).toEqual(inputs.map(({ shape }) => shape))
  expect(back.outputs.map(({ shape }) => shape)).toEqual(outputs.map((shape, k) => shape.map(size => typeof size === 'string' && outputs.length > 1 ? size.replace('output_', `output_${k}_`) : size)))
  const second = exportOnnx(back)
  expect(exportOnnx(importOnnx(second))).toEqual(second)
  const sessions = await Promise.all([bytes, second].map(async file => await runtime.InferenceSession.create(file)))
  for (const sizes of runs) {
    const xs = inputs.map(({ shape, dtype = 'float32' }) => ops.cast(generator.uniform(shape.map(size => typeof size === 'string' ? sizes[size]! : size), { low: dtype === 'int64' ? 0 : -2, high: 2 }), dtype))
    const want = noGrad(() => [program instanceof Module ? program.forward(...xs as never) : program(...xs)].flat())
    const again = noGrad(() => [back.forward(...xs)].flat())
    for (const session of sessions) {
      const got = await session.run(Object.fromEntries(inputs.map(({ name }, i) => [name!, new runtime.Tensor(xs[i]!.dtype as 'float32', xs[i]!.dataSync() as Float32Array, [...xs[i]!.shape])])))
      want.forEach((y, i) => {
        const theirs = got[session.outputNames[i]!]!
        expect(theirs.dims).toEqual([...y.shape])
        expectClose('onnxruntime', theirs.data as Float32Array, y)
      })
    }
    want.forEach((y, i) => {
      expect(again[i]!.shape).toEqual(y.shape)
      expectClose('imported', again[i]!.dataSync(), y)
    })
  }
})

test('what two inputs call by one name is one size', () => {
  const model = importOnnx(exportOnnx((x, y) => ops.add(x, y), [{ name: 'x', shape: ['n', 2] }, { name: 'y', shape: ['n', 2] }]))
  expect(() => model.forward(ops.cast(generator.uniform([2, 2]), 'float32'), ops.cast(generator.uniform([3, 2]), 'float32'))).toThrow('the axis n is 2 in one input and 3 in y')
})

test('names that the program takes for different sizes are refused by the program', () => {
  expect(() => exportOnnx((x, y) => ops.add(x, y), [{ name: 'x', shape: ['n', 2] }, { name: 'y', shape: ['m', 2] }])).toThrow('add: ')
})
