// Sizes as values of the graph being written: computed from the open dimensions of the inputs, or read off a value that has them.

import type { DType } from '@bp/core'
import { fail } from '@bp/core/extend'
import type { Builder } from './builder.ts'
import { type Formula, isFixed, type OpenDimensions, printFormula, type Size } from './sizes.ts'

/** Where an axis can be read in the running model. */
interface Place {
  readonly name: string
  readonly axis: number
}

/** A number from which others follow as square root, reciprocal, half or the number before. */
type Way = readonly [inverse: (value: number) => number, forward: (n: number) => number, emit: (b: Builder, n: string, dtype: DType) => string]

const ways: readonly Way[] = [
  [v => v, n => n, (_b, n) => n],
  [v => 1 / v, n => 1 / n, (b, n) => b.add('Reciprocal', [n])],
  [v => v * v, n => Math.sqrt(n), (b, n) => b.add('Sqrt', [n])],
  [v => 1 / (v * v), n => 1 / Math.sqrt(n), (b, n) => b.add('Reciprocal', [b.add('Sqrt', [n])])],
  [v => v + 1, n => n - 1, (b, n, dtype) => b.add('Sub', [n, b.scalar(1, dtype)])],
  [v => 1 / v + 1, n => 1 / (n - 1), (b, n, dtype) => b.add('Reciprocal', [b.add('Sub', [n, b.scalar(1, dtype)])])],
  [v => 2 * v, n => n / 2, (b, n, dtype) => b.add('Div', [n, b.scalar(2, dtype)])],
]

/** The sizes of a graph under construction. */
export class Dimensions {
  readonly open: OpenDimensions
  private readonly b: Builder
  private readonly sources: ReadonlyMap<string, Place>
  private readonly known = new Map<string, Place & { readonly size: Size }>()

  constructor(b: Builder, open: OpenDimensions, sources: ReadonlyMap<string, Place>) {
    this.b = b
    this.open = open
    this.sources = sources
  }

  /** Remembers a value's sizes, which can be read off it. */
  learn(name: string, sizes: readonly Size[]): void {
    this.b.origins.sized(name, sizes)
    sizes.forEach((size, axis) => {
      if (!isFixed(size) && !this.known.has(size.join())) this.known.set(size.join(), { name, axis, size })
    })
  }

  /** How a dimension is declared; `null` where no formula is known for it. */
  text(size: Size): string | null {
    const formula = this.open.formula(size, true)
    return formula && printFormula(formula)
  }

  /** A list of sizes as a value: a constant where all are fixed. */
  list(sizes: readonly Size[], where: string): string {
    if (sizes.every(isFixed)) return this.b.list(sizes.map(([n]) => n!))
    const groups: string[] = []
    let fixed: number[] = []
    const flush = (): void => {
      if (fixed.length > 0) groups.push(this.b.list(fixed))
      fixed = []
    }
    for (const size of sizes) {
      if (isFixed(size)) fixed.push(size[0]!)
      else {
        flush()
        groups.push(this.one(size) ?? fail('value', 'exportOnnx', `${where} has a size of ${this.open.describe(size)}, which neither follows from the open dimensions by whole factors and sums nor is a size of a value at hand. Export at fixed sizes`))
      }
    }
    flush()
    return groups.length === 1 ? groups[0]! : this.b.add('Concat', groups, { axis: 0 })
  }

  /** A number of the program as a scalar. */
  number(values: Size, dtype: DType, where: string): string {
    for (const [inverse, forward, emit] of ways) {
      const n = values.map(value => Math.round(inverse(value)))
      if (!n.every((count, i) => Math.abs(forward(count) - values[i]!) <= 1e-12 * Math.abs(values[i]!))) continue
      const list = this.one(n)
      if (list === null) continue
      return emit(this.b, this.b.cast(this.b.add('Squeeze', [list, this.b.list([0])]), 'int64', dtype), dtype)
    }
    return fail('value', 'exportOnnx', `${where} uses a number that is ${this.open.describe(values)}, which does not follow from the open dimensions. Export at fixed sizes`)
  }

  /** A size as a list of one: by formula, read, as the product of two that can be read, or by a formula with quotients. */
  private one(size: Size): string | null {
    const found = this.readable(size)
    if (found !== null) return found
    const product = this.productOf(size)
    if (product) return this.b.add('Mul', product)
    const parts = this.computable(size, true)
    return parts && this.compute(parts)
  }

  private productOf(size: Size): string[] | null {
    for (const { size: factor, ...place } of this.known.values()) {
      const rest = size.map((n, i) => n / factor[i]!)
      if (!rest.every(Number.isInteger)) continue
      const other = isFixed(rest) ? this.b.list([rest[0]!]) : this.readable(rest)
      if (other !== null) return [this.read(place), other]
    }
    return null
  }

  /** A size as a list of one: by formula without quotients, or read. */
  private readable(size: Size): string | null {
    const formula = this.computable(size, false)
    const place = this.known.get(size.join())
    return formula ? this.compute(formula) : place ? this.read(place) : null
  }

  /** A formula of dimensions that the graph's inputs have. */
  private computable(size: Size, parts: boolean): Formula | null {
    const formula = this.open.formula(size, parts)
    const names = formula?.kind === 'product' ? formula.powers : formula?.terms
    return names?.every(([name]) => this.sources.has(name)) ? formula : null
  }

  private read({ name, axis }: Place): string {
    return this.b.add('Slice', [this.b.add('Shape', [name]), this.b.list([axis]), this.b.list([axis + 1])])
  }

  private compute(formula: Formula): string {
    const { b } = this
    const symbol = (name: string): string => this.read(this.sources.get(name)!)
    const scaled = (x: string, n: number): string => n === 1 ? x : b.add('Mul', [x, b.list([n])])
    if (formula.kind === 'product') {
      const factors = formula.powers.flatMap(([name, power]) => new Array<string>(power).fill(symbol(name)))
      const all = factors.reduce((x, y) => b.add('Mul', [x, y]))
      const whole = scaled(all, formula.times)
      return formula.over === 1 ? whole : b.add('Div', [whole, b.list([formula.over])])
    }
    const terms = formula.terms.map(([name, n]) => scaled(symbol(name), n))
    return [...terms, ...formula.plus === 0 ? [] : [b.list([formula.plus])]].reduce((x, y) => b.add('Add', [x, y]))
  }
}
