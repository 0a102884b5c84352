// What a broken law reports: row, law, dtype, sample, element, and by how much.

import type { Shape } from '@bp/core'

/** The error of a law that does not hold. */
export class LawError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LawError'
  }
}

/** The index of a flat place, as `[1, 2]`. */
export function indexOf(shape: Shape, flat: number): string {
  const index: number[] = []
  let rest = flat
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index.unshift(rest % shape[axis]!)
    rest = Math.floor(rest / shape[axis]!)
  }
  return `[${index.join(', ')}]`
}

/** The worst element of a comparison. */
export interface Worst {
  readonly place: number
  readonly got: number
  readonly expected: number
  /** |got − expected|; infinite where only one of them is NaN. */
  readonly error: number
}

/** The element where two arrays differ the most; `null` where there are none. NaN equals NaN. */
export function worst(got: ArrayLike<number>, expected: ArrayLike<number>): Worst | null {
  let found: Worst | null = null
  for (let place = 0; place < got.length; place++) {
    const [a, b] = [got[place]!, expected[place]!]
    const difference = Object.is(a, b) || a === b ? 0 : Math.abs(a - b)
    const error = Number.isNaN(difference) ? Infinity : difference
    if (found === null || error > found.error) found = { place, got: a, expected: b, error }
  }
  return found
}

const short = (x: number): string => String(Number(x.toPrecision(8)))

/** Throws where an element differs by more than `tolerance` × (1 + the largest expected magnitude). */
export function compare(what: string, shape: Shape, got: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  if (got.length !== expected.length) throw new LawError(`${what} has ${got.length} elements, expected ${expected.length}`)
  const at = worst(got, expected)
  if (at === null) return
  let scale = 1
  for (let i = 0; i < expected.length; i++) if (Number.isFinite(expected[i])) scale = Math.max(scale, Math.abs(expected[i]!))
  const allowed = tolerance * scale
  if (at.error > allowed) {
    throw new LawError(`element ${indexOf(shape, at.place)} of ${what} is ${short(at.got)}, expected ${short(at.expected)} (off by ${at.error.toExponential(1)}, allowed ${allowed.toExponential(1)})`)
  }
}
