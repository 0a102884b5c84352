// The jobs of the WebGL backend, ours and the peers' in turns in one page.

import type { Options } from '../options.ts'
import type { JobReport } from '../report.ts'
import { trainings } from '../training.ts'
import { type OpenPage, openPage } from './browser.ts'
import type { Outcome, Settings } from './page.ts'

const thorough: Settings = { repetitions: 9, shortest: 50, warmUp: 1000 }

/** What a run in the page found. */
export interface Raced {
  readonly adapter: string
  readonly chromium: string
  readonly jobs: readonly JobReport[]
}

async function runJob(page: OpenPage, job: string, peers: readonly string[], settings: Settings): Promise<JobReport> {
  const { 'ours': own, 'ours-op-by-op': opByOp, ...others } = await page.race(job, ['ours', 'ours-op-by-op', ...peers], settings) as Record<string, Outcome> & Record<'ours' | 'ours-op-by-op', Outcome>
  const unit = job === 'launch' ? 'µs/op' : 'ms'
  const results = Object.fromEntries(Object.entries(others).map(([name, outcome]) => [name, 'fail' in outcome ? outcome.fail : outcome.time]))
  const variants = Object.fromEntries(Object.entries(others).flatMap(([name, outcome]) => 'fail' in outcome ? [] : [[name, outcome.variant]]))
  if ('fail' in own) return { job, unit, ours: own.fail, oursVariant: '', peers: results, ratios: {}, variants }
  return {
    job, unit, ours: own.time, oursVariant: own.variant, peers: results, variants,
    ratios: Object.fromEntries(Object.entries(results).flatMap(([name, value]) => typeof value === 'number' ? [[name, value / own.time]] : [])),
    ...!(job in trainings) && { singles: Object.fromEntries(Object.entries({ ours: own, ...others }).flatMap(([name, outcome]) => 'fail' in outcome ? [] : [[name, outcome.single]])) },
    ...'time' in opByOp && { opByOp: opByOp.time, compiledGain: opByOp.time / own.time },
  }
}

/** Runs the jobs; `told` hears of each, before and after. */
export async function raceInPage({ jobs, peers, adapter }: Pick<Options, 'jobs' | 'peers' | 'adapter'>, told: (job: string, report: JobReport | null) => void, settings: Settings = thorough): Promise<Raced> {
  const page = await openPage(adapter)
  try {
    const reports: JobReport[] = []
    for (const job of jobs) {
      told(job, null)
      const report = await runJob(page, job, peers, settings)
      told(job, report)
      reports.push(report)
    }
    return { adapter: page.adapter, chromium: page.chromium, jobs: reports }
  } finally {
    await page.close()
  }
}
