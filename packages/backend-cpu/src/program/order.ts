// The order of loops and kernels: what frees more bytes than it takes runs as soon as it can, all else as written.

import type { Id } from '@bp/core/extend'
import { type Group, operandsOf } from './fuse.ts'
import type { Life } from './lifetimes.ts'
import { outsOf, type Steps } from './steps.ts'

/** Groups in an order in which they can run, and what lies where. */
export interface Planned {
  readonly steps: Steps
  readonly groups: readonly Group[]
  /** What is the same in every run; the groups that make it stand in front. */
  readonly steady: ReadonlySet<Id>
  readonly lives: ReadonlyMap<Id, Life>
  /** For each result that is written over something, over which value or variable. */
  readonly inPlace: ReadonlyMap<Id, Id>
}

/**
 * Groups in an order in which values die sooner: an activation by the gradient of a weight, that by the update. What is written
 * over a variable still is, for it stays behind all that read the old value.
 */
export function soonFreed({ steps, groups, lives, inPlace }: Omit<Planned, 'steady'>): Group[] {
  const reads = groups.map(operandsOf)
  const makers = new Map<Id, number>(groups.flatMap((group, g) => group.steps.flatMap(outsOf).map((id): [Id, number] => [id, g])))
  const readers = new Map<Id, Set<number>>()
  reads.forEach((ids, g) => { for (const id of ids) readers.set(id, (readers.get(id) ?? new Set()).add(g)) })
  /** The bytes of values that each group makes, and what must run before it. */
  const takes = new Array<number>(groups.length).fill(0)
  const before = reads.map(ids => new Set(ids.flatMap(id => makers.get(id) ?? [])))
  for (const [id, g] of makers) {
    const over = inPlace.get(id)
    if (over === undefined || lives.has(over)) takes[g]! += lives.get(id)?.bytes ?? 0
    else for (const reader of readers.get(over) ?? []) if (reader !== g) before[g]!.add(reader)
  }
  const after = groups.map((): number[] => [])
  before.forEach((list, g) => { for (const first of list) after[first]!.push(g) })

  const results = new Set([...steps.outputs, ...steps.updates])
  const gain = (g: number): number => reads[g]!.reduce((sum, id) => readers.get(id)!.size === 1 && !results.has(id) ? sum + (lives.get(id)?.bytes ?? 0) : sum, -takes[g]!)
  const waits = before.map(list => list.size)
  const ready = new Set(groups.flatMap((_, g) => waits[g] === 0 ? g : []))
  const order: Group[] = []
  while (ready.size > 0) {
    const g = choose(ready)
    ready.delete(g)
    order.push(groups[g]!)
    for (const id of reads[g]!) readers.get(id)!.delete(g)
    for (const next of after[g]!) {
      waits[next]!--
      if (waits[next] === 0) ready.add(next)
    }
  }
  return order

  /** Of the lowest era the group that frees most, or the first where none frees anything. */
  function choose(among: ReadonlySet<number>): number {
    const era = Math.min(...[...among].map(g => groups[g]!.era))
    const list = [...among].filter(g => groups[g]!.era === era).sort((a, b) => a - b)
    const most = list.reduce((a, b) => gain(b) > gain(a) ? b : a)
    return gain(most) > 0 ? most : list[0]!
  }
}
