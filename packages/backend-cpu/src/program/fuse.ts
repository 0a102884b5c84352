// Fusion: elementwise ops and reductions that can share a loop nest are put into one, so that what lies between stays in registers.

import type { Id } from '@bp/core/extend'
import { sizeOf, stridesOf } from '@bp/core/extend'
import { broadcast, refine, refineStrides } from './space.ts'
import { basesOf, outsOf, type Ref, type Step, type Steps } from './steps.ts'

/** A step that runs in a loop. */
export type LoopStep = Step & { readonly kind: 'map' | 'reduce' }

/** Steps that run as one. */
export interface Group {
  /** A loop's steps; or one step with a kernel of its own, with the steps of the loop that follows in its blocks. */
  readonly steps: readonly Step[]
  /** The steps that run in a loop, `null` where none do. */
  readonly loop: readonly LoopStep[] | null
  /** The axes of the loop nest, and which run within a row. */
  readonly space: Space | null
  /** When it runs: after all groups of lower eras. */
  readonly era: number
}

/** What a group reads that it does not make. */
export function operandsOf({ steps }: Pick<Group, 'steps'>): Id[] {
  const own = new Set(steps.flatMap(outsOf))
  return [...new Set(steps.flatMap(basesOf))].filter(id => !own.has(id))
}

/** The axes that a group's steps share, in memory order; `within` is `null` while nothing is reduced by rows or columns. */
export interface Space {
  readonly axes: readonly number[]
  readonly within: readonly boolean[] | null
}

/** How an op's shape spans a group's axes: all of them, or those of rows only. */
export type Span = 'all' | 'rows'

/** The strides of an operand along a group's axes: `shape` is that of the op that reads it. */
export function stridesIn(space: Space, ref: Ref, shape: readonly number[], span: Span): number[] {
  return spread(space, refineStrides(broadcast(ref.layout, shape), axesOf(space, span)), span)
}

/** The strides at which a group leaves a result that lies dense and spans its rows, its columns or everything. */
export function denseIn({ axes, within }: Space, kept: 'all' | 'rows' | 'columns' | 'none'): number[] {
  const keeps = (axis: number): boolean => kept === 'all' || (kept !== 'none' && within![axis] === (kept === 'columns'))
  const strides = stridesOf(axes.map((size, axis) => keeps(axis) ? size : 1))
  return strides.map((stride, axis) => keeps(axis) ? stride : 0)
}

const axesOf = ({ axes, within }: Space, span: Span): number[] => span === 'all' ? [...axes] : axes.filter((_, axis) => !within![axis])

function spread({ axes, within }: Space, strides: readonly number[], span: Span): number[] {
  if (span === 'all') return [...strides]
  let k = 0
  return axes.map((_, axis) => within![axis] ? 0 : strides[k++]!)
}

/** The shape whose elements a step visits. */
const domain = (step: LoopStep): readonly number[] => step.kind === 'map' ? step.aval.shape : step.ins[0].layout.shape

/** How a reduction keeps its group's axes. */
export type Kept = 'rows' | 'columns' | 'none'

/** What a member of a group is, found while the group is put together. */
export interface Member {
  readonly step: LoopStep
  readonly span: Span
  /** Of a reduction. */
  readonly kept: Kept | null
}

/** Steps as one loop nest, or `null` where they do not share one. */
export function assemble(steps: readonly LoopStep[]): { readonly space: Space; readonly members: readonly Member[] } | null {
  if (mixesWidths(steps)) return null
  const domains = steps.map(domain)
  const most = Math.max(...domains.map(sizeOf))
  const largest = domains.filter(shape => sizeOf(shape) === most)
  const axes = largest.reduce<readonly number[] | null>((a, b) => a && refine(a, b), largest[0]!.filter(n => n !== 1))
  if (!axes) return null
  const total = axes.reduce((n, size) => n * size, 1)
  let within: readonly boolean[] | null = null
  const members: Member[] = []
  for (const step of steps) {
    if (step.kind === 'reduce' && sizeOf(domain(step)) === total) {
      const shape = domain(step)
      const flags = refineStrides({ shape, strides: shape.map((_, axis) => step.axes.includes(axis) ? 1 : 0) }, axes).map(stride => stride !== 0)
      if (flags.every(flag => flag)) {
        members.push({ step, span: 'all', kept: 'none' })
        continue
      }
      if (!flags.includes(true)) return null
      const rows: boolean = within ? same(flags, within) : flags.at(-1)!
      if (within && !rows && !same(flags.map(flag => !flag), within)) return null
      within ??= rows ? flags : flags.map(flag => !flag)
      members.push({ step, span: 'all', kept: rows ? 'rows' : 'columns' })
    } else members.push({ step, span: 'all', kept: null })
  }
  const space: Space = { axes, within }
  const rowCount = within ? axes.reduce((n, size, axis) => within[axis] ? n : n * size, 1) : total
  for (const [i, member] of members.entries()) {
    const size = sizeOf(domain(member.step))
    if (size === total) continue
    if (!within || size !== rowCount || member.step.kind === 'reduce' || !spansRows(space, domain(member.step))) return null
    members[i] = { ...member, span: 'rows' }
  }
  return connected(space, members) ? { space, members } : null
}

