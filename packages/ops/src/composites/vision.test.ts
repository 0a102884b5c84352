// Pooling, interpolation, sampling and normalisation against values worked out by hand from the definitions.

import { cpu } from '@bp/backend-cpu'
import { gradients, jvp, type Tensor, tensor, use } from '@bp/core'
import { describe, expect, test } from 'vitest'
import { message } from '../../test/message.ts'
import * as ops from '../index.ts'

use(cpu())

const t = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, { dtype: 'float64' })
const int = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, { dtype: 'int32' })
const numbers = (x: Tensor): number[] => Array.from(x.dataSync(), Number)
function close(x: Tensor, shape: readonly number[], want: readonly number[]): void {
  expect(x.shape).toEqual(shape)
  numbers(x).forEach((value, i) => { expect(value, `element ${i}`).toBeCloseTo(want[i]!, 9) })
}
const line = t([[[1, 5, 2, 4, 3]]])
const square = t([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]])

describe('values', () => {
  test.each<[string, () => Tensor, number[], number[]]>([
    ['convolve without a batch', () => ops.convolve(t([[1, 2, 3]]), t([[[1, 1]]]), { bias: t([10]) }), [1, 2], [13, 15]],
    ['convTranspose without a batch', () => ops.convTranspose(t([[1, 2]]), t([[[1, 10]]])), [1, 3], [1, 12, 20]],
    ['output padding beyond the stride is zeros and bias', () => ops.convTranspose(t([[[1, 2]]]), t([[[1, 10]]]), { dilation: 3, outputPadding: 2, bias: t([1]) }), [1, 1, 7], [2, 3, 1, 11, 21, 1, 1]],
    ['output padding gives back what padding cut off', () => ops.convTranspose(t([[[1, 2]]]), t([[[1, 10]]]), { stride: 2, padding: 1, outputPadding: 1 }), [1, 1, 3], [10, 2, 20]],
    ['maxPool without a batch', () => ops.maxPool(t([[1, 5, 2, 4, 3]]), { kernel: [2] }), [1, 2], [5, 4]],
    ['avgPool by another divisor', () => ops.avgPool(line, { kernel: 2, divisorOverride: -4 }), [1, 1, 2], [-1.5, -1.5]],
    ['lpPool of p = 1 is the sum', () => ops.lpPool(line, 1, { kernel: 2 }), [1, 1, 2], [6, 6]],
    ['lpPool of p = 2', () => ops.lpPool(t([[3, 4, 0, 0]]), 2, { kernel: [2] }), [1, 2], [5, 0]],
    ['adaptiveAvgPool to uneven windows', () => ops.adaptiveAvgPool(line, 2), [1, 1, 2], [8 / 3, 3]],
    ['adaptiveAvgPool keeps an axis', () => ops.adaptiveAvgPool(square, [null, 1]), [1, 1, 3, 1], [2, 5, 8]],
    ['adaptiveAvgPool to more', () => ops.adaptiveAvgPool(t([[1, 3]]), [3]), [1, 3], [1, 2, 3]],
    ['adaptiveMaxPool', () => ops.adaptiveMaxPool(square, 2), [1, 1, 2, 2], [5, 6, 8, 9]],
    ['fractionalMaxPool', () => ops.fractionalMaxPool(square, { kernel: 1, outputSize: 2, randomSamples: t([[[0.9, 0.1]]]) }), [1, 1, 2, 2], [1, 3, 7, 9]],
    ['nearest', () => ops.interpolate(t([[[1, 2, 3]]]), { size: 5 }), [1, 1, 5], [1, 1, 2, 2, 3]],
    ['nearest-exact', () => ops.interpolate(t([[[1, 2, 3]]]), { size: 5, mode: 'nearest-exact' }), [1, 1, 5], [1, 1, 2, 3, 3]],
    ['nearest by a factor that rounding would spoil', () => ops.interpolate(t([Array.from({ length: 1 }, () => Array.from({ length: 49 }, (_, i) => i))]), { size: 147 }), [1, 1, 147], Array.from({ length: 147 }, (_, i) => Math.floor(i / 3))],
    ['linear', () => ops.interpolate(t([[[1, 3]]]), { size: 4, mode: 'linear' }), [1, 1, 4], [1, 1.5, 2.5, 3]],
    ['linear with corners in place', () => ops.interpolate(t([[[1, 4]]]), { size: 4, mode: 'linear', alignCorners: true }), [1, 1, 4], [1, 2, 3, 4]],
    ['linear by the factor itself', () => ops.interpolate(t([[[0, 1, 2]]]), { scaleFactor: 1.5, mode: 'linear' }), [1, 1, 4], [0, 0.5, 7 / 6, 11 / 6]],
    ['linear by the sizes', () => ops.interpolate(t([[[0, 1, 2]]]), { scaleFactor: 1.5, mode: 'linear', recomputeScaleFactor: true }), [1, 1, 4], [0, 0.625, 1.375, 2]],
    ['bicubic with corners in place', () => ops.interpolate(t([[[[1, 2, 9, 4, 5]]]]), { size: [1, 3], mode: 'bicubic', alignCorners: true }), [1, 1, 1, 3], [1, 9, 5]],
    ['bicubic weights', () => ops.interpolate(t([[[[1, 0]]]]), { size: [1, 4], mode: 'bicubic' }), [1, 1, 1, 4], [1.10546875, 0.7734375, 0.2265625, -0.10546875]],
    ['antialias', () => ops.interpolate(t([[[[0, 0, 8, 0, 0, 0]]]]), { size: [1, 3], mode: 'bilinear', antialias: true }), [1, 1, 1, 3], [8 / 7, 3, 0]],
    ['area', () => ops.interpolate(t([[[1, 2, 3, 4]]]), { size: 2, mode: 'area' }), [1, 1, 2], [1.5, 3.5]],
    ['gridSample at centres', () => ops.gridSample(square, t([[[[-1, -1], [0, 0], [1, 1]]]]), { alignCorners: true }), [1, 1, 1, 3], [1, 5, 9]],
    ['gridSample reads x first', () => ops.gridSample(square, t([[[[1, 0]]]]), { alignCorners: true }), [1, 1, 1, 1], [6]],
    ['gridSample half outside', () => ops.gridSample(square, t([[[[-1, 0]]]])), [1, 1, 1, 1], [2]],
    ['gridSample at the border', () => ops.gridSample(square, t([[[[-7, 0]]]]), { paddingMode: 'border' }), [1, 1, 1, 1], [4]],
    ['gridSample in the mirror', () => ops.gridSample(square, t([[[[-2, 0]]]]), { paddingMode: 'reflection', alignCorners: true }), [1, 1, 1, 1], [5]],
    ['gridSample rounds halves to even', () => ops.gridSample(square, t([[[[-0.5, -1], [0.5, -1]]]]), { mode: 'nearest', alignCorners: true }), [1, 1, 1, 2], [1, 3]],
    ['gridSample far outside is 0', () => ops.gridSample(square, t([[[[1e30, 0], [NaN, 0], [-Infinity, 0]]]]), { mode: 'nearest' }), [1, 1, 1, 3], [0, 0, 0]],
    ['affineGrid of a shift', () => ops.affineGrid(t([[[1, 0, 0.5], [0, 1, 0]]]), [1, 1, 1, 2], true), [1, 1, 2, 2], [-0.5, 0, 1.5, 0]],
    ['pixelUnshuffle undoes pixelShuffle', () => ops.pixelUnshuffle(ops.pixelShuffle(t([[[1, 2]], [[3, 4]], [[5, 6]], [[7, 8]]]), 2), 2), [4, 1, 2], [1, 2, 3, 4, 5, 6, 7, 8]],
    ['im2col', () => ops.im2col(square, { kernel: 2 }), [1, 4, 4], [1, 2, 4, 5, 2, 3, 5, 6, 4, 5, 7, 8, 5, 6, 8, 9]],
    ['col2im counts how often each place is read', () => ops.col2im(ops.im2col(t([[[[1, 1, 1], [1, 1, 1], [1, 1, 1]]]]), { kernel: 2 }), [3, 3], { kernel: 2 }), [1, 1, 3, 3], [1, 2, 1, 2, 4, 2, 1, 2, 1]],
    ['groupNorm', () => ops.groupNorm(t([[1, 3, 10, 30]]), 2, { weight: t([1, 1, 2, 2]), bias: t([0, 0, 0, 1]), eps: 0 }), [1, 4], [-1, 1, -2, 3]],
    ['rmsNorm', () => ops.rmsNorm(t([[3, 4]]), 1, undefined, 0), [1, 2], [3 / Math.sqrt(12.5), 4 / Math.sqrt(12.5)]],
    ['localResponseNorm looks back first', () => ops.localResponseNorm(t([[[1], [2], [3]]]), 2, { alpha: 2, beta: 1, k: 0 }), [1, 3, 1], [1, 2 / 5, 3 / 13]],
  ])('%s', (_name, f, shape, want) => { close(f(), shape, want) })

  test('indices count within a channel', () => {
    const x = t([[[1, 5, 2, 4], [9, 8, 7, 6]], [[0, 0, 0, 1], [3, 3, 2, 2]]])
    expect(ops.maxPoolWithIndices(x, { kernel: 2 })[1].toArray()).toEqual([[[1, 3], [0, 2]], [[0, 3], [0, 2]]])
    expect(ops.adaptiveMaxPoolWithIndices(x, 3)[1].toArray()).toEqual([[[1, 1, 3], [0, 1, 2]], [[0, 1, 3], [0, 1, 2]]])
    expect(numbers(ops.fractionalMaxPoolWithIndices(square, { kernel: 2, outputRatio: 0.7, randomSamples: t([[[0.5, 0.5]]]) })[1])).toEqual([4, 5, 7, 8])
  })

  test('a generator draws what fractionalMaxPool needs', () => {
    const pooled = (seed: number): string => String(ops.fractionalMaxPool(ops.reshape(ops.iota(400, 'float32'), [1, 1, 20, 20]), { kernel: 2, outputSize: 9, generator: new ops.Generator(seed) }))
    expect(pooled(1)).toBe(pooled(1))
    expect(pooled(1)).not.toBe(pooled(2))
  })
})

