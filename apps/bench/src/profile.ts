// Where the time of a training step goes, part by part.

import { writeFileSync } from 'node:fs'
import { cpu } from '@bp/backend-cpu'
import { compile, use } from '@bp/core'
import { inputs } from './data.ts'
import { type Options, UsageError } from './options.ts'
import { trainings } from './training.ts'

/** Names that are printed one by one. */
const longest = 25

/** Prints the parts of a step of each training job, longest first. */
export function profile({ jobs, trace }: Options): number {
  const chosen = jobs.filter(job => job in trainings)
  if (chosen.length === 0) throw new UsageError(`--profile knows the jobs ${Object.keys(trainings).join(', ')}`)
  use(cpu())
  const events: object[] = []
  chosen.forEach((job, i) => {
    const pid = i + 1
    // the name under which viewers show what follows
    events.push({ name: 'process_name', ph: 'M', pid, tid: 1, args: { name: `${job}, one step` } }, { name: 'thread_name', ph: 'M', pid, tid: 1, args: { name: 'parts, on all threads' } })
    const { step: plain, batch } = trainings[job]!(inputs[job]!())
    const step = compile(plain)
    for (let i = 0; i < 50; i++) step(...batch)
    const parts = step.profile(...batch)
    const total = parts.reduce((sum, { milliseconds }) => sum + milliseconds, 0)
    process.stdout.write(`${job}: ${total.toFixed(3)} ms in ${parts.length} parts\n`)
    const sums = new Map<string, { count: number; milliseconds: number }>()
    for (const { name, milliseconds } of parts) {
      const entry = sums.get(name) ?? { count: 0, milliseconds: 0 }
      sums.set(name, { count: entry.count + 1, milliseconds: entry.milliseconds + milliseconds })
    }
    const sorted = [...sums].sort(([, a], [, b]) => b.milliseconds - a.milliseconds)
    const rest = sorted.splice(longest).map(([, entry]) => entry)
    if (rest.length > 0) sorted.push(['all others', { count: rest.reduce((n, entry) => n + entry.count, 0), milliseconds: rest.reduce((n, entry) => n + entry.milliseconds, 0) }])
    for (const [name, { count, milliseconds }] of sorted) {
      process.stdout.write(`${milliseconds.toFixed(3).padStart(9)} ms ${(100 * milliseconds / total).toFixed(1).padStart(5)} %  ${String(count).padStart(4)} × ${name}\n`)
    }
    let at = 0
    for (const { name, milliseconds } of parts) {
      events.push({ name, ph: 'X', ts: at * 1000, dur: milliseconds * 1000, pid, tid: 1, cat: job })
      at += milliseconds
    }
  })
  if (trace !== null) writeFileSync(trace, JSON.stringify({ traceEvents: events, displayTimeUnit: 'ms' }))
  return 0
}
