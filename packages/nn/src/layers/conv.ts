// Convolution layers over one, two and three spatial axes.

import type { Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { convolve, type ConvolveOptions, type PerAxis } from '@bp/ops'
import { perAxis } from '@bp/ops/extend'
import { fans, kaimingUniform, uniform } from '../init.ts'
import { Module, Parameter } from '../module.ts'
import type { LayerOptions } from './linear.ts'
import { checkSpatial } from './spatial.ts'

/** Options of the convolution layers. */
export interface ConvOptions extends LayerOptions, Pick<ConvolveOptions, 'stride' | 'padding' | 'dilation' | 'groups' | 'paddingMode'> {}

/** The weight and bias of a convolution or its transpose, drawn as PyTorch draws them. */
export function convParameters(layer: string, channels: readonly [first: number, perGroup: number], outChannels: number, kernel: readonly number[], options: LayerOptions): { readonly weight: Parameter; readonly bias: Parameter | null } {
  const shape = [...channels, ...kernel]
  const bad = shape.find(n => !Number.isInteger(n) || n < 1)
  if (bad !== undefined) fail('value', layer, `channels must be whole numbers that divide into the groups, got a weight of [${shape.join(',')}]`)
  return {
    weight: new Parameter(kaimingUniform(shape, { ...options, slope: Math.sqrt(5) })),
    bias: options.bias ?? true ? new Parameter(uniform([outChannels], 1 / Math.sqrt(fans(shape).fanIn), options)) : null,
  }
}

class Conv extends Module {
  readonly weight: Parameter
  readonly bias: Parameter | null
  private readonly axes: number
  private readonly inChannels: number
  private readonly options: ConvOptions

  constructor(axes: number, inChannels: number, outChannels: number, kernel: PerAxis, options: ConvOptions) {
    super()
    const { groups = 1 } = options
    if (outChannels % groups !== 0) fail('value', `Conv${axes}d`, `${outChannels} output channels do not divide into ${groups} groups`)
    const { weight, bias } = convParameters(`Conv${axes}d`, [outChannels, inChannels / groups], outChannels, perAxis(`Conv${axes}d`, 'kernel', kernel, axes, 1), options)
    this.weight = weight
    this.bias = bias
    this.axes = axes
    this.inChannels = inChannels
    this.options = options
  }

  override forward(x: Tensor): Tensor {
    checkSpatial(`Conv${this.axes}d`, x, this.axes, this.inChannels)
    const { stride = 1, padding = 0, dilation = 1, groups = 1, paddingMode = 'zeros' } = this.options
    return convolve(x, this.weight, { bias: this.bias ?? undefined, stride, padding, dilation, groups, paddingMode })
  }
}

/** Convolution over [n, c, l] or [c, l]; weight [out, in/groups, k]. */
export class Conv1d extends Conv {
  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: ConvOptions = {}) {
    super(1, inChannels, outChannels, kernel, options)
  }
}

/**
 * Convolution over [n, c, h, w] or [c, h, w]; weight [out, in/groups, kh, kw].
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { Conv2d } from '@bp/nn'
 * new Conv2d(1, 8, 5, { padding: 2 }).forward(ones([2, 1, 28, 28])).shape // => [2, 8, 28, 28]
 * new Conv2d(1, 8, 3, { padding: 'same', paddingMode: 'reflect' }).forward(ones([1, 28, 28])).shape // => [8, 28, 28]
 * ```
 */
export class Conv2d extends Conv {
  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: ConvOptions = {}) {
    super(2, inChannels, outChannels, kernel, options)
  }
}

/** Convolution over [n, c, d, h, w] or [c, d, h, w]; weight [out, in/groups, kd, kh, kw]. */
export class Conv3d extends Conv {
  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: ConvOptions = {}) {
    super(3, inChannels, outChannels, kernel, options)
  }
}

/** Options of {@link DepthwiseConv2d}. */
export interface DepthwiseOptions extends Omit<ConvOptions, 'groups'> {
  /** How many outputs each channel has; 1 unless given. */
  readonly multiplier?: number
}

/** Convolves each channel by itself: {@link Conv2d} with as many groups as channels. */
export class DepthwiseConv2d extends Conv2d {
  constructor(channels: number, kernel: PerAxis, options: DepthwiseOptions = {}) {
    super(channels, channels * (options.multiplier ?? 1), kernel, { ...options, groups: channels })
  }
}

/**
 * A depthwise convolution and a 1 × 1 convolution that mixes its channels (Howard et al. 2017, "MobileNets", §3.1). The bias is in
 * the second one.
 *
 * @example
 * ```ts
 * import { SeparableConv2d } from '@bp/nn'
 * const layer = new SeparableConv2d(3, 8, 3, { padding: 1 })
 * layer.namedParameters().map(([name]) => name) // => [depthwise.weight, pointwise.weight, pointwise.bias]
 * ```
 */
export class SeparableConv2d extends Module {
  readonly depthwise: DepthwiseConv2d
  readonly pointwise: Conv2d

  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: DepthwiseOptions = {}) {
    super()
    const { multiplier = 1, bias = true, generator, dtype } = options
    this.depthwise = new DepthwiseConv2d(inChannels, kernel, { ...options, bias: false })
    this.pointwise = new Conv2d(inChannels * multiplier, outChannels, 1, { bias, ...generator && { generator }, ...dtype && { dtype } })
  }

  override forward(x: Tensor): Tensor {
    return this.pointwise.forward(this.depthwise.forward(x))
  }
}
