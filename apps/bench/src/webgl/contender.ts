// What a contender in the page is: jobs that it can prepare, and then run over and over in one or several ways.

import type { Inputs } from '../data.ts'

/** A job ready to be timed. */
export interface Ready {
  /** The first results: a loss, or all elements, in PyTorch's layout. */
  readonly values: ArrayLike<number>
  /** One run, by each way to do it; the fastest counts. What a run gave is let go by the next one. */
  readonly ways: Readonly<Record<string, () => unknown>>
  /** Resolves when the GPU has done all runs: reads one element of what the last one gave. */
  done(): Promise<void>
  /** Lets everything go. */
  close(): void
}

/** Prepares a job, or throws with the reason why it cannot. */
export type Start = (data: Inputs) => Ready | Promise<Ready>

/** A contender: how it prepares each job. */
export type Contender = Readonly<Record<string, Start>>
