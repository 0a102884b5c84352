// Lifetimes: which values need bytes in memory, how many, and from which group to which they must lie there.

import { bytesPerElement, type Graph, type Id, sizeOf } from '@bp/core/extend'
import { type Group, operandsOf } from './fuse.ts'
import { outsOf, type Steps } from './steps.ts'

/** Bytes that are in use from one group to another, both included. */
export interface Life {
  readonly bytes: number
  readonly from: number
  readonly to: number
  /** Whether it is kept from run to run; then it lies behind all else, and shares its bytes with nothing. */
  readonly lasting?: boolean
}

/** The bytes of a value. */
export const bytesOfValue = ({ avals }: Pick<Steps, 'avals'>, id: Id): number => {
  const { dtype, shape } = avals.get(id)!
  return bytesPerElement(dtype) * sizeOf(shape)
}

/**
 * The values that need a place of their own: arguments that are read, what one group makes and another reads, what a kernel
 * writes, and results, which stay until after the last group, as does what is kept for the next run. Variables and constants lie
 * elsewhere.
 */
export function lifetimesOf(graph: Graph, steps: Steps, groups: readonly Group[], steady: ReadonlySet<Id>): Map<Id, Life> {
  const from = new Map<Id, number>([...graph.inputs, ...graph.live].map(({ id }) => [id, 0]))
  const to = new Map<Id, number>()
  groups.forEach((group, g) => {
    for (const id of operandsOf(group)) to.set(id, g)
    for (const step of group.steps) {
      for (const id of outsOf(step)) {
        from.set(id, g)
        if (step.kind !== 'map' && step.kind !== 'reduce') to.set(id, g)
      }
    }
  })
  for (const id of to.keys()) if (steady.has(id)) to.set(id, groups.length)
  for (const id of [...steps.outputs, ...steps.updates]) to.set(id, groups.length)
  return new Map([...from].flatMap(([id, begin]) => to.has(id) ? [[id, { bytes: bytesOfValue(steps, id), from: begin, to: to.get(id)!, ...steady.has(id) && { lasting: true } }]] : []))
}

/** The lifetimes of places: a value that takes over the bytes of another prolongs that one's life. `inPlace` tells whose bytes. */
export function placesOf(lives: ReadonlyMap<Id, Life>, inPlace: ReadonlyMap<Id, Id>): Map<Id, Life> {
  const places = new Map<Id, Life>()
  for (const [id, life] of lives) if (!inPlace.has(id)) places.set(id, life)
  for (const [id, { to }] of lives) {
    const first = firstIn(inPlace, id)
    const place = places.get(first)
    if (place && place.to < to) places.set(first, { ...place, to })
  }
  return places
}

/** Whose place a value lies in: the first of those that took it over from each other. */
export function firstIn(inPlace: ReadonlyMap<Id, Id>, id: Id): Id {
  let first = id
  for (let before = inPlace.get(first); before !== undefined; before = inPlace.get(first)) first = before
  return first
}

/** The bytes in use while each group runs, and after the last. */
export function bytesInUse(lives: Iterable<Life>, groups: number): number[] {
  const change = new Array<number>(groups + 2).fill(0)
  for (const { bytes, from, to } of lives) {
    change[from]! += bytes
    change[to + 1]! -= bytes
  }
  let now = 0
  return change.slice(0, -1).map(step => now += step)
}
