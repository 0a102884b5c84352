// Models that others have published on npm: their files, and what is compared of their results.

import { readFileSync } from 'node:fs'
import { published } from './data.ts'

/** The file of a job. */
export const fileOf = (job: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../node_modules/${published[job]!}`, import.meta.url)))

/** The sampling rate that a detector of voices is told, in Hz: an input of one int64. */
export const rate = 16000n

/** Eight elements of a result from all over it, its largest, and its mean. */
export function sampled(y: ArrayLike<number>): number[] {
  const values = Array.from(y)
  return [...Array.from({ length: 8 }, (_, i) => values[Math.floor(i * values.length / 8)]!), values.reduce((a, b) => Math.max(a, b)), values.reduce((a, b) => a + b) / values.length]
}
