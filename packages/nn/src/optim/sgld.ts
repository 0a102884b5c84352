// Stochastic gradient Langevin dynamics: descent with noise, whose path samples a posterior.

import { add, mul, type Tensor, tensor } from '@bp/core'
import { type Generator, sub } from '@bp/ops'
import type { Parameter } from '../module.ts'
import { defaultGenerator } from '../random.ts'
import { notNegative, type Now, Optimizer, type OptimizerOptions, type OptimizerState, type ParametersOrGroups } from './optimizer.ts'
import { decayed } from './steps.ts'

/** Options of {@link SGLD}. */
export interface SGLDOptions extends OptimizerOptions {
  weightDecay: number
  /** What the variance of the noise is multiplied by: 1 samples the posterior, 0 is plain descent. */
  temperature: number
}

/**
 * p ← p − ½lr·g + √(lr·T)·z with z ~ N(0, 1) (Welling & Teh 2011, "Bayesian learning via stochastic gradient Langevin dynamics",
 * eq. 4). The loss is the negative log of the posterior of all data: a batch's mean loss times the number of examples; weight
 * decay λ is a normal prior of variance 1/λ. The rate is to fall slowly towards 0.
 */
export class SGLD extends Optimizer<SGLDOptions> {
  private readonly generator: Generator

  constructor(params: ParametersOrGroups<SGLDOptions>, { generator = defaultGenerator(), ...options }: Partial<SGLDOptions> & { readonly generator?: Generator } = {}) {
    super(params, { lr: 1e-3, weightDecay: 0, temperature: 1, maximize: false, ...options }, { weightDecay: notNegative, temperature: notNegative })
    this.generator = generator
  }

  /** What to save, with the place in the stream of random numbers. */
  override stateDict(): OptimizerState {
    const { seed, draws } = this.generator.state()
    const state = super.stateDict()
    return { ...state, tensors: new Map([...state.tensors, ['generator', tensor([seed, draws], { dtype: 'int32' })]]) }
  }

  override loadStateDict(state: OptimizerState): void {
    const { generator, ...rest } = Object.fromEntries(state.tensors)
    super.loadStateDict({ ...state, tensors: new Map(Object.entries(rest)) })
    const [seed, draws] = generator?.dataSync() ?? []
    if (seed !== undefined && draws !== undefined) this.generator.restore({ seed: Number(seed), draws: Number(draws) })
  }

  protected override update(p: Parameter, grad: Tensor, group: SGLDOptions, now: Now): Tensor {
    const moved = sub(p, mul(decayed(p, grad, group, now), now(() => group.lr / 2)))
    return add(moved, mul(this.generator.normal(p.shape, { dtype: p.dtype }), now(() => Math.sqrt(group.lr * group.temperature))))
  }
}
