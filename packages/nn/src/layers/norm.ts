// Normalisation layers with parameters of their own for every feature or channel.

import { type DType, ones, type Shape, type Tensor, zeros } from '@bp/core'
import { groupNorm, layerNorm, localResponseNorm, type LocalResponseNormOptions, rmsNorm } from '@bp/ops'
import { describe, fail, sameShape } from '@bp/core/extend'
import { Module, Parameter } from '../module.ts'
import { FunctionModule } from './function.ts'

/** Options of {@link LayerNorm}. */
export interface LayerNormOptions {
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number
  /** Whether to scale and shift by learned parameters; true unless given. */
  readonly elementwiseAffine?: boolean
  /** Whether to shift where it scales; true unless given. */
  readonly bias?: boolean
  readonly dtype?: DType
}

/** Throws where the last axes of x have not the sizes that a layer normalises. */
function checkLast(layer: string, x: Tensor, sizes: Shape): void {
  if (!sameShape(x.shape.slice(-sizes.length), sizes)) fail('shape', layer, `needs [..., ${sizes.join(', ')}], got ${describe(x)}`)
}

/**
 * Normalises the last axes, of the given sizes, then scales and shifts (Ba et al. 2016, "Layer Normalization").
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { LayerNorm } from '@bp/nn'
 * new LayerNorm(2, { eps: 0 }).forward(tensor([[1, 3], [10, 30]])) // => tensor([[-1, 1], [-1, 1]], float32)
 * ```
 */
export class LayerNorm extends Module {
  readonly weight: Parameter | null
  readonly bias: Parameter | null
  private readonly shape: Shape
  private readonly eps: number

  constructor(shape: number | Shape, { eps = 1e-5, elementwiseAffine = true, bias = true, dtype = 'float32' }: LayerNormOptions = {}) {
    super()
    this.shape = typeof shape === 'number' ? [shape] : shape
    this.weight = elementwiseAffine ? new Parameter(ones(this.shape, dtype)) : null
    this.bias = elementwiseAffine && bias ? new Parameter(zeros(this.shape, dtype)) : null
    this.eps = eps
  }

  override forward(x: Tensor): Tensor {
    checkLast('LayerNorm', x, this.shape)
    return layerNorm(x, this.shape.length, this.weight ?? undefined, this.bias ?? undefined, this.eps)
  }
}

/** Options of {@link RMSNorm}. */
export interface RMSNormOptions {
  /** Added to the mean square; the machine epsilon of the input's dtype unless given. */
  readonly eps?: number
  /** Whether to scale by learned parameters; true unless given. */
  readonly elementwiseAffine?: boolean
  readonly dtype?: DType
}

/** Divides by the root of the mean square over the last axes, of the given sizes, then scales (Zhang & Sennrich 2019). */
export class RMSNorm extends Module {
  readonly weight: Parameter | null
  private readonly shape: Shape
  private readonly eps: number | undefined

  constructor(shape: number | Shape, { eps, elementwiseAffine = true, dtype = 'float32' }: RMSNormOptions = {}) {
    super()
    this.shape = typeof shape === 'number' ? [shape] : shape
    this.weight = elementwiseAffine ? new Parameter(ones(this.shape, dtype)) : null
    this.eps = eps
  }

  override forward(x: Tensor): Tensor {
    checkLast('RMSNorm', x, this.shape)
    return rmsNorm(x, this.shape.length, this.weight ?? undefined, this.eps)
  }
}

/** Options of {@link GroupNorm}. */
export interface GroupNormOptions {
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number
  /** Whether to scale and shift each channel by learned parameters; true unless given. */
  readonly affine?: boolean
  readonly dtype?: DType
}

/** Normalises groups of channels of each example of [n, c, …], then scales and shifts each channel (Wu & He 2018, "Group Normalization"). */
export class GroupNorm extends Module {
  readonly weight: Parameter | null
  readonly bias: Parameter | null
  private readonly groups: number
  private readonly channels: number
  private readonly eps: number

  constructor(groups: number, channels: number, { eps = 1e-5, affine = true, dtype = 'float32' }: GroupNormOptions = {}) {
    super()
    if (channels % groups !== 0) fail('value', 'GroupNorm', `${channels} channels do not divide into ${groups} groups`)
    this.weight = affine ? new Parameter(ones([channels], dtype)) : null
    this.bias = affine ? new Parameter(zeros([channels], dtype)) : null
    this.groups = groups
    this.channels = channels
    this.eps = eps
  }

  override forward(x: Tensor): Tensor {
    if (x.rank < 2 || x.shape[1] !== this.channels) fail('shape', 'GroupNorm', `needs [n, ${this.channels}, …], got ${describe(x)}`)
    return groupNorm(x, this.groups, { weight: this.weight ?? undefined, bias: this.bias ?? undefined, eps: this.eps })
  }
}

/** Divides each element by a power of the mean square of its neighbours among the channels of [n, c, …] (Krizhevsky et al. 2012). */
export class LocalResponseNorm extends FunctionModule {
  constructor(size: number, options: LocalResponseNormOptions = {}) {
    super(x => localResponseNorm(x, size, options))
  }
}
