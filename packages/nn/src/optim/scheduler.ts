// What all learning-rate schedules share: setting each group's rate step by step, and going on from where a run was left.

import { effect, fail } from '@bp/core/extend'
import type { Json, Stateful } from '../state.ts'
import type { AnyOptimizer, Group, OptimizerOptions } from './optimizer.ts'

/** What to save of a schedule: JSON. */
export type ScheduleState = Readonly<Record<string, Json>>

/** A schedule of any kind that is stepped without a metric. */
export interface Schedule extends Stateful {
  readonly optimiser: AnyOptimizer
  /** Sets the next rates; call it after the optimiser's step, or once an epoch. In a compiled step, it happens after each run. */
  step(): void
  /** The rates that were set last, one for each group. */
  getLastLr(): readonly number[]
  stateDict(): ScheduleState
  loadStateDict(state: ScheduleState): void
  /** Takes back the step that was taken when it was made, for {@link SequentialLR}. */
  undo(): void
  /** Takes the first step, from the present rates. */
  start(): void
  /** Begins anew from the first rates, for {@link SequentialLR}. */
  restart(): void
}

/** Where a schedule is, in one group. */
export interface Place {
  /** The group's rate before the step. */
  readonly lr: number
  /** The rate that the group started from. */
  readonly base: number
  /** Steps since the schedule began: 0 when it is made. */
  readonly epoch: number
  /** Whether this is the step that is taken when the schedule is made. */
  readonly initial: boolean
  /** Steps taken, the first not counted. */
  readonly steps: number
  /** The number of the group. */
  readonly group: number
}

/** A schedule as functions. */
export interface ScheduleRule {
  /** The next rate. */
  readonly rate: (place: Place) => number
  /** The rate where the schedule begins anew, from the group's first rate; `rate` at epoch 0 unless given. */
  readonly first?: (base: number) => number
  /** The next momentum, or β₁. */
  readonly momentum?: (place: Place) => number
  /** What it remembers besides the epoch; saved. */
  readonly memory?: Record<string, Json>
}

/**
 * The base of schedules that are made of a rule. Most rules give the next rate from the present one, as PyTorch's do, so
 * that several schedules can act on one optimiser. Making one sets the rate of epoch 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { LRScheduler, Parameter, SGD } from '@bp/nn'
 * const optimiser = new SGD([new Parameter(tensor(1))], { lr: 1 })
 * const schedule = new LRScheduler(optimiser, { rate: ({ base, epoch }) => base / Math.sqrt(1 + epoch) })
 * schedule.step()
 * schedule.getLastLr() // => [0.7071067811865475]
 * ```
 */
export class LRScheduler implements Schedule {
  readonly optimiser: AnyOptimizer
  private readonly rule: ScheduleRule
  private baseLrs: readonly number[]
  private lastLr: readonly number[] = []
  private steps = -1
  /** Steps taken since the schedule began. */
  lastEpoch = -1

  constructor(optimiser: AnyOptimizer, rule: ScheduleRule) {
    this.optimiser = optimiser
    this.rule = rule
    this.baseLrs = optimiser.groups.map(group => group.initialLr ??= group.lr)
    this.start()
  }

  step(): void {
    effect(() => {
      this.steps++
      this.set(this.lastEpoch + 1)
    })
  }

  getLastLr(): readonly number[] {
    return this.lastLr
  }

  stateDict(): ScheduleState {
    const { lastEpoch, steps, baseLrs, lastLr } = this
    return { lastEpoch, steps, baseLrs, lastLr, ...this.rule.memory }
  }

  loadStateDict(state: ScheduleState): void {
    const { lastEpoch, steps, baseLrs, lastLr, ...memory } = state
    const groups = this.optimiser.groups.length
    if (typeof lastEpoch !== 'number' || typeof steps !== 'number' || !isNumbers(baseLrs) || !isNumbers(lastLr) || baseLrs.length !== groups || Object.keys(this.rule.memory ?? {}).some(key => !(key in memory))) {
      return fail('data', 'loadStateDict', `the state is none of ${this.constructor.name} for ${groups} groups. Load it into a schedule of its own kind, for an optimiser with the same groups`)
    }
    Object.assign(this, { lastEpoch, steps, baseLrs, lastLr })
    if (this.rule.memory) Object.assign(this.rule.memory, memory)
  }

  undo(): void {
    this.lastEpoch--
  }

  start(): void {
    this.steps = 0
    this.set(this.lastEpoch + 1, true)
  }

  restart(): void {
    this.set(0, false, this.rule.first)
  }

  /** Sets the rates of an epoch. */
  protected set(epoch: number, initial = false, first?: (base: number) => number): void {
    this.lastEpoch = epoch
    const { rule, steps } = this
    this.lastLr = this.optimiser.groups.map((group, i) => {
      const base = this.baseLrs[i] ?? (group.initialLr ??= group.lr)
      const place = { lr: group.lr, base, epoch, initial, steps, group: i }
      if (rule.momentum) setMomentum(group, rule.momentum(place))
      const lr = first?.(base) ?? rule.rate(place)
      return group.lr = Number.isFinite(lr) ? lr : fail('value', this.constructor.name, `the rate of epoch ${epoch} would be ${String(lr)}, from ${group.lr} before. Check what the schedule was given`)
    })
  }
}

const isNumbers = (value: Json | undefined): value is readonly number[] => Array.isArray(value) && value.every(x => typeof x === 'number')

type Cyclic = Group<OptimizerOptions> & { momentum?: number; betas?: readonly number[] }

/** Sets β₁ where the optimiser has betas, else the momentum. */
export function setMomentum(group: Cyclic, momentum: number): void {
  if (group.betas) group.betas = [momentum, ...group.betas.slice(1)]
  else group.momentum = momentum
}

/** One number for each group, from one for all or a list. */
export function perGroup(op: string, name: string, { groups }: AnyOptimizer, value: number | readonly number[]): readonly number[] {
  if (typeof value === 'number') return groups.map(() => value)
  if (value.length !== groups.length) fail('value', op, `${name} has ${value.length} numbers, the optimiser ${groups.length} groups. Give one number for each, or one for all`)
  return value
}
