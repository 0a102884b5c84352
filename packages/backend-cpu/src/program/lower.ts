// Lowering: a graph becomes tasks on addresses, the tasks one WebAssembly module, and the module a program.

import type { DType } from '@bp/core'
import { bytesPerElement, describe, fail, type Graph, type Id, type MemoryPlan, sizeOf } from '@bp/core/extend'
import type { Engine } from '../engine.ts'
import { ModuleBuilder } from '../wasm/module.ts'
import { doubles, floats } from '../wasm/simd.ts'
import { pack } from './arena.ts'
import { mostUnits } from '../threads/control.ts'
import { bounded, defineRun, mostTaken, unitsOf } from './dispatch.ts'
import type { Emit } from './emit.ts'
import { type Emitted, Executable, type Part } from './executable.ts'
import { operandsOf, type Group } from './fuse.ts'
import { explain, printGroups } from './explain.ts'
import { keepLess } from './keeping.ts'
import { library, type LibraryEntry } from './library.ts'
import { firstIn, type Life, placesOf } from './lifetimes.ts'
import { type Addresses, epilogueOf, loopTasks } from './loopTasks.ts'
import type { Planned } from './order.ts'
import type { Region } from './region.ts'
import { blocksOf, keptPanels, specials, specialTasks } from './specials.ts'
import { isSteady } from './steady.ts'
import { outsOf, stepsOf } from './steps.ts'
import { sumsOfProducts } from './sums.ts'
import type { Task } from './task.ts'
import { widen } from './widen.ts'

interface At {
  readonly address: number
  readonly bytes: number
}

/** How a program is to be made. */
export interface Manner {
  /** Runs on the calling thread only. */
  readonly alone?: boolean
  /** Memory to use together with other programs, which must suffice, and no op may run in TypeScript; else there is no program. */
  readonly shared?: { allocate(bytes: number): number | null; free(address: number): void }
}

/** Makes a program of a graph of primitives. */
export function lower(engine: Engine, narrow: Graph, { alone = false, shared }: Manner = {}): Executable | null {
  if (isEmpty(narrow)) return null
  const { graph, joined } = sumsOfProducts(widen(narrow))
  const first = stepsOf(graph, specials)
  if (shared && first.steps.some(({ kind }) => kind === 'island')) return null
  const kept = keepLess(graph, first)
  const { steps, groups, repeated } = kept
  const plan = new Planning(engine, kept, fixedPlaces(engine, graph))
  const { bytes: peak, lasting } = plan
  const memory = shared ?? engine.heap
  const arena = memory.allocate(peak + lasting)
  const give = (): void => {
    if (arena !== null) memory.free(arena)
    plan.give()
  }
  if (arena === null) {
    give()
    return null
  }
  const counters = engine.heap.allocate(4 * plan.taskCount)
  const made = plan.emit(arena, counters)
  return new Executable(engine, graph, steps, {
    give, alone, bytes: peak, addresses: made.addresses, counters, program: made, apart: () => plan.emit(arena, counters, true),
    notes: explain(groups, { repeated, joined }, blocksOf), dump: [{ pass: 'fused', text: printGroups(groups, steps) }, { pass: 'planned', text: plan.print() }],
  })
}

/** What the program of a graph would take up. */
export function plan(engine: Engine, narrow: Graph): MemoryPlan | null {
  if (isEmpty(narrow)) return null
  const { graph } = sumsOfProducts(widen(narrow))
  const asked = new Set(narrow.nodes.flatMap(({ outputs }) => outputs))
  const kept = keepLess(graph, stepsOf(graph, specials))
  const planning = new Planning(engine, kept, fixedPlaces(engine, graph))
  planning.give()
  const variables = new Set(graph.variables.map(({ id }) => id))
  const groups = kept.groups.map(group => group.steps.flatMap(outsOf).filter(id => asked.has(id)))
  return { bytes: planning.bytes, groups, kept: groups.flat().filter(id => !variables.has(firstIn(kept.inPlace, id))) }
}

/** Whether there is nothing in some of its values: such a graph runs op by op. */
const isEmpty = ({ nodes, inputs }: Graph): boolean => [...nodes.flatMap(({ avals }) => avals), ...inputs.map(({ aval }) => aval)].some(({ shape }) => sizeOf(shape) === 0)

