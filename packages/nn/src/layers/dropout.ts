// Layers that draw something in training and let everything pass in evaluation.

import { add, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { alphaDropout, dropout, featureAlphaDropout, featureDropout, type DropoutOptions as DropoutCall, type Generator } from '@bp/ops'
import { batched } from '@bp/ops/extend'
import { Module } from '../module.ts'
import { defaultGenerator } from '../random.ts'

/** Options of layers that draw. */
export interface DropoutOptions {
  /** Where the draws come from; the default generator unless given. */
  readonly generator?: Generator
}

/** Some kind of dropout with its probability. */
class Dropping extends Module {
  readonly p: number
  private readonly drop: (x: Tensor, p: number, options: DropoutCall) => Tensor
  private readonly generator: Generator | undefined

  constructor(drop: (x: Tensor, p: number, options: DropoutCall) => Tensor, p: number, options: DropoutOptions) {
    super()
    if (!(p >= 0 && p <= 1)) fail('value', 'Dropout', `p must be between 0 and 1, got ${p}`)
    this.drop = drop
    this.p = p
    this.generator = options.generator
  }

  override forward(x: Tensor): Tensor {
    return this.drop(x, this.p, { training: this.training, generator: this.generator ?? defaultGenerator() })
  }
}

/**
 * In training, zeroes each element with probability p and scales the rest by 1/(1 − p); in evaluation, does nothing
 * (Srivastava et al. 2014).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Dropout } from '@bp/nn'
 * new Dropout(0.5).eval().forward(tensor([1, 2])) // => tensor([1, 2], float32)
 * ```
 */
export class Dropout extends Dropping {
  constructor(p = 0.5, options: DropoutOptions = {}) {
    super(dropout, p, options)
  }
}

/** Drops whole channels of inputs of certain ranks. */
const channels = (layer: string, least: number, most: number, unbatched: number | null) => (x: Tensor, p: number, options: DropoutCall): Tensor => {
  if (x.rank < least || x.rank > most) fail('shape', layer, `needs ${least} or ${most} axes, got ${describe(x)}`)
  return unbatched === null ? featureDropout(x, p, options) : batched(x, unbatched, z => featureDropout(z, p, options))
}

/** {@link Dropout} of whole channels of [n, c, l] or [c, l] (Tompson et al. 2015). */
export class Dropout1d extends Dropping {
  constructor(p = 0.5, options: DropoutOptions = {}) {
    super(channels('Dropout1d', 2, 3, 1), p, options)
  }
}

/** {@link Dropout} of whole channels of [n, c, h, w]; three axes are taken for [n, c, l], as in PyTorch. */
export class Dropout2d extends Dropping {
  constructor(p = 0.5, options: DropoutOptions = {}) {
    super(channels('Dropout2d', 3, 4, null), p, options)
  }
}

/** {@link Dropout} of whole channels of [n, c, d, h, w] or [c, d, h, w]. */
export class Dropout3d extends Dropping {
  constructor(p = 0.5, options: DropoutOptions = {}) {
    super(channels('Dropout3d', 4, 5, 3), p, options)
  }
}

/** Dropout that keeps mean and variance of what a selu gives (Klambauer et al. 2017). */
export class AlphaDropout extends Dropping {
  constructor(p = 0.5, options: DropoutOptions = {}) {
    super(alphaDropout, p, options)
  }
}

/** {@link AlphaDropout} of whole channels: one draw for each entry of the first two axes. */
export class FeatureAlphaDropout extends Dropping {
  constructor(p = 0.5, options: DropoutOptions = {}) {
    super(featureAlphaDropout, p, options)
  }
}

/** In training, adds normal noise of mean 0 and the given standard deviation; in evaluation, does nothing (Bishop 1995, "Training with Noise"). */
export class GaussianNoise extends Module {
  readonly std: number
  private readonly generator: Generator | undefined

  constructor(std = 0.1, options: DropoutOptions = {}) {
    super()
    if (!(std >= 0)) fail('value', 'GaussianNoise', `the standard deviation must be 0 or positive, got ${std}`)
    this.std = std
    this.generator = options.generator
  }

  override forward(x: Tensor): Tensor {
    if (!this.training || this.std === 0) return x
    return add(x, (this.generator ?? defaultGenerator()).normal(x.shape, { std: this.std, dtype: x.dtype }))
  }
}
