// The kernel of singular values: reduction to a bidiagonal matrix, then implicit QR steps.

import { fail } from '@bp/core/extend'
import { type Bidiagonal, bidiagonalise, decomposePair } from './bidiagonal.ts'
import { type Matrix, transposed } from './matrices.ts'
import { rotateRows, rotation, swapRows } from './reflections.ts'

/** Half the distance from 1 to the next double. */
const epsilon = 2 ** -53

/** What counts as 0 beside the diagonal, relative to what the singular values are known by. */
const tolerance = epsilon ** (7 / 8)

/** A = U·diag(s)·Vᵀ, with the columns of U as rows. */
export interface Singular {
  readonly left: Matrix
  readonly s: Float64Array
  readonly right: Matrix
}

/**
 * The singular values in falling order and their vectors, of the smaller side's number or, `full`, all. (Golub & Van Loan 2013,
 * "Matrix Computations", §8.6; Demmel & Kahan 1990, "Accurate Singular Values of Bidiagonal Matrices", for the stopping rule
 * and the steps without a shift.) The order of work is LAPACK's (dgesdd, dbdsqr), as far as it decides the signs of the vectors.
 */
export function singularOf(a: Matrix, full: boolean): Singular {
  const work = bidiagonalise(a, full)
  const { d: s, left, right } = work
  diagonalise(work)
  for (let i = 0; i < s.length; i++) {
    if (s[i]! >= 0) continue
    s[i] = -s[i]!
    // a single one gives its sign to the left, as in LAPACK
    const { columns, data } = s.length === 1 ? left : right
    for (let k = 0; k < columns; k++) data[i * columns + k]! *= -1
  }
  for (let end = s.length - 1; end > 0; end--) {
    let least = 0
    for (let i = 1; i <= end; i++) if (s[i]! <= s[least]!) least = i
    if (least === end) continue
    ;[s[end], s[least]] = [s[least]!, s[end]!]
    swapRows(left, end, least)
    swapRows(right, end, least)
  }
  return { left, s, right }
}

/** U·diag(s)·Vᵀ with U's columns as columns. */
export function svdOf(a: Matrix, full = false): { readonly u: Matrix; readonly s: Float64Array; readonly vh: Matrix } {
  const { left, s, right } = singularOf(a, full)
  return { u: transposed(left), s, vh: right }
}

function diagonalise(work: Bidiagonal): void {
  const { d, e } = work
  const n = d.length
  const least = n === 0 ? 0 : Math.max(tolerance * smallest(d, e) / Math.sqrt(n), Number.MIN_VALUE)
  let [down, before] = [true, { first: -1, last: -1 }]
  let steps = 6 * n * n + 30
  for (let last = n - 1; last > 0;) {
    let first = last
    let most = Math.abs(d[last]!)
    while (first > 0 && Math.abs(e[first - 1]!) > least) {
      first--
      most = Math.max(most, Math.abs(d[first]!), Math.abs(e[first]!))
    }
    if (first > 0) e[first - 1] = 0
    if (first === last) {
      last--
      continue
    }
    if (first === last - 1) {
      decomposePair(work, first)
      last -= 2
      continue
    }
    if (!(steps-- > 0)) fail('value', 'svd', 'the singular values did not converge. Look for NaN or infinity in the matrix')
    // a block not seen before is worked on from its larger end
    if (first > before.last || last < before.first) down = Math.abs(d[first]!) >= Math.abs(d[last]!)
    const block = blockOf(work, first, last, down)
    const bound = converged(block)
    if (bound === null) continue
    before = { first, last }
    step(block, shiftOf(block, bound, most), least)
  }
}

/** A lower bound of the smallest singular value (Demmel & Kahan 1990, eq. 2.4). */
function smallest(d: Float64Array, e: Float64Array): number {
  let mu = Math.abs(d[0]!)
  let bound = mu
  for (let i = 1; i < d.length && bound > 0; i++) {
    mu = Math.abs(d[i]!) * (mu / (mu + Math.abs(e[i - 1]!)))
    bound = Math.min(bound, mu)
  }
  return bound
}

/**
 * A block from one end to the other: place k of d and e counted from the end that the work begins at. From the bottom, the
 * block is the transposed one read backwards, and left and right change places.
 */
