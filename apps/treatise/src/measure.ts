// Timing and counting: functions in turn, medians, and the bytes that are alive.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

/**
 * Milliseconds of each repetition of each function, run in turn so that a noisy moment falls on all: at least as many as asked
 * for, and for at least a second, after half a second of warm-up.
 */
export function time<K extends string>(functions: Readonly<Record<K, () => unknown>>, repetitions: number): Record<K, number[]> {
  const names = Object.keys(functions) as K[]
  const times = Object.fromEntries(names.map(name => [name, [] as number[]])) as Record<K, number[]>
  const round = (record: boolean): void => {
    for (const name of names) {
      const start = performance.now()
      functions[name]()
      if (record) times[name].push(performance.now() - start)
    }
  }
  const begin = performance.now()
  while (performance.now() - begin < 500) round(false)
  const warm = performance.now()
  for (let i = 0; i < repetitions || performance.now() - warm < 1000; i++) round(true)
  return times
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (options?: { readonly type: 'minor' }) => void

/** Bytes of array buffers that the allocator has given out and not got back, after a full collection. */
export function liveBytes(): number {
  collect()
  // buffers are given back in the background: the next collection, however small, waits for that
  collect({ type: 'minor' })
  return process.memoryUsage().arrayBuffers
}
