// How well a network foretells text, and text of its own.

import { compile, noGrad, type Tensor, tensor } from '@bp/core'
import { div, Generator, narrow, softmax, sum } from '@bp/ops'
import type { CharModel } from './models.ts'
import { charLosses } from './train.ts'

/** Windows judged at once. */
const batch = 32

/**
 * A function from text to bits for each of its characters. The network sees windows of `context` characters that overlap by
 * half, and is judged on the second half of each, so that it has seen at least half a window before every character that counts.
 */
export function judge(model: CharModel, context: number): (text: Int32Array) => number {
  const half = context >> 1
  const nats = compile((x: Tensor, y: Tensor) => sum(charLosses(narrow(model.forward(x), 1, half, half), y), 1))
  return text => {
    const windows = Math.floor((text.length - 1 - half) / half)
    let total = 0
    for (let at = 0; at < windows; at += batch) {
      // the last batch is filled up with the first windows, which do not count again: one shape, one program
      const starts = Array.from({ length: batch }, (_, i) => (at + i) % windows * half)
      const cut = (from: number, to: number): Tensor => tensor(starts.map(start => Array.from(text.subarray(start + from, start + to))), { dtype: 'int32' })
      const costs = noGrad(() => nats(cut(0, 2 * half), cut(half + 1, 2 * half + 1))).dataSync() as Float32Array
      for (let i = 0; i < Math.min(batch, windows - at); i++) total += costs[i]!
    }
    return total / (windows * half) / Math.LN2
  }
}

/** Goes on from a prompt of at least `context` characters: each next one is drawn from softmax(logits/temperature). */
export function write(model: CharModel, context: number, prompt: Int32Array, count: number, temperature: number, seed: number): number[] {
  const shares = compile((x: Tensor) => softmax(div(narrow(model.forward(x), 1, context - 1, 1), temperature)))
  const chances = new Generator(seed).uniform([count]).dataSync() as Float32Array
  const written = Array.from(prompt)
  for (const chance of chances) {
    const next = noGrad(() => shares(tensor([written.slice(-context)], { dtype: 'int32' }))).dataSync() as Float32Array
    let left = chance
    const drawn = next.findIndex(share => (left -= share) < 0)
    // rounding may leave a little over
    written.push(drawn < 0 ? next.indexOf(Math.max(...next)) : drawn)
  }
  return written.slice(prompt.length)
}
