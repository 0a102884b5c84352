// Schedules made of schedules: one after another, all at once, and a warm-up before any.

import { effect, fail } from '@bp/core/extend'
import type { Json } from '../state.ts'
import type { AnyOptimizer } from './optimizer.ts'
import { type AnnealStrategy, annealed, LambdaLR } from './schedules.ts'
import type { Schedule, ScheduleState } from './scheduler.ts'

function check(op: string, optimiser: AnyOptimizer | undefined, schedules: readonly Schedule[]): AnyOptimizer {
  if (!optimiser || schedules.length === 0) return fail('value', op, 'got no schedules')
  const stranger = schedules.findIndex(schedule => schedule.optimiser !== optimiser)
  if (stranger >= 0) fail('value', op, `schedule ${stranger} is for another optimiser. Make all of them for the same`)
  const watcher = schedules.findIndex(schedule => !('restart' in schedule))
  if (watcher >= 0) fail('value', op, `schedule ${watcher} wants a metric in each step. Step ReduceLROnPlateau apart`)
  return optimiser
}

function loadAll(op: string, schedules: readonly Schedule[], states: Json | undefined): void {
  if (!Array.isArray(states) || states.length !== schedules.length) return fail('data', 'loadStateDict', `the state is none of ${op} with ${schedules.length} schedules. Use the same schedules`)
  schedules.forEach((schedule, i) => { schedule.loadStateDict((states as ScheduleState[])[i]!) })
}

/**
 * One schedule after another, each from its milestone on: the first until epoch `milestones[0]`, where the second begins with
 * its epoch 0, and so on.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { ConstantLR, ExponentialLR, Parameter, SequentialLR, SGD } from '@bp/nn'
 * const optimiser = new SGD([new Parameter(tensor(1))], { lr: 1 })
 * const schedule = new SequentialLR(optimiser, [new ConstantLR(optimiser, { factor: 0.5 }), new ExponentialLR(optimiser, 0.5)], [2])
 * const rates = [1, 2, 3].map(() => { schedule.step(); return optimiser.groups[0]!.lr })
 * rates // => [0.5, 1, 0.5]
 * ```
 */
export class SequentialLR implements Schedule {
  readonly optimiser: AnyOptimizer
  private readonly schedules: readonly Schedule[]
  private readonly milestones: readonly number[]
  private lastLr: readonly number[] = []
  /** Steps taken. */
  lastEpoch = 0

  constructor(optimiser: AnyOptimizer, schedules: readonly Schedule[], milestones: readonly number[]) {
    this.optimiser = check('SequentialLR', optimiser, schedules)
    if (milestones.length !== schedules.length - 1) fail('value', 'SequentialLR', `${schedules.length} schedules meet at ${schedules.length - 1} milestones, got ${milestones.length}`)
    this.schedules = schedules
    this.milestones = milestones
    this.undo()
    this.start()
  }

  step(): void {
    effect(() => {
      this.lastEpoch++
      const at = this.active()
      const schedule = this.schedules[at]!
      if (this.milestones[at - 1] === this.lastEpoch) schedule.restart()
      else schedule.step()
      this.lastLr = schedule.getLastLr()
    })
  }

  getLastLr(): readonly number[] {
    return this.lastLr
  }

  stateDict(): ScheduleState {
    return { lastEpoch: this.lastEpoch, lastLr: this.lastLr, schedules: this.schedules.map(schedule => schedule.stateDict()) }
  }

  loadStateDict({ lastEpoch, lastLr, schedules }: ScheduleState): void {
    loadAll('SequentialLR', this.schedules, schedules)
    Object.assign(this, { lastEpoch, lastLr })
  }

  undo(): void {
    for (const schedule of this.schedules) schedule.undo()
    for (const group of this.optimiser.groups) group.lr = group.initialLr ?? group.lr
  }

  start(): void {
    this.lastEpoch = 0
    const schedule = this.schedules[this.active()]!
    schedule.start()
    this.lastLr = schedule.getLastLr()
  }

  restart(): void {
    this.lastEpoch = 0
    const schedule = this.schedules[this.active()]!
    schedule.restart()
    this.lastLr = schedule.getLastLr()
  }

  private active(): number {
    return this.milestones.filter(milestone => milestone <= this.lastEpoch).length
  }
}

/** All schedules in each step, one upon the other: their factors multiply. */
export class ChainedScheduler implements Schedule {
  readonly optimiser: AnyOptimizer
  private readonly schedules: readonly Schedule[]

  constructor(schedules: readonly Schedule[]) {
    this.optimiser = check('ChainedScheduler', schedules[0]?.optimiser, schedules)
    this.schedules = schedules
  }

  step(): void {
    for (const schedule of this.schedules) schedule.step()
  }

  getLastLr(): readonly number[] {
    return this.schedules.at(-1)!.getLastLr()
  }

  stateDict(): ScheduleState {
    return { schedules: this.schedules.map(schedule => schedule.stateDict()) }
  }

  loadStateDict({ schedules }: ScheduleState): void {
    loadAll('ChainedScheduler', this.schedules, schedules)
  }

  undo(): void {
    for (const schedule of this.schedules) schedule.undo()
  }

  start(): void {
    this.step()
  }

  restart(): void {
    for (const schedule of this.schedules) schedule.restart()
  }
}

/** Options of {@link warmup}. */
export interface WarmupOptions {
  /** The share of the rate in step 0; 1/steps unless given. */
  readonly startFactor?: number
  /** `linear` unless given, or `cos` for half a cosine. */
  readonly annealStrategy?: AnnealStrategy
}

/**
 * A rise of the rate over so many steps, then the schedule that `after` makes, if any, from its beginning (Goyal et al. 2017,
 * "Accurate, large minibatch SGD", section 2.2).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { CosineAnnealingLR, Parameter, SGD, warmup } from '@bp/nn'
 * const optimiser = new SGD([new Parameter(tensor(1))], { lr: 1 })
 * const schedule = warmup(optimiser, 4, () => new CosineAnnealingLR(optimiser, 100), { startFactor: 0.2 })
 * const rates = [1, 2, 3, 4].map(() => { schedule.step(); return optimiser.groups[0]!.lr.toFixed(2) })
 * rates // => [0.40, 0.60, 0.80, 1.00]
 * ```
 */
export function warmup(optimiser: AnyOptimizer, steps: number, after?: (optimiser: AnyOptimizer) => Schedule, { startFactor = 1 / steps, annealStrategy = 'linear' }: WarmupOptions = {}): Schedule {
  if (!(steps >= 1)) fail('value', 'warmup', `needs at least 1 step, got ${steps}`)
  const share = annealed('warmup', annealStrategy)
  const rise = new LambdaLR(optimiser, step => startFactor + (1 - startFactor) * share(Math.min(1, step / steps)))
  return after ? new SequentialLR(optimiser, [rise, after(optimiser)], [steps]) : rise
}
