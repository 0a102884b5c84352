// What a size is in terms of the open sizes of a model's inputs, told from what it is at several of them.

/** Open sizes by name, at one of the points that a model was looked at. */
export type Point = Readonly<Record<string, number>>

/**
 * Points to look at: the first, then each open size changed alone, then all. Most are multiples of 32, for models that halve images five times, or divide
 * channels or heads; the others tell where halves are rounded, and fit models
 * whose sizes have an end.
 */
export function pointsFor(open: readonly string[]): Point[] {
  const all = (of: (i: number) => number): Point => Object.fromEntries(open.map((name, i) => [name, of(i)]))
  const first = all(i => 32 * (3 + 2 * i))
  const changed = [64, 160, 37].flatMap(by => open.map((name): Point => ({ ...first, [name]: first[name]! + by })))
  return open.length === 0 ? [first] : [first, ...changed, all(i => 32 * (8 + 3 * i)), all(i => 101 + 12 * i), all(i => 8 * (1 + i)), all(i => 2 + i)]
}

/** A whole number p·s + c divided by q, rounded down, as text. */
function affine(name: string, p: number, q: number, c: number): string {
  const times = p === 1 ? name : `${p}*${name}`
  const sum = c === 0 ? times : c > 0 ? `${times} + ${c}` : `${times} - ${-c}`
  return q === 1 ? sum : `floor(${c === 0 ? sum : `(${sum})`}/${q})`
}

const gcd = (a: number, b: number): number => b === 0 ? a : gcd(b, a % b)

/** ⌊(p·s + c)/q⌋ in one of the open sizes; c is in an interval that every point narrows. */
function ofOne(name: string, points: readonly Point[], sizes: readonly number[]): string | null {
  const other = points.findIndex((point, i) => i > 0 && (point[name]! - points[0]![name]!) % 32 === 0 && point[name] !== points[0]![name])
  if (other < 0) return null
  const [rise, run] = [sizes[other]! - sizes[0]!, points[other]![name]! - points[0]![name]!]
  const common = gcd(Math.abs(rise), run)
  const [p, q] = [rise / common, run / common]
  if (p <= 0) return null
  let [low, high] = [-Infinity, Infinity]
  sizes.forEach((size, i) => {
    const start = q * size - p * points[i]![name]!
    low = Math.max(low, start)
    high = Math.min(high, start + q - 1)
  })
  return low > high ? null : affine(name, p, q, low <= 0 && high >= 0 ? 0 : low)
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
