// Adam and its kin: running means of the gradient and of its square, both corrected for starting at zero.

import { add, mul, type Tensor } from '@bp/core'
import { toTensor } from '@bp/core/extend'
import { abs, div, maximum, notEqual, select, sqrt, sub } from '@bp/ops'
import type { Parameter } from '../module.ts'
import { betaRule, notNegative, type Now, Optimizer, type OptimizerOptions, type ParametersOrGroups, type Rules } from './optimizer.ts'
import { correctedRate, decayed, lerp, meanSquare, restOfPower, shrunk } from './steps.ts'

/** What Adam and its kin have in common. */
export interface MomentOptions extends OptimizerOptions {
  /** How much of the running means stays in each step: β₁ of the gradient's, β₂ of its square's. */
  betas: readonly [number, number]
  eps: number
  weightDecay: number
}

/** Options of {@link RAdam}. */
export interface DecoupledOptions extends MomentOptions {
  /** Takes weight decay apart from the gradient, as AdamW does. */
  decoupledWeightDecay: boolean
}

/** Options of {@link Adam} and {@link AdamW}. */
export interface AdamOptions extends DecoupledOptions {
  /** Divides by the largest mean square so far (Reddi et al. 2018, "On the convergence of Adam and beyond"). */
  amsgrad: boolean
}

const moments = { lr: 1e-3, betas: [0.9, 0.999] as readonly [number, number], eps: 1e-8, weightDecay: 0, maximize: false }

const rules: Rules<MomentOptions> = {
  betas: betaRule,
  eps: notNegative,
  weightDecay: notNegative,
}

/** The parameter and its gradient after weight decay of either kind. */
const afterDecay = (p: Parameter, grad: Tensor, group: DecoupledOptions, now: Now): [value: Tensor, grad: Tensor] =>
  group.decoupledWeightDecay ? [shrunk(p, group, now), grad] : [p, decayed(p, grad, group, now)]

/**
 * m ← β₁m + (1 − β₁)g,   v ← β₂v + (1 − β₂)g²,   p ← p − lr·m̂/(√v̂ + ε) with m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ) (Kingma & Ba
 * 2014, "Adam", algorithm 1), as `torch.optim.Adam`; weight decay is added to the gradient.
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
  constructor(params: ParametersOrGroups<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(params, { ...moments, amsgrad: false, decoupledWeightDecay: false, ...options }, rules)
  }

  protected override update(p: Parameter, grad: Tensor, group: AdamOptions, now: Now): Tensor {
    const [value, g] = afterDecay(p, grad, group, now)
    const m = this.next(p, 'exp_avg', m => lerp(m, g, now(() => 1 - group.betas[0])))
    const v = this.next(p, 'exp_avg_sq', v => meanSquare(v, g, now, () => group.betas[1]))
    const spread = group.amsgrad ? this.next(p, 'max_exp_avg_sq', most => maximum(most, v)) : v
    const scale = add(div(sqrt(spread), now(step => Math.sqrt(1 - group.betas[1] ** step), (_lr, step) => sqrt(restOfPower(group.betas[1], step)))), group.eps)
    return sub(value, mul(div(m, scale), correctedRate(group, now)))
  }
}

/** {@link Adam} with weight decay apart from the gradient: p ← (1 − lr·λ)p first (Loshchilov & Hutter 2017); λ is 0.01 unless given. */
export class AdamW extends Adam {
  constructor(params: ParametersOrGroups<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(params, { weightDecay: 0.01, decoupledWeightDecay: true, ...options })
  }
}

/**
 * Adam with the largest gradient, slowly forgotten, in place of the root mean square: u ← max(β₂u, |g| + ε),
 * p ← p − lr·m̂/u (Kingma & Ba 2014, algorithm 2), as `torch.optim.Adamax`.
 */
export class Adamax extends Optimizer<MomentOptions> {
  constructor(params: ParametersOrGroups<MomentOptions>, options: Partial<MomentOptions> = {}) {
    super(params, { ...moments, lr: 2e-3, ...options }, rules)
  }

  protected override update(p: Parameter, grad: Tensor, group: MomentOptions, now: Now): Tensor {
    const g = decayed(p, grad, group, now)
    const m = this.next(p, 'exp_avg', m => lerp(m, g, now(() => 1 - group.betas[0])))
    const u = this.next(p, 'exp_inf', u => maximum(mul(u, now(() => group.betas[1])), add(abs(g), group.eps)))
    return sub(p, mul(div(m, u), correctedRate(group, now)))
  }
}