interface Block extends Bidiagonal {
  readonly size: number
  readonly at: (k: number) => number
  readonly beside: (k: number) => number
}

const blockOf = ({ d, e, left, right }: Bidiagonal, first: number, last: number, down: boolean): Block => down
  ? { d, e, left, right, size: last - first + 1, at: k => first + k, beside: k => first + k }
  : { d, e, left: right, right: left, size: last - first + 1, at: k => last - k, beside: k => last - 1 - k }

/** A bound of the block's smallest singular value; `null` where an element beside the diagonal was found to be 0. */
function converged({ d, e, size, at, beside }: Block): number | null {
  const end = beside(size - 2)
  if (Math.abs(e[end]!) <= tolerance * Math.abs(d[at(size - 1)]!)) {
    e[end] = 0
    return null
  }
  let mu = Math.abs(d[at(0)]!)
  let bound = mu
  for (let k = 0; k < size - 1; k++) {
    const value = Math.abs(e[beside(k)]!)
    if (value <= tolerance * mu) {
      e[beside(k)] = 0
      return null
    }
    mu = Math.abs(d[at(k + 1)]!) * (mu / (mu + value))
    bound = Math.min(bound, mu)
  }
  return bound
}

/** The shift: the smaller singular value of the last two rows; 0 where it would cost accuracy or gain nothing. */
function shiftOf({ d, e, size, at, beside }: Block, bound: number, most: number): number {
  if (d.length * tolerance * (bound / most) <= Math.max(epsilon, 0.01 * tolerance)) return 0
  const [f, g, h] = [Math.abs(d[at(size - 2)]!), Math.abs(e[beside(size - 2)]!), Math.abs(d[at(size - 1)]!)]
  const [low, high] = [Math.min(f, h), Math.max(f, h)]
  const shift = low === 0 ? 0 : 2 * low / (Math.hypot(1 + low / high, g / high) + Math.hypot(1 - low / high, g / high))
  const start = Math.abs(d[at(0)]!)
  return start > 0 && (shift / start) ** 2 < epsilon ? 0 : shift
}

/** One implicit QR step; without a shift in the form that keeps small singular values accurate (ibid., §3). */
function step({ d, e, left, right, size, at, beside }: Block, shift: number, least: number): void {
  const end = beside(size - 2)
  if (shift === 0) {
    let [c, back] = [1, { c: 1, s: 0 }]
    for (let k = 0; k < size - 1; k++) {
      const turn = rotation(d[at(k)]! * c, e[beside(k)]!)
      if (k > 0) e[beside(k - 1)] = back.s * turn.r
      const other = rotation(back.c * turn.r, d[at(k + 1)]! * turn.s)
      d[at(k)] = other.r
      rotateRows(right, at(k), at(k + 1), turn.c, turn.s)
      rotateRows(left, at(k), at(k + 1), other.c, other.s)
      ;[c, back] = [turn.c, other]
    }
    const rest = d[at(size - 1)]! * c
    d[at(size - 1)] = rest * back.c
    e[end] = rest * back.s
  } else {
    const start = d[at(0)]!
    let f = (Math.abs(start) - shift) * ((start < 0 ? -1 : 1) + shift / start)
    let g = e[beside(0)]!
    for (let k = 0; k < size - 1; k++) {
      const [i, j, b] = [at(k), at(k + 1), beside(k)]
      const turn = rotation(f, g)
      if (k > 0) e[beside(k - 1)] = turn.r
      f = turn.c * d[i]! + turn.s * e[b]!
      e[b] = turn.c * e[b]! - turn.s * d[i]!
      g = turn.s * d[j]!
      d[j]! *= turn.c
      rotateRows(right, i, j, turn.c, turn.s)
      const other = rotation(f, g)
      d[i] = other.r
      f = other.c * e[b] + other.s * d[j]!
      d[j] = other.c * d[j]! - other.s * e[b]
      if (k < size - 2) {
        g = other.s * e[beside(k + 1)]!
        e[beside(k + 1)]! *= other.c
      }
      rotateRows(left, i, j, other.c, other.s)
    }
    e[end] = f
  }
  if (Math.abs(e[end]) <= least) e[end] = 0
}
