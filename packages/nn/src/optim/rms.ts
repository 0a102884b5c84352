// Optimisers that divide by a root mean square of past gradients: RMSprop, Adagrad, Adadelta.

import { add, full, mul, type Tensor } from '@bp/core'
import { div, sqrt, square, sub } from '@bp/ops'
import type { Parameter } from '../module.ts'
import { notNegative, type Now, Optimizer, type OptimizerOptions, type ParametersOrGroups } from './optimizer.ts'
import { decayed, lerp, meanSquare } from './steps.ts'

/** Options of {@link RMSprop}. */
export interface RMSpropOptions extends OptimizerOptions {
  /** How much of the running mean stays in each step. */
  alpha: number
  eps: number
  weightDecay: number
  momentum: number
  /** Takes the variance, not the mean square (Graves 2013, "Generating sequences with recurrent neural networks", eq. 38 – 45). */
  centered: boolean
}

/**
 * v ← αv + (1 − α)g²,   p ← p − lr·g/(√v + ε) (Tieleman & Hinton 2012, lecture 6.5), with momentum b ← μb + g/(√v + ε),
 * p ← p − lr·b, as `torch.optim.RMSprop`.
 */
export class RMSprop extends Optimizer<RMSpropOptions> {
  constructor(params: ParametersOrGroups<RMSpropOptions>, options: Partial<RMSpropOptions> = {}) {
    super(params, { lr: 1e-2, alpha: 0.99, eps: 1e-8, weightDecay: 0, momentum: 0, centered: false, maximize: false, ...options }, { alpha: notNegative, eps: notNegative, weightDecay: notNegative, momentum: notNegative })
  }

  protected override update(p: Parameter, grad: Tensor, group: RMSpropOptions, now: Now): Tensor {
    const g = decayed(p, grad, group, now)
    const v = this.next(p, 'square_avg', v => meanSquare(v, g, now, () => group.alpha))
    const spread = group.centered ? sub(v, square(this.next(p, 'grad_avg', m => lerp(m, g, now(() => 1 - group.alpha))))) : v
    const scaled = div(g, add(sqrt(spread), group.eps))
    const step = group.momentum === 0 ? scaled : this.next(p, 'momentum_buffer', b => add(mul(b, now(() => group.momentum)), scaled))
    return sub(p, mul(step, now(() => group.lr)))
  }
}

/** Options of {@link Adagrad}. */
export interface AdagradOptions extends OptimizerOptions {
  lrDecay: number
  eps: number
  weightDecay: number
  /** What the sum of squares starts at. */
  initialAccumulatorValue: number
}

/**
 * s ← s + g²,   p ← p − lr/(1 + (t − 1)·decay)·g/(√s + ε) (Duchi et al. 2011, "Adaptive subgradient methods"), as
 * `torch.optim.Adagrad`.
 */
export class Adagrad extends Optimizer<AdagradOptions> {
  constructor(params: ParametersOrGroups<AdagradOptions>, options: Partial<AdagradOptions> = {}) {
    super(params, { lr: 1e-2, lrDecay: 0, eps: 1e-10, weightDecay: 0, initialAccumulatorValue: 0, maximize: false, ...options }, { lrDecay: notNegative, eps: notNegative, weightDecay: notNegative, initialAccumulatorValue: notNegative })
  }

  protected override update(p: Parameter, grad: Tensor, group: AdagradOptions, now: Now): Tensor {
    const g = decayed(p, grad, group, now)
    const total = this.next(p, 'sum', s => add(s, square(g)), () => full(p.shape, group.initialAccumulatorValue, p.dtype, p.backend))
    return sub(p, mul(div(g, add(sqrt(total), group.eps)), now(step => group.lr / (1 + (step - 1) * group.lrDecay), (lr, step) => div(lr, add(1, mul(sub(step, 1), group.lrDecay))))))
  }
}

/** Options of {@link Adadelta}. */
export interface AdadeltaOptions extends OptimizerOptions {
  /** How much of the running means stays in each step. */
  rho: number
  eps: number
  weightDecay: number
}

/**
 * v ← ρv + (1 − ρ)g²,   Δ = √(u + ε)/√(v + ε)·g,   u ← ρu + (1 − ρ)Δ²,   p ← p − lr·Δ (Zeiler 2012, "ADADELTA", algorithm 1),
 * as `torch.optim.Adadelta`.
 */
export class Adadelta extends Optimizer<AdadeltaOptions> {
  constructor(params: ParametersOrGroups<AdadeltaOptions>, options: Partial<AdadeltaOptions> = {}) {
    super(params, { lr: 1, rho: 0.9, eps: 1e-6, weightDecay: 0, maximize: false, ...options }, { rho: ['in [0, 1]', rho => rho >= 0 && rho <= 1], eps: notNegative, weightDecay: notNegative })
  }

  protected override update(p: Parameter, grad: Tensor, group: AdadeltaOptions, now: Now): Tensor {
    const g = decayed(p, grad, group, now)
    const rho = (): number => group.rho
    const v = this.next(p, 'square_avg', v => meanSquare(v, g, now, rho))
    let delta = g
    this.next(p, 'acc_delta', u => {
      delta = mul(div(sqrt(add(u, group.eps)), sqrt(add(v, group.eps))), g)
      return meanSquare(u, delta, now, rho)
    })
    return sub(p, mul(delta, now(() => group.lr)))
  }
}
