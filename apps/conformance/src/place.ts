// Where cases run: here, on the CPU backend.

import { cpu } from '@bp/backend-cpu'
import { use } from '@bp/core'
import type { Listed } from './list.ts'
import type { CaseResult } from './report.ts'
import { judge, type Setting } from './suites/suite.ts'
import { type SuiteName, suites } from './suites/suites.ts'

/** A place that runs cases of a suite, one after the other. */
export interface Place {
  run(one: Listed): Promise<CaseResult>
  close(): Promise<void>
}

/** This process. */
export function here(suite: SuiteName, setting: Setting): Place {
  use(cpu())
  return {
    run: ({ name, load }) => judge(name, () => suites[suite]({ name, files: load() }, setting)),
    close: () => Promise.resolve(),
  }
}
