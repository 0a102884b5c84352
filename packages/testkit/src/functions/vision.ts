// Samples of convolution, pooling, interpolation, sampling and normalisation as users call them.

import {
  adaptiveAvgPool, adaptiveMaxPool, adaptiveMaxPoolWithIndices, affineGrid, avgPool, batchNorm, channelShuffle, col2im, convolve, convTranspose, fractionalMaxPool,
  fractionalMaxPoolWithIndices, gridSample, type GridSampleOptions, groupNorm, im2col, instanceNorm, interpolate, localResponseNorm, lpPool, maxPool,
  maxPoolWithIndices, maxUnpool, pixelShuffle, pixelUnshuffle, rmsNorm,
} from '@bp/ops'
import type { FunctionSample } from '../functions.ts'
import { distinct, fixed, given, operand, type OperandSpec, uniform } from '../sample.ts'

/** A sample of a function of its operands. */
const at = (operands: readonly OperandSpec[], f: FunctionSample['f']): FunctionSample => ({ operands, f })

const image = operand([1, 2, 5, 4])
const peaks = (...shape: number[]): OperandSpec => operand(shape, distinct(-2, 2))
const scales = operand([2], uniform(0.5, 2))

/** Three by two places inside, between and outside the elements of an image, away from where neighbours change. */
const places = (...axes: number[]): OperandSpec => operand([1, ...axes], given(-0.83, 0.17, 0.42, -0.37, 1.33, 0.61, -0.13, -1.57, 0.71, 0.27, 0.07, -0.43))

const sampled = (options: GridSampleOptions): FunctionSample => at([image, places(2, 3, 2)], (x, grid) => gridSample(x, grid, options))

