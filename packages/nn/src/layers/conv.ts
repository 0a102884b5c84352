// Convolution and pooling layers over one, two and three spatial axes.

import { type Tensor } from '@bp/core'
import { avgPool, convolve, maxPool, type AvgPoolOptions, type Padding, type PerAxis, type PoolOptions } from '@bp/ops'
import { fans, kaimingUniform, uniform } from '../init.ts'
import { Module, Parameter } from '../module.ts'
import type { LayerOptions } from './linear.ts'

/** Options of the convolution layers. */
export interface ConvOptions extends LayerOptions {
  readonly stride?: PerAxis
  readonly padding?: Padding
  readonly dilation?: PerAxis
  readonly groups?: number
}

class Conv extends Module {
  readonly weight: Parameter
  readonly bias: Parameter | null
  private readonly options: ConvOptions

  constructor(axes: number, inChannels: number, outChannels: number, kernel: PerAxis, options: ConvOptions) {
    super()
    const sizes = typeof kernel === 'number' ? new Array<number>(axes).fill(kernel) : kernel
    const shape = [outChannels, inChannels / (options.groups ?? 1), ...sizes]
    this.weight = new Parameter(kaimingUniform(shape, { ...options, slope: Math.sqrt(5) }))
    this.bias = options.bias ?? true ? new Parameter(uniform([outChannels], 1 / Math.sqrt(fans(shape).fanIn), options)) : null
    this.options = options
  }

  override forward(x: Tensor): Tensor {
    const { stride = 1, padding = 0, dilation = 1, groups = 1 } = this.options
    return convolve(x, this.weight, { bias: this.bias ?? undefined, stride, padding, dilation, groups })
  }
}

/** Convolution over [n, c, l]. */
export class Conv1d extends Conv {
  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: ConvOptions = {}) {
    super(1, inChannels, outChannels, kernel, options)
  }
}

/**
 * Convolution over [n, c, h, w]; weight [out, in/groups, kh, kw].
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { Conv2d } from '@bp/nn'
 * new Conv2d(1, 8, 5, { padding: 2 }).forward(ones([2, 1, 28, 28])).shape // => [2, 8, 28, 28]
 * ```
 */
export class Conv2d extends Conv {
  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: ConvOptions = {}) {
    super(2, inChannels, outChannels, kernel, options)
  }
}

/** Convolution over [n, c, d, h, w]. */
export class Conv3d extends Conv {
  constructor(inChannels: number, outChannels: number, kernel: PerAxis, options: ConvOptions = {}) {
    super(3, inChannels, outChannels, kernel, options)
  }
}

/** The largest element of each window of [n, c, …]; the stride is the window's size unless given. */
export class MaxPool extends Module {
  readonly options: PoolOptions

  constructor(kernel: PerAxis, options: Omit<PoolOptions, 'kernel'> = {}) {
    super()
    this.options = { kernel, ...options }
  }

  override forward(x: Tensor): Tensor {
    return maxPool(x, this.options)
  }
}

/** The mean of each window of [n, c, …]; the stride is the window's size unless given. */
export class AvgPool extends Module {
  readonly options: AvgPoolOptions

  constructor(kernel: PerAxis, options: Omit<AvgPoolOptions, 'kernel'> = {}) {
    super()
    this.options = { kernel, ...options }
  }

  override forward(x: Tensor): Tensor {
    return avgPool(x, this.options)
  }
}

/** {@link MaxPool} over [n, c, l]. */
export class MaxPool1d extends MaxPool {}
/** {@link MaxPool} over [n, c, h, w]. */
export class MaxPool2d extends MaxPool {}
/** {@link AvgPool} over [n, c, l]. */
export class AvgPool1d extends AvgPool {}
/** {@link AvgPool} over [n, c, h, w]. */
export class AvgPool2d extends AvgPool {}