/** Options of {@link NAdam}. */
export interface NAdamOptions extends DecoupledOptions {
  momentumDecay: number
  /**
   * Takes Πμ·μₜ·μₜ₊₁ for Πμ·μₜ₊₁, as PyTorch did before version 2.0 by mistake: only for going on with, or comparing with, runs
   * of that time.
   */
  legacyProduct: boolean
}

/**
 * Adam with Nesterov's momentum: p ← p − lr·[(1 − μₜ)/(1 − Πμ)·g + μₜ₊₁/(1 − Πμ·μₜ₊₁)·m]/(√v̂ + ε) with
 * μₜ = β₁(1 − ½·0.96^(tψ)) (Dozat 2016, "Incorporating Nesterov momentum into Adam"), as `torch.optim.NAdam` from 2.0 on.
 */
export class NAdam extends Optimizer<NAdamOptions> {
  constructor(params: ParametersOrGroups<NAdamOptions>, options: Partial<NAdamOptions> = {}) {
    super(params, { ...moments, lr: 2e-3, momentumDecay: 4e-3, decoupledWeightDecay: false, legacyProduct: false, ...options }, { ...rules, momentumDecay: notNegative })
  }

  protected override update(p: Parameter, grad: Tensor, group: NAdamOptions, now: Now): Tensor {
    const mu = (step: number): number => group.betas[0] * (1 - 0.5 * 0.96 ** (step * group.momentumDecay))
    const [value, g] = afterDecay(p, grad, group, now)
    const product = this.next(p, 'mu_product', before => mul(before, now(mu)), () => toTensor(1, p))
    const m = this.next(p, 'exp_avg', m => lerp(m, g, now(() => 1 - group.betas[0])))
    const v = this.next(p, 'exp_avg_sq', v => meanSquare(v, g, now, () => group.betas[1]))
    const scale = add(sqrt(div(v, now(step => 1 - group.betas[1] ** step))), group.eps)
    const ahead = mul(product, now(step => (group.legacyProduct ? mu(step) : 1) * mu(step + 1)))
    const byGrad = div(now(step => group.lr * (1 - mu(step))), sub(1, product))
    const byMean = div(now(step => group.lr * mu(step + 1)), sub(1, ahead))
    return sub(sub(value, div(mul(g, byGrad), scale)), div(mul(m, byMean), scale))
  }
}

/**
 * Adam that takes plain momentum steps, p ← p − lr·m̂, until the variance of its adaptive rate is tractable, ρₜ > 5 with
 * ρ∞ = 2/(1 − β₂) − 1 and ρₜ = ρ∞ − 2tβ₂ᵗ/(1 − β₂ᵗ); from then on p ← p − lr·rₜ·m̂/√v̂ with
 * rₜ² = (ρₜ − 4)(ρₜ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρₜ) (Liu et al. 2019, "On the variance of the adaptive learning rate and beyond"),
 * as `torch.optim.RAdam`: √v̂ is (√v + ε)/√(1 − β₂ᵗ).
 */
export class RAdam extends Optimizer<DecoupledOptions> {
  constructor(params: ParametersOrGroups<DecoupledOptions>, options: Partial<DecoupledOptions> = {}) {
    super(params, { ...moments, decoupledWeightDecay: false, ...options }, rules)
  }

  protected override update(p: Parameter, grad: Tensor, group: DecoupledOptions, now: Now): Tensor {
    const [value, g] = afterDecay(p, grad, group, now)
    const m = this.next(p, 'exp_avg', m => lerp(m, g, now(() => 1 - group.betas[0])))
    const v = this.next(p, 'exp_avg_sq', v => meanSquare(v, g, now, () => group.betas[1]))
    const plain = mul(m, correctedRate(group, now))
    const factor = toTensor(now(step => rectification(group.betas[1], step)), p)
    // which of the two holds depends on the number of the step, so a compiled step holds both
    return sub(value, select(notEqual(factor, 0), div(mul(plain, factor), add(sqrt(v), group.eps)), plain))
  }
}

/** rₜ·√(1 − β₂ᵗ), or 0 where the rate is not yet adaptive. */
function rectification(beta2: number, step: number): number {
  const correction = 1 - beta2 ** step
  const most = 2 / (1 - beta2) - 1
  const rho = most - 2 * step * beta2 ** step / correction
  return rho > 5 ? Math.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho) * correction) : 0
}
