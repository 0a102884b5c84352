// What layers do beside their forward pass: draws, running statistics, tables that shrink, places and sizes, and their errors.

import { cpu } from '@bp/backend-cpu'
import { compile, mul, ones, type Tensor, tensor, use, zeros } from '@bp/core'
import { exp, Generator, mean, sum, variance } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { messageOf } from '../../test/messages.ts'
import * as nn from '../index.ts'

use(cpu())

const int = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, { dtype: 'int32' })
const close = (got: Tensor, want: readonly number[], digits = 5): void => {
  const values = Array.from(got.dataSync(), Number)
  expect(values).toHaveLength(want.length)
  values.forEach((value, i) => { expect(value).toBeCloseTo(want[i]!, digits) })
}

describe('layers that draw', () => {
  const x = ones([40, 50, 2])
  const options = (): { readonly generator: Generator } => ({ generator: new Generator(5) })

  test('drop elements or whole channels, and keep the mean', () => {
    for (const layer of [new nn.Dropout(0.3, options()), new nn.Dropout1d(0.3, options()), new nn.Dropout2d(0.3, options())]) expect(mean(layer.forward(x)).item()).toBeCloseTo(1, 1)
    const channels = new nn.Dropout1d(0.3, options()).forward(x).toArray() as number[][][]
    expect(channels.flat().every(([a, b]) => a === b)).toBe(true)
    expect(new Set(channels.flat(2)).size).toBe(2)
    close(new nn.Dropout(1).forward(ones([2])), [0, 0])
  })

  test('keep mean and variance where that is what they are for', () => {
    const normal = new Generator(2).normal([100, 100])
    const y = new nn.AlphaDropout(0.3, options()).forward(normal)
    expect(mean(y).item()).toBeCloseTo(0, 1)
    expect(variance(y).item()).toBeCloseTo(1, 1)
    expect(variance(new nn.GaussianNoise(0.5, options()).forward(x)).item()).toBeCloseTo(0.25, 1)
  })

  test('do nothing in evaluation', () => {
    for (const layer of [new nn.Dropout(), new nn.Dropout1d(), new nn.AlphaDropout(), new nn.FeatureAlphaDropout(), new nn.GaussianNoise()]) expect(layer.eval().forward(x)).toBe(x)
    close(new nn.RReLU(0.1, 0.3).eval().forward(tensor([-1, 2])), [-0.2, 2])
  })
})

describe('running statistics', () => {
  test('without momentum are the average of all batches, also compiled (PyTorch 2.15)', () => {
    for (const wrap of [(f: (x: Tensor) => Tensor) => f, (f: (x: Tensor) => Tensor) => compile(f)]) {
      const norm = new nn.BatchNorm1d(1, { momentum: null })
      const run = wrap(x => norm.forward(x))
      for (const batch of [[[1], [3]], [[10], [14]], [[0], [6]]]) run(tensor(batch))
      close(norm.running_mean!, [5.6666667])
      close(norm.running_var!, [9.3333333])
      expect(norm.num_batches_tracked!.item()).toBe(3)
      close(norm.eval().forward(tensor([[1]])), [-1.5275244])
    }
  })

  test('are not there unless they are tracked: then evaluation uses the batch too', () => {
    const norm = new nn.BatchNorm2d(1, { trackRunningStats: false, affine: false, eps: 0 }).eval()
    expect([...norm.stateDict().keys()]).toEqual([])
    close(norm.forward(tensor([[[[1, 3]]]])), [-1, 1])
  })

  test('of instances stay as they are without momentum, and are used in evaluation (PyTorch 2.15)', () => {
    const norm = new nn.InstanceNorm1d(1, { momentum: null, trackRunningStats: true, eps: 0 })
    close(norm.forward(tensor([[[1, 3]]])), [-1, 1])
    close(norm.running_mean!, [0])
    expect(norm.num_batches_tracked!.item()).toBe(0)
    close(norm.eval().forward(tensor([[[1, 3]]])), [1, 3])
  })
})

