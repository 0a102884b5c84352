// What a callback sees of a run, and when.

import type { AnyModule, AnyOptimizer } from '@bp/nn'
import type { Logs } from '../evaluate.ts'

/** The numbers of an epoch. */
export interface EpochLogs {
  /** The number of the epoch, from 1 on. */
  readonly epoch: number
  /** Updates taken until its end. */
  readonly step: number
  /** `loss` and metrics over the epoch, `lr`, and `val_loss` and metrics over the validation data. */
  readonly logs: Logs
}

/** A run as its callbacks see it. */
export interface Run {
  readonly model: AnyModule
  readonly optimiser: AnyOptimizer
  /** The present epoch, from 1 on, and how many there will be; Infinity where steps are the limit. */
  readonly epoch: number
  readonly epochs: number
  /** Updates taken, and how many there will be; Infinity where epochs are the limit. */
  readonly step: number
  readonly steps: number
  /** Of the present epoch: updates and samples so far, and updates in all where the data says its length. */
  readonly epochStep: number
  readonly samples: number
  readonly stepsPerEpoch: number | undefined
  /** The loss of the last update. */
  readonly loss: number
  /** The norm of the last update's gradients, where they are clipped by it. */
  readonly gradNorm: number | undefined
  /** Means over the present epoch so far, and, once it has been validated, `val_…`. */
  readonly logs: Logs
  /** All epochs so far. */
  readonly history: readonly EpochLogs[]
  /** Why the run ended, or `null` while it goes on. */
  readonly ended: Ended | null
  /** Ends the run after the present step, with a reason to tell. */
  stop(reason: string): void
}

/** Why a run ended: its epochs or steps are done, its signal was aborted, or a callback stopped it for a reason of its own. */
export type Ended = { readonly by: 'epochs' | 'steps' | 'signal' } | { readonly by: 'callback'; readonly reason: string }

/**
 * What happens beside training. Every method may be left out; a promise is waited for. A callback that is
 * {@link Stateful} too is saved in checkpoints, and goes on from there.
 */
export interface Callback {
  onTrainBegin?(run: Run): void | Promise<void>
  onEpochBegin?(run: Run): void | Promise<void>
  /** After each update. */
  onStepEnd?(run: Run): void | Promise<void>
  /** After the validation data was judged; `run.logs` has `val_loss` now. */
  onValidationEnd?(run: Run): void | Promise<void>
  /** After validation; `run.history` has the epoch now. */
  onEpochEnd?(run: Run): void | Promise<void>
  /** At the end, for whatever reason, but not after an error. */
  onTrainEnd?(run: Run): void | Promise<void>
}

/** Which way a monitored number gets better. */
export type Mode = 'min' | 'max'

/** Whether a number is better than the best so far by more than `delta`; anything is better than nothing, NaN than none. */
export const better = (mode: Mode, value: number, best: number | null, delta = 0): boolean =>
  !Number.isNaN(value) && (best === null || (mode === 'min' ? value < best - delta : value > best + delta))
