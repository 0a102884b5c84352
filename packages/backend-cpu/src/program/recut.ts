// Which values are kept from the earlier groups of a program to the later ones, and which are computed again, or early, instead.

import { type Graph, type Id, sizeOf } from '@bp/core/extend'
import type { Group } from './fuse.ts'
import { bytesOfValue } from './lifetimes.ts'
import { Network } from './minCut.ts'
import { basesOf, outsOf, type Ref, type Step, type Steps } from './steps.ts'

type MapStep = Step & { readonly kind: 'map' }

/** What it costs to compute an elementwise op again, for each element, in bytes kept: among equals the fewest ops win. */
const again = 1 / 8

/** What a cut does with ops and values. */
interface Cut {
  readonly early: ReadonlySet<Step>
  /** Later ops that run early. */
  readonly moved: ReadonlySet<Step>
  /** Earlier values that are computed again by later ops. */
  readonly remade: ReadonlyMap<Id, MapStep>
  /** The bytes by which it keeps less than before. */
  readonly saved: number
}

/** Steps with a new cut, what it saves of the bytes kept across it, and how many ops are computed again for it. */
export interface Recut {
  readonly steps: Steps
  readonly saved: number
  readonly repeated: number
}

/** The steps of a graph with a new era after the earlier groups, so that as few bytes as can be are kept from these to the others. */
export function recut(graph: Graph, steps: Steps, earlier: readonly Group[]): Recut {
  const cut = cheapestCut(graph, steps, new Set(earlier.flatMap(group => group.steps)))
  return { steps: rewritten(steps, cut), saved: cut.saved, repeated: cut.remade.size }
}

/**
 * A network has an edge for each value, as wide as its bytes, from what makes it to what reads it. What only earlier groups can
 * make hangs on the source, what must read it later on the sink; elementwise ops of earlier groups, which may be repeated, and
 * ops in later loops whose operands are there, which may be moved, can be on either side. The values that the cheapest cut goes
 * through are kept. (Checkpointing as a linear program: Jain et al., Checkmate, 2020; for one moment, and ops that cost next to
 * nothing in a loop, it is a minimal cut.)
 */
function cheapestCut(graph: Graph, steps: Steps, early: ReadonlySet<Step>): Cut {
  const makers = new Map(steps.steps.flatMap(step => outsOf(step).map((id): [Id, Step] => [id, step])))
  const fixed = new Set([...graph.variables, ...graph.constants].map(({ id }) => id))
  const results = new Set([...steps.outputs, ...steps.updates])
  const late = steps.steps.filter(step => !early.has(step))
  const movable = new Set<Step>()
  /** Whether an early op can have a value; variables and constants, which need not be kept, aside. */
  const isThere = (id: Id): boolean => {
    const maker = makers.get(id)
    return maker ? early.has(maker) || movable.has(maker) : !fixed.has(id)
  }
  for (const step of late) {
    const bases = basesOf(step)
    if ((step.kind === 'map' || step.kind === 'reduce') && bases.some(isThere) && bases.every(id => fixed.has(id) || isThere(id))) movable.add(step)
  }

  const isOld = (id: Id): boolean => !makers.has(id) || early.has(makers.get(id)!)
  const network = new Network()
  const vertices = new Map<Id, number>()
  /** The vertex at which a value is made; the next one is where it is read. */
  const made = (id: Id): number => {
    const known = vertices.get(id)
    if (known !== undefined) return known
    const vertex = network.vertex()
    vertices.set(id, vertex)
    const maker = makers.get(id)
    // results that are there are kept in any case
    network.edge(vertex, network.vertex(), isOld(id) && results.has(id) ? 0 : bytesOfValue(steps, id))
    if (isOld(id)) network.edge(network.source, vertex, maker?.kind === 'map' ? again * sizeOf(maker.aval.shape) : Infinity)
    if (maker && (maker.kind === 'map' || movable.has(maker))) for (const base of basesOf(maker)) if (!fixed.has(base)) network.edge(made(base) + 1, vertex, Infinity)
    return vertex
  }
  for (const step of late) if (!movable.has(step)) for (const base of basesOf(step)) if (isThere(base)) network.edge(made(base) + 1, network.sink, Infinity)
  // what is moved may be a result, which nothing has to read
  for (const step of movable) for (const id of outsOf(step)) if (results.has(id)) network.edge(made(id) + 1, network.sink, Infinity)

  const isEarly = network.cut()
  const moved = new Set<Step>()
  const move = (step: Step): void => {
    moved.add(step)
    for (const base of basesOf(step)) {
      const maker = makers.get(base)
      if (maker && movable.has(maker)) move(maker)
    }
  }
  const remade = new Map<Id, MapStep>()
  for (const [id, vertex] of vertices) {
    const maker = makers.get(id)
    if (!maker) continue
    if (movable.has(maker) && isEarly[vertex]!) move(maker)
    if (maker.kind === 'map' && early.has(maker) && !isEarly[vertex]!) remade.set(id, maker)
  }
  const bytesOfAll = (ids: readonly Id[]): number => ids.reduce((sum, id) => results.has(id) ? sum : sum + bytesOfValue(steps, id), 0)
  const before = new Set(late.flatMap(basesOf).filter(id => isOld(id) && !fixed.has(id)))
  const after = [...vertices].flatMap(([id, vertex]) => isEarly[vertex]! && !isEarly[vertex + 1]! ? [id] : [])
  return { early, moved, remade, saved: bytesOfAll([...before]) - bytesOfAll(after) }
}

/** Earlier steps with those moved to them, then the later ones, each after what it wants computed again. */
function rewritten(steps: Steps, { early, moved, remade }: Cut): Steps {
  const avals = new Map(steps.avals)
  const list: Step[] = []
  const eras: number[] = []
  const copies = new Map<Id, Id>()
  let next = Math.max(...avals.keys()) + 1
  const put = (step: Step, era: number): void => {
    list.push(step)
    eras.push(era)
  }
  const copyOf = (id: Id, era: number): Id => {
    const maker = remade.get(id)
    const known = copies.get(id)
    if (!maker || known !== undefined) return known ?? id
    const step = reading(maker, era)
    const out = next++
    copies.set(id, out)
    avals.set(out, step.aval)
    put({ ...step, out }, era)
    return out
  }
  const reading = <S extends Step>(step: S, era: number): S => {
    const ins = step.ins.map((ref): Ref => 'base' in ref ? { ...ref, base: copyOf(ref.base, era) } : ref)
    return { ...step, ins }
  }
  // of each era that there was, the earlier part stays before the later
  const era = (i: number): number => 2 * (steps.eras?.[i] ?? 0)
  steps.steps.forEach((step, i) => { if (early.has(step)) put(step, era(i)) })
  const last = eras.at(-1) ?? 0
  for (const step of steps.steps) if (moved.has(step)) put(step, last)
  steps.steps.forEach((step, i) => { if (!early.has(step) && !moved.has(step)) put(reading(step, era(i) + 1), era(i) + 1) })
  return { ...steps, steps: list, avals, eras }
}
