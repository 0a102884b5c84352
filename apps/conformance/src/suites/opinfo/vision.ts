// Convolution, pooling, interpolation, grid sampling and normalisation.

import { type Tensor, zeros } from '@bp/core'
import {
  adaptiveAvgPool, adaptiveMaxPool, adaptiveMaxPoolWithIndices, add, affineGrid, avgPool, batchNorm, channelShuffle, col2im, convolve, convTranspose, detach, fractionalMaxPool,
  type FractionalPoolOptions, fractionalMaxPoolWithIndices, gridSample, type GridSampleOptions, groupNorm, im2col, instanceNorm, interpolate, type InterpolateMode, layerNorm,
  localResponseNorm, lpPool, maxPool, maxPoolWithIndices, maxUnpool, mean, type Padding, pixelShuffle, pixelUnshuffle, rmsNorm, rsqrt, variance, type WindowOptions,
} from '@bp/ops'
import type { Adapter, Arguments } from './arguments.ts'

/** One number an axis: a single one stands for all. */
function spread(call: Arguments, place: number, keyword: string, axes: number, otherwise?: number): readonly number[] {
  const list = call.numbers(place, keyword, otherwise === undefined ? undefined : [otherwise])
  return list.length === 1 ? new Array<number>(axes).fill(list[0]!) : list
}

/** A stride, which left out or empty is the window's size. */
function strideOf(call: Arguments, place: number, axes: number): readonly number[] | undefined {
  const list = call.maybeNumbers(place, 'stride')
  return list && list.length > 0 ? spread(call, place, 'stride', axes) : undefined
}

function paddingOf(call: Arguments, place: number, axes: number): Padding {
  const value = call.value(place, 'padding')
  return typeof value === 'string' ? value as 'same' | 'valid' : spread(call, place, 'padding', axes, 0)
}

const convolution = (axes: number): Adapter => call => convolve(call.input, call.tensor(1, 'weight'), {
  bias: call.maybeTensor(2, 'bias'), stride: spread(call, 3, 'stride', axes, 1), padding: paddingOf(call, 4, axes), dilation: spread(call, 5, 'dilation', axes, 1), groups: call.number(6, 'groups', 1),
})

const transposed = (axes: number): Adapter => call => convTranspose(call.input, call.tensor(1, 'weight'), {
  bias: call.maybeTensor(2, 'bias'), stride: spread(call, 3, 'stride', axes, 1), padding: spread(call, 4, 'padding', axes, 0), outputPadding: spread(call, 5, 'output_padding', axes, 0),
  groups: call.number(6, 'groups', 1), dilation: spread(call, 7, 'dilation', axes, 1),
})

const largest = (axes: number): Adapter => call => {
  const options = {
    kernel: spread(call, 1, 'kernel_size', axes), stride: strideOf(call, 2, axes), padding: spread(call, 3, 'padding', axes, 0), dilation: spread(call, 4, 'dilation', axes, 1),
    ceilMode: call.flag(5, 'ceil_mode'),
  }
  return call.flag(6, 'return_indices') ? maxPoolWithIndices(call.input, options) : maxPool(call.input, options)
}

const average = (axes: number): Adapter => call => avgPool(call.input, {
  kernel: spread(call, 1, 'kernel_size', axes), stride: strideOf(call, 2, axes), padding: spread(call, 3, 'padding', axes, 0), ceilMode: call.flag(4, 'ceil_mode'),
  countIncludePad: call.flag(5, 'count_include_pad', true), divisorOverride: call.maybeNumber(6, 'divisor_override'),
})

const powers = (axes: number): Adapter => call => lpPool(call.input, call.number(1, 'norm_type'), {
  kernel: spread(call, 2, 'kernel_size', axes), stride: strideOf(call, 3, axes), ceilMode: call.flag(4, 'ceil_mode'),
})

/** The sizes of an adaptive pooling, where None keeps an axis. */
function adaptiveSize(call: Arguments, axes: number): readonly (number | null)[] {
  const value = call.value(1, 'output_size')
  return Array.isArray(value) && value.length > 1 ? value as (number | null)[] : spread(call, 1, 'output_size', axes)
}

const adaptiveMean = (axes: number): Adapter => call => adaptiveAvgPool(call.input, adaptiveSize(call, axes))