/** Places that outlive a run: constants and variables. */
function fixedPlaces(engine: Engine, graph: Graph): Map<Id, At> {
  const places = new Map<Id, At>()
  for (const { id, aval, value } of graph.variables) places.set(id, { address: engine.residence(value), bytes: bytes(aval.dtype, sizeOf(aval.shape)) })
  for (const { id, aval, value } of graph.constants) places.set(id, { address: engine.constant(value), bytes: bytes(aval.dtype, sizeOf(aval.shape)) })
  return places
}

const bytes = (dtype: DType, size: number): number => bytesPerElement(dtype) * size

/** Threads wait for each other by what tasks say that they write: scratch that none of them names would be written by two at once. */
function checkDeclared(scratch: readonly Region[], tasks: readonly Task[]): void {
  const forgotten = scratch.find(piece => !tasks.some(({ writes }) => writes.some(({ start, end }) => start <= piece.start && piece.end <= end)))
  if (forgotten) fail('backend', 'cpu', `no task of ${tasks.map(({ name }) => name).join('; ')} says that it writes its scratch of ${forgotten.end - forgotten.start} bytes. Name it among the writes of the task that does`)
}

/** Tasks in as few segments as their units can be counted in. */
function inSegments(tasks: readonly Task[]): Task[][] {
  const out: Task[][] = []
  for (const task of tasks) {
    const last = out.at(-1)
    if (last && unitsOf(last) + task.units <= mostUnits) last.push(task)
    else out.push([task])
  }
  return out
}

/** What {@link Planning.emit} makes. */
interface Made extends Emitted {
  readonly addresses: Map<Id, At>
  readonly taskCount: number
  /** The scratch that was asked for, in order. */
  readonly scratch: readonly Life[]
}

/** Where everything lies: emitted once without places, to learn of all scratch, and again when they are known. */
class Planning {
  /** Bytes that the values and the scratch of one run take. */
  readonly bytes: number
  /** Bytes behind them, of what is kept for the next run: weights as kernels read them. */
  readonly lasting: number
  readonly taskCount: number
  private readonly engine: Engine
  private readonly planned: Planned
  private readonly fixed: ReadonlyMap<Id, At>
  /** The offset in the arena of each place, by the value that it was made for. */
  private readonly offsets = new Map<Id, number>()
  /** Those of scratch, in the order in which it is asked for. */
  private scratch: readonly number[] = []
  /** Until which group panels are kept that several products read. */
  private readonly panels: ReadonlyMap<string, number>
  /** Whole numbers that its kernels read. */
  private readonly tables = new Map<string, { readonly address: number; readonly values: readonly number[] }>()

  constructor(engine: Engine, planned: Planned, fixed: ReadonlyMap<Id, At>) {
    this.engine = engine
    this.planned = planned
    this.fixed = fixed
    this.panels = keptPanels({ floats: floats(engine.relaxed), doubles: doubles(engine.relaxed) }, planned.groups)
    const places = [...placesOf(planned.lives, planned.inPlace)]
    const { scratch, taskCount } = this.emit(0, 0)
    const { offsets, bytes, lasting } = pack([...places.map(([, life]) => life), ...scratch])
    places.forEach(([id], i) => { this.offsets.set(id, offsets[i]!) })
    this.scratch = offsets.slice(places.length)
    this.bytes = bytes
    this.lasting = lasting
    this.taskCount = taskCount
  }

