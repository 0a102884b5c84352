// Reduction to an upper bidiagonal matrix, and the singular values of one of two rows: what a decomposition begins and ends with.

import { type Matrix, transposed } from './matrices.ts'
import { columnOf, productOf, reflectColumns, type Reflection, reflection, reflectRows, rotateRows, rotation, rowOf, triangularise } from './reflections.ts'

/** A = Uᵀ·B·V, B upper bidiagonal with d on its diagonal and e beside; U and V are rows, of which rotations may change two at a time. */
export interface Bidiagonal {
  readonly d: Float64Array
  readonly e: Float64Array
  readonly left: Matrix
  readonly right: Matrix
}

/**
 * Golub & Kahan's reduction of a matrix, by way of its triangular factor where one side is much longer (Golub & Van Loan
 * 2013, "Matrix Computations", algorithm 5.4.2 and §5.4.9). As many rows in U and V as the smaller side has or, `full`, all.
 */
export function bidiagonalise(a: Matrix, full: boolean): Bidiagonal {
  const { rows: m, columns: n } = a
  const k = Math.min(m, n)
  const rowsOf = (hs: readonly Reflection[], size: number): Matrix => transposed(productOf(hs, size, full ? size : k))
  if (Math.max(m, n) >= Math.floor(k * 11 / 6) && m !== n) {
    const { hs, r } = triangularise(m > n ? a : transposed(a))
    const factor: Matrix = { rows: k, columns: k, data: r.data.slice(0, k * k) }
    const { d, e, lefts, rights } = reduce(m > n ? factor : transposed(factor))
    const longer = (inner: readonly Reflection[]): Matrix => rowsOf([...hs, ...inner.map(h => lengthened(h, Math.max(m, n)))], Math.max(m, n))
    return m > n
      ? { d, e, left: longer(lefts), right: rowsOf(rights, n) }
      : { d, e, left: rowsOf(lefts, m), right: longer(rights) }
  }
  if (m >= n) {
    const { d, e, lefts, rights } = reduce(a)
    return { d, e, left: rowsOf(lefts, m), right: rowsOf(rights, n) }
  }
  // the transposed matrix gives a lower bidiagonal one, which rotations from the left make upper
  const { d, e, lefts, rights } = reduce(transposed(a))
  const left = rowsOf(rights, m)
  for (let i = 0; i < k - 1; i++) {
    const { c, s, r } = rotation(d[i]!, e[i]!)
    d[i] = r
    e[i] = s * d[i + 1]!
    d[i + 1]! *= c
    rotateRows(left, i, i + 1, c, s)
  }
  return { d, e, left, right: rowsOf(lefts, n) }
}

/** The same reflection of longer vectors, whose other elements stay. */
const lengthened = ({ from, tau, v }: Reflection, n: number): Reflection => ({ from, tau, v: Float64Array.from({ length: n }, (_, i) => v[i] ?? 0) })

/** Reflections from both sides in turn, for a matrix of at least as many rows as columns. */
function reduce(matrix: Matrix): { readonly d: Float64Array; readonly e: Float64Array; readonly lefts: Reflection[]; readonly rights: Reflection[] } {
  const a: Matrix = { ...matrix, data: matrix.data.slice() }
  const n = a.columns
  const [d, e] = [new Float64Array(n), new Float64Array(Math.max(0, n - 1))]
  const [lefts, rights]: [Reflection[], Reflection[]] = [[], []]
  for (let k = 0; k < n; k++) {
    const left = reflection(columnOf(a, k), k)
    d[k] = left.beta
    lefts.push(left.h)
    reflectRows(a, left.h, k + 1)
    if (k === n - 1) break
    const right = reflection(rowOf(a, k), k + 1)
    e[k] = right.beta
    rights.push(right.h)
    reflectColumns(a, right.h, k + 1)
  }
  return { d, e, lefts, rights }
}

/**
 * Makes rows and columns i and i + 1 diagonal, the larger singular value first; both may be negative. By the formulas, and with
 * the signs, of LAPACK's dlasv2 (Bai & Demmel 1993, "Computing the Generalized Singular Value Decomposition", §4).
 */
export function decomposePair({ d, e, left, right }: Bidiagonal, i: number): void {
  const [f, g, h] = [d[i]!, e[i]!, d[i + 1]!]
  // the larger of f and h first: the transposed matrix read backwards otherwise
  const swapped = Math.abs(h) > Math.abs(f)
  const [p, q] = swapped ? [h, f] : [f, h]
  const { most, least, outer, inner } = ordered(p, g, q)
  const [l, r] = swapped ? [{ c: inner.s, s: inner.c }, { c: outer.s, s: outer.c }] : [outer, inner]
  const sign = Math.abs(g) > Math.abs(p) ? signOf(r.s) * signOf(l.c) * signOf(g) : swapped ? signOf(r.s) * signOf(l.s) * signOf(h) : signOf(r.c) * signOf(l.c) * signOf(f)
  d[i] = sign * most
  d[i + 1] = sign * signOf(f) * signOf(h) * least
  e[i] = 0
  rotateRows(right, i, i + 1, r.c, r.s)
  rotateRows(left, i, i + 1, l.c, l.s)
}

interface Turn {
  readonly c: number
  readonly s: number
}

/** The singular values of [p g; 0 q], |p| ≥ |q|, and the rotations from the left (outer) and from the right (inner). */
function ordered(p: number, g: number, q: number): { readonly most: number; readonly least: number; readonly outer: Turn; readonly inner: Turn } {
  const [pa, ga, qa] = [Math.abs(p), Math.abs(g), Math.abs(q)]
  if (ga === 0) return { most: pa, least: qa, outer: { c: 1, s: 0 }, inner: { c: 1, s: 0 } }
  if (pa / ga < 2 ** -53) return { most: ga, least: qa > 1 ? pa / (ga / qa) : pa / ga * qa, outer: { c: 1, s: q / g }, inner: { c: p / g, s: 1 } }
  const gap = (pa - qa) / pa
  const m = g / p
  const s = Math.hypot(m, 2 - gap)
  const r = Math.hypot(m, gap)
  const a = (s + r) / 2
  // twice the tangent of the right rotation, also where m² underflows
  const t = m * m > 0 ? (m / (s + 2 - gap) + m / (r + gap)) * (1 + a) : gap === 0 ? 2 * signOf(p) * signOf(g) : g / (signOf(p) * (pa - qa)) + m / (2 - gap)
  const size = Math.hypot(t, 2)
  const inner = { c: 2 / size, s: t / size }
  return { most: pa * a, least: qa / a, outer: { c: (inner.c + inner.s * m) / a, s: q / p * inner.s / a }, inner }
}

const signOf = (x: number): 1 | -1 => x < 0 ? -1 : 1
