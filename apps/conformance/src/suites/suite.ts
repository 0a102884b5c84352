// What a suite is: a list of cases under a path, each run on its own.

import { UnsupportedError } from '@bp/onnx'
import { Mismatch, Unsupported } from '../compare.ts'
import type { CaseResult } from '../report.ts'

/** What a case that passed has to say. */
export interface Outcome {
  readonly maxError: number
  /** What was not checked to the letter, and why. */
  readonly note?: string
}

/** One case: its name and how to run it; `run` throws where it does not pass. */
export interface Case {
  readonly name: string
  readonly run: () => Outcome
}

/** A suite: the cases that a path holds; `compiled` where what can be compiled shall be. */
export type Suite = (path: string, compiled: boolean) => Case[]

/** Runs a case; whatever it throws becomes its result. */
export function runCase({ name, run }: Case): CaseResult {
  try {
    const { maxError, note } = run()
    return { name, status: 'pass', maxError, ...note ? { reason: note } : {} }
  } catch (error) {
    if (error instanceof Unsupported || error instanceof UnsupportedError) return { name, status: 'unsupported', reason: error.message }
    if (error instanceof Mismatch) return { name, status: 'fail', reason: error.message }
    return { name, status: 'fail', reason: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }
  }
}
