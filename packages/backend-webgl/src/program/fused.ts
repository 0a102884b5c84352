// Programs of eager mode: what the framework fuses by itself, the ones used longest ago dropped.

import { type FindProgram, Fuser, type Graph, type Program } from '@bp/core/extend'
import type { Handle } from '../device/storage.ts'

/** Elements from which decompositions and pullbacks run as one program: below, tracing one costs more than the launches it saves. */
const least = 1024
/** How many programs are kept. */
const most = 256

/** Fuses decompositions and pullbacks with a backend's programs. */
export function fuserOf(lower: (graph: Graph) => Program<Handle>): Fuser {
  const known = new Map<string, Program | null>()
  const find: FindProgram = (key, graph) => {
    let program = known.get(key)
    if (program === undefined) {
      const traced = graph()
      program = traced && lower(traced)
    } else known.delete(key)
    // the order of a Map is that of insertion: what was used last stands last
    known.set(key, program)
    if (known.size > most) known.delete(known.keys().next().value!)
    return program
  }
  return new Fuser(find, least)
}
