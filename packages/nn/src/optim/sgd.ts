// Stochastic gradient descent, and its averaged form.

import { add, mul, type Tensor } from '@bp/core'
import { toTensor } from '@bp/core/extend'
import { equal, select, sub } from '@bp/ops'
import type { Parameter } from '../module.ts'
import { notNegative, type Now, Optimizer, type OptimizerOptions, type ParametersOrGroups } from './optimizer.ts'
import { decayed } from './steps.ts'

/** Options of {@link SGD}. */
export interface SGDOptions extends OptimizerOptions {
  momentum: number
  dampening: number
  weightDecay: number
  nesterov: boolean
}

/**
 * b ← μb + (1 − τ)g,   p ← p − lr·b, with Nesterov's variant p ← p − lr·(g + μb) (Sutskever et al. 2013), as
 * `torch.optim.SGD`; weight decay λp is added to the gradient.
 *
 * @example
 * ```ts
 * import { mul, tensor } from '@bp/core'
 * import { Parameter, SGD } from '@bp/nn'
 * const w = new Parameter(tensor(1))
 * const optimiser = new SGD([w], { lr: 0.1 })
 * mul(w, w).backward()
 * optimiser.step()
 * w // => tensor(0.8, float32)
 * ```
 */
export class SGD extends Optimizer<SGDOptions> {
  constructor(params: ParametersOrGroups<SGDOptions>, options: Partial<SGDOptions> = {}) {
    super(params, { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, maximize: false, ...options }, {
      momentum: notNegative,
      weightDecay: notNegative,
      nesterov: ['false without momentum, or with dampening', (on, { momentum, dampening }) => !on || momentum > 0 && dampening === 0],
    })
  }

  protected override update(p: Parameter, grad: Tensor, group: SGDOptions, now: Now): Tensor {
    const g = decayed(p, grad, group, now)
    const lr = now(() => group.lr)
    if (group.momentum === 0) return sub(p, mul(g, lr))
    const momentum = now(() => group.momentum)
    // the first gradient enters undamped
    const fresh = group.dampening === 0 ? g : mul(g, now(step => step === 1 ? 1 : 1 - group.dampening, (_lr, step) => select(equal(step, 1), 1, toTensor(1 - group.dampening, step))))
    const velocity = this.next(p, 'momentum_buffer', before => add(mul(before, momentum), fresh))
    return sub(p, mul(group.nesterov ? add(g, mul(velocity, momentum)) : velocity, lr))
  }
}

/** Options of {@link ASGD}. */
export interface ASGDOptions extends OptimizerOptions {
  /** Decay of the parameters, and of the rate. */
  lambd: number
  /** The power by which the rate falls. */
  alpha: number
  /** The step after which parameters are averaged. */
  t0: number
  weightDecay: number
}

/**
 * p ← (1 − λη)p − ηg with ηₜ₊₁ = lr/(1 + λ·lr·t)^α, and a running mean ax of p from step t₀ on (Polyak & Juditsky 1992,
 * "Acceleration of stochastic approximation by averaging"), as `torch.optim.ASGD`.
 */
export class ASGD extends Optimizer<ASGDOptions> {
  constructor(params: ParametersOrGroups<ASGDOptions>, options: Partial<ASGDOptions> = {}) {
    super(params, { lr: 1e-2, lambd: 1e-4, alpha: 0.75, t0: 1e6, weightDecay: 0, maximize: false, ...options }, { lambd: notNegative, alpha: notNegative, weightDecay: notNegative })
  }

  protected override update(p: Parameter, grad: Tensor, group: ASGDOptions, now: Now): Tensor {
    const scalar = (read: (step: number) => number): Tensor => toTensor(now(read), p)
    const g = decayed(p, grad, group, now)
    let value: Tensor = p
    // the rate of this step was set by the step before
    this.next(p, 'eta', eta => {
      value = sub(mul(p, sub(1, mul(eta, now(() => group.lambd)))), mul(g, eta))
      return scalar(step => group.lr / (1 + group.lambd * group.lr * step) ** group.alpha)
    }, () => toTensor(group.lr, p))
    this.next(p, 'mu', mu => {
      this.next(p, 'ax', ax => select(equal(mu, 1), value, add(ax, mul(sub(value, ax), mu))))
      return scalar(step => 1 / Math.max(1, step - group.t0))
    }, () => toTensor(1, p))
    return value
  }
}
