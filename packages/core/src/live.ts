// What a function does beside computing with tensors, so that it happens again each time its compiled form runs.

import type { DType } from './dtype.ts'
import { assignments, casting, current, type Interpreter, runIn, type Setting, type Trial } from './interpreter.ts'
import { observer } from './node.ts'
import { forGood } from './ownership.ts'
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

/**
 * A setting of `owner`, such as a module's mode, that decides which ops run. Where ops run at once it is just read; a compiled
 * function is traced anew, as for another shape, where the setting is no longer what it was.
 *
 * @example
 * ```ts
 * import { compile, mul, tensor } from '@bp/core'
 * import { depends } from '@bp/core/extend'
 * const layer = { doubles: true }
 * const f = compile(x => depends(layer, () => layer.doubles) ? mul(x, 2) : x)
 * f(tensor(3)) // => tensor(6, float32)
 * layer.doubles = false
 * f(tensor(3)) // => tensor(3, float32)
 * ```
 */
export function depends<T extends Setting>(owner: object, read: () => T): T {
  watch(owner, read)
  return read()
}

/** The same of a setting that is read in other ways: where ops run at once, it is not read here at all. */
export function watch(owner: object, read: () => Setting): void {
  tracing()?.guard?.(owner, read, read())
}

/** Notes that the present function itself sets what {@link depends} reads of `owner`. */
export function settles(owner: object): void {
  tracing()?.settled?.(owner)
}

/** Does something now, or, in a trace, after every run: what an optimiser counts. */
export function effect(happen: () => void): void {
  const level = tracing()
  const { trial } = assignments
  const told = trial === null ? happen : (): void => { if (trial.held()) happen() }
  if (level?.effect) level.effect(told)
  else told()
}

/**
 * Runs `f`; each variable that it assigns gets `choose(after, before)` instead (`null`: it is left alone), and its effects happen only where `held()` says so
 * at that time. So a step that turns out to be void, which a compiled step learns only as it runs, leaves nothing behind.
 *
 * @example
 * ```ts
 * import { tensor, Variable } from '@bp/core'
 * import { provisionally } from '@bp/core/extend'
 * import { less, select } from '@bp/ops'
 * const x = new Variable(tensor([1, 5]))
 * provisionally({ choose: (after, before) => select(less(before, 3), after, before), held: () => true }, () => { x.assign(tensor([9, 9])) })
 * x // => tensor([9, 5], float32)
 * ```
 */
export function provisionally<R>(trial: Trial, f: () => R): R {
  const before = assignments.trial
  assignments.trial = trial
  try {
    return f()
  } finally {
    assignments.trial = before
  }
}

/** Makes something for good, such as a variable for an optimiser's state, also while a function is being traced: no `scope` frees it. */
export function outside<R>(make: () => R): R {
  let level = current
  while (level.outer !== null) level = level.outer
  return forGood(() => runIn(level, make))
}

/** The trace that is being written, if any, also from inside a transform in it. */
function tracing(): Interpreter | null {
  for (let level: Interpreter | null = current; level !== null; level = level.outer) if (level.live) return level
  return null
}

/**
 * Whether ops on these tensors just run: nothing traces, batches, casts or differentiates them, and nothing records them for later. Then a
 * program may take their place.
 */
export function runsPlainly(xs: Iterable<Tensor>): boolean {
  if (current.outer !== null || casting !== null) return false
  if (!current.recording) return true
  if (observer !== null) return false
  for (const x of xs) if (x.node !== null) return false
  return true
}
