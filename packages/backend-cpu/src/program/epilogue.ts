// Epilogues: a loop over a kernel's result runs on each block of it as soon as that is written, while it is in the cache.

import { type Id, sizeOf } from '@bp/core/extend'
import { assemble, type Group, operandsOf, readInStep } from './fuse.ts'
import { outsOf, type Step } from './steps.ts'

/** A kernel's result as a matrix that is made in blocks: how many columns it has, and whether blocks may have to be whole rows. */
export interface Blocks {
  readonly columns: number
  readonly wholeRows: boolean
}

/** How the result of a step is made, `null` where no loop can follow in its blocks. */
export type BlocksOf = (step: Step) => Blocks | null

/** Groups in an order in which they run, with the groups that make each value and those that read each group's. */
interface Linked {
  readonly groups: readonly Group[]
  readonly makers: ReadonlyMap<Id, number>
  readonly readers: readonly (readonly number[])[]
}

function linked(groups: readonly Group[]): Linked {
  const makers = new Map<Id, number>()
  groups.forEach(({ steps }, g) => { for (const id of steps.flatMap(outsOf)) makers.set(id, g) })
  const readers = groups.map((): number[] => [])
  groups.forEach((group, g) => {
    for (const maker of new Set(operandsOf(group).map(id => makers.get(id)))) if (maker !== undefined) readers[maker]!.push(g)
  })
  return { groups, makers, readers }
}

/**
 * Groups with loops moved into the kernels whose results they read, where a loop reads the result only at the very element
 * that it is at. The kernel runs where it stands if all else that the loop reads has been made by then; else as late as the
 * loop, if nothing in between reads its result.
 */
export function attach(groups: readonly Group[], blocksOf: BlocksOf): Group[] {
  const links = linked(groups)
  const taken = new Set<number>()
  const out = new Map<number, Group>()
  /** Where in the order each group runs by now. */
  const places = groups.map((_, g) => g)
  // from the last kernel back: of two whose results meet in one loop, the later one takes it
  for (let g = groups.length - 1; g >= 0; g--) {
    const blocks = blocksOf(groups[g]!.steps[0]!)
    const follower = blocks && links.readers[g]!.find(l => !taken.has(l) && apart(links, g, l, blocks, places) === null)
    if (follower == null) continue
    taken.add(follower)
    places[follower] = waits(links, g, follower) ? follower : g
    places[g] = places[follower]
    const { steps, loop, space, era } = groups[follower]!
    out.set(g, { steps: [groups[g]!.steps[0]!, ...steps], loop, space, era })
  }
  const order = groups.flatMap((_, g) => taken.has(g) ? [] : g).sort((a, b) => places[a]! - places[b]!)
  return order.map(g => out.get(g) ?? groups[g]!)
}

/** Whether a loop also reads what is made after the kernel. */
const waits = ({ groups, makers }: Linked, kernel: number, loop: number): boolean => operandsOf(groups[loop]!).some(id => (makers.get(id) ?? kernel) > kernel)

/** For each kernel that no loop follows in its blocks, why that is so. */
export function unfollowed(groups: readonly Group[], blocksOf: BlocksOf): { readonly step: Step; readonly why: string }[] {
  const links = linked(groups)
  return groups.flatMap(({ steps, loop }, g) => {
    const [step] = steps as [Step]
    if (step.kind !== 'special' || loop) return []
    const blocks = blocksOf(step)
    if (!blocks) return { step, why: 'its kernel does not make its result in blocks' }
    const loops = links.readers[g]!.filter(l => groups[l]!.loop)
    if (loops.length === 0) return { step, why: links.readers[g]!.length > 0 ? 'only kernels read its result' : 'nothing reads its result but the caller' }
    return { step, why: apart(links, g, loops[0]!, blocks) ?? 'the loop that reads its result follows another kernel' }
  })
}

/** Why a loop cannot follow in a kernel's blocks; `null` where it can. */
function apart(links: Linked, kernel: number, loop: number, { columns, wholeRows }: Blocks, places: readonly number[] = links.groups.map((_, g) => g)): string | null {
  const { groups } = links
  const group = groups[loop]!
  const { steps: [step], era } = groups[kernel]!
  if (!group.loop || !group.space) return 'a kernel reads its result'
  if (group.steps[0]!.kind === 'special') return 'the loop that reads its result follows another kernel'
  if (group.era !== era) return 'its result is read much later, and kept until then'
  if (waits(links, kernel, loop) && links.readers[kernel]!.some(reader => reader !== loop && places[reader]! < loop)) return 'the loop that reads its result also reads what is made later, and others read it before'
  const { axes, within } = group.space
  let tail = axes.length
  let inRow = 1
  while (tail > 0 && inRow < columns) inRow *= axes[--tail]!
  const { members } = assemble(group.loop)!
  const all = step!.kind === 'special' && sizeOf(axes) === sizeOf(step!.aval.shape)
  if (!all || inRow !== columns || within?.some((flag, axis) => flag !== axis >= tail)) return 'the loop that reads its result walks other rows than the kernel makes'
  if (!wholeRows && members.some(({ kept }) => kept === 'rows')) return 'the loop that reads its result needs whole rows, which are too long to be made at once'
  const [result] = outsOf(step!) as [Id]
  return readInStep(group.space, members, result) ? null : 'the loop that reads its result reads it at other places than its own: transposed, sliced or repeated'
}
