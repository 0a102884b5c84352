// Regions of the framework's own: what a backward pass, a rule or a decomposition makes on its way is freed when it is over.

import type { Backend } from './backend.ts'
import { current } from './interpreter.ts'
import { backTo, enter, innermostPass, innermostScope, open, type Region } from './ownership.ts'
import type { Tensor } from './tensor.ts'

/**
 * Runs `f` and frees what it made but for its results, on backends with handles to free; elsewhere, and inside of transforms, whose
 * tensors stand for others, it just runs. `f` must record nothing that its results do not hold, and is given its region.
 */
export function freeing<R>(backend: Backend | undefined, kind: 'pass' | 'step', f: (region: Region | null) => R, resultsOf: (result: R) => readonly object[]): R {
  if (backend?.free === undefined || current.outer !== null) return f(null)
  const region = enter(kind)
  let result: R
  try {
    result = f(region)
  } catch (error) {
    abandon(region)
    throw error
  }
  leave(region, resultsOf(result))
  return result
}

/** The handles of these tensors. */
export const storagesOf = (xs: readonly (Tensor | null)[]): object[] => xs.flatMap(x => x?.storage ?? [])

/** Ends a region; those of the results' handles that were made in it are another's from then on, that around it unless given. */
export function leave(region: Region, results: readonly object[], to: Region | null = region.outer): void {
  region.closed = true
  backTo(region.outer)
  region.forget()
  region.move(results, to)
  region.sweep()
  const pass = innermostPass()
  if (pass?.kind === 'pass') pass.drop(region.lent)
}

/** Ends a region after a throw, and those in it: what they made may have got about, so it is left to the scope around them. */
export function abandon(region: Region): void {
  const ended: Region[] = []
  for (let inner = open; inner !== null && inner !== region.outer; inner = inner.outer) if (inner.kind !== 'scope') ended.push(inner)
  backTo(region.outer)
  const scope = innermostScope()
  for (const each of ended) {
    each.closed = true
    each.forget()
    each.move([...each.handles.keys()], scope)
  }
}