describe('maxUnpool', () => {
  const x = t([[[1, 2, 3]]])
  const index = int([[[4, 1, 1]]])
  const unpool = (z: Tensor): Tensor => ops.maxUnpool(z, index, { kernel: 2, stride: 2, outputSize: [5] })

  test('the last of several values at one place stays, and each gets its gradient', () => {
    const leaf = t([[[1, 2, 3]]])
    leaf.requiresGrad = true
    const y = unpool(leaf)
    expect(numbers(y)).toEqual([0, 3, 0, 0, 1])
    expect(numbers(gradients([y], [leaf], { gradOutputs: [t([[[1, 2, 3, 4, 5]]])] })[0]!)).toEqual([5, 2, 2])
    expect(numbers(jvp(unpool, [x], [t([[[7, 8, 9]]])])[1])).toEqual([0, 9, 0, 0, 7])
  })
})

describe('derivatives where they are conventions', () => {
  const slope = (f: (x: Tensor) => Tensor, x: Tensor): number[] => {
    x.requiresGrad = true
    return numbers(gradients([ops.sum(f(x))], [x])[0]!)
  }

  test('a place that the border holds has none; inside it has', () => {
    const sampled = (paddingMode: 'border' | 'reflection') => (grid: Tensor): Tensor => ops.gridSample(square, grid, { paddingMode, alignCorners: true })
    expect(slope(sampled('border'), t([[[[-1, 0], [-3, 0.5], [0.5, 0]]]]))).toEqual([0, 3, 0, 3, 1, 3])
    expect(slope(sampled('reflection'), t([[[[-1.5, 0], [1, 0.5]]]]))).toEqual([-1, 3, 0, 3])
  })

  test('the p-norm of nothing but zeros has slope 0', () => { expect(slope(x => ops.lpPool(x, 2, { kernel: 2 }), t([[[0, 0, 0, 4]]]))).toEqual([0, 0, 0, 1]) })
})

