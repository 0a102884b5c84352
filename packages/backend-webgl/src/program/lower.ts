// A graph as a program: its steps, what each value's last use is, and how many bytes that comes to.

import { type Aval, describe, type Graph, type Id, type MemoryPlan, type Program, sizeOf } from '@bp/core/extend'
import type { Device } from '../device/device.ts'
import { layoutOf, texelsOf } from '../device/layout.ts'
import { encodingOf, type Handle } from '../device/storage.ts'
import { Executable, type Holder } from './executable.ts'
import { type Group, groupsOf } from './groups.ts'
import { basesOf, type Items, itemsOf, outsOf } from './items.ts'
import { type Step, stepOf, type Workshop } from './steps.ts'

/** What a graph becomes. */
interface Plan {
  readonly items: Items
  readonly groups: readonly Group[]
  /** Of each group, the values that others read. */
  readonly targets: readonly ReadonlySet<Id>[]
  /** Of each group, the values that nothing reads after it. */
  readonly last: readonly (readonly Id[])[]
  /** The most bytes that what the groups make takes up at once. */
  readonly bytes: number
}

/** What of a device decides how a graph is planned. */
type Limits = Pick<Device, 'mostTargets' | 'largestSide'>

/** Plans a graph; nothing is computed. */
function planOf(limits: Limits, graph: Graph): Plan {
  const items = itemsOf(graph)
  const kept = new Set([...graph.outputs, ...graph.updates.map(({ id }) => id)].map(items.dense))
  const groups = groupsOf(items.items, kept, limits.mostTargets)
  const reads = groups.map(readsOf)
  const lastRead = new Map<Id, number>()
  reads.forEach((list, g) => { for (const id of list) lastRead.set(id, g) })
  const targets = groups.map(({ items: list }) => new Set(list.flatMap(outsOf).filter(id => kept.has(id) || lastRead.has(id))))
  const own = new Set(groups.flatMap(({ items: list }) => list.flatMap(outsOf)))
  const last = groups.map((_, g) => [...reads[g]!, ...targets[g]!, ...unread(groups[g]!, targets[g]!)].filter((id, i, all) => all.indexOf(id) === i && own.has(id) && !kept.has(id) && (lastRead.get(id) ?? g) === g))
  return { items, groups, targets, last, bytes: peak(limits, items, targets, last) }
}

/** Results of an op with several of which nobody reads one. */
const unread = ({ items }: Group, targets: ReadonlySet<Id>): Id[] => items[0]!.kind === 'kernel' ? outsOf(items[0]!).filter(id => !targets.has(id)) : []

/** The values that a group reads and does not make. */
function readsOf({ items }: Group): Id[] {
  const made = new Set(items.flatMap(outsOf))
  return [...new Set(items.flatMap(basesOf))].filter(id => !made.has(id))
}

/** The bytes of a texture for a value. */
function bytesOf({ largestSide }: Limits, { shape, dtype }: Aval): number {
  if (encodingOf(dtype) === 'none' || sizeOf(shape) === 0) return 0
  const layout = layoutOf(texelsOf(sizeOf(shape)), largestSide)
  return layout === null ? 16 * texelsOf(sizeOf(shape)) : 16 * layout.width * layout.height
}

function peak(limits: Limits, { avals }: Items, targets: Plan['targets'], last: Plan['last']): number {
  let [alive, most] = [0, 0]
  targets.forEach((made, g) => {
    for (const id of made) alive += bytesOf(limits, avals.get(id)!)
    most = Math.max(most, alive)
    for (const id of last[g]!) alive -= bytesOf(limits, avals.get(id)!)
  })
  return most
}

/** What the program of a graph would take up. */
export function memoryPlan(device: Device, graph: Graph): MemoryPlan {
  const { groups, targets, bytes } = planOf(device, graph)
  return { bytes, groups: groups.map(({ items }) => items.flatMap(outsOf)), kept: targets.flatMap(list => [...list]) }
}

/** Makes a program of a graph of primitives. */
export function lower(workshop: Workshop, holder: Holder, graph: Graph): Program<Handle> {
  const plan = planOf(workshop.device, graph)
  const { items, groups, targets, last, bytes } = plan
  const steps = groups.map((group, g) => stepOf(workshop, group, targets[g]!))
  return new Executable(workshop.device, holder, graph, items.dense, steps.map((step, g) => ({ step, last: last[g]! })), { bytes, notes: notesOf(plan), dump: [{ pass: 'fused', text: printSteps(steps) }] })
}

function notesOf({ groups }: Plan): string[] {
  const chains = groups.filter(({ items: [first] }) => first!.kind === 'map')
  const ops = chains.reduce((n, { items }) => n + items.length, 0)
  const copies = groups.filter(({ items: [first] }) => first!.kind === 'copy').length
  return [
    `${ops} elementwise ops in ${chains.length} passes, ${chains.filter(({ items }) => items.length > 1).length} of them of several ops.`,
    `${groups.length - chains.length - copies} ops with kernels of their own.`,
    ...copies > 0 ? [`${copies} views are laid out, for kernels that read their operands in order.`] : [],
  ]
}

const printSteps = (steps: readonly Step[]): string => steps.map(({ name, reads, writes }) => `${writes.map(({ id, aval }) => `%${id}: ${describe(aval)}`).join(', ')} = ${name}(${reads.map(id => `%${id}`).join(', ')})`).join('\n')
