// What one run of a model may do beside its tensors: numbers laid out in JavaScript, steps of loops, bytes that these collect.

import { BpError } from '@bp/core'

/** So much of each may be taken in all. */
export interface Work {
  /** Numbers that operators lay out in JavaScript: weights of a resized axis, sizes of parts, windows. */
  readonly entries: number
  /** Steps of loops, of all together. */
  readonly steps: number
  /** Bytes that loops collect from their steps. */
  readonly collected: number
}

const refusals: Readonly<Record<keyof Work, (most: number) => string>> = {
  entries: most => `operators would lay out more than ${most} numbers one by one in this run. If the file is to be trusted, pass a higher { limits: { entries } } when it is loaded`,
  steps: most => `the loops of the model have taken more than ${most} steps in this run, and may never end. If the file is to be trusted, pass a higher { limits: { steps } } when it is loaded`,
  collected: most => `the loops of the model have collected more than ${most} bytes in this run. If the file is to be trusted, pass a higher { limits: { collected } } when it is loaded`,
}

interface Budget {
  readonly most: Work
  readonly left: { -readonly [kind in keyof Work]: number }
}

let current: Budget | null = null

/** What `f` returns, which may take so much. */
export function within<T>(most: Work, f: () => T): T {
  const before = current
  current = { most, left: { ...most } }
  try {
    return f()
  } finally {
    current = before
  }
}

/** Takes so much of what the present run may do, and returns it; throws a `memory` error where that is more than is left. */
export function take(kind: keyof Work, operator: string, amount: number): number {
  if (!current) return amount
  if (!(amount <= current.left[kind])) throw new BpError('memory', operator, refusals[kind](current.most[kind]))
  current.left[kind] -= amount
  return amount
}

/** Takes entries, as many as there are to be of a list. */
export const entries = (operator: string, count: number): number => take('entries', operator, count)
