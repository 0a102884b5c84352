// Lowering: a graph becomes tasks on addresses, the tasks one WebAssembly module, and the module a program.

import type { DType } from '@bp/core'
import { bytesPerElement, type Graph, type Id, type MemoryPlan, type Program, sizeOf } from '@bp/core/extend'
import type { Engine } from '../engine.ts'
import { ModuleBuilder } from '../wasm/module.ts'
import { doubles, floats } from '../wasm/simd.ts'
import { Arena } from './arena.ts'
import { defineRun } from './dispatch.ts'
import type { Emit } from './emit.ts'
import { Executable, type Part } from './executable.ts'
import { fuse, type Group } from './fuse.ts'
import { inPlaceUpdates } from './inPlace.ts'
import { explain, printGroups } from './explain.ts'
import { library, type LibraryEntry } from './library.ts'
import { type Addresses, loopTasks } from './loopTasks.ts'
import type { Region } from './region.ts'
import { specials, specialTasks } from './specials.ts'
import { outsOf, type Steps, stepsOf } from './steps.ts'
import type { Task } from './task.ts'

interface At {
  readonly address: number
  readonly bytes: number
}

/** Makes a program of a graph of primitives. */
export function lower(engine: Engine, graph: Graph): Program | null {
  if (isEmpty(graph)) return null
  const steps = stepsOf(graph, specials)
  const groups = fuse(steps)
  const fixed = fixedPlaces(engine, graph)
  const plan = new Planning(engine, graph, steps, groups, fixed)
  // once without a place, to learn how many bytes it takes
  const { peak, taskCount } = plan.draft(0, 0)
  const arena = engine.heap.allocate(peak)
  const counters = engine.heap.allocate(4 * taskCount)
  const made = plan.emit(arena, counters)
  return new Executable(engine, graph, steps, {
    arena, bytes: peak, addresses: made.addresses, counters, taskCount, program: made, apart: () => plan.emit(arena, counters, true),
    notes: explain(groups), dump: [{ pass: 'fused', text: printGroups(groups, steps) }],
  })
}

/** What {@link lower}'s program takes up. */
export function plan(engine: Engine, graph: Graph): MemoryPlan | null {
  if (isEmpty(graph)) return null
  const steps = stepsOf(graph, specials)
  const groups = fuse(steps)
  const planning = new Planning(engine, graph, steps, groups, fixedPlaces(engine, graph))
  return { bytes: planning.draft(0, 0).peak, groups: groups.map(group => group.steps.flatMap(outsOf)), kept: [...planning.kept].filter(id => !planning.inPlace.has(id)) }
}

/** Whether there are values without elements, which loops do not know. */
const isEmpty = ({ nodes, inputs }: Graph): boolean => [...nodes.flatMap(({ avals }) => avals), ...inputs.map(({ aval }) => aval)].some(({ shape }) => sizeOf(shape) === 0)

/** Places that outlive a run: constants and variables. */
function fixedPlaces(engine: Engine, graph: Graph): Map<Id, At> {
  const places = new Map<Id, At>()
  for (const { id, aval, value } of graph.variables) places.set(id, { address: engine.residence(value), bytes: bytes(aval.dtype, sizeOf(aval.shape)) })
  for (const { id, aval, value } of graph.constants) places.set(id, { address: engine.constant(value), bytes: bytes(aval.dtype, sizeOf(aval.shape)) })
  return places
}

const bytes = (dtype: DType, size: number): number => bytesPerElement(dtype) * size

/** What {@link Planning.emit} makes. */
interface Made {
  readonly addresses: Map<Id, At>
  readonly peak: number
  readonly taskCount: number
  readonly parts: Part[]
  readonly tasks: readonly (readonly Task[])[]
  readonly module: Uint8Array<ArrayBuffer>
}

class Planning {
  private readonly engine: Engine
  private readonly graph: Graph
  private readonly steps: Steps
  private readonly groups: readonly Group[]
  private readonly fixed: ReadonlyMap<Id, At>
  /** Values that need a place: those read by another group than the one that makes them, and results. */
  readonly kept = new Set<Id>()
  /** The last group that reads a value; results are read after all. */
  private readonly lastUse = new Map<Id, number>()
  /** Results that are computed where a variable lies. */
  readonly inPlace: ReadonlyMap<Id, Id>

