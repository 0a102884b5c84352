// What a contender is to the driver: jobs that it can prepare, and then run over and over.

import type { Inputs } from './data.ts'

/** A job ready to be timed. */
export interface Prepared {
  /** One run; what is timed. */
  run(): unknown
  /** The first results: a loss, or the first few elements. */
  readonly values: readonly number[]
}

/** Prepares a job, or throws with the reason why it cannot. */
export type Prepare = (inputs: Inputs) => Prepared | Promise<Prepared>

/** A contender: how it prepares each job; with several ways to do a job, the fastest counts and is named. */
export type Peer = Readonly<Record<string, Readonly<Record<string, Prepare>>>>

/** What the driver asks of a contender's process, a JSON object a line. */
export type Request =
  | { readonly ask: 'prepare'; readonly job: string }
  | { readonly ask: 'run' }

/** What it answers. Times are milliseconds of one run. */
export type Answer =
  | { readonly values: readonly number[]; readonly variant: string; readonly version?: string }
  | { readonly time: number }
  | { readonly fail: string }
