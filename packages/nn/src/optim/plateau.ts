// The schedule that watches a metric: a lower rate where it no longer improves.

import { effect, fail } from '@bp/core/extend'
import type { Stateful } from '../state.ts'
import type { AnyOptimizer } from './optimizer.ts'
import { perGroup } from './scheduler.ts'

/** Options of {@link ReduceLROnPlateau}. */
export interface PlateauOptions {
  /** Whether the metric is to fall or to rise; `min` unless given. */
  readonly mode?: 'min' | 'max'
  /** What the rate is multiplied by, less than 1; 0.1 unless given. */
  readonly factor?: number
  /** How many epochs without improvement are borne; 10 unless given. */
  readonly patience?: number
  /** What counts as an improvement; 1e-4 unless given. */
  readonly threshold?: number
  /** Whether the threshold is a share of the best metric or a difference from it; `rel` unless given. */
  readonly thresholdMode?: 'rel' | 'abs'
  /** Epochs after a reduction in which nothing is counted; 0 unless given. */
  readonly cooldown?: number
  /** The least rate, for all groups or for each; 0 unless given. */
  readonly minLr?: number | readonly number[]
  /** Reductions by less are left out; 1e-8 unless given. */
  readonly eps?: number
}

/** What to save of a {@link ReduceLROnPlateau}. */
export interface PlateauState {
  readonly lastEpoch: number
  /** `null` before the first metric. */
  readonly best: number | null
  readonly numBadEpochs: number
  readonly cooldownCounter: number
}

/**
 * Multiplies the rate by a factor where a metric has not improved for more than `patience` epochs, as
 * `torch.optim.lr_scheduler.ReduceLROnPlateau`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Parameter, ReduceLROnPlateau, SGD } from '@bp/nn'
 * const optimiser = new SGD([new Parameter(tensor(1))], { lr: 1 })
 * const schedule = new ReduceLROnPlateau(optimiser, { factor: 0.5, patience: 1 })
 * for (const loss of [3, 2, 2, 2]) schedule.step(loss)
 * optimiser.groups[0]!.lr // => 0.5
 * ```
 */
export class ReduceLROnPlateau implements Stateful {
  readonly optimiser: AnyOptimizer
  private readonly options: Required<PlateauOptions>
  private readonly state: { -readonly [K in keyof PlateauState]: PlateauState[K] } = { lastEpoch: 0, best: null, numBadEpochs: 0, cooldownCounter: 0 }

  constructor(optimiser: AnyOptimizer, options: PlateauOptions = {}) {
    this.optimiser = optimiser
    this.options = { mode: 'min', factor: 0.1, patience: 10, threshold: 1e-4, thresholdMode: 'rel', cooldown: 0, minLr: 0, eps: 1e-8, ...options }
    const { factor, mode, thresholdMode } = this.options
    if (!(factor < 1)) fail('value', 'ReduceLROnPlateau', `factor must be less than 1, got ${factor}`)
    if (!['min', 'max'].includes(mode)) fail('value', 'ReduceLROnPlateau', `mode must be 'min' or 'max', got ${mode}`)
    if (!['rel', 'abs'].includes(thresholdMode)) fail('value', 'ReduceLROnPlateau', `thresholdMode must be 'rel' or 'abs', got ${thresholdMode}`)
    perGroup('ReduceLROnPlateau', 'minLr', optimiser, this.options.minLr)
  }

  /** Takes the epoch's metric, and lowers the rate where it is time. */
  step(metric: number): void {
    if (typeof metric !== 'number') fail('value', 'ReduceLROnPlateau', `step needs the metric as a number, got ${typeof metric}. Pass loss.item()`)
    effect(() => { this.take(metric) })
  }

  /** The present rate of each group. */
  getLastLr(): readonly number[] {
    return this.optimiser.groups.map(({ lr }) => lr)
  }

  stateDict(): PlateauState {
    return { ...this.state }
  }

  loadStateDict({ lastEpoch, best, numBadEpochs, cooldownCounter }: PlateauState): void {
    if (![lastEpoch, best ?? 0, numBadEpochs, cooldownCounter].every(x => typeof x === 'number')) fail('data', 'loadStateDict', 'the state is none of ReduceLROnPlateau. Load it into a schedule of its own kind')
    Object.assign(this.state, { lastEpoch, best, numBadEpochs, cooldownCounter })
  }

  private take(metric: number): void {
    const { state, options: { patience, cooldown } } = this
    state.lastEpoch++
    if (this.improves(metric)) {
      state.best = metric
      state.numBadEpochs = 0
    } else state.numBadEpochs++
    if (state.cooldownCounter > 0) {
      state.cooldownCounter--
      state.numBadEpochs = 0
    }
    if (state.numBadEpochs <= patience) return
    this.reduce()
    state.cooldownCounter = cooldown
    state.numBadEpochs = 0
  }

  private improves(metric: number): boolean {
    const { state: { best }, options: { mode, threshold, thresholdMode } } = this
    const sign = mode === 'min' ? -1 : 1
    const from = best ?? -sign * Infinity
    const goal = thresholdMode === 'rel' ? from * (1 + sign * threshold) : from + sign * threshold
    return sign * metric > sign * goal
  }

  private reduce(): void {
    const { factor, eps, minLr } = this.options
    const least = perGroup('ReduceLROnPlateau', 'minLr', this.optimiser, minLr)
    this.optimiser.groups.forEach((group, i) => {
      const next = Math.max(group.lr * factor, least[i]!)
      if (group.lr - next > eps) group.lr = next
    })
  }
}
