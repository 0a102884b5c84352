// Sizes that depend on open dimensions: sampled at a few points, and the formulas that are true at all of them.

/** A size, or any number that the program has, at every sample point; the same at all where it depends on no open dimension. */
export type Size = readonly number[]

/** Whether a size is the same at all sample points. */
export const isFixed = (size: Size): boolean => size.every(n => n === size[0])

/** Whether a size is 1 at all sample points. */
export const isOne = (size: Size): boolean => size.every(n => n === 1)

/** Whether two sizes are the same at all sample points. */
export const sameSize = (a: Size, b: Size): boolean => a.every((n, i) => n === b[i])

/** The shapes of one value at all sample points as one list of sizes. */
export const zip = (shapes: readonly (readonly number[])[]): Size[] => shapes[0]!.map((_, axis): Size => shapes.map(shape => shape[axis]!))

/** times/over · Πᵢ nameᵢ^powerᵢ, or Σᵢ timesᵢ·nameᵢ + plus. */
export type Formula =
  | { readonly kind: 'product'; readonly times: number; readonly over: number; readonly powers: readonly (readonly [name: string, power: number])[] }
  | { readonly kind: 'sum'; readonly terms: readonly (readonly [name: string, times: number])[]; readonly plus: number }

/** Up to this many times a dimension may be a factor, and up to this much may it be divided by. */
const mostPowers = 4
const mostParts = 64

/** What is added to all dimensions at the far point: images of that size are still some texels wide after strides of 2⁵. */
const farther = 307

/** The open dimensions of an export, with the sizes at which the program is looked at. */
export class OpenDimensions {
  /** Each dimension's size at all points: the base, for every dimension two points at which it alone is another, one at which all are, and one at which all are far larger. */
  readonly sizes: ReadonlyMap<string, Size>
  readonly points: number

  /**
   * Dimensions differ by 4 at the base, and grow by 5 and by 11 from there, so that no two sizes agree by chance and that rounded
   * quotients are no straight lines; `least` is added to all, and everything is multiplied by `unit`. Sizes that a program shrinks to 1 at
   * all of these, as images are by networks of many strides, differ where all dimensions are far larger: `far` asks for that point.
   */
  constructor(names: readonly string[], least = 0, unit = 1, far = false) {
    const near = 1 + 2 * names.length + (names.length > 1 ? 1 : 0)
    this.points = near + Number(far && names.length > 0)
    this.sizes = new Map(names.map((name, k) => {
      const base = 7 + 4 * k + least
      const grown = (i: number): number => i === near ? Math.ceil((farther + 19 * k) / unit) : i === 1 + 2 * k ? 5 : i === 2 + 2 * k || i > 2 * names.length ? 11 : 0
      return [name, Array.from({ length: this.points }, (_, i) => unit * (base + grown(i)))]
    }))
  }

  /** A number of no open dimension. */
  fixed(n: number): Size {
    return new Array<number>(this.points).fill(n)
  }

  /** The formula that gives a size at all points, or `null`. With quotients only where `parts` says so: they hold for multiples. */
  formula(size: Size, parts = false): Formula | null {
    const product = this.product(size)
    if (product?.kind === 'product' && (parts || product.over === 1)) return product
    return this.sum(size)
  }

  private product(size: Size): Formula | null {
    if (size.some(n => n <= 0)) return null
    const powers: (readonly [string, number])[] = []
    for (const [k, [name, at]] of [...this.sizes].entries()) {
      const power = Math.round(Math.log(size[1 + 2 * k]! / size[0]!) / Math.log(at[1 + 2 * k]! / at[0]!))
      if (power < 0 || power > mostPowers) return null
      if (power > 0) powers.push([name, power])
    }
    const whole = size.map((_, i) => powers.reduce((product, [name, power]) => product * this.sizes.get(name)![i]! ** power, 1))
    const over = Array.from({ length: mostParts }, (_, i) => i + 1).find(q => Number.isInteger(size[0]! * q / whole[0]!))
    if (over === undefined) return null
    const times = size[0]! * over / whole[0]!
    return size.every((n, i) => n * over === times * whole[i]!) ? { kind: 'product', times, over, powers } : null
  }

  private sum(size: Size): Formula | null {
    const terms = [...this.sizes].flatMap(([name, at], k) => {
      const times = (size[1 + 2 * k]! - size[0]!) / (at[1 + 2 * k]! - at[0]!)
      return times === 0 ? [] : [[name, times] as const]
    })
    const at = (i: number): number => terms.reduce((sum, [name, times]) => sum + times * this.sizes.get(name)![i]!, 0)
    const plus = size[0]! - at(0)
    return terms.every(([, times]) => Number.isInteger(times)) && Number.isInteger(plus) && size.every((n, i) => n === at(i) + plus) ? { kind: 'sum', terms, plus } : null
  }

  /** A size for messages: its values, and where it has them. */
  describe(size: Size): string {
    return [...this.sizes].flatMap(([name, at], k) => [0, 1 + 2 * k].map(i => `${size[i]} where ${name} is ${at[i]}`)).join(', ')
  }
}

const times = (n: number, text: string): string => n === 1 ? text : `${n}*${text}`

/** A formula as the text of a dimension: `2*batch`, `past + length`. */
export function printFormula(formula: Formula): string {
  if (formula.kind === 'product') {
    const factors = formula.powers.flatMap(([name, power]) => new Array<string>(power).fill(name)).join('*')
    return `${times(formula.times, factors)}${formula.over === 1 ? '' : `/${formula.over}`}`
  }
  const [first, ...rest] = formula.terms.map(([name, n], i) => `${i === 0 ? n < 0 ? '-' : '' : n < 0 ? ' - ' : ' + '}${times(Math.abs(n), name)}`)
  return `${first}${rest.join('')}${formula.plus === 0 ? '' : ` ${formula.plus < 0 ? '-' : '+'} ${Math.abs(formula.plus)}`}`
}
