// Class indices that fit the scores they choose from.

import type { Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'

/** Throws where an index names no class of scores that have so many, unless it is allowed; only where it can be read at once. */
export function checkClasses(op: string, scores: Tensor, classes: number, target: Tensor, allowed: (index: number) => boolean, wayOut: string): void {
  if (!target.storage || !target.backend.readSync) return
  const bad = target.dataSync().find((index: number | bigint) => (index < 0 || index >= classes) && !allowed(Number(index)))
  if (bad !== undefined) fail('value', op, `class ${bad} is outside 0 … ${classes - 1}, the classes of ${describe(scores)}. ${wayOut}`)
}