/** Whether steps hold elements of 32 and of 64 bits; bools are as wide as those they meet. */
function mixesWidths(steps: readonly LoopStep[]): boolean {
  const types = new Set(steps.flatMap(step => [step.aval.dtype, ...step.ins.map(({ dtype }) => dtype)]))
  return types.has('float64') && (types.has('float32') || types.has('int32'))
}

const same = (a: readonly boolean[], b: readonly boolean[]): boolean => a.every((flag, i) => flag === b[i])

/** Whether a shape's axes divide into those of the rows. */
function spansRows(space: Space, shape: readonly number[]): boolean {
  const rows = axesOf(space, 'rows')
  const fine = refine(rows, shape)
  return fine !== null && fine.length === rows.filter(n => n !== 1).length
}

/** Whether every operand that the group itself makes is read at the very element, or row, at which it is made. */
function connected(space: Space, members: readonly Member[]): boolean {
  const made = new Map<Id, Member>()
  for (const member of members) {
    const { step, span } = member
    for (const ref of step.ins) {
      const maker = 'base' in ref ? made.get(ref.base) : undefined
      if (!maker) continue
      const kept = keptBy(maker)
      if (kept === 'columns' || kept === 'none') return false
      const expected = denseIn(space, kept)
      const strides = stridesIn(space, ref, domain(step), span)
      if (ref.layout.offset !== 0 || strides.some((stride, axis) => stride !== expected[axis] && space.axes[axis] !== 1)) return false
    }
    made.set(step.out, member)
  }
  return true
}

/** Whether members read a dense value only at the very element that they are at: not transposed, sliced or repeated. */
export function readInStep(space: Space, members: readonly Member[], id: Id): boolean {
  const expected = denseIn(space, 'all')
  return members.every(({ step, span }) => step.ins.every(ref => !('base' in ref) || ref.base !== id
    || (ref.layout.offset === 0 && stridesIn(space, ref, domain(step), span).every((stride, axis) => stride === expected[axis] || space.axes[axis] === 1))))
}

/** The axes that a member's result has. */
export const keptBy = ({ kept, span }: Member): 'all' | 'rows' | 'columns' | 'none' => kept ?? (span === 'all' ? 'all' : 'rows')

/** Puts steps into groups, and the groups into an order in which they can run. */
export function fuse({ steps, eras }: Pick<Steps, 'steps' | 'eras'>): Group[] {
  return new Fusion(steps, eras).run()
}

/** A group being put together. */
interface Building {
  readonly steps: readonly Step[]
  readonly space: Space | null
  readonly order: number
  readonly era: number
  /** Where it stands in {@link Fusion.line}. */
  at: number
  mark: number
}

/** Steps that a loop has at most: an unrolled recurrence is one chain of any length, and what is in registers in so long a loop none can say. */
const mostInLoop = 128

class Fusion {
  private readonly steps: readonly Step[]
  private readonly eras: readonly number[] | undefined
  private readonly places: ReadonlyMap<Step, number>
  private readonly makers = new Map<Id, Building>()
  /** All groups, each after those that it reads from; kept so as groups grow, as far as one touches (Pearce & Kelly 2006, "A Dynamic Topological Sort Algorithm for Directed Acyclic Graphs"). */
  private readonly line: (Building | null)[] = []
  private search = 0

