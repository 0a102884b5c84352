// Stopping when a number has ceased to get better.

import type { Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import type { State, Stateful } from '@bp/nn'
import { detach } from '@bp/ops'
import { better, type Callback, type Mode, type Run } from './callback.ts'

/** Options of {@link EarlyStopping}. */
export interface EarlyStoppingOptions {
  /** Which number of the epoch's logs is watched: `val_loss` unless given. */
  readonly monitor?: string
  /** Whether it shall fall or rise: `min` unless given. */
  readonly mode?: Mode
  /** After how many epochs in a row without a better value the run ends: 1 unless given. */
  readonly patience?: number
  /** By how much a value must be better to count: 0 unless given. */
  readonly minDelta?: number
  /** Brings back the weights of the best epoch when the run ends, unless its signal was aborted. */
  readonly restoreBest?: boolean
}

interface Saved {
  readonly best: number | null
  readonly waited: number
  readonly weights: ReadonlyMap<string, Tensor> | null
}

/**
 * Ends a run when a number has not become better for some epochs (Prechelt 1998, "Early stopping — but when?").
 *
 * @example
 * ```ts
 * import { EarlyStopping } from '@bp/train'
 * new EarlyStopping({ monitor: 'val_accuracy', mode: 'max', patience: 5, restoreBest: true }).best // => null
 * ```
 */
export class EarlyStopping implements Callback, Stateful {
  /** The best value so far. */
  best: number | null = null
  private waited = 0
  private weights: ReadonlyMap<string, Tensor> | null = null
  private readonly options: Required<EarlyStoppingOptions>

  constructor(options: EarlyStoppingOptions = {}) {
    this.options = { monitor: 'val_loss', mode: 'min', patience: 1, minDelta: 0, restoreBest: false, ...options }
    if (!(this.options.patience >= 1)) fail('value', 'EarlyStopping', `patience must be ≥ 1, got ${this.options.patience}`)
  }

  onEpochEnd(run: Run): void {
    const { monitor, mode, patience, minDelta, restoreBest } = this.options
    const value = run.logs[monitor] ?? missing('EarlyStopping', monitor, run)
    if (better(mode, value, this.best, minDelta)) {
      this.best = value
      this.waited = 0
      if (restoreBest) this.weights = new Map([...run.model.stateDict()].map(([name, variable]) => [name, detach(variable)]))
    } else if (++this.waited >= patience) run.stop(`${monitor} has not become better than ${this.best?.toPrecision(4) ?? 'NaN'} for ${patience} epoch${patience === 1 ? '' : 's'}`)
  }

  onTrainEnd(run: Run): void {
    if (this.weights && run.ended?.by !== 'signal') run.model.loadStateDict(this.weights)
  }

  stateDict(): State {
    return { best: this.best, waited: this.waited, weights: this.weights }
  }

  loadStateDict({ best, waited, weights }: Saved): void {
    Object.assign(this, { best, waited, weights })
  }
}

/** The error where a monitored number is not logged. */
export const missing = (op: string, monitor: string, { logs }: Pick<Run, 'logs'>): never =>
  fail('value', op, `there is no ${monitor} to watch; there is ${Object.keys(logs).join(', ')}. Give validation data or the metric, or monitor one of these`)
