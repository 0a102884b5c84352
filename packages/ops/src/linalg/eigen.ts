// The kernel of symmetric eigenvalues: reduction to a tridiagonal matrix, then implicit QL or QR steps.

import { fail } from '@bp/core/extend'
import { type Matrix, transposed } from './matrices.ts'
import { columnOf, productOf, reflectColumns, type Reflection, reflection, reflectRows, rotateRows, rotation, swapRows } from './reflections.ts'

/** Half the distance from 1 to the next double. */
const epsilon = 2 ** -53

/** Eigenvalues in rising order, and an eigenvector in each row. */
export interface Eigen {
  readonly values: Float64Array
  readonly vectors: Matrix
}

/**
 * The eigenvalues and vectors of a symmetric matrix, of which one triangle is read. (Golub & Van Loan 2013, "Matrix
 * Computations", algorithms 8.3.1 and 8.3.3.) The order of work is LAPACK's (dsytrd, dsteqr), as far as it decides the signs of
 * the vectors.
 */
export function eigenOf(a: Matrix, upper: boolean): Eigen {
  const n = a.rows
  // the upper triangle is the lower one of the matrix read backwards, and so is all that follows
  const read = (i: number, j: number): number => upper ? a.data[(n - 1 - Math.max(i, j)) * n + n - 1 - Math.min(i, j)]! : a.data[Math.max(i, j) * n + Math.min(i, j)]!
  const full = Float64Array.from({ length: n * n }, (_, at) => read(Math.floor(at / n), at % n))
  const { d, e, q } = tridiagonalise({ rows: n, columns: n, data: full })
  const vectors = transposed(q)
  if (upper) [d, e, vectors.data].forEach(list => list.reverse())
  diagonalise(d, e, vectors)
  return { values: d, vectors }
}

/** Qᵀ·A·Q tridiagonal, with d on its diagonal and e beside; A is overwritten. */
function tridiagonalise(a: Matrix): { readonly d: Float64Array; readonly e: Float64Array; readonly q: Matrix } {
  const n = a.rows
  const e = new Float64Array(Math.max(0, n - 1))
  const hs: Reflection[] = []
  for (let k = 0; k < n - 1; k++) {
    const { h, beta } = reflection(columnOf(a, k), k + 1)
    e[k] = beta
    reflectRows(a, h, k + 1)
    reflectColumns(a, h, k + 1)
    hs.push(h)
  }
  return { d: Float64Array.from({ length: n }, (_, i) => a.data[i * n + i]!), e, q: productOf(hs, n, n) }
}

/** Makes the tridiagonal matrix of d and e diagonal by rotations, which the rows of `z` take part in, and sorts it. */
function diagonalise(d: Float64Array, e: Float64Array, z: Matrix): void {
  const n = d.length
  for (let first = 0; first < n;) {
    let last = first
    while (last < n - 1 && !(Math.abs(e[last]!) <= Math.sqrt(Math.abs(d[last]!)) * Math.sqrt(Math.abs(d[last + 1]!)) * epsilon)) last++
    if (last < n - 1) e[last] = 0
    // QL works from the top, QR from the bottom: from the end that is smaller in magnitude
    if (Math.abs(d[last]!) < Math.abs(d[first]!)) deflate(d, e, z, last, first, -1)
    else deflate(d, e, z, first, last, 1)
    // what did not split off yet is looked at again
    if (!e.subarray(first, last).some(value => value !== 0)) first = last + 1
  }
  for (let i = 0; i < n - 1; i++) {
    let least = i
    for (let j = i + 1; j < n; j++) if (d[j]! < d[least]!) least = j
    if (least === i) continue
    ;[d[i], d[least]] = [d[least]!, d[i]!]
    swapRows(z, i, least)
  }
}

/** Finds the eigenvalues of the block from `l` to `end`, one after the other, `step` being the way there. */
function deflate(d: Float64Array, e: Float64Array, z: Matrix, start: number, end: number, step: 1 | -1): void {
  /** the element beside the diagonal between i and i + step */
  const beside = (i: number): number => step > 0 ? i : i - 1
  let left = 30 * d.length
  for (let l = start; step * (end - l) >= 0;) {
    let m = l
    while (m !== end && !(e[beside(m)]! ** 2 <= epsilon ** 2 * Math.abs(d[m]!) * Math.abs(d[m + step]!) + Number.MIN_VALUE)) m += step
    if (m !== end) e[beside(m)] = 0
    if (m === l) l += step
    else if (m === l + step) {
      pair(d, e, z, Math.min(l, m))
      l += 2 * step
    } else if (left-- > 0) shifted(d, e, z, l, m, step)
    else fail('value', 'eigh', 'the eigenvalues did not converge. Look for NaN or infinity in the matrix')
  }
}

/** One implicit step with Wilkinson's shift, from m back to l. */
function shifted(d: Float64Array, e: Float64Array, z: Matrix, l: number, m: number, step: 1 | -1): void {
  const beside = (i: number): number => step > 0 ? i : i - 1
  const slope = (d[l + step]! - d[l]!) / (2 * e[beside(l)]!)
  let g = d[m]! - d[l]! + e[beside(l)]! / (slope + (slope < 0 ? -1 : 1) * Math.hypot(slope, 1))
  let [s, c, p] = [1, 1, 0]
  for (let i = m - step; step * (i - l) >= 0; i -= step) {
    const [f, b] = [s * e[beside(i)]!, c * e[beside(i)]!]
    const turn = rotation(g, f)
    ;({ c, s } = turn)
    if (i !== m - step) e[beside(i + step)] = turn.r
    g = d[i + step]! - p
    const r = (d[i]! - g) * s + 2 * c * b
    p = s * r
    d[i + step] = g + p
    g = c * r - b
    rotateRows(z, i + step, i, c, s)
  }
  d[l]! -= p
  e[beside(l)] = g
}

/** The eigenvalues of rows and columns i and i + 1, the larger in magnitude first. */
function pair(d: Float64Array, e: Float64Array, z: Matrix, i: number): void {
  const [a, b, c] = [d[i]!, e[i]!, d[i + 1]!]
  const [sum, difference] = [a + c, a - c]
  const root = Math.hypot(difference, 2 * b)
  const far = sum < 0 ? (sum - root) / 2 : (sum + root) / 2
  const near = sum === 0 ? -root / 2 : (Math.abs(a) > Math.abs(c) ? a / far * c : c / far * a) - b / far * b
  // (x, y) is orthogonal to an eigenvector: which one, the signs of sum and difference say
  const t = difference < 0 ? difference - root : difference + root
  const [x, y] = Math.abs(t) > Math.abs(2 * b) ? unit(-2 * b / t, 1) : b === 0 ? [1, 0] as const : unit(1, -t / (2 * b))
  const same = sum < 0 === difference < 0
  const [cos, sin] = same ? [-y, x] : [x, y]
  rotateRows(z, i, i + 1, cos, sin)
  d[i] = far
  d[i + 1] = near
  e[i] = 0
}

function unit(x: number, y: number): readonly [number, number] {
  const size = Math.hypot(x, y)
  return [x / size, y / size]
}
