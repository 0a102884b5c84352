// GradScaler: a loss made large, so that gradients in float16 do not vanish, and steps skipped where they overflow instead.

import { add, mul, noGrad, type Tensor, tensor, type Tree, Variable, zeros } from '@bp/core'
import { describe, fail, flatten, live, outside, provisionally, unflatten } from '@bp/core/extend'
import { abs, amax, div, equal, less, logicalAnd, logicalNot, logicalOr, select } from '@bp/ops'
import type { Stateful } from '../state.ts'
import type { AnyOptimizer } from '../optim/optimizer.ts'

/** Options of {@link GradScaler}. */
export interface GradScalerOptions {
  /** The first scale; 65536 unless given. */
  readonly initScale?: number
  /** The scale grows by this factor after `growthInterval` steps without overflow; 2 unless given. */
  readonly growthFactor?: number
  /** The scale shrinks by this factor after an overflow; 0.5 unless given. */
  readonly backoffFactor?: number
  /** 2000 unless given. */
  readonly growthInterval?: number
  /** `false` makes every method do what training without it would; true unless given. */
  readonly enabled?: boolean
}

/** What a checkpoint keeps of a {@link GradScaler}, by PyTorch's names. */
export interface GradScalerState {
  readonly scale: number
  readonly growth_factor: number
  readonly backoff_factor: number
  readonly growth_interval: number
  readonly _growth_tracker: number
}

/** How far an optimiser has come since the last update, and whether one of its gradients was not finite. */
interface Progress {
  stage: 'new' | 'unscaled' | 'stepped'
  /** bool scalar; kept after the update, for a compiled step asks for it when it has run. */
  readonly overflowed: Variable
}

const scalar = (value: number): Variable => outside(() => new Variable(tensor(value)))

/**
 * Scales the loss by s before `backward` and the gradients by 1/s after it, so that small ones survive float16; skips steps in
 * which a gradient is infinite or NaN (Micikevicius et al. 2018, "Mixed Precision Training", §3.2), as PyTorch's
 * `torch.amp.GradScaler`:
 *
 * s ← backoffFactor·s after a step with overflow, growthFactor·s after `growthInterval` steps in a row without.
 *
 * Works op by op and inside of `compile`: there the scale is a variable, and a skipped step leaves parameters, the optimiser's
 * states and its step counts as they were.
 *
 * @example
 * ```ts
 * import { autocast, tensor } from '@bp/core'
 * import { GradScaler, Linear, mseLoss, SGD } from '@bp/nn'
 * const model = new Linear(2, 1, { bias: false }), optimiser = new SGD(model.parameters()), scaler = new GradScaler()
 * const x = tensor([[0.1, 0.2]]), y = tensor([[0]])
 * const loss = autocast(() => mseLoss(model.forward(x), y))
 * scaler.scale(loss).backward()
 * scaler.unscale(optimiser) // only where gradients are read or clipped before the step
 * scaler.step(optimiser)
 * scaler.update()
 * scaler.getScale() // => 65536
 * ```
 */
export class GradScaler implements Stateful {
  private readonly enabled: boolean
  private growthFactor: number
  private backoffFactor: number
  private growthInterval: number
  /** float32 scalar: s. */
  private readonly factor: Variable
  /** float32 scalar: steps without overflow since the scale last changed. */
  private readonly tracker: Variable
  private readonly progress = new Map<AnyOptimizer, Progress>()

  constructor({ initScale = 65536, growthFactor = 2, backoffFactor = 0.5, growthInterval = 2000, enabled = true }: GradScalerOptions = {}) {
    if (!(growthFactor > 1)) fail('value', 'GradScaler', `growthFactor must be above 1, got ${growthFactor}`)
    if (!(backoffFactor > 0 && backoffFactor < 1)) fail('value', 'GradScaler', `backoffFactor must be between 0 and 1, got ${backoffFactor}`)
    if (!(initScale > 0 && initScale < Infinity)) fail('value', 'GradScaler', `initScale must be positive and finite, got ${initScale}`)
    this.enabled = enabled
    this.growthFactor = growthFactor
    this.backoffFactor = backoffFactor
    this.growthInterval = growthInterval
    this.factor = scalar(initScale)
    this.tracker = scalar(0)
  }

  /** A loss, or several in any structure, times the scale; in float32 where it was float16. */
  scale<T extends Tree>(outputs: T): T {
    return this.enabled ? unflatten(outputs, flatten('GradScaler', outputs).map(y => mul(y, this.factor))) : outputs
  }

