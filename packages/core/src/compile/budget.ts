// A budget of bytes: where a graph takes up more, the cheapest of its recomputing runs that fits.

import type { Backend, MemoryPlan } from '../backend.ts'
import { fail } from '../errors.ts'
import type { Graph } from '../graph.ts'
import { planInterpreted } from './interpret.ts'
import { ordered } from './order.ts'
import { recompute, type Run } from './recompute.ts'
import { apart, unitsOf } from './units.ts'
import { avalsOf, flopsOf } from './work.ts'

/** How many programs are planned at most. */
const mostPlans = 30
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
export function planOf(graph: Graph, backend: Backend): MemoryPlan {
  const plan = backend.plan?.(graph)
  if (plan) return plan
  const lowered = backend.lower?.(graph)
  return lowered ? { bytes: lowered.bytes, groups: graph.nodes.map(({ outputs }) => outputs), inPlace: [] } : planInterpreted(graph)
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
  let plans = 2
  let least = first.bytes
  let best: { readonly graph: Graph; readonly bytes: number } | null = null
  const attempt = (room: number): { readonly run: Run; readonly bytes: number } | null => {
    const run = recompute(fenced, units, order, room)
    if (!run) return null
    plans++
    const { bytes } = planOf(run.graph, backend)
    least = Math.min(least, bytes)
    if (bytes <= maxBytes) best = { graph: run.graph, bytes }
    return { run, bytes }
  }
  const free = attempt(Infinity)!
  if (!best) {
    // rooms known to be enough, and known to be too much
    let low = 0
    let high = free.run.peak
    let room = Math.min(high * 0.95, high - (free.bytes - maxBytes))
    while (plans < mostPlans && (!best || high - low > closeEnough * high)) {
      const { bytes } = attempt(Math.max(0, room)) ?? { bytes: Infinity }
      if (bytes <= maxBytes) low = room
      else high = room
      if (room <= 0 || bytes === Infinity) break
      room = best ? (low + high) / 2 : Math.min(room * 0.9, room - (bytes - maxBytes))
    }
  }
  if (!best) return fail('memory', 'compile', `one run takes ${first.bytes} bytes for its values, more than maxBytes = ${maxBytes}; the least that recomputing reaches is ${least}. Give maxBytes at least that, or use smaller batches`)
  const { graph: chosen, bytes } = best as { readonly graph: Graph; readonly bytes: number }
  return { graph: chosen, changed: true, notes: [told(graph, chosen, first.bytes - bytes)] }
}

/** The graph with a fence where most is alive, so that what is read only after that is not computed before. */
export function turned(graph: Graph, { groups }: MemoryPlan): Graph {
  const { free } = unitsOf(graph, { groups, inPlace: [] })
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
  const after = graph.nodes.indexOf(units[turn]!.nodes[0]!)
  return { ...graph, nodes: graph.nodes.map((node, i) => i > after ? { ...node, fence: 1 } : node) }
}

function told(before: Graph, after: Graph, saved: number): string {
  const count = ({ nodes }: Graph): number => nodes.filter(({ row }) => row.fuse !== 'view').length
  const flops = (graph: Graph): number => {
    const avals = avalsOf(graph)
    return graph.nodes.reduce((sum, node) => sum + flopsOf(node, avals), 0)
  }
  return `${count(after) - count(before)} values are computed again, which saves ${saved.toLocaleString('en')} bytes for ${(100 * (flops(after) / flops(before) - 1)).toFixed(1)} % more operations.`
}
