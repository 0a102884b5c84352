// What is remembered of a run: losses, their running mean, accuracies, what was held, and how fast it goes.

import type { Point } from './chart.ts'
import type { Held, Report } from './protocol.ts'

/** The share of the running mean that a step keeps. */
const keep = 0.95
/** The speed is that of so many last milliseconds. */
const span = 2000

/** A run from its beginning; tests find it as `record` among the page's globals. */
export class RunRecord {
  readonly steps: number
  readonly losses: Point[] = []
  readonly means: Point[] = []
  readonly accuracies: Point[] = []
  readonly held: Held[] = []
  private readonly times: number[] = []
  private sum = 0
  private weight = 0

  constructor(steps: number) {
    this.steps = steps
  }

  /** Adds a step. */
  add({ step, loss, at, held }: Report & { readonly kind: 'step' }): void {
    this.sum = keep * this.sum + (1 - keep) * loss
    this.weight = keep * this.weight + 1 - keep
    this.losses.push([step, loss])
    this.means.push([step, this.sum / this.weight])
    if (held) this.held.push(held)
    this.times.push(at)
    while (at - this.times[0]! > span && this.times.length > 2) this.times.shift()
  }

  /** Time does not pass while a run pauses. */
  rest(): void {
    this.times.length = 0
  }

  /** Steps per second, lately; `null` where there were too few. */
  get speed(): number | null {
    const { times } = this
    return times.length < 2 ? null : 1000 * (times.length - 1) / (times.at(-1)! - times[0]!)
  }
}
