// Optimisers that follow the sign of the gradient only: Rprop, Lion.

import { full, mul, type Tensor } from '@bp/core'
import { clamp, greater, less, select, sign, sub } from '@bp/ops'
import type { Parameter } from '../module.ts'
import { betaRule, notNegative, type Now, Optimizer, type OptimizerOptions, type ParametersOrGroups } from './optimizer.ts'
import { lerp, shrunk } from './steps.ts'

/** Options of {@link Rprop}. */
export interface RpropOptions extends OptimizerOptions {
  /** η⁻ and η⁺: by what a step shrinks after a change of sign, and grows without one. */
  etas: readonly [number, number]
  /** The smallest and the largest step. */
  stepSizes: readonly [number, number]
}

/**
 * Each element has a step of its own, lr at first: times η⁺ where the gradient kept its sign, times η⁻ where it changed, and
 * there the element rests once; p ← p − sign(g)·step (Riedmiller & Braun 1993, "A direct adaptive method for faster
 * backpropagation learning"), as `torch.optim.Rprop`. For whole batches only.
 */
export class Rprop extends Optimizer<RpropOptions> {
  constructor(params: ParametersOrGroups<RpropOptions>, options: Partial<RpropOptions> = {}) {
    super(params, { lr: 1e-2, etas: [0.5, 1.2], stepSizes: [1e-6, 50], maximize: false, ...options }, {
      etas: ['[η⁻, η⁺] with 0 < η⁻ < 1 < η⁺', ([down, up]) => down > 0 && down < 1 && up > 1],
    })
  }

  protected override update(p: Parameter, grad: Tensor, group: RpropOptions): Tensor {
    const { etas: [down, up], stepSizes: [least, most] } = group
    let value: Tensor = p
    this.next(p, 'prev', before => {
      const kept = mul(grad, before)
      const step = this.next(p, 'step_size', size => clamp(mul(size, select(greater(kept, 0), up, select(less(kept, 0), down, full([], 1, p.dtype, p.backend)))), least, most), () => full(p.shape, group.lr, p.dtype, p.backend))
      const g = select(less(kept, 0), 0, grad)
      value = sub(p, mul(sign(g), step))
      return g
    })
    return value
  }
}

/** Options of {@link Lion}. */
export interface LionOptions extends OptimizerOptions {
  betas: readonly [number, number]
  weightDecay: number
}

/**
 * p ← (1 − lr·λ)p − lr·sign(β₁m + (1 − β₁)g),   m ← β₂m + (1 − β₂)g (Chen et al. 2023, "Symbolic discovery of optimization
 * algorithms", algorithm 2). Wants a rate 3 to 10 times smaller, and a decay as many times larger, than AdamW.
 */
export class Lion extends Optimizer<LionOptions> {
  constructor(params: ParametersOrGroups<LionOptions>, options: Partial<LionOptions> = {}) {
    super(params, { lr: 1e-4, betas: [0.9, 0.99], weightDecay: 0, maximize: false, ...options }, {
      betas: betaRule,
      weightDecay: notNegative,
    })
  }

  protected override update(p: Parameter, grad: Tensor, group: LionOptions, now: Now): Tensor {
    let direction = grad
    this.next(p, 'exp_avg', m => {
      direction = sign(lerp(m, grad, now(() => 1 - group.betas[0])))
      return lerp(m, grad, now(() => 1 - group.betas[1]))
    })
    return sub(shrunk(p, group, now), mul(direction, now(() => group.lr)))
  }
}