/** Samples by function. */
export const visionFunctions: Readonly<Record<string, readonly FunctionSample[]>> = {
  convolve: [
    at([operand([1, 2, 5]), operand([2, 1, 3]), operand([2])], (x, w, bias) => convolve(x, w, { bias, groups: 2, padding: 'same' })),
    at([operand([1, 2, 4, 3]), operand([2, 2, 3, 3])], (x, w) => convolve(x, w, { padding: 'same', paddingMode: 'reflect' })),
    at([operand([2, 4, 5]), operand([3, 2, 2, 2])], (x, w) => convolve(x, w, { stride: [2, 1], padding: 1, dilation: 2 })),
  ],
  convTranspose: [
    at([operand([1, 2, 3]), operand([2, 1, 3]), operand([2])], (x, w, bias) => convTranspose(x, w, { bias, groups: 2, stride: 2, padding: 1, outputPadding: 1 })),
    at([operand([2, 3, 2]), operand([2, 1, 2, 2])], (x, w) => convTranspose(x, w, { stride: 2, dilation: 4, padding: [[0, 1], [1, 2]], outputPadding: 3 })),
  ],
  maxPool: [at([peaks(2, 5)], x => maxPool(x, { kernel: [2], stride: 1 })), at([peaks(1, 1, 5, 4)], x => maxPool(x, { kernel: 3, stride: 2, padding: 1, ceilMode: true }))],
  maxPoolWithIndices: [at([peaks(2, 2, 5)], x => maxPoolWithIndices(x, { kernel: 3, stride: 2, padding: 1 }))],
  avgPool: [
    at([operand([2, 5])], x => avgPool(x, { kernel: [2] })),
    at([image], x => avgPool(x, { kernel: 3, stride: 2, padding: 1, ceilMode: true, divisorOverride: 5 })),
  ],
  lpPool: [at([operand([1, 2, 6], uniform(0.5, 2))], x => lpPool(x, 3, { kernel: 2 })), at([operand([2, 5])], x => lpPool(x, 2, { kernel: [3], stride: 2, ceilMode: true }))],
  maxUnpool: [at([operand([1, 2, 2, 2]), fixed([1, 2, 2, 2], 'int32', given(0, 3, 8, 15, 5, 2, 13, 10))], (x, index) => maxUnpool(x, index, { kernel: 2 }))],
  adaptiveAvgPool: [at([image], x => adaptiveAvgPool(x, [3, null])), at([operand([2, 6])], x => adaptiveAvgPool(x, [4]))],
  adaptiveMaxPool: [at([peaks(1, 2, 5, 4)], x => adaptiveMaxPool(x, [3, 2])), at([peaks(2, 6)], x => adaptiveMaxPool(x, [2]))],
  adaptiveMaxPoolWithIndices: [at([peaks(2, 5, 4)], x => adaptiveMaxPoolWithIndices(x, [3, 3]))],
  fractionalMaxPool: [at([peaks(1, 2, 5, 6), fixed([1, 2, 2], 'float64', uniform(0, 1))], (x, u) => fractionalMaxPool(x, { kernel: 2, outputSize: [2, 3], randomSamples: u }))],
  fractionalMaxPoolWithIndices: [at([peaks(2, 4, 4, 5), fixed([1, 2, 3], 'float64', uniform(0, 1))], (x, u) => fractionalMaxPoolWithIndices(x, { kernel: [2, 2, 3], outputRatio: 0.5, randomSamples: u }))],
  interpolate: [
    at([operand([1, 2, 5])], x => interpolate(x, { scaleFactor: 1.7 })),
    at([operand([1, 2, 5])], x => interpolate(x, { size: 3, mode: 'nearest-exact' })),
    at([operand([1, 2, 5])], x => interpolate(x, { scaleFactor: 1.7, mode: 'linear', recomputeScaleFactor: true })),
    at([image], x => interpolate(x, { size: [3, 7], mode: 'bilinear', alignCorners: true })),
    at([image], x => interpolate(x, { scaleFactor: [0.5, 1.5], mode: 'bicubic' })),
    at([image], x => interpolate(x, { size: 2, mode: 'bilinear', antialias: true })),
    at([image], x => interpolate(x, { size: [2, 6], mode: 'bicubic', antialias: true })),
    at([operand([1, 1, 2, 3, 2])], x => interpolate(x, { size: [3, 2, 3], mode: 'trilinear' })),
    at([image], x => interpolate(x, { size: [2, 3], mode: 'area' })),
  ],
  gridSample: [
    sampled({}), sampled({ paddingMode: 'border', alignCorners: true }), sampled({ paddingMode: 'reflection' }), sampled({ mode: 'nearest' }),
    sampled({ mode: 'bicubic' }), sampled({ mode: 'bicubic', paddingMode: 'reflection', alignCorners: true }), sampled({ mode: 'bicubic', paddingMode: 'border' }),
    at([operand([1, 2, 3, 4, 2]), places(2, 2, 1, 3)], (x, grid) => gridSample(x, grid, { paddingMode: 'reflection', alignCorners: true })),
  ],
  affineGrid: [at([operand([2, 2, 3])], theta => affineGrid(theta, [2, 1, 2, 3])), at([operand([1, 3, 4])], theta => affineGrid(theta, [1, 1, 2, 1, 3], true))],
  pixelShuffle: [at([operand([2, 4, 2, 3])], x => pixelShuffle(x, 2))],
  pixelUnshuffle: [at([operand([1, 4, 6])], x => pixelUnshuffle(x, 2))],
  channelShuffle: [at([operand([2, 6, 2])], x => channelShuffle(x, 3))],
  im2col: [at([image], x => im2col(x, { kernel: 2, stride: 2, padding: 1 })), at([operand([2, 5])], x => im2col(x, { kernel: [2], dilation: 2 }))],
  col2im: [
    at([operand([2, 8, 6])], x => col2im(x, [3, 4], { kernel: 2 })),
    at([operand([4, 4])], x => col2im(x, [5], { kernel: 2, stride: 2, padding: [[1, 2]] })),
  ],
  batchNorm: [
    at([operand([3, 2, 2]), scales, operand([2])], (x, weight, bias) => batchNorm(x, { weight, bias, training: true }).y),
    at([operand([3, 2]), operand([2]), scales], (x, runningMean, runningVar) => batchNorm(x, { runningMean, runningVar }).y),
  ],
  instanceNorm: [
    at([operand([2, 2, 5]), scales, operand([2])], (x, weight, bias) => instanceNorm(x, { weight, bias }).y),
    at([operand([2, 2, 3]), operand([2]), scales], (x, runningMean, runningVar) => instanceNorm(x, { runningMean, runningVar, useInputStats: false }).y),
  ],
  groupNorm: [at([operand([2, 4, 3]), operand([4]), operand([4])], (x, weight, bias) => groupNorm(x, 2, { weight, bias }))],
  rmsNorm: [at([operand([2, 3, 2]), operand([3, 2])], (x, weight) => rmsNorm(x, 2, weight, 1e-3)), at([operand([2, 4])], x => rmsNorm(x, 1))],
  localResponseNorm: [at([operand([1, 5, 3])], x => localResponseNorm(x, 3, { alpha: 0.5 })), at([operand([2, 4, 2])], x => localResponseNorm(x, 2, { alpha: 1, beta: 0.5, k: 2 }))],
}
