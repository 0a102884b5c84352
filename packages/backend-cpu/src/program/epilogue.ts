// Epilogues: a loop over a kernel's result runs on each block of it as soon as that is written, while it is in the cache.

import type { Id } from '@bp/core/extend'
import { assemble, denseIn, domain, type Group, stridesIn } from './fuse.ts'
import { outsOf, type Step } from './steps.ts'

/** A kernel's result as a matrix that is made in blocks: how many columns it has, and whether blocks may have to be whole rows. */
export interface Blocks {
  readonly columns: number
  readonly wholeRows: boolean
}

/**
 * Groups with loops moved into the kernels whose results they read, where a loop reads the result only at the very element
 * that it is at, and all else that it reads has been made by then.
 */
export function attach(groups: readonly Group[], blocksOf: (step: Step) => Blocks | null): Group[] {
  const makers = new Map<Id, number>()
  groups.forEach(({ steps }, g) => { for (const id of steps.flatMap(outsOf)) makers.set(id, g) })
  const readers = groups.map((): number[] => [])
  groups.forEach(({ steps }, g) => {
    for (const maker of new Set(inputsOf(steps).map(id => makers.get(id)))) if (maker !== undefined && maker !== g) readers[maker]!.push(g)
  })
  const taken = new Set<number>()
  const out = new Map<number, Group>()
  // from the last kernel back: of two whose results meet in one loop, the later one takes it
  for (let g = groups.length - 1; g >= 0; g--) {
    const [kernel] = groups[g]!.steps as [Step]
    const blocks = blocksOf(kernel)
    if (!blocks) continue
    const follower = readers[g]!.find(l => !taken.has(l) && groups[l]!.era === groups[g]!.era && follows(kernel, groups[l]!, blocks) && inputsOf(groups[l]!.steps).every(id => {
      const maker = makers.get(id)
      return maker === undefined || maker <= g || maker === l
    }))
    if (follower === undefined) continue
    taken.add(follower)
    const { steps, loop, space, era } = groups[follower]!
    out.set(g, { steps: [kernel, ...steps], loop, space, era })
  }
  return groups.flatMap((group, g) => taken.has(g) ? [] : out.get(g) ?? group)
}

const inputsOf = (steps: readonly Step[]): Id[] => steps.flatMap(({ ins }) => ins.flatMap(ref => 'base' in ref ? ref.base : []))

/** Whether a loop walks the elements of a kernel's result as they lie, in rows that blocks can be cut into. */
function follows(kernel: Step, { loop, space }: Group, { columns, wholeRows }: Blocks): boolean {
  if (!loop || !space) return false
  const { axes, within } = space
  let tail = axes.length
  let inRow = 1
  while (tail > 0 && inRow < columns) inRow *= axes[--tail]!
  if (inRow !== columns) return false
  const { members } = assemble(loop)!
  if (within?.some((flag, axis) => flag !== axis >= tail) || (!wholeRows && members.some(({ kept }) => kept === 'rows'))) return false
  const [result] = outsOf(kernel) as [Id]
  const expected = denseIn(space, 'all')
  return members.every(({ step, span }) => step.ins.every(ref => {
    if (!('base' in ref) || ref.base !== result) return true
    return span === 'all' && ref.layout.offset === 0 && stridesIn(space, ref, domain(step), span).every((stride, axis) => stride === expected[axis] || axes[axis] === 1)
  }))
}