describe('embeddings', () => {
  test('begin with zeros at the padding, which learns nothing', () => {
    for (const paddingIdx of [1, -2]) {
      const table = new nn.Embedding(3, 2, { paddingIdx })
      close(table.forward(int([1])), [0, 0])
      sum(table.forward(int([0, 1]))).backward()
      close(table.weight.grad!, [1, 1, 0, 0, 0, 0])
    }
  })

  test('take a table as it is, frozen unless it is to learn', () => {
    const rows = tensor([[1, 2], [3, 4]])
    const table = nn.Embedding.fromPretrained(rows, { paddingIdx: 0 })
    expect([table.weight.requiresGrad, nn.EmbeddingBag.fromPretrained(rows, { freeze: false }).weight.requiresGrad]).toEqual([false, true])
    close(table.forward(int([[1], [0]])), [3, 4, 1, 2])
    const other = nn.Embedding.fromPretrained(table.weight)
    table.weight.assign(zeros([2, 2]))
    close(other.weight, [1, 2, 3, 4])
    expect([...other.stateDict().keys()]).toEqual(['weight'])
  })

  test('scale rows down in the table, and only those that are looked up (PyTorch 2.15)', () => {
    const table = nn.Embedding.fromPretrained(tensor([[3, 4], [6, 8], [0.3, 0.4]]), { maxNorm: 1, freeze: false })
    const y = table.forward(int([0, 2, 0]))
    close(y, [0.6, 0.8, 0.3, 0.4, 0.6, 0.8])
    close(table.weight, [0.6, 0.8, 6, 8, 0.3, 0.4])
    sum(y).backward()
    close(table.weight.grad!, [2, 2, 0, 0, 1, 1])
  })
})

describe('places and sizes', () => {
  test('pooling tells where the largest elements lay, and unpooling puts them back', () => {
    const x = tensor([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]])
    const pool = new nn.MaxPool2d(2, { stride: 1 })
    const [values, indices] = pool.withIndices(x)
    close(values, [5, 6, 8, 9])
    expect(indices.toArray()).toEqual([[[[4, 5], [7, 8]]]])
    close(new nn.MaxUnpool2d(2, { stride: 1 }).forward(values, indices), [0, 0, 0, 0, 5, 6, 0, 8, 9])
    const [top, at] = new nn.MaxPool1d(2).withIndices(tensor([[1, 3, 2, 4, 0]]))
    expect(new nn.MaxUnpool1d(2).forward(top, at, [5]).toArray()).toEqual([[0, 3, 0, 4, 0]])
    expect(new nn.AdaptiveMaxPool1d(1).withIndices(tensor([[1, 3, 2]]))[1].toArray()).toEqual([[1]])
    expect(new nn.FractionalMaxPool2d(2, { outputSize: 1, generator: new Generator(1) }).withIndices(x)[1].toArray()).toEqual([[[[8]]]])
  })

  test('a transposed convolution comes to the size that is asked for', () => {
    const up = new nn.ConvTranspose1d(1, 1, 3, { stride: 3, padding: 1, generator: new Generator(1) })
    const sized = (size: number): number[] => [...up.forward(ones([1, 1, 4]), [size]).shape]
    expect([10, 11, 12].map(sized)).toEqual([[1, 1, 10], [1, 1, 11], [1, 1, 12]])
  })

  test('of an adaptive softmax: all log-probabilities, of which its output is one', () => {
    const layer = new nn.AdaptiveLogSoftmaxWithLoss(8, 9, [3, 6], { divValue: 2, generator: new Generator(1) })
    const x = new Generator(2).normal([4, 8])
    const all = layer.logProb(x)
    close(sum(exp(all), 1), [1, 1, 1, 1])
    const rows = all.toArray() as number[][]
    const { output, loss } = layer.forward(x, int([0, 3, 5, 8]))
    close(output, [0, 3, 5, 8].map((k, i) => rows[i]![k]!))
    expect(loss.item()).toBeCloseTo(-mean(output).item(), 6)
    expect(layer.predict(x).toArray()).toEqual(rows.map(row => row.indexOf(Math.max(...row))))
    expect([...layer.stateDict().keys()]).toEqual(['head.weight', 'tail.0.0.weight', 'tail.0.1.weight', 'tail.1.0.weight', 'tail.1.1.weight'])
    close(layer.forward(zeros([8]), int(4)).output, [Math.log(1 / 5 / 3)])
  })

  test('the weights of a loss are in its state', () => {
    const loss = new nn.BCEWithLogitsLoss({ posWeight: tensor([1]) })
    const before = loss.forward(tensor([0]), tensor([1])).item()
    loss.loadStateDict(new Map([['pos_weight', tensor([3])]]))
    expect(loss.forward(tensor([0]), tensor([1])).item()).toBeCloseTo(3 * before, 5)
  })
})

