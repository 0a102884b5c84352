// Learning-rate schedules.

import type { AnyOptimizer } from './optimizer.ts'

/** The base of schedules that give each group's rate from its first rate and the number of steps. */
abstract class Scheduler {
  private readonly optimiser: AnyOptimizer
  private readonly first: readonly number[]
  /** Steps taken; save it and set it to resume. */
  steps = 0

  constructor(optimiser: AnyOptimizer) {
    this.optimiser = optimiser
    this.first = optimiser.groups.map(group => group.lr)
  }

  /** Sets the next rate; call it after the optimiser's step, or once an epoch. */
  step(): void {
    this.steps++
    this.optimiser.groups.forEach((group, i) => { group.lr = this.rate(this.first[i]!, this.steps) })
  }

  protected abstract rate(first: number, steps: number): number
}

/** Multiplies the rate by `gamma` every `size` steps. */
export class StepLR extends Scheduler {
  private readonly size: number
  private readonly gamma: number

  constructor(optimiser: AnyOptimizer, size: number, gamma = 0.1) {
    super(optimiser)
    this.size = size
    this.gamma = gamma
  }

  protected override rate(first: number, steps: number): number {
    return first * this.gamma ** Math.floor(steps / this.size)
  }
}

/** Half a cosine from the first rate down to `least` in `length` steps (Loshchilov & Hutter 2016, "SGDR", eq. 5). */
export class CosineAnnealingLR extends Scheduler {
  private readonly length: number
  private readonly least: number

  constructor(optimiser: AnyOptimizer, length: number, least = 0) {
    super(optimiser)
    this.length = length
    this.least = least
  }

  protected override rate(first: number, steps: number): number {
    return this.least + (first - this.least) * (1 + Math.cos(Math.PI * steps / this.length)) / 2
  }
}