describe('running statistics', () => {
  const x = t([[[1, 3], [2, 2]], [[5, 7], [2, 6]]])
  const running = { runningMean: t([0, 10]), runningVar: t([1, 1]) }

  test('follow the batch, unbiased, in training', () => {
    const { y, runningMean, runningVar } = ops.batchNorm(x, { ...running, training: true, momentum: 0.5, eps: 0 })
    close(runningMean!, [2], [2, 6.5])
    close(runningVar!, [2], [(1 + 20 / 3) / 2, (1 + 4) / 2])
    close(y, [2, 2, 2], [-3, -1, -1, -1, 1, 3, -1, 3].map((value, i) => value / Math.sqrt(i % 4 < 2 ? 5 : 3)))
  })

  test('follow the mean of the instances', () => {
    const { runningMean, runningVar } = ops.instanceNorm(x, { ...running, momentum: 0.5 })
    close(runningMean!, [2], [2, 6.5])
    close(runningVar!, [2], [(1 + 2) / 2, (1 + 4) / 2])
  })

  test('stay, and are used, otherwise', () => {
    const batch = ops.batchNorm(x, { ...running, eps: 3 })
    close(batch.y, [2, 2, 2], [0.5, 1.5, -4, -4, 2.5, 3.5, -4, -2])
    expect(batch.runningMean).toBe(running.runningMean)
    close(ops.instanceNorm(x, { ...running, useInputStats: false, eps: 3 }).y, [2, 2, 2], numbers(batch.y))
  })

  test('are constants to differentiation', () => {
    const leaf = t([[1], [3]])
    leaf.requiresGrad = true
    const { y, runningVar } = ops.batchNorm(leaf, { runningMean: t([0]), runningVar: t([1]), training: true })
    expect([y.requiresGrad, runningVar!.requiresGrad]).toEqual([true, false])
  })

  test('nothing is normalised to nothing', () => { expect(ops.batchNorm(ops.reshape(t([]), [0, 3]), { training: true }).y.shape).toEqual([0, 3]) })
})