test('layers say what does not fit', () => {
  const flat = ones([2, 3])
  expect([
    () => new nn.Conv2d(3, 4, 3).forward(flat),
    () => new nn.Conv2d(3, 4, 3).forward(ones([1, 2, 5, 5])),
    () => new nn.Conv2d(3, 4, 3, { groups: 2 }),
    () => new nn.Conv2d(4, 3, 3, { groups: 2 }),
    () => new nn.Conv1d(4, 3, [3, 3]),
    () => new nn.ConvTranspose2d(3, 4, 3, { groups: 2 }),
    () => new nn.ConvTranspose1d(1, 1, 3, { stride: 2 }).forward(ones([1, 1, 4]), [12]),
    () => new nn.MaxPool2d(2).forward(flat),
    () => new nn.MaxPool2d([2, 2, 2]),
    () => new nn.AvgPool3d(2).forward(ones([1, 1, 4, 4, 4, 4])),
    () => new nn.AdaptiveAvgPool2d([1]),
    () => new nn.GlobalAvgPool().forward(flat),
    () => new nn.BatchNorm2d(3).forward(flat),
    () => new nn.BatchNorm1d(3).forward(ones([2, 4])),
    () => new nn.BatchNorm1d(3).forward(ones([1, 3])),
    () => new nn.InstanceNorm2d(3).forward(flat),
    () => new nn.LayerNorm([2, 2]).forward(flat),
    () => new nn.GroupNorm(2, 3),
    () => new nn.GroupNorm(1, 4).forward(flat),
    () => new nn.Dropout(1.5),
    () => new nn.Dropout1d().forward(ones([3])),
    () => new nn.Embedding(3, 2, { paddingIdx: 3 }),
    () => nn.Embedding.fromPretrained(ones([3])),
    () => new nn.ReflectionPad2d([1, 2]),
    () => new nn.ReflectionPad2d(1).forward(flat),
    () => new nn.ZeroPad3d(1).forward(flat),
    () => new nn.Softmax2d().forward(flat),
    () => new nn.AdaptiveLogSoftmaxWithLoss(8, 9, [6, 3]),
    () => new nn.AdaptiveLogSoftmaxWithLoss(8, 9, [3]).forward(mul(ones([2, 8]), 1), int([1])),
  ].map(messageOf)).toMatchInlineSnapshot(`
    [
      "Conv2d: needs [n, 3, …] with 2 spatial axes, or [3, …] without a batch, got f32[2,3]. Move or add the axis of channels with transpose or unsqueeze",
      "Conv2d: needs [n, 3, …] with 2 spatial axes, or [3, …] without a batch, got f32[1,2,5,5]. Move or add the axis of channels with transpose or unsqueeze",
      "Conv2d: channels must be whole numbers that divide into the groups, got a weight of [4,1.5,3,3]",
      "Conv2d: 3 output channels do not divide into 2 groups",
      "Conv1d: kernel needs one number or 1, got [3,3]",
      "ConvTranspose2d: 3 input channels do not divide into 2 groups",
      "ConvTranspose1d: outputSize must be from [9] to [10], got [12]",
      "maxPool: needs [n, c, …] with 2 spatial axes, or [c, …] without a batch, got f32[2,3]",
      "MaxPool2d: kernel needs one number or 2, got [2,2,2]",
      "avgPool: needs [n, c, …] with 3 spatial axes, or [c, …] without a batch, got f32[1,1,4,4,4,4]",
      "AdaptiveAvgPool2d: needs one size or 2, got [1]",
      "GlobalAvgPool: needs [n, c, …] with at least one spatial axis, got f32[2,3]",
      "BatchNorm2d: needs [n, 3, …] with 4 axes, got f32[2,3]",
      "BatchNorm1d: needs [n, 3, …] with 2 or 3 axes, got f32[2,4]",
      "batchNorm: one value a channel has no variance, got f32[1,3]. Use a larger batch, or the running statistics: training: false, or eval() of a layer",
      "InstanceNorm2d: needs [n, 3, …] with 2 spatial axes, or [3, …] without a batch, got f32[2,3]. Move or add the axis of channels with transpose or unsqueeze",
      "LayerNorm: needs [..., 2, 2], got f32[2,3]",
      "GroupNorm: 3 channels do not divide into 2 groups",
      "GroupNorm: needs [n, 4, …], got f32[2,3]",
      "Dropout: p must be between 0 and 1, got 1.5",
      "Dropout1d: needs 2 or 3 axes, got f32[3]",
      "Embedding: paddingIdx must name one of 3 rows, got 3",
      "Embedding: the table must be [rows, width], got f32[3]",
      "ReflectionPad2d: needs one whole number or 4, got [1,2]",
      "ReflectionPad2d: needs [n, c, …] or [c, …] with 2 spatial axes, got f32[2,3]",
      "ZeroPad3d: needs at least 3 spatial axes, got f32[2,3]",
      "Softmax2d: needs [n, c, h, w] or [c, h, w], got f32[2,3]",
      "AdaptiveLogSoftmaxWithLoss: cutoffs must be whole numbers that rise between 0 and 9, the number of classes, got [6,3]",
      "AdaptiveLogSoftmaxWithLoss: needs features [n, d] with class indices [n], or [d] and a scalar, got f32[2,8] and i32[1]",
    ]
  `)
})
