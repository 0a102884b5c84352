// What a function does beside computing with tensors, so that it happens again each time its compiled form runs.

import type { DType } from './dtype.ts'
import { current, type Interpreter, runIn } from './interpreter.ts'
import type { Tensor } from './tensor.ts'

/**
 * A number that may change between two runs of a compiled function: a learning rate, a step count. Where ops run at once it
 * is the number itself; in a trace, a scalar of the given dtype that is read anew before every run.
 *
 * @example
 * ```ts
 * import { tensor, mul } from '@bp/core'
 * import { live } from '@bp/core/extend'
 * const schedule = { lr: 0.5 }
 * mul(tensor(4), live(() => schedule.lr)) // => tensor(2, float32)
 * ```
 */
export function live(read: () => number, dtype: DType = 'float32'): number | Tensor {
  const level = tracing()
  return level?.live ? level.live(read, dtype) : read()
}

/** Does something now, or, in a trace, after every run: what an optimiser counts. */
export function effect(happen: () => void): void {
  const level = tracing()
  if (level?.effect) level.effect(happen)
  else happen()
}

/** Makes something for good, such as a variable for an optimiser's state, also while a function is being traced. */
export function outside<R>(make: () => R): R {
  let level = current
  while (level.outer !== null) level = level.outer
  return runIn(level, make)
}

/** The trace that is being written, if any, also from inside a transform in it. */
function tracing(): Interpreter | null {
  for (let level: Interpreter | null = current; level !== null; level = level.outer) if (level.live) return level
  return null
}
