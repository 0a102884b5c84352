// What a size is in terms of the open sizes of a model's inputs, told from what it is at several of them.

/** Open sizes by name, at one of the points that a model was looked at. */
export type Point = Readonly<Record<string, number>>

/**
 * Points to look at, in families of which one may fit a model better than others: sizes of images and sentences, sizes of sound,
 * small ones. In each comes a first point, then the first with every open size changed alone, then others. Most sizes are
 * multiples of 32, for models that halve images five times; the rest tell how halves are rounded.
 */
export const familiesOf = (open: readonly string[]): Point[][] => open.length === 0 ? [[{}]] : [[3, 32], [16, 32], [1, 8], [2, 1]].map(([least, unit]) => {
  const all = (of: (i: number) => number): Point => Object.fromEntries(open.map((name, i) => [name, of(i)]))
  const first = all(i => unit! * (least! + 2 * i))
  const changed = [256, 160, 37, 15].flatMap(by => open.map((name): Point => ({ ...first, [name]: first[name]! + by })))
  return [first, ...changed, all(i => unit! * (least! + 5 + 3 * i)), all(i => first[open[i]!]! + 5 + 12 * i)]
})

/** A whole number p·s + c divided by q, rounded down, as text. */
function affine(name: string, p: number, q: number, c: number): string {
  const times = p === 1 ? name : `${p}*${name}`
  const sum = c === 0 ? times : c > 0 ? `${times} + ${c}` : `${times} - ${-c}`
  return q === 1 ? sum : `floor(${c === 0 ? sum : `(${sum})`}/${q})`
}

const gcd = (a: number, b: number): number => b === 0 ? a : gcd(b, a % b)

/** ⌊(p·s + c)/q⌋ in one of the open sizes: a rise between two points gives p/q, and every point narrows the interval of c. */
function ofOne(name: string, points: readonly Point[], sizes: readonly number[]): string | null {
  for (let i = 1; i < points.length; i++) {
    const run = points[i]![name]! - points[0]![name]!
    const rise = sizes[i]! - sizes[0]!
    if (run <= 0 || rise <= 0) continue
    const common = gcd(rise, run)
    const [p, q] = [rise / common, run / common]
    const starts = sizes.map((size, k) => q * size - p * points[k]![name]!)
    const [low, high] = [Math.max(...starts), Math.min(...starts) + q - 1]
    if (low <= high) return low > 0 && high === q - 1 && p === 1 ? `ceil(${name}/${q})` : affine(name, p, q, low <= 0 && high >= 0 ? 0 : low)
  }
  return null
}

/** Σ aᵢ·sᵢ + c, with whole numbers, in several of the open sizes. */
function sumOf(open: readonly string[], points: readonly Point[], sizes: readonly number[]): string | null {
  const slopes = open.map(name => {
    const i = points.findIndex((point, k) => k > 0 && open.every(other => (point[other] !== points[0]![other]) === (other === name)))
    return i < 0 ? 0 : (sizes[i]! - sizes[0]!) / (points[i]![name]! - points[0]![name]!)
  })
  const at = (point: Point): number => open.reduce((sum, name, i) => sum + slopes[i]! * point[name]!, 0)
  const c = sizes[0]! - at(points[0]!)
  if (![...slopes, c].every(n => Number.isInteger(n) && n >= 0) || !points.every((point, i) => at(point) + c === sizes[i])) return null
  const terms = open.flatMap((name, i) => slopes[i] === 0 ? [] : affine(name, slopes[i]!, 1, 0))
  return [...terms, ...c === 0 ? [] : [String(c)]].join(' + ')
}

/** k·Π sᵢ of some of the open sizes. */
function productOf(open: readonly string[], points: readonly Point[], sizes: readonly number[]): string | null {
  const factors = open.filter(name => points.some((point, i) => point[name] !== points[0]![name] && open.every(other => other === name || point[other] === points[0]![other]) && sizes[i] !== sizes[0]))
  const at = (point: Point): number => factors.reduce((product, name) => product * point[name]!, 1)
  const k = sizes[0]! / at(points[0]!)
  if (!Number.isInteger(k) || !points.every((point, i) => k * at(point) === sizes[i])) return null
  return [...k === 1 ? [] : [String(k)], ...factors].join('*')
}

/** A size at every point as a number, a formula in the open sizes, or `?` where none of the known forms fits. */
export function formula(points: readonly Point[], sizes: readonly (number | null)[]): number | string {
  if (sizes.includes(null)) return '?'
  const given = sizes as readonly number[]
  if (given.every(size => size === given[0])) return given[0]!
  const open = Object.keys(points[0]!)
  for (const name of open) {
    const found = ofOne(name, points, given)
    if (found !== null) return found
  }
  return sumOf(open, points, given) ?? productOf(open, points, given) ?? '?'
}