  /**
   * Divides the gradients of the optimiser's parameters by the scale, and notes whether all are finite. {@link step} does it
   * where it was not done; do it yourself before clipping. Once between two updates.
   *
   * Throws where it was done already, and where a gradient is float16, in which small ones would vanish again.
   */
  unscale(optimiser: AnyOptimizer): void {
    if (!this.enabled) return
    const progress = this.of(optimiser)
    if (progress.stage !== 'new') fail('grad', 'GradScaler', `unscale was called ${progress.stage === 'unscaled' ? 'a second time' : 'after step'} for this optimiser. Call it once, between backward and step, and update after the step`)
    const parameters = optimiser.parameters().filter(({ grad }) => grad !== null && grad.size > 0)
    if (parameters.length === 0) fail('grad', 'GradScaler', 'no parameter of the optimiser has a gradient. Call scaler.scale(loss).backward() first')
    const narrow = parameters.find(({ grad }) => grad!.dtype === 'float16')
    if (narrow) fail('dtype', 'GradScaler', `the gradient of a parameter ${describe(narrow)} is float16, where it would vanish again when it is unscaled. Keep parameters in float32 and compute under autocast`)
    noGrad(() => {
      const finite = parameters.map(({ grad }) => less(amax(abs(grad!)), Infinity)).reduce((a, b) => logicalAnd(a, b))
      progress.overflowed.assign(logicalNot(finite))
      const inverse = div(1, this.factor)
      for (const parameter of parameters) parameter.grad = mul(parameter.grad!, inverse)
    })
    progress.stage = 'unscaled'
  }

  /** Takes the optimiser's step, unless a gradient is infinite or NaN. Throws where it was taken already since the last update. */
  step(optimiser: AnyOptimizer): void {
    if (!this.enabled) {
      optimiser.step()
      return
    }
    const progress = this.of(optimiser)
    if (progress.stage === 'stepped') fail('grad', 'GradScaler', 'step was called a second time for this optimiser. Call update after each step')
    if (progress.stage === 'new') this.unscale(optimiser)
    progress.stage = 'stepped'
    const { overflowed } = progress
    const held = (): boolean => overflowed.dataSync()[0] === 0
    // a traced program decides as it runs: an op shows whether it is being traced
    const now = logicalNot(overflowed)
    if (now.storage === null) provisionally({ choose: (after, before) => select(now, after, before), held }, () => { optimiser.step() })
    else if (held()) optimiser.step()
  }

  /** Sets the scale for the next step: once a step, after all optimisers' steps; or to a number given. */
  update(scale?: number): void {
    if (!this.enabled) return
    if (scale !== undefined) this.factor.assign(tensor(scale))
    else {
      const found = [...this.progress.values()].filter(({ stage }) => stage !== 'new').map(({ overflowed }): Tensor => overflowed)
      if (found.length === 0) fail('grad', 'GradScaler', 'update was called without a step before. Call scaler.step(optimiser) first')
      noGrad(() => { this.follow(found.reduce((a, b) => logicalOr(a, b))) })
    }
    for (const progress of this.progress.values()) progress.stage = 'new'
  }

  /** The scale now; 1 where it is not enabled. */
  getScale(): number {
    return this.enabled ? this.factor.item() : 1
  }

  /** What to save; empty where it is not enabled. */
  stateDict(): GradScalerState | Record<string, never> {
    if (!this.enabled) return {}
    return { scale: this.getScale(), growth_factor: this.growthFactor, backoff_factor: this.backoffFactor, growth_interval: this.growthInterval, _growth_tracker: this.tracker.item() }
  }

  /** Goes on from a saved state; does nothing where it is not enabled. Throws where the state is empty. */
  loadStateDict(state: GradScalerState | Record<string, never>): void {
    if (!this.enabled) return
    if (!isFull(state)) fail('data', 'GradScaler', 'the state is empty: it was saved with { enabled: false }. Start with a new scaler instead of loading it')
    this.growthFactor = state.growth_factor
    this.backoffFactor = state.backoff_factor
    this.growthInterval = state.growth_interval
    this.factor.assign(tensor(state.scale))
    this.tracker.assign(tensor(state._growth_tracker))
  }

  /** The scale, and the count of steps since it changed, after a step with or without overflow. */
  private follow(overflowed: Tensor): void {
    const count = add(this.tracker, 1)
    const due = equal(count, live(() => this.growthInterval))
    const grown = mul(this.factor, live(() => this.growthFactor))
    const next = select(logicalAnd(due, less(grown, Infinity)), grown, this.factor)
    this.factor.assign(select(overflowed, mul(this.factor, live(() => this.backoffFactor)), next))
    this.tracker.assign(select(logicalOr(overflowed, due), 0, count))
  }

  private of(optimiser: AnyOptimizer): Progress {
    let progress = this.progress.get(optimiser)
    if (!progress) this.progress.set(optimiser, progress = { stage: 'new', overflowed: outside(() => new Variable(zeros([], 'bool'))) })
    return progress
  }
}

const isFull = (state: GradScalerState | Record<string, never>): state is GradScalerState => 'scale' in state
