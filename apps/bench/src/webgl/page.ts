// What the page runs: prepares a job with every contender, checks that they agree, and times them in turns.

import { cpu } from '@bp/backend-cpu'
import { webgl } from '@bp/backend-webgl'
import { use } from '@bp/core'
import type { Single } from '../report.ts'
import { difference, median } from '../statistics.ts'
import type { Contender, Ready } from './contender.ts'
import { inputsOf } from './data.ts'
import { ours, oursOpByOp } from './ours.ts'
import { tfjs } from './tfjs.ts'

/** How often and how long to measure. */
export interface Settings {
  /** Timed repetitions of each contender. */
  readonly repetitions: number
  /** Milliseconds that a repetition shall take at least. */
  readonly shortest: number
  /** Milliseconds of warming up: kernels are compiled, textures are made, and engines compile while functions run. */
  readonly warmUp: number
}

/** A contender's medians in milliseconds and the way that was fastest, or why there is none. */
export type Outcome = { readonly time: number; readonly single: Single; readonly variant: string } | { readonly fail: string }

/** What the page can do. */
export interface Bench {
  readonly adapter: string
  /** Times a job with each of the contenders that are named; the first that can do it is what the others are compared to. */
  race(job: string, names: readonly string[], settings: Settings): Promise<Record<string, Outcome>>
}

/** Milliseconds of one of so many runs, the GPU's work included. */
async function time(ready: Ready, way: string, count: number): Promise<number> {
  const run = ready.ways[way]!
  const begin = performance.now()
  for (let i = 0; i < count; i++) {
    const result = run()
    if (result instanceof Promise) await result
  }
  await ready.done()
  return (performance.now() - begin) / count
}

/** Milliseconds of a run by itself. */
async function alone(ready: Ready, way: string): Promise<Single> {
  const begin = performance.now()
  const result = ready.ways[way]!()
  const busy = performance.now() - begin
  if (result instanceof Promise) await result
  await ready.done()
  return { busy, total: performance.now() - begin }
}

/** Warms one way up, and says how many runs fill a repetition. */
async function warm(ready: Ready, way: string, { shortest, warmUp }: Settings): Promise<number> {
  const begin = performance.now()
  let count = 1
  for (;;) {
    const spent = count * await time(ready, way, count)
    if (spent < shortest) count = Math.min(2 * count, Math.ceil(count * shortest / Math.max(spent, 1e-3)))
    else if (performance.now() - begin >= warmUp) return count
  }
}

/** A contender that takes part. */
interface Racer {
  readonly name: string
  readonly ready: Ready
  readonly way: string
  readonly count: number
  readonly times: number[]
  readonly singles: Single[]
}

async function enter(name: string, start: Contender[string] | undefined, job: string, expected: ArrayLike<number> | null, settings: Settings): Promise<Racer | string> {
  if (!start) return 'has no such job'
  const ready = await start(inputsOf(job))
  const apart = expected ? difference(expected, ready.values) : 0
  if (!(apart <= 1e-3)) {
    ready.close()
    return `computes something else: ${apart.toPrecision(2)} of the largest element apart`
  }
  let best: { way: string; count: number; spent: number } | null = null
  for (const way of Object.keys(ready.ways)) {
    const count = await warm(ready, way, settings)
    const spent = await time(ready, way, count)
    if (!best || spent < best.spent) best = { way, count, spent }
  }
  return { name, ready, way: best!.way, count: best!.count, times: [], singles: [] }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0]!.slice(0, 160)

async function open(): Promise<Bench> {
  const backend = await webgl({ host: cpu() })
  use(backend)
  const contenders: Readonly<Record<string, Contender>> = { 'ours': ours, 'ours-op-by-op': oursOpByOp, 'tfjs-webgl': await tfjs() }
  return {
    adapter: backend.adapter,
    async race(job, names, settings) {
      const outcomes: Record<string, Outcome> = {}
      const racers: Racer[] = []
      try {
        for (const name of names) {
          const entered: Racer | string = await enter(name, contenders[name]![job], job, racers[0]?.ready.values ?? null, settings).catch(reason)
          if (typeof entered === 'string') outcomes[name] = { fail: entered }
          else racers.push(entered)
        }
        for (let i = 0; i < settings.repetitions; i++) {
          for (const { ready, way, count, times, singles } of racers) {
            // contexts take turns: the first run pays for it
            await time(ready, way, 1)
            times.push(await time(ready, way, count))
            singles.push(await alone(ready, way))
          }
        }
        for (const { name, way, times, singles } of racers) outcomes[name] = { time: median(times), single: { busy: median(singles.map(({ busy }) => busy)), total: median(singles.map(({ total }) => total)) }, variant: way }
        return outcomes
      } finally {
        for (const { ready } of racers) ready.close()
      }
    },
  }
}

(globalThis as { bench?: Promise<Bench> }).bench = open()
