// Residual branches, and dropping them at random.

import { add, mul, type Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { cast, type Generator } from '@bp/ops'
import { Module } from '../module.ts'
import { defaultGenerator } from '../random.ts'

/** Options of {@link StochasticDepth}. */
export interface StochasticDepthOptions {
  /** Whether each row of the batch is dropped by itself, or the whole batch at once; `'row'` unless given. */
  readonly mode?: 'row' | 'batch'
  readonly generator?: Generator
}

/**
 * In training, zeroes whole samples with probability p and scales the rest by 1/(1 − p); in evaluation, does nothing. On a
 * residual branch it makes the network shallower at random (Huang et al. 2016, "Deep Networks with Stochastic Depth").
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { Generator } from '@bp/ops'
 * import { StochasticDepth } from '@bp/nn'
 * new StochasticDepth(0.5, { generator: new Generator(1) }).forward(ones([3, 2])) // => tensor([[0, 0], [0, 0], [2, 2]], float32)
 * ```
 */
export class StochasticDepth extends Module {
  readonly p: number
  private readonly mode: 'row' | 'batch'
  private readonly generator: Generator | undefined

  constructor(p: number, { mode = 'row', generator }: StochasticDepthOptions = {}) {
    super()
    if (!(p >= 0 && p <= 1)) fail('value', 'StochasticDepth', `p must be between 0 and 1, got ${p}`)
    this.p = p
    this.mode = mode
    this.generator = generator
  }

  override forward(x: Tensor): Tensor {
    if (!this.training || this.p === 0) return x
    const shape = x.shape.map((size, i) => i === 0 && this.mode === 'row' ? size : 1)
    const kept = cast((this.generator ?? defaultGenerator()).bernoulli(1 - this.p, shape), x.dtype)
    return mul(x, this.p === 1 ? kept : mul(kept, 1 / (1 - this.p)))
  }
}

/** Options of {@link Residual}. */
export interface ResidualOptions extends StochasticDepthOptions {
  /** What the input goes through beside the branch where shapes change; nothing unless given. */
  readonly shortcut?: Module
  /** The probability of dropping the branch for a sample in training; 0 unless given. */
  readonly drop?: number
}

/**
 * y = shortcut(x) + branch(x), the branch dropped at random in training if asked (He et al. 2016, "Deep Residual Learning").
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { Linear, ReLU, Residual, Sequential } from '@bp/nn'
 * const block = new Residual(new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 4)), { drop: 0.1 })
 * block.forward(ones([2, 4])).shape // => [2, 4]
 * block.namedParameters().map(([name]) => name) // => [branch.0.weight, branch.0.bias, branch.2.weight, branch.2.bias]
 * ```
 */
export class Residual extends Module {
  readonly branch: Module
  readonly shortcut: Module | null
  private readonly depth: StochasticDepth

  constructor(branch: Module, { shortcut, drop = 0, ...options }: ResidualOptions = {}) {
    super()
    this.branch = branch
    this.shortcut = shortcut ?? null
    this.depth = new StochasticDepth(drop, options)
  }

  override forward(x: Tensor): Tensor {
    return add(this.shortcut ? this.shortcut.forward(x) : x, this.depth.forward(this.branch.forward(x)))
  }
}
