// Normalisation layers.

import { add, type DType, mul, noGrad, ones, type Tensor, tensor, Variable, zeros } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { detach, div, layerNorm, mean, reshape, sqrt, standardise, sub, variance } from '@bp/ops'
import { Module, Parameter } from '../module.ts'

/** Options of {@link BatchNorm}. */
export interface BatchNormOptions {
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number
  /** How far each batch moves the running statistics; 0.1 unless given. */
  readonly momentum?: number
  /** Whether to scale and shift by learned parameters; true unless given. */
  readonly affine?: boolean
  readonly dtype?: DType
}

/**
 * Normalises each channel of [n, c, …] over all else: by the batch's statistics in training, by running ones in evaluation
 * (Ioffe & Szegedy 2015, "Batch Normalization"). The running variance is the unbiased one, as in PyTorch.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { BatchNorm } from '@bp/nn'
 * const norm = new BatchNorm(1, { eps: 0 })
 * norm.forward(tensor([[1], [3]])) // => tensor([[-1], [1]], float32)
 * norm.running_mean // => tensor([0.2], float32)
 * ```
 */
export class BatchNorm extends Module {
  readonly weight: Parameter | null
  readonly bias: Parameter | null
  readonly running_mean: Variable
  readonly running_var: Variable
  readonly num_batches_tracked: Variable
  private readonly eps: number
  private readonly momentum: number

  constructor(channels: number, { eps = 1e-5, momentum = 0.1, affine = true, dtype = 'float32' }: BatchNormOptions = {}) {
    super()
    this.weight = affine ? new Parameter(ones([channels], dtype)) : null
    this.bias = affine ? new Parameter(zeros([channels], dtype)) : null
    this.running_mean = new Variable(zeros([channels], dtype))
    this.running_var = new Variable(ones([channels], dtype))
    this.num_batches_tracked = new Variable(tensor(0n))
    this.eps = eps
    this.momentum = momentum
  }

  override forward(x: Tensor): Tensor {
    const channels = this.running_mean.size
    if (x.rank < 2 || x.shape[1] !== channels) fail('shape', 'BatchNorm', `needs [n, ${channels}, …], got ${describe(x)}`)
    const y = this.training ? this.byBatch(x) : div(sub(x, this.along(x, this.running_mean)), sqrt(add(this.along(x, this.running_var), this.eps)))
    return this.weight && this.bias ? add(mul(y, this.along(x, this.weight)), this.along(x, this.bias)) : y
  }

  private byBatch(x: Tensor): Tensor {
    const axes = x.shape.map((_, i) => i).filter(i => i !== 1)
    if (x.size === x.shape[1]) fail('shape', 'BatchNorm', `one value a channel has no variance, got ${describe(x)}. Use a larger batch, or eval()`)
    noGrad(() => {
      const value = detach(x)
      this.follow(this.running_mean, mean(value, axes))
      this.follow(this.running_var, variance(value, axes))
      this.num_batches_tracked.assign(add(this.num_batches_tracked, 1))
    })
    return standardise(x, axes, this.eps)
  }

  private follow(running: Variable, now: Tensor): void {
    running.assign(add(mul(running, 1 - this.momentum), mul(now, this.momentum)))
  }

  /** A vector of one number a channel, laid along axis 1. */
  private along(x: Tensor, v: Tensor): Tensor {
    return reshape(v, [v.size, ...new Array<number>(x.rank - 2).fill(1)])
  }
}

/** {@link BatchNorm} of [n, c] or [n, c, l]. */
export class BatchNorm1d extends BatchNorm {}
/** {@link BatchNorm} of [n, c, h, w]. */
export class BatchNorm2d extends BatchNorm {}

/** Options of {@link LayerNorm}. */
export interface LayerNormOptions {
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number
  readonly dtype?: DType
}

/** Normalises the last axes, of the given sizes, then scales and shifts (Ba et al. 2016, "Layer Normalization"). */
export class LayerNorm extends Module {
  readonly weight: Parameter
  readonly bias: Parameter
  private readonly eps: number

  constructor(shape: number | readonly number[], { eps = 1e-5, dtype = 'float32' }: LayerNormOptions = {}) {
    super()
    const sizes = typeof shape === 'number' ? [shape] : shape
    this.weight = new Parameter(ones(sizes, dtype))
    this.bias = new Parameter(zeros(sizes, dtype))
    this.eps = eps
  }

  override forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight.rank, this.weight, this.bias, this.eps)
  }
}