  constructor(steps: readonly Step[], eras: readonly number[] | undefined) {
    this.steps = steps
    this.eras = eras
    this.places = new Map(steps.map((step, i) => [step, i]))
  }

  run(): Group[] {
    for (const [order, step] of this.steps.entries()) {
      const alone: Building = { steps: [step], space: null, order, era: this.eras?.[order] ?? 0, at: this.line.length, mark: 0 }
      const group = (step.kind === 'map' || step.kind === 'reduce') && this.join(step, alone) || alone
      if (group.at === this.line.length) this.line.push(group)
      for (const id of (group.at === alone.at ? [step] : group.steps).flatMap(outsOf)) this.makers.set(id, group)
    }
    return this.sorted()
  }

  /** A step joined to the groups that make its operands, to as many as can be. */
  private join(step: LoopStep, alone: Building): Building {
    const near = [...new Set(step.ins.flatMap(ref => 'base' in ref ? this.makers.get(ref.base) ?? [] : []))].filter(group => group.space !== null && group.era === alone.era)
    const choices = near.length > 1 ? [near, ...near.map(group => [group]).reverse()] : near.map(group => [group])
    for (const groups of choices) {
      const steps = [...groups].sort((a, b) => a.order - b.order).flatMap(group => group.steps)
      if (steps.length >= mostInLoop) continue
      const members = this.inOrder([...steps, step])
      const made = assemble(members as LoopStep[])
      const before = made && this.between(groups, members)
      if (before) return this.place(groups, { steps: members, space: made.space, order: groups[0]!.order, era: alone.era, at: Math.min(...groups.map(({ at }) => at)), mark: 0 }, before)
    }
    return { ...alone, space: assemble([step])?.space ?? null }
  }

  private inOrder(steps: readonly Step[]): Step[] {
    return [...steps].sort((a, b) => this.places.get(a)! - this.places.get(b)!)
  }

  /** The groups behind the first of some that must run before them all if they are to be one, with these steps; `null` where one of them depends on another by way of others. */
  private between(groups: readonly Building[], steps: readonly Step[]): Building[] | null {
    const mark = ++this.search
    const [{ era }] = groups as [Building]
    const first = Math.min(...groups.map(({ at }) => at))
    const found: Building[] = []
    const visit = (list: readonly Step[], inside: boolean): boolean => list.every(step => step.ins.every(ref => {
      const maker = 'base' in ref ? this.makers.get(ref.base) : undefined
      // what stands before the first, or in an earlier era, depends on none of them
      if (!maker || maker.mark === mark || maker.at < first || maker.era < era) return true
      if (groups.includes(maker)) return inside
      maker.mark = mark
      found.push(maker)
      return true
    }))
    visit(steps, true)
    // nearest first: what leads back in is not far
    for (const group of found) if (!visit(group.steps, false)) return null
    return found
  }

  /** Puts a group in the place of the first of those that it is made of, after what must run before it. */
  private place(groups: readonly Building[], group: Building, before: readonly Building[]): Building {
    const { line } = this
    for (const { at } of groups) line[at] = null
    const end = Math.max(group.at, ...before.map(({ at }) => at))
    const moved = new Set(before)
    const region = line.slice(group.at, end + 1).filter(other => other !== null)
    const inOrder = [...region.filter(other => moved.has(other)), group, ...region.filter(other => !moved.has(other))]
    for (let at = group.at, i = 0; at <= end; at++, i++) {
      const other = line[at] = inOrder[i] ?? null
      if (other) other.at = at
    }
    return group
  }

  /** Groups after those that they read from, else in the order of the graph. */
  private sorted(): Group[] {
    const out: Group[] = []
    const mark = ++this.search
    const visit = (group: Building): void => {
      if (group.mark === mark) return
      group.mark = mark
      for (const step of group.steps) {
        for (const ref of step.ins) {
          const maker = 'base' in ref ? this.makers.get(ref.base) : undefined
          if (maker && maker !== group) visit(maker)
        }
      }
      out.push({ steps: group.steps, loop: group.space && group.steps as readonly LoopStep[], space: group.space, era: group.era })
    }
    for (const group of this.line.filter(group => group !== null).sort((a, b) => a.order - b.order)) visit(group)
    return out
  }
}