  /** Emits everything for an arena at an address, and counters of units at another; `apart`, so that each task can be run by itself. */
  emit(base: number, counters: number, apart = false): Made {
    const { engine, planned: { groups, steady } } = this
    const { memory, relaxed, threads } = engine
    const module = new ModuleBuilder(memory)
    const imports = Object.fromEntries((Object.entries(library) as [string, LibraryEntry][]).map(([name, { params }]) => [name, module.import(name, params)])) as Emit['library']
    const addresses = this.addresses(base)
    const scratch: Life[] = []
    const taken: Region[] = []
    let present = 0
    const scratchUntil = (to: number, bytes: number, lasting = false): number => {
      const start = base + (this.scratch[scratch.push({ bytes, from: present, to, lasting }) - 1] ?? 0)
      taken.push({ start, end: start + bytes })
      return start
    }
    const packed = new Map<string, number>()
    const emit: Emit = {
      module, library: imports, floats: floats(relaxed), doubles: doubles(relaxed), threads, table: values => this.table(values),
      scratch: bytes => scratchUntil(present, bytes),
      lasting: bytes => scratchUntil(groups.length, bytes, true),
      keeps: (panels, steady) => {
        const last = this.panels.get(panels)
        if (last === undefined && !steady) return undefined
        return bytes => {
          const known = packed.get(panels)
          const address = known ?? (steady ? emit.lasting(bytes) : scratchUntil(last!, bytes))
          packed.set(panels, address)
          return { address, packed: known !== undefined, once: steady }
        }
      },
    }
    const segments: Task[][] = [[]]
    const parts: Part[] = [{ kind: 'segment', index: 0 }]
    const begin = (): void => {
      parts.push({ kind: 'segment', index: segments.length })
      segments.push([])
    }
    const once: Task[] = []
    groups.forEach((group, g) => {
      present = g
      const first = isSteady(group, steady)
      const tasks = this.tasksOf(emit, group, addresses)
      checkDeclared(taken.splice(0), tasks ?? [])
      for (const task of tasks ?? []) {
        if (first || task.once) {
          once.push(bounded(module, task))
          continue
        }
        if (apart || unitsOf(segments.at(-1)!) + Math.min(task.units, mostTaken) > mostUnits) begin()
        segments.at(-1)!.push(bounded(module, task))
      }
      if (!tasks) {
        parts.push({ kind: 'island', step: group.steps[0]! })
        begin()
      }
    })
    const before = inSegments(once).map((list): Part => ({ kind: 'segment', index: segments.push(list) - 1, once: true }))
    const taskCount = segments.reduce((n, list) => n + list.length, 0)
    defineRun(module, segments, counters, memory.shared)
    return { addresses, scratch, taskCount, parts: [...before, ...parts.filter(part => part.kind === 'island' || segments[part.index]!.length > 0)], tasks: segments, encode: () => module.encode() }
  }

  /** Where each value lies: from which group to which it lives there, at which offset of the arena or over what. */
  print(): string {
    const { lives, inPlace, steps } = this.planned
    const place = (id: Id): string => {
      const over = inPlace.get(id)
      return over === undefined ? `at ${this.offsets.get(id)!}` : `over %${over}`
    }
    return [`${this.bytes} bytes, ${this.scratch.length} pieces of scratch among them`, ...[...lives].map(([id, { bytes, from, to }]) => `%${id}: ${describe(steps.avals.get(id)!)}, ${bytes} bytes ${place(id)}, groups ${from} to ${to}`)].join('\n')
  }

  /** Gives back what it holds of the engine. */
  give(): void {
    for (const { values } of this.tables.values()) this.engine.giveTable(values)
  }

  private table(values: readonly number[]): number {
    const key = values.join()
    const known = this.tables.get(key)
    if (known) return known.address
    const address = this.engine.table(values)
    this.tables.set(key, { address, values })
    return address
  }

  /** Where values lie if the arena begins at `base`. */
  private addresses(base: number): Map<Id, At> {
    const addresses = new Map<Id, At>(this.fixed)
    for (const [id, { bytes }] of this.planned.lives) {
      const first = firstIn(this.planned.inPlace, id)
      addresses.set(id, this.fixed.get(first) ?? { address: base + (this.offsets.get(first) ?? 0), bytes })
    }
    return addresses
  }

  private tasksOf(emit: Emit, group: Group, addresses: Addresses): Task[] | null {
    const regions = (ids: readonly Id[]): Region[] => ids.map(id => {
      const { address, bytes: size } = addresses.get(id)!
      return { start: address, end: address + size }
    })
    const outs = group.steps.flatMap(outsOf)
    const reads = regions(operandsOf(group))
    const { lives, steady } = this.planned
    const writes = regions(outs.filter(id => lives.has(id)))
    const [step] = group.steps
    if (step!.kind === 'island') return null
    if (step!.kind !== 'special') return loopTasks(emit, group, addresses, lives, reads, writes)
    if (!group.loop) return specialTasks(emit, step!, addresses, steady, reads, writes)
    const followed = epilogueOf(emit, group, addresses, lives, blocksOf(step!)!)
    const tasks = specialTasks(emit, step!, addresses, steady, reads, writes, followed.epilogue)
    const last = tasks.at(-1)!
    return [...tasks.slice(0, -1), { ...last, name: `${last.name}, ${followed.name}`, writes: [...last.writes, ...followed.own] }, ...followed.totals()]
  }
}