  constructor(engine: Engine, graph: Graph, steps: Steps, groups: readonly Group[], fixed: ReadonlyMap<Id, At>) {
    this.engine = engine
    this.graph = graph
    this.steps = steps
    this.groups = groups
    this.fixed = fixed
    groups.forEach(({ steps: list }, g) => {
      const own = new Set(list.flatMap(outsOf))
      for (const step of list) {
        for (const ref of step.ins) {
          if (!('base' in ref)) continue
          if (!own.has(ref.base)) {
            this.kept.add(ref.base)
            this.lastUse.set(ref.base, g)
          }
        }
        if (step.kind !== 'map' && step.kind !== 'reduce') for (const id of outsOf(step)) this.kept.add(id)
      }
    })
    for (const id of [...steps.outputs, ...steps.updates]) {
      this.kept.add(id)
      this.lastUse.set(id, groups.length)
    }
    this.inPlace = inPlaceUpdates(graph, steps, groups)
  }

  /** Emits everything for an arena at an address, and counters of units at another; `apart`, so that each task can be run by itself. */
  emit(base: number, counters: number, apart = false): Made {
    const draft = this.draft(base, counters, apart)
    return { ...draft, module: draft.module.encode() }
  }

  /** The same, not yet in bytes. */
  draft(base: number, counters: number, apart = false): Omit<Made, 'module'> & { readonly module: ModuleBuilder } {
    const { engine, graph, groups } = this
    const { memory, relaxed, threads } = engine
    const module = new ModuleBuilder(memory)
    const imports = Object.fromEntries((Object.entries(library) as [string, LibraryEntry][]).map(([name, { params }]) => [name, module.import(name, params)])) as Emit['library']
    const arena = new Arena(base)
    const addresses = new Map<Id, At>(this.fixed)
    const place = (id: Id): void => {
      const variable = this.inPlace.get(id)
      const aval = this.steps.avals.get(id)!
      const size = bytes(aval.dtype, sizeOf(aval.shape))
      addresses.set(id, variable === undefined ? { address: arena.take(size), bytes: size } : this.fixed.get(variable)!)
    }
    for (const { id } of [...graph.inputs, ...graph.live]) if (this.lastUse.has(id)) place(id)
    const taken: number[] = []
    const emit: Emit = {
      module, library: imports, floats: floats(relaxed), doubles: doubles(relaxed), threads, table: values => engine.table(values),
      scratch: size => {
        const address = arena.take(size)
        taken.push(address)
        return address
      },
    }
    const segments: Task[][] = [[]]
    const parts: Part[] = [{ kind: 'segment', index: 0 }]
    const begin = (): void => {
      parts.push({ kind: 'segment', index: segments.length })
      segments.push([])
    }
    const free = (id: Id): void => {
      if (!this.fixed.has(id) && !this.inPlace.has(id)) arena.give(addresses.get(id)!.address)
    }
    groups.forEach((group, g) => {
      const made = group.steps.flatMap(outsOf).filter(id => this.kept.has(id))
      for (const id of made) place(id)
      const tasks = this.tasksOf(emit, group, addresses)
      for (const task of tasks ?? []) {
        if (apart) begin()
        segments.at(-1)!.push(task)
      }
      if (!tasks) {
        parts.push({ kind: 'island', step: group.steps[0]! })
        begin()
      }
      for (const address of taken.splice(0)) arena.give(address)
      for (const id of this.dying(group, g)) free(id)
    })
    const taskCount = segments.reduce((n, list) => n + list.length, 0)
    defineRun(module, segments, counters, memory.shared)
    return { addresses, peak: arena.peak, taskCount, parts: parts.filter(part => part.kind === 'island' || segments[part.index]!.length > 0), tasks: segments, module }
  }

  /** Values that are not read after group `g`. */
  private dying(group: Group, g: number): Id[] {
    const here = new Set(group.steps.flatMap(step => [...outsOf(step), ...step.ins.flatMap(ref => 'base' in ref ? ref.base : [])]))
    return [...here].filter(id => this.kept.has(id) && (this.lastUse.get(id) ?? g) === g)
  }

  private tasksOf(emit: Emit, group: Group, addresses: Addresses): Task[] | null {
    const regions = (ids: readonly Id[]): Region[] => ids.map(id => {
      const { address, bytes: size } = addresses.get(id)!
      return { start: address, end: address + size }
    })
    const outs = group.steps.flatMap(outsOf)
    const reads = regions([...new Set(group.steps.flatMap(({ ins }) => ins.flatMap(ref => 'base' in ref && !outs.includes(ref.base) ? ref.base : [])))])
    const writes = regions(outs.filter(id => this.kept.has(id)))
    if (group.space) return loopTasks(emit, group, addresses, this.kept, reads, writes)
    const [step] = group.steps
    return step!.kind === 'special' ? specialTasks(emit, step!, addresses, reads, writes) : null
  }
}
