// Normalisation layers with running statistics: of batches and of instances.

import { add, type DType, noGrad, ones, type Tensor, tensor, Variable, zeros } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { batchNorm, cast, div, instanceNorm, type Normalised } from '@bp/ops'
import { batched } from '@bp/ops/extend'
import { Module, Parameter } from '../module.ts'
import { checkSpatial } from './spatial.ts'

/** Options of {@link BatchNorm} and {@link InstanceNorm1d}. */
export interface BatchNormOptions {
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number
  /** How far each batch moves the running statistics; 0.1 unless given, `null` makes them the average of all batches so far. */
  readonly momentum?: number | null
  /** Whether to scale and shift by learned parameters; true unless given, but false of instance normalisation. */
  readonly affine?: boolean
  /** Whether to keep running statistics, and use them in evaluation; true unless given, but false of instance normalisation. */
  readonly trackRunningStats?: boolean
  readonly dtype?: DType
}

/** Parameters and statistics of every channel. */
abstract class Statistics extends Module {
  readonly weight: Parameter | null
  readonly bias: Parameter | null
  readonly running_mean: Variable | null
  readonly running_var: Variable | null
  readonly num_batches_tracked: Variable | null
  protected readonly channels: number
  protected readonly eps: number
  protected readonly momentum: number | null

  constructor(channels: number, { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true, dtype = 'float32' }: BatchNormOptions) {
    super()
    this.weight = affine ? new Parameter(ones([channels], dtype)) : null
    this.bias = affine ? new Parameter(zeros([channels], dtype)) : null
    this.running_mean = trackRunningStats ? new Variable(zeros([channels], dtype)) : null
    this.running_var = trackRunningStats ? new Variable(ones([channels], dtype)) : null
    this.num_batches_tracked = trackRunningStats ? new Variable(tensor(0n)) : null
    this.channels = channels
    this.eps = eps
    this.momentum = momentum
  }

  /** What the functions take. */
  protected options(): { readonly weight: Tensor | undefined; readonly bias: Tensor | undefined; readonly runningMean: Tensor | undefined; readonly runningVar: Tensor | undefined; readonly eps: number } {
    return { weight: this.weight ?? undefined, bias: this.bias ?? undefined, runningMean: this.running_mean ?? undefined, runningVar: this.running_var ?? undefined, eps: this.eps }
  }

  /** The result, once the running statistics have followed. */
  protected follow({ y, runningMean, runningVar }: Normalised): Tensor {
    if (runningMean && runningMean !== this.running_mean) this.running_mean?.assign(runningMean)
    if (runningVar && runningVar !== this.running_var) this.running_var?.assign(runningVar)
    return y
  }
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
export class BatchNorm extends Statistics {
  private readonly layer: string
  private readonly ranks: readonly [least: number, most: number]

  constructor(channels: number, options: BatchNormOptions = {}, layer = 'BatchNorm', ranks: readonly [least: number, most: number] = [2, Infinity]) {
    super(channels, options)
    this.layer = layer
    this.ranks = ranks
  }

  override forward(x: Tensor): Tensor {
    const [least, most] = this.ranks
    if (x.rank < least || x.rank > most || x.shape[1] !== this.channels) {
      fail('shape', this.layer, `needs [n, ${this.channels}, …]${most === Infinity ? '' : ` with ${least === most ? least : `${least} or ${most}`} axes`}, got ${describe(x)}`)
    }
    const training = this.training || !this.running_mean
    return this.follow(batchNorm(x, { ...this.options(), training, ...training && { momentum: this.rate() } }))
  }

  /** Counts the batch, and says how far it moves the running statistics. */
  private rate(): number | Tensor {
    const { num_batches_tracked: count, momentum } = this
    if (!count) return 0
    noGrad(() => { count.assign(add(count, 1)) })
    return momentum ?? div(1, cast(count, this.running_mean!.dtype))
  }
}

/** {@link BatchNorm} of [n, c] or [n, c, l]. */
export class BatchNorm1d extends BatchNorm {
  constructor(channels: number, options: BatchNormOptions = {}) {
    super(channels, options, 'BatchNorm1d', [2, 3])
  }
}

/** {@link BatchNorm} of [n, c, h, w]. */
export class BatchNorm2d extends BatchNorm {
  constructor(channels: number, options: BatchNormOptions = {}) {
    super(channels, options, 'BatchNorm2d', [4, 4])
  }
}

/** {@link BatchNorm} of [n, c, d, h, w]. */
export class BatchNorm3d extends BatchNorm {
  constructor(channels: number, options: BatchNormOptions = {}) {
    super(channels, options, 'BatchNorm3d', [5, 5])
  }
}

/** Normalises each channel of each example by itself, over a given number of spatial axes. */
class InstanceNorm extends Statistics {
  private readonly axes: number

  constructor(axes: number, channels: number, options: BatchNormOptions) {
    super(channels, { affine: false, trackRunningStats: false, ...options })
    this.axes = axes
  }

  override forward(x: Tensor): Tensor {
    const { axes, channels, momentum } = this
    checkSpatial(`InstanceNorm${axes}d`, x, axes, channels)
    // without momentum PyTorch's statistics stay as they are
    return batched(x, axes, z => this.follow(instanceNorm(z, { ...this.options(), useInputStats: this.training || !this.running_mean, momentum: momentum ?? 0 })))
  }
}

/**
 * Normalises each channel of each example of [n, c, l] or [c, l] by itself (Ulyanov et al. 2016, "Instance Normalization"). Without
 * parameters and running statistics unless asked for.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { InstanceNorm1d } from '@bp/nn'
 * new InstanceNorm1d(2, { eps: 0 }).forward(tensor([[1, 3], [10, 30]])) // => tensor([[-1, 1], [-1, 1]], float32)
 * ```
 */
export class InstanceNorm1d extends InstanceNorm {
  constructor(channels: number, options: BatchNormOptions = {}) {
    super(1, channels, options)
  }
}

/** {@link InstanceNorm1d} of [n, c, h, w] or [c, h, w]. */
export class InstanceNorm2d extends InstanceNorm {
  constructor(channels: number, options: BatchNormOptions = {}) {
    super(2, channels, options)
  }
}

/** {@link InstanceNorm1d} of [n, c, d, h, w] or [c, d, h, w]. */
export class InstanceNorm3d extends InstanceNorm {
  constructor(channels: number, options: BatchNormOptions = {}) {
    super(3, channels, options)
  }
}
