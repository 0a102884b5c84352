// A budget of bytes: where a graph takes up more, the cheapest of its recomputing runs that fits.

import type { Backend, MemoryPlan } from '../backend.ts'
import { fail } from '../errors.ts'
import type { Graph } from '../graph.ts'
import { planInterpreted } from './interpret.ts'
import { ordered } from './order.ts'
import { recompute, type Run } from './recompute.ts'
import { slicesOf } from './slices.ts'
import { apart, unitsOf } from './units.ts'
import { flopsOfGraph } from './work.ts'

/** Attempts that follow one another to the budget, and attempts at fixed rooms if those fail. */
const mostGuided = 12
const mostFixed = 16
/** From one fixed room to the next. */
const narrower = 0.86
/** How close to the budget is close enough. */
const closeEnough = 0.02

/** A graph that fits, and what was done to it. */
export interface Fitted {
  readonly graph: Graph
  readonly notes: readonly string[]
  /** Whether the graph is another. */
  readonly changed: boolean
}

/** What a backend's program of a graph would take up. */
function planOf(graph: Graph, backend: Backend): MemoryPlan {
  const plan = backend.lower && backend.plan?.(graph)
  if (plan) return plan
  const lowered = backend.lower?.(graph)
  return lowered ? { ...planInterpreted(graph), bytes: lowered.bytes } : planInterpreted(graph)
}

/**
 * The graph itself where its program takes at most `maxBytes`; else one of the same results in which values are computed again
 * instead of being kept, as few of them as the budget allows. Throws where none fits.
 */
export function fit(graph: Graph, backend: Backend, maxBytes: number): Fitted {
  const first = planOf(graph, backend)
  if (first.bytes <= maxBytes) return { graph, notes: [], changed: false }
  const fenced = turned(graph, first)
  const units = unitsOf(fenced, planOf(fenced, backend))
  const order = ordered(fenced, units)
  const slices = slicesOf(fenced, units)
  const attempt = (room: number): Attempt | null => {
    const run = recompute(fenced, units, slices, order, room)
    return run && { ...run, bytes: planOf(run.graph, backend).bytes }
  }
  const { best, least } = search(attempt, maxBytes)
  if (!best) return fail('memory', 'compile', `one run takes ${first.bytes} bytes for its values, more than maxBytes = ${maxBytes}; the least that recomputing reaches is ${Math.min(least, first.bytes)}. Give maxBytes at least that, or use smaller batches`)
  return { graph: best.graph, changed: true, notes: [told(graph, best.graph, first.bytes - best.bytes)] }
}

/** A run, and what its program takes up. */
interface Attempt extends Run {
  readonly bytes: number
}

/**
 * The run of least work that fits. What a backend's arena takes up is not the room of a run, for there are gaps and scratch
 * memory; but the one follows the other, so that a few attempts find a room for a budget. Where they do not, rooms are tried that
 * do not depend on the budget, so that the least reported is reached again when asked for.
 */
function search(attempt: (room: number) => Attempt | null, maxBytes: number): { readonly best: Attempt | null; readonly least: number } {
  const free = attempt(Infinity)!
  if (free.bytes <= maxBytes) return { best: free, least: free.bytes }
  let best: Attempt | null = null
  const { peak } = free
  // below `low` there is too much work, above `high` too little memory
  let low = 0
  let high = peak
  let room = high * maxBytes / free.bytes
  for (let i = 0; i < mostGuided && high - low > closeEnough * peak && !(best && best.bytes >= (1 - closeEnough) * maxBytes); i++) {
    const margin = (high - low) / 10
    room = Math.min(Math.max(room, low + margin), high - margin)
    const found = attempt(room)
    if (found && found.bytes <= maxBytes && (!best || found.work < best.work)) best = found
    if (found && found.bytes > maxBytes) high = room
    else low = room
    room = found ? room * maxBytes / found.bytes : (low + high) / 2
  }
  let least = free.bytes
  for (let i = 1; i <= mostFixed && !best; i++) {
    const found = attempt(peak * narrower ** i)
    if (!found) break
    if (found.bytes <= maxBytes) best = found
    least = Math.min(least, found.bytes)
  }
  return { best, least }
}

/** The graph with a fence where most is alive, so that what is read only after that is not computed before. */
function turned(graph: Graph, { groups }: MemoryPlan): Graph {
  const { free } = unitsOf(graph, { groups, kept: [] })
  const { units, held } = apart(graph, free)
  const readers = new Map(units.flatMap(({ reads }, time) => reads.map(id => [id, time] as const)))
  const dying = units.map(() => 0)
  let alive = 0
  let most = 0
  let turn = 0
  units.forEach(({ makes }, time) => {
    for (const id of makes) {
      const size = held.get(id)!
      alive += size
      const last = readers.get(id)
      if (last !== undefined) dying[last]! += size
    }
    if (alive > most) {
      most = alive
      turn = time
    }
    alive -= dying[time]!
  })
  const [first] = units[turn]?.nodes ?? []
  const after = first ? graph.nodes.indexOf(first) : Infinity
  return { ...graph, nodes: graph.nodes.map((node, i) => i > after ? { ...node, fence: 1 } : node) }
}

/** What was done, in words. */
function told(before: Graph, after: Graph, saved: number): string {
  const count = ({ nodes }: Graph): number => nodes.filter(({ row }) => row.fuse !== 'view').length
  return `${count(after) - count(before)} values are computed again, and ops moved to where they free memory: ${saved.toLocaleString('en')} bytes less for ${(100 * (flopsOfGraph(after) / flopsOfGraph(before) - 1)).toFixed(1)} % more operations.`
}
