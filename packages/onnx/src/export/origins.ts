// Where the values of a graph under construction come from, so that reshapes, cuts and joins that undo each other leave nothing behind.

import { sameSize, type Size } from './sizes.ts'

/** A range of an axis of a value. */
export interface Part {
  readonly x: string
  readonly axis: number
  /** The axis's. */
  readonly size: Size
  readonly start: Size
  readonly end: Size
}

interface Join {
  readonly parts: readonly string[]
  readonly axis: number
  readonly sizes: readonly Size[]
}

/** What is known of values by how they were made. */
export class Origins {
  /** Values that are 0 everywhere. */
  readonly zeros = new Set<string>()
  private readonly sizes = new Map<string, readonly Size[]>()
  private readonly reshapes = new Map<string, { readonly x: string; readonly from: readonly Size[] }>()
  private readonly parts = new Map<string, Part>()
  private readonly joins = new Map<string, Join>()

  /** Remembers a value's sizes. */
  sized(name: string, sizes: readonly Size[]): void {
    this.sizes.set(name, sizes)
  }

  /** Whether a value is known to have these sizes. */
  hasSizes(name: string, sizes: readonly Size[]): boolean {
    const own = this.sizes.get(name)
    return own?.length === sizes.length && own.every((size, i) => sameSize(size, sizes[i]!))
  }

  /** What a value is a reshape of, and the sizes of that; the value itself where it is none. */
  unshaped(name: string, sizes: readonly Size[]): { readonly x: string; readonly from: readonly Size[] } {
    return this.reshapes.get(name) ?? { x: name, from: sizes }
  }

  /** Remembers what a value is a reshape of. */
  shaped(name: string, x: string, from: readonly Size[]): string {
    if (!this.reshapes.has(name)) this.reshapes.set(name, { x, from })
    return name
  }

  /** Remembers what a value was cut from. */
  cut(name: string, part: Part): string {
    this.parts.set(name, part)
    return name
  }

  /** Remembers what a value was joined of. */
  joined(name: string, join: Join): string {
    this.joins.set(name, join)
    return name
  }

  /** The value that was joined with others just where a part lies, if one was. */
  partOf({ x, axis, start, end }: Part): string | null {
    const join = this.joins.get(x)
    if (join?.axis !== axis) return null
    let at: Size = start.map(() => 0)
    for (const [i, size] of join.sizes.entries()) {
      const next = at.map((n, k) => n + size[k]!)
      if (sameSize(at, start) && sameSize(next, end)) return join.parts[i]!
      at = next
    }
    return null
  }

  /** The value that was cut into these parts, in this order, if one was. */
  wholeOf(names: readonly string[], axis: number): string | null {
    const parts = names.map(name => this.parts.get(name))
    const [first] = parts
    if (!first || !parts.every((part, i) => part?.x === first.x && part.axis === axis && (i === 0 ? part.start.every(n => n === 0) : sameSize(part.start, parts[i - 1]!.end)))) return null
    return sameSize(parts.at(-1)!.end, first.size) ? first.x : null
  }
}