const adaptiveLargest = (axes: number): Adapter => call => {
  const size = adaptiveSize(call, axes)
  return call.flag(2, 'return_indices') ? adaptiveMaxPoolWithIndices(call.input, size) : adaptiveMaxPool(call.input, size)
}

/** The random numbers must be given: PyTorch's generator is not ours. */
const fractional = (axes: number): Adapter => call => {
  const options: FractionalPoolOptions = {
    kernel: spread(call, 1, 'kernel_size', axes), outputSize: call.has(2, 'output_size') ? spread(call, 2, 'output_size', axes) : undefined,
    outputRatio: call.has(3, 'output_ratio') ? spread(call, 3, 'output_ratio', axes) : undefined, randomSamples: call.tensor(5, '_random_samples'),
  }
  return call.flag(4, 'return_indices') ? fractionalMaxPoolWithIndices(call.input, options) : fractionalMaxPool(call.input, options)
}

const unpooled = (axes: number): Adapter => call => maxUnpool(call.input, call.tensor(1, 'indices'), {
  kernel: spread(call, 2, 'kernel_size', axes), stride: strideOf(call, 3, axes), padding: spread(call, 4, 'padding', axes, 0), outputSize: call.maybeNumbers(5, 'output_size')?.slice(-axes),
})

/** One number for all axes, one for each, or nothing. */
function maybePerAxis(call: Arguments, place: number, keyword: string): number | readonly number[] | undefined {
  const list = call.maybeNumbers(place, keyword)
  return list?.length === 1 ? list[0] : list
}

const resized: Adapter = call => interpolate(call.input, {
  size: maybePerAxis(call, 1, 'size'), scaleFactor: maybePerAxis(call, 2, 'scale_factor'), mode: call.text(3, 'mode', 'nearest') as InterpolateMode,
  alignCorners: call.flag(4, 'align_corners'), recomputeScaleFactor: call.flag(5, 'recompute_scale_factor'), antialias: call.flag(6, 'antialias'),
})

const upsampled = (options: { readonly mode: InterpolateMode; readonly alignCorners: boolean }): Adapter => call =>
  interpolate(call.input, { size: maybePerAxis(call, 1, 'size'), scaleFactor: maybePerAxis(call, 2, 'scale_factor'), ...options })

/** The windows of `unfold` and `fold`, which begin at a place of the arguments. */
const windows = (call: Arguments, place: number): WindowOptions => ({
  kernel: spread(call, place, 'kernel_size', 2), dilation: spread(call, place + 1, 'dilation', 2, 1), padding: spread(call, place + 2, 'padding', 2, 0), stride: spread(call, place + 3, 'stride', 2, 1),
})

/** PyTorch returns the statistics too, and does not differentiate them. */
const nativeBatchNorm: Adapter = call => {
  const x = call.input
  const training = call.flag(5, 'training')
  const eps = call.number(7, 'eps')
  const { y } = batchNorm(x, {
    weight: call.maybeTensor(1, 'weight'), bias: call.maybeTensor(2, 'bias'), runningMean: call.maybeTensor(3, 'running_mean'), runningVar: call.maybeTensor(4, 'running_var'),
    training, momentum: call.number(6, 'momentum'), eps,
  })
  return [y, ...training ? statistics(x, x.shape.flatMap((_, i) => i === 1 ? [] : i), false, eps) : [zeros([0], x.dtype), zeros([0], x.dtype)]]
}

const nativeLayerNorm: Adapter = call => {
  const axes = call.numbers(1, 'normalized_shape').length
  const eps = call.number(4, 'eps')
  const y = layerNorm(call.input, axes, call.maybeTensor(2, 'weight'), call.maybeTensor(3, 'bias'), eps)
  return [y, ...statistics(call.input, Array.from({ length: axes }, (_, i) => i - axes), true, eps)]
}

/** The mean and 1/√(variance + ε) over some axes, as constants. */
function statistics(x: Tensor, axes: readonly number[], keepDims: boolean, eps: number): Tensor[] {
  const value = detach(x)
  return [mean(value, axes, keepDims), rsqrt(add(variance(value, axes, { correction: 0, keepDims }), eps))]
}

