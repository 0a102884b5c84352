// Stepping a learning-rate schedule, every epoch or every update.

import { fail } from '@bp/core/extend'
import type { Stateful } from '@bp/nn'
import type { Callback, Run } from './callback.ts'
import { missing } from './earlyStopping.ts'

/** A schedule of @bp/nn, or anything that steps as they do. */
export interface Schedule extends Partial<Stateful> {
  step(value?: number): void
}

/** Options of {@link LearningRateScheduler}. */
export interface ScheduleOptions {
  /** When the schedule steps: after each `epoch` unless given, or after each `step`. */
  readonly every?: 'epoch' | 'step'
  /** Passes this number of the epoch's logs to `step`, as ReduceLROnPlateau needs it. */
  readonly monitor?: string
}

/** Steps a schedule: what the option `scheduler` of `fit` does, each epoch, with a schedule alone. */
export class LearningRateScheduler implements Callback, Stateful {
  private readonly schedule: Schedule
  private readonly every: 'epoch' | 'step'
  private readonly monitor: string | undefined

  constructor(schedule: Schedule, { every = 'epoch', monitor }: ScheduleOptions = {}) {
    this.schedule = schedule
    this.every = every
    this.monitor = monitor
    if (monitor !== undefined && every === 'step') fail('value', 'LearningRateScheduler', 'a number is monitored once an epoch, not every step. Leave out every, or monitor')
  }

  onStepEnd(): void {
    if (this.every === 'step') this.schedule.step()
  }

  onEpochEnd(run: Run): void {
    if (this.every === 'step') return
    if (this.monitor === undefined) this.schedule.step()
    else this.schedule.step(run.logs[this.monitor] ?? missing('LearningRateScheduler', this.monitor, run))
  }

  stateDict(): unknown {
    return this.saved().stateDict()
  }

  loadStateDict(state: never): void {
    this.saved().loadStateDict(state)
  }

  private saved(): Stateful {
    const { stateDict, loadStateDict } = this.schedule
    if (!stateDict || !loadStateDict) return fail('data', 'LearningRateScheduler', 'the schedule has no stateDict and loadStateDict, so that no checkpoint can hold it. Use a schedule of @bp/nn, or give yours both')
    return { stateDict: () => stateDict.call(this.schedule), loadStateDict: state => { loadStateDict.call(this.schedule, state) } }
  }
}
