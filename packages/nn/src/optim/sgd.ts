// Stochastic gradient descent.

import { add, mul, type Tensor } from '@bp/core'
import { sub } from '@bp/ops'
import type { Parameter } from '../module.ts'
import { Optimizer, type ParameterGroup } from './optimizer.ts'

/** Options of {@link SGD}. */
export interface SGDOptions {
  lr: number
  momentum: number
  dampening: number
  weightDecay: number
  nesterov: boolean
}

/**
 * Gradient descent with momentum, Nesterov's variant and weight decay (Sutskever et al. 2013), as `torch.optim.SGD`.
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
  constructor(params: readonly Parameter[] | readonly ParameterGroup<SGDOptions>[], options: Partial<SGDOptions> = {}) {
    super(params, { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, ...options })
  }

  protected override update(p: Parameter, grad: Tensor, group: SGDOptions, step: () => number): Tensor {
    const { momentum, dampening, weightDecay, nesterov } = group
    const lr = this.scalar(p, () => group.lr)
    const g = weightDecay === 0 ? grad : add(grad, mul(p, weightDecay))
    if (momentum === 0) return sub(p, mul(g, lr))
    // the first gradient enters undamped
    const fresh = dampening === 0 ? g : mul(g, this.scalar(p, () => step() === 1 ? 1 : 1 - dampening))
    const velocity = add(mul(this.slot(p, 'momentum_buffer'), momentum), fresh)
    this.keep(p, 'momentum_buffer', velocity)
    return sub(p, mul(nesterov ? add(g, mul(velocity, momentum)) : velocity, lr))
  }
}