/** An adapter for each number of spatial axes. */
const forAxes = (name: string, adapter: (axes: number) => Adapter, counts: readonly number[] = [1, 2, 3]): Record<string, Adapter> =>
  Object.fromEntries(counts.map(axes => [`nn.functional.${name}${axes}d`, adapter(axes)]))

/** The adapters of this family. */
export const vision: Readonly<Record<string, Adapter>> = {
  ...forAxes('conv', convolution), ...forAxes('conv_transpose', transposed),
  ...forAxes('max_pool', largest), ...forAxes('avg_pool', average), ...forAxes('lp_pool', powers), ...forAxes('max_unpool', unpooled),
  ...forAxes('adaptive_avg_pool', adaptiveMean), ...forAxes('adaptive_max_pool', adaptiveLargest), ...forAxes('fractional_max_pool', fractional, [2, 3]),
  'nn.functional.interpolate': resized, 'nn.functional.upsample': resized,
  'nn.functional.upsample_nearest': upsampled({ mode: 'nearest', alignCorners: false }), 'nn.functional.upsample_bilinear': upsampled({ mode: 'bilinear', alignCorners: true }),
  'nn.functional.grid_sample': call => gridSample(call.input, call.tensor(1, 'grid'), {
    mode: call.text(2, 'mode', 'bilinear') as NonNullable<GridSampleOptions['mode']>, paddingMode: call.text(3, 'padding_mode', 'zeros') as NonNullable<GridSampleOptions['paddingMode']>,
    alignCorners: call.flag(4, 'align_corners'),
  }),
  'nn.functional.affine_grid': call => affineGrid(call.input, call.numbers(1, 'size'), call.flag(2, 'align_corners')),
  'nn.functional.pixel_shuffle': call => pixelShuffle(call.input, call.number(1, 'upscale_factor')),
  'nn.functional.pixel_unshuffle': call => pixelUnshuffle(call.input, call.number(1, 'downscale_factor')),
  'nn.functional.channel_shuffle': call => channelShuffle(call.input, call.number(1, 'groups')),
  'nn.functional.unfold': call => im2col(call.input, windows(call, 1)),
  'nn.functional.fold': call => col2im(call.input, spread(call, 1, 'output_size', 2), windows(call, 2)),
  'nn.functional.batch_norm': call => batchNorm(call.input, {
    runningMean: call.maybeTensor(1, 'running_mean'), runningVar: call.maybeTensor(2, 'running_var'), weight: call.maybeTensor(3, 'weight'), bias: call.maybeTensor(4, 'bias'),
    training: call.flag(5, 'training'), momentum: call.number(6, 'momentum', 0.1), eps: call.number(7, 'eps', 1e-5),
  }).y,
  'nn.functional.instance_norm': call => instanceNorm(call.input, {
    runningMean: call.maybeTensor(1, 'running_mean'), runningVar: call.maybeTensor(2, 'running_var'), weight: call.maybeTensor(3, 'weight'), bias: call.maybeTensor(4, 'bias'),
    useInputStats: call.flag(5, 'use_input_stats', true), momentum: call.number(6, 'momentum', 0.1), eps: call.number(7, 'eps', 1e-5),
  }).y,
  'nn.functional.group_norm': call => groupNorm(call.input, call.number(1, 'num_groups'), { weight: call.maybeTensor(2, 'weight'), bias: call.maybeTensor(3, 'bias'), eps: call.number(4, 'eps', 1e-5) }),
  'nn.functional.layer_norm': call => layerNorm(call.input, call.numbers(1, 'normalized_shape').length, call.maybeTensor(2, 'weight'), call.maybeTensor(3, 'bias'), call.number(4, 'eps', 1e-5)),
  'nn.functional.rms_norm': call => rmsNorm(call.input, call.numbers(1, 'normalized_shape').length, call.maybeTensor(2, 'weight'), call.maybeNumber(3, 'eps')),
  'nn.functional.local_response_norm': call => localResponseNorm(call.input, call.number(1, 'size'), { alpha: call.number(2, 'alpha', 1e-4), beta: call.number(3, 'beta', 0.75), k: call.number(4, 'k', 1) }),
  native_batch_norm: nativeBatchNorm, native_layer_norm: nativeLayerNorm,
}
