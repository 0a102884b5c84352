// Fusion: elementwise ops of one shape that read each other in step become one pass of several render targets.

import type { DType, Shape } from '@bp/core'
import { type Id, sameShape } from '@bp/core/extend'
import { basesOf, isRef, type Item, type MapItem, outsOf } from './items.ts'
import { inStep, stridesFor } from './refs.ts'

/** Items that run as one: elementwise ops, or one other item. */
export interface Group {
  readonly items: readonly Item[]
}

/** What one pass reads and computes at most: texture units but one, and what compilers take in good time. */
const mostTextures = 14, mostOps = 96

interface Building {
  items: Item[]
  /** Where it stands in the order of the graph. */
  order: number
  mark: number
  /** The group that it became part of. */
  into: Building | null
}

/** Puts items into groups of at most so many render targets, in an order in which they can run. `kept` values are read after the program. */
export function groupsOf(items: readonly Item[], kept: ReadonlySet<Id>, mostTargets: number): Group[] {
  return new Grouping(items, kept, mostTargets).run()
}

class Grouping {
  private readonly items: readonly Item[]
  private readonly kept: ReadonlySet<Id>
  private readonly mostTargets: number
  private readonly places: ReadonlyMap<Item, number>
  private readonly makers = new Map<Id, Building>()
  private readonly readers = new Map<Id, Item[]>()
  private readonly groups: Building[] = []
  private search = 0

  constructor(items: readonly Item[], kept: ReadonlySet<Id>, mostTargets: number) {
    this.items = items
    this.kept = kept
    this.mostTargets = mostTargets
    this.places = new Map(items.map((item, i) => [item, i]))
    for (const item of items) {
      for (const base of new Set(basesOf(item))) {
        const list = this.readers.get(base)
        if (list) list.push(item)
        else this.readers.set(base, [item])
      }
    }
  }

  run(): Group[] {
    this.items.forEach((item, order) => {
      const alone: Building = { items: [item], order, mark: 0, into: null }
      this.groups.push(alone)
      const group = item.kind === 'map' ? this.joined(item, alone) : alone
      for (const id of outsOf(item)) this.makers.set(id, group)
    })
    return this.sorted()
  }

  private maker(id: Id): Building | undefined {
    let group = this.makers.get(id)
    while (group?.into) group = group.into
    return group
  }

  /** The op in the groups that make its operands, as many of them as can be one. */
  private joined(item: MapItem, alone: Building): Building {
    let group = alone
    const near = [...new Set(item.ins.flatMap(x => isRef(x) ? this.maker(x.base) ?? [] : []))].sort((a, b) => b.order - a.order)
    for (const other of near) {
      if (this.fits(group, other)) {
        group.into = other
        other.items = [...other.items, ...group.items].sort((a, b) => this.places.get(a)! - this.places.get(b)!)
        group = other
      }
    }
    return group
  }

  private fits(a: Building, b: Building): boolean {
    const [first] = b.items as [Item]
    if (a === b || first.kind !== 'map') return false
    const maps = [...b.items, ...a.items] as MapItem[]
    const { aval: { shape }, fence } = first
    if (maps.length > mostOps || !maps.every(item => item.fence === fence && sameShape(item.aval.shape, shape))) return false
    const made = new Set(maps.map(({ out }) => out))
    if (!maps.every(item => item.ins.every(x => !isRef(x) || !made.has(x.base) || inStep(x, shape)))) return false
    if (operandsOf(maps, shape).length > mostTextures || this.targetsOf(maps).length > this.mostTargets) return false
    return !this.leadsThroughOthers(a, b) && !this.leadsThroughOthers(b, a)
  }

  /** Values of a group that something outside reads. */
  private targetsOf(maps: readonly MapItem[]): Id[] {
    const inside = new Set<Item>(maps)
    return maps.map(({ out }) => out).filter(id => this.kept.has(id) || (this.readers.get(id) ?? []).some(reader => !inside.has(reader)))
  }

  /** Whether `to` depends on `from` by way of a group that is neither. */
  private leadsThroughOthers(from: Building, to: Building): boolean {
    const mark = ++this.search
    const reaches = (group: Building): boolean => {
      if (group === from) return true
      if (group.mark === mark) return false
      group.mark = mark
      return group.items.some(item => basesOf(item).some(base => {
        const maker = this.maker(base)
        return maker !== undefined && maker !== group && reaches(maker)
      }))
    }
    return to.items.some(item => basesOf(item).some(base => {
      const maker = this.maker(base)
      return maker !== undefined && maker !== to && maker !== from && reaches(maker)
    }))
  }

  /** Groups after those that they read, else in the order of the graph. */
  private sorted(): Group[] {
    const out: Group[] = []
    const mark = ++this.search
    const visit = (group: Building): void => {
      if (group.mark === mark) return
      group.mark = mark
      for (const item of group.items) {
        for (const base of basesOf(item)) {
          const maker = this.maker(base)
          if (maker && maker !== group) visit(maker)
        }
      }
      out.push({ items: group.items })
    }
    this.groups.filter(({ into }) => into === null).forEach(visit)
    return out
  }
}

/** A texture that a group reads, and by which strides. */
export interface GroupOperand {
  readonly key: string
  readonly base: Id
  readonly offset: number
  readonly strides: readonly number[]
  readonly dtype: DType
  /** Elements of the value itself. */
  readonly length: number
}

/** What elementwise ops over a shape read that they do not make, each way of reading once. */
export function operandsOf(maps: readonly MapItem[], shape: Shape): GroupOperand[] {
  const made = new Set(maps.map(({ out }) => out))
  const found = new Map<string, GroupOperand>()
  for (const { ins, types } of maps) {
    ins.forEach((x, i) => {
      if (!isRef(x) || made.has(x.base)) return
      const key = operandKey(x.base, stridesFor(x, shape))
      if (!found.has(key)) found.set(key, { key, base: x.base, ...stridesFor(x, shape), dtype: types[i]!, length: x.length })
    })
  }
  return [...found.values()]
}

export const operandKey = (base: Id, { offset, strides }: { readonly offset: number; readonly strides: readonly number[] }): string => `${base} ${offset} ${strides.join()}`
