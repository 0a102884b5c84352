// Optimisers that scale each element by the history of its gradient: Adam, AdamW, RMSprop, Adagrad.

import { add, mul, type Tensor } from '@bp/core'
import { div, sqrt, square, sub } from '@bp/ops'
import type { Parameter } from '../module.ts'
import { Optimizer, type ParameterGroup } from './optimizer.ts'

/** a moved towards b by the fraction t. */
const lerp = (a: Tensor, b: Tensor, t: number): Tensor => add(a, mul(sub(b, a), t))

/** w·a + (1 − w)·b² */
const meanSquare = (a: Tensor, b: Tensor, w: number): Tensor => add(mul(a, w), mul(square(b), 1 - w))

/** Options of {@link Adam} and {@link AdamW}. */
export interface AdamOptions {
  lr: number
  betas: readonly [number, number]
  eps: number
  weightDecay: number
}

/**
 * m ← β₁m + (1 − β₁)g,   v ← β₂v + (1 − β₂)g²,   p ← p − lr·m̂/(√v̂ + ε) (Kingma & Ba 2014, "Adam", algorithm 1), as
 * `torch.optim.Adam`; weight decay is added to the gradient.
 *
 * @example
 * ```ts
 * import { mul, tensor } from '@bp/core'
 * import { Adam, Parameter } from '@bp/nn'
 * const w = new Parameter(tensor(1))
 * const optimiser = new Adam([w], { lr: 0.1 })
 * mul(w, w).backward()
 * optimiser.step()
 * w // => tensor(0.9, float32)
 * ```
 */
export class Adam extends Optimizer<AdamOptions> {
  constructor(params: readonly Parameter[] | readonly ParameterGroup<AdamOptions>[], options: Partial<AdamOptions> = {}) {
    super(params, { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, ...options })
  }

  protected override update(p: Parameter, grad: Tensor, group: AdamOptions, step: () => number): Tensor {
    const { weightDecay } = group
    return this.move(p, p, weightDecay === 0 ? grad : add(grad, mul(p, weightDecay)), group, step)
  }

  /** `value` moved by Adam's step for parameter `p`. */
  protected move(p: Parameter, value: Tensor, g: Tensor, group: AdamOptions, step: () => number): Tensor {
    const { betas: [b1, b2], eps } = group
    const m = this.keep(p, 'exp_avg', lerp(this.slot(p, 'exp_avg'), g, 1 - b1))
    const v = this.keep(p, 'exp_avg_sq', meanSquare(this.slot(p, 'exp_avg_sq'), g, b2))
    const scale = add(div(sqrt(v), this.scalar(p, () => Math.sqrt(1 - b2 ** step()))), eps)
    return sub(value, mul(div(m, scale), this.scalar(p, () => group.lr / (1 - b1 ** step()))))
  }
}

/** {@link Adam} with weight decay apart from the gradient: p ← (1 − lr·λ)p first (Loshchilov & Hutter 2017); λ is 0.01 unless given. */
export class AdamW extends Adam {
  constructor(params: readonly Parameter[] | readonly ParameterGroup<AdamOptions>[], options: Partial<AdamOptions> = {}) {
    super(params, { weightDecay: 0.01, ...options })
  }

  protected override update(p: Parameter, grad: Tensor, group: AdamOptions, step: () => number): Tensor {
    return this.move(p, mul(p, this.scalar(p, () => 1 - group.lr * group.weightDecay)), grad, group, step)
  }
}

/** Options of {@link RMSprop}. */
export interface RMSpropOptions {
  lr: number
  alpha: number
  eps: number
  weightDecay: number
  momentum: number
  centered: boolean
}

/** Divides by a running root mean square of the gradient (Tieleman & Hinton 2012, lecture 6.5), as `torch.optim.RMSprop`. */
export class RMSprop extends Optimizer<RMSpropOptions> {
  constructor(params: readonly Parameter[] | readonly ParameterGroup<RMSpropOptions>[], options: Partial<RMSpropOptions> = {}) {
    super(params, { lr: 1e-2, alpha: 0.99, eps: 1e-8, weightDecay: 0, momentum: 0, centered: false, ...options })
  }

  protected override update(p: Parameter, grad: Tensor, group: RMSpropOptions): Tensor {
    const { alpha, eps, weightDecay, momentum, centered } = group
    const g = weightDecay === 0 ? grad : add(grad, mul(p, weightDecay))
    const v = this.keep(p, 'square_avg', meanSquare(this.slot(p, 'square_avg'), g, alpha))
    const spread = centered ? sub(v, square(this.keep(p, 'grad_avg', lerp(this.slot(p, 'grad_avg'), g, 1 - alpha)))) : v
    const scaled = div(g, add(sqrt(spread), eps))
    const step = momentum === 0 ? scaled : this.keep(p, 'momentum_buffer', add(mul(this.slot(p, 'momentum_buffer'), momentum), scaled))
    return sub(p, mul(step, this.scalar(p, () => group.lr)))
  }
}

/** Options of {@link Adagrad}. */
export interface AdagradOptions {
  lr: number
  lrDecay: number
  eps: number
  weightDecay: number
}

/** Divides by the root of the sum of all squared gradients so far (Duchi et al. 2011), as `torch.optim.Adagrad`. */
export class Adagrad extends Optimizer<AdagradOptions> {
  constructor(params: readonly Parameter[] | readonly ParameterGroup<AdagradOptions>[], options: Partial<AdagradOptions> = {}) {
    super(params, { lr: 1e-2, lrDecay: 0, eps: 1e-10, weightDecay: 0, ...options })
  }

  protected override update(p: Parameter, grad: Tensor, group: AdagradOptions, step: () => number): Tensor {
    const { lrDecay, eps, weightDecay } = group
    const g = weightDecay === 0 ? grad : add(grad, mul(p, weightDecay))
    const total = this.keep(p, 'sum', add(this.slot(p, 'sum'), square(g)))
    return sub(p, mul(div(g, add(sqrt(total), eps)), this.scalar(p, () => group.lr / (1 + (step() - 1) * lrDecay))))
  }
}