test('an empty batch goes through', () => {
  const none = (...shape: number[]): Tensor => ops.reshape(tensor(new Float64Array(0)), [0, ...shape])
  const shapes = [
    ops.convolve(none(2, 5), t([[[1], [1]]])), ops.convTranspose(none(1, 5), t([[[1, 1]]])), ops.maxPool(none(2, 6), { kernel: 2 }), ops.avgPool(none(2, 6), { kernel: 2 }),
    ops.adaptiveAvgPool(none(2, 6), 4), ops.adaptiveMaxPool(none(2, 6), 4), ops.interpolate(none(2, 6), { size: 3 }), ops.interpolate(none(2, 6), { size: 3, mode: 'linear' }),
    ops.gridSample(none(2, 3, 3), none(4, 5, 2)), ops.im2col(none(2, 3, 3), { kernel: 2 }), ops.groupNorm(none(2, 3), 2), ops.instanceNorm(none(2, 3)).y,
  ].map(y => y.shape.join())
  expect(shapes).toEqual(['0,1,5', '0,1,6', '0,2,3', '0,2,3', '0,2,4', '0,2,4', '0,2,3', '0,2,3', '0,2,4,5', '0,8,4', '0,2,3', '0,2,3'])
})

test('errors name what they got and the way out', () => {
  const x = tensor([[[1, 2, 3]]])
  const image = ops.reshape(tensor([1, 2, 3, 4]), [1, 1, 2, 2])
  expect([
    () => ops.convolve(x, tensor([1])),
    () => ops.convolve(x, tensor([[[1]]]), { bias: tensor([1, 2]) }),
    () => ops.convolve(x, tensor([[[1]]]), { groups: 0 }),
    () => ops.convTranspose(x, tensor([[[1]]]), { outputPadding: 1 }),
    () => ops.convTranspose(x, tensor([[[1]]]), { padding: 2 }),
    () => ops.maxPool(x, { kernel: [2, 2, 2] }),
    () => ops.avgPool(x, { kernel: 2, divisorOverride: 0 }),
    () => ops.avgPool(x, { kernel: 4 }),
    () => ops.lpPool(x, Infinity, { kernel: 2 }),
    () => ops.maxUnpool(x, int([[[0, 1]]]), { kernel: 2 }),
    () => ops.maxUnpool(x, int([[[0, 1, 6]]]), { kernel: 2 }),
    () => ops.maxUnpool(x, int([[[0, 1, 2]]]), { kernel: 2, outputSize: [9] }),
    () => ops.adaptiveAvgPool(x, -1),
    () => ops.adaptiveMaxPool(ops.reshape(tensor([]), [1, 1, 0]), 2),
    () => ops.fractionalMaxPool(image, { kernel: 2, outputSize: 2 }),
    () => ops.fractionalMaxPool(image, { kernel: 1, outputRatio: 1 }),
    () => ops.fractionalMaxPool(image, { kernel: 1, outputSize: 1 }),
    () => ops.fractionalMaxPool(image, { kernel: 1, outputSize: 1, randomSamples: x }),
    () => ops.interpolate(x, { size: 2, mode: 'bilinear' }),
    () => ops.interpolate(x, { size: 2, scaleFactor: 2 }),
    () => ops.interpolate(x, { size: 2, recomputeScaleFactor: true }),
    () => ops.interpolate(x, { scaleFactor: 0.1 }),
    () => ops.interpolate(x, { size: 2, alignCorners: true }),
    () => ops.interpolate(x, { size: 2, mode: 'linear', antialias: true }),
    () => ops.gridSample(image, x),
    () => ops.affineGrid(x, [1, 1, 2, 2]),
    () => ops.pixelShuffle(x, 2),
    () => ops.pixelUnshuffle(x, 2),
    () => ops.channelShuffle(x, 2),
    () => ops.im2col(x, { kernel: 4 }),
    () => ops.col2im(x, [3], { kernel: 2 }),
    () => ops.batchNorm(tensor([[1, 2]]), { training: true }),
    () => ops.batchNorm(x),
    () => ops.batchNorm(x, { training: true, weight: tensor([1, 2]) }),
    () => ops.instanceNorm(tensor([[[1]]])),
    () => ops.groupNorm(x, 2),
    () => ops.rmsNorm(x, 4),
    () => ops.localResponseNorm(tensor([[1]]), 1),
  ].map(message)).toMatchInlineSnapshot(`
    [
      "shape | conv: needs a kernel with two axes of channels and at least one spatial axis, got f32[1,1,3] and f32[1]",
      "shape | conv: the bias must be one number for each of the 1 output channels, got f32[2]",
      "value | conv: groups must be a whole number ≥ 1, got 0",
      "value | convTranspose: outputPadding must be smaller than the stride or the dilation, got 1 with stride 1 and dilation 1",
      "shape | convTranspose: the padding removes all of the result of f32[1,1,3] and f32[1,1,1]. Pad less",
      "shape | maxPool: needs [n, c, …] with 3 spatial axes, or [c, …] without a batch, got f32[1,1,3]",
      "value | avgPool: divisorOverride must not be 0. Leave it out to divide by the number of elements",
      "shape | avgPool: the window [4] is larger than the padded input f32[1,1,3]. Pad more, or use a smaller window",
      "value | lpPool: p must be a positive number, got Infinity. Use maxPool for the limit at infinity",
      "shape | maxUnpool: the values f32[1,1,3] and the indices i32[1,1,2] must have one shape",
      "value | unpool: index 6 is outside a plane of 6 places. Give the indices that max pooling returned, and the size of what it pooled",
      "value | maxUnpool: outputSize [9] must be less than a stride from [6], where axis 0 is not",
      "value | adaptiveAvgPool: the sizes must be whole numbers ≥ 0 or null, got -1",
      "shape | adaptiveMaxPool: the spatial axes [0] are empty and cannot be pooled to [2]",
      "value | fractionalMaxPool: cannot lay 2 windows of 2 over axis 0 of size 2 of f32[1,1,2,2]. Use a smaller window or output",
      "value | fractionalMaxPool: outputRatio must be between 0 and 1, got 1",
      "value | fractionalMaxPool: needs randomSamples, or a generator to draw them: new Generator(seed)",
      "shape | fractionalMaxPool: randomSamples must be [1,1,2] for f32[1,1,2,2], got f32[1,1,3]",
      "value | interpolate: mode bilinear is for 2 spatial axes, got f32[1,1,3]. Use linear",
      "value | interpolate: needs either size or scaleFactor",
      "value | interpolate: recomputeScaleFactor needs a scaleFactor",
      "value | interpolate: scaleFactor [0.1] leaves nothing of the spatial sizes [3]",
      "value | interpolate: alignCorners is for the linear and cubic modes, not for nearest",
      "value | interpolate: antialias is for the modes bilinear and bicubic, not for linear",
      "shape | gridSample: needs x: [n, c, …] and a grid [n, …, 2] of one rank, got f32[1,1,2,2] and f32[1,1,3]",
      "shape | affineGrid: needs theta: [n, axes, axes + 1] for the size [1,1,2,2], got f32[1,1,3]",
      "shape | pixelShuffle: needs [..., c, h, w] with c a multiple of 4, got f32[1,1,3]",
      "shape | pixelUnshuffle: needs [..., c, h, w] with h and w multiples of 2, got f32[1,1,3]",
      "shape | channelShuffle: needs [n, c, …] whose channels divide into 2 groups, got f32[1,1,3]",
      "shape | im2col: the window [4] is larger than the padded spatial sizes [3]. Pad more, or use a smaller window",
      "shape | col2im: needs [n, c·2, 2] for windows [2] over [3], got f32[1,1,3]",
      "shape | batchNorm: one value a channel has no variance, got f32[1,2]. Use a larger batch, or the running statistics: training: false, or eval() of a layer",
      "value | batchNorm: needs runningMean and runningVar unless it uses the statistics of x",
      "shape | batchNorm: the weight must be one number for each of the 1 channels of f32[1,1,3], got f32[2]",
      "shape | instanceNorm: one value an instance has no variance, got f32[1,1,1]. Use more than one spatial element, or useInputStats: false",
      "value | groupNorm: 1 channels of f32[1,1,3] do not divide into 2 groups",
      "axis | rmsNorm: axes must be between 1 and 3, the rank of f32[1,1,3], got 4",
      "shape | localResponseNorm: needs [n, c, …] with at least one spatial axis, got f32[1,1]",
    ]
  `)
})
