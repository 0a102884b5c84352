// What is kept in memory and for how long: loops are fused, ordered, and cut anew until no moment needs fewer bytes.

import type { Graph } from '@bp/core/extend'
import { attach } from './epilogue.ts'
import { fuse, type Group } from './fuse.ts'
import { inPlaceOf } from './inPlace.ts'
import { bytesInUse, lifetimesOf, placesOf } from './lifetimes.ts'
import { type Planned, soonFreed } from './order.ts'
import { recut } from './recut.ts'
import { blocksOf } from './specials.ts'
import { steadyFirst } from './steady.ts'
import type { Steps } from './steps.ts'

/** What a new cut must save to be taken, for a loop more has its price too: this part of all bytes, and this many. */
const part = 1 / 32, least = 16384
/** Cuts at most. */
const most = 6

/** Steps in loops, in the order in which they run. */
export interface Kept extends Planned {
  /** How many elementwise ops are computed again so that their first results need not be kept. */
  readonly repeated: number
}

interface Measured extends Kept {
  /** The bytes of values in use while each group runs, and after the last. */
  readonly use: readonly number[]
  readonly peak: number
}

/** Fuses steps into groups that keep as few bytes as can be found, the same ones for any number of threads. */
export function keepLess(graph: Graph, first: Steps): Kept {
  let best = measured(graph, first, 0)
  for (let cuts = 0; cuts < most; cuts++) {
    const next = better(graph, best)
    if (!next) break
    best = next
  }
  return best
}

/** The same with another cut behind, or before, the moment of most bytes, where that pays. */
function better(graph: Graph, best: Measured): Measured | null {
  const at = best.use.indexOf(best.peak)
  const worth = Math.max(least, best.peak * part)
  for (const after of [at, at - 1]) {
    const { steps, saved, repeated } = recut(graph, best.steps, best.groups.slice(0, after + 1))
    if (saved < worth) continue
    const next = measured(graph, steps, best.repeated + repeated)
    if (best.peak - next.peak >= worth) return next
  }
  return null
}

/** Groups in the order of the graph, or in that which frees sooner if its peak is lower. */
function measured(graph: Graph, steps: Steps, repeated: number): Measured {
  const inOrder = (given: readonly Group[]): Measured => {
    const { groups, steady } = steadyFirst(graph, given)
    const lives = lifetimesOf(graph, steps, groups, steady)
    const inPlace = inPlaceOf(graph, steps, groups, lives)
    const use = bytesInUse([...placesOf(lives, inPlace).values()].filter(({ lasting }) => !lasting), groups.length)
    return { steps, groups, steady, repeated, lives, inPlace, use, peak: Math.max(...use) }
  }
  const written = inOrder(attach(fuse(steps), blocksOf))
  const sooner = inOrder(soonFreed(written))
  return sooner.peak < written.peak ? sooner : written
}
