// Activation functions and dropout as layers.

import { mul, type Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { cast, gelu, type Generator, relu, sigmoid, silu, softmax, tanh, type GeluOptions } from '@bp/ops'
import { Module } from '../module.ts'
import { defaultGenerator } from '../random.ts'

/** max(x, 0). */
export class ReLU extends Module {
  override forward(x: Tensor): Tensor {
    return relu(x)
  }
}

/** tanh x. */
export class Tanh extends Module {
  override forward(x: Tensor): Tensor {
    return tanh(x)
  }
}

/** 1/(1 + e⁻ˣ). */
export class Sigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return sigmoid(x)
  }
}

/** x·σ(x). */
export class SiLU extends Module {
  override forward(x: Tensor): Tensor {
    return silu(x)
  }
}

/** x·Φ(x). */
export class GELU extends Module {
  private readonly options: GeluOptions

  constructor(options: GeluOptions = {}) {
    super()
    this.options = options
  }

  override forward(x: Tensor): Tensor {
    return gelu(x, this.options)
  }
}

/** e^x normalised to sum 1 along an axis. */
export class Softmax extends Module {
  readonly axis: number

  constructor(axis = -1) {
    super()
    this.axis = axis
  }

  override forward(x: Tensor): Tensor {
    return softmax(x, this.axis)
  }
}

/** Options of {@link Dropout}. */
export interface DropoutOptions {
  readonly generator?: Generator
}

/**
 * In training, zeroes each element with probability p and scales the rest by 1/(1 − p); in evaluation, does nothing
 * (Srivastava et al. 2014).
 */
export class Dropout extends Module {
  readonly p: number
  private readonly generator: Generator | undefined

  constructor(p = 0.5, options: DropoutOptions = {}) {
    super()
    if (!(p >= 0 && p < 1)) fail('value', 'Dropout', `p must be at least 0 and below 1, got ${p}`)
    this.p = p
    this.generator = options.generator
  }

  override forward(x: Tensor): Tensor {
    if (!this.training || this.p === 0) return x
    const keep = (this.generator ?? defaultGenerator()).bernoulli(1 - this.p, x.shape)
    return mul(x, mul(cast(keep, x.dtype), 1 / (1 - this.p)))
  }
}
