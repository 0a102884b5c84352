// Householder reflections and Givens rotations: what every orthogonal decomposition is made of.

import { type Matrix, zeroMatrix } from './matrices.ts'

/** H = I − τ·v·vᵀ; v is 0 before `from` and 1 there. */
export interface Reflection {
  readonly from: number
  readonly tau: number
  readonly v: Float64Array
}

/**
 * The reflection that turns x, from place `from` on, into β·e_from, and β, whose sign is against that of x's own element: nothing
 * cancels, and it is LAPACK's choice. H = I where there is nothing to annihilate (Golub & Van Loan 2013, "Matrix
 * Computations", algorithm 5.1.1).
 */
export function reflection(x: Float64Array, from: number): { readonly h: Reflection; readonly beta: number } {
  const v = new Float64Array(x.length)
  const alpha = x[from]!
  const tail = length(x, from + 1)
  v[from] = 1
  if (tail === 0) return { h: { from, tau: 0, v }, beta: alpha }
  const beta = (alpha < 0 ? 1 : -1) * Math.hypot(alpha, tail)
  for (let i = from + 1; i < x.length; i++) v[i] = x[i]! / (alpha - beta)
  return { h: { from, tau: (beta - alpha) / beta, v }, beta }
}

/** The Euclidean length of x from a place on, without overflow. */
function length(x: Float64Array, from: number): number {
  let scale = 0
  for (let i = from; i < x.length; i++) scale = Math.max(scale, Math.abs(x[i]!))
  if (scale === 0) return 0
  let sum = 0
  for (let i = from; i < x.length; i++) sum += (x[i]! / scale) ** 2
  return scale * Math.sqrt(sum)
}

/** A := H·A, in the columns from `first` on. */
export function reflectRows({ rows, columns, data }: Matrix, { from, tau, v }: Reflection, first = 0): void {
  if (tau === 0) return
  const w = new Float64Array(columns)
  for (let i = from; i < rows; i++) for (let j = first; j < columns; j++) w[j]! += v[i]! * data[i * columns + j]!
  for (let i = from; i < rows; i++) {
    const factor = tau * v[i]!
    for (let j = first; j < columns; j++) data[i * columns + j]! -= factor * w[j]!
  }
}

/** A := A·H, in the rows from `first` on. */
export function reflectColumns({ rows, columns, data }: Matrix, { from, tau, v }: Reflection, first = 0): void {
  if (tau === 0) return
  for (let i = first; i < rows; i++) {
    let dot = 0
    for (let j = from; j < columns; j++) dot += data[i * columns + j]! * v[j]!
    dot *= tau
    for (let j = from; j < columns; j++) data[i * columns + j]! -= dot * v[j]!
  }
}

/** The first `width` columns of H₁·H₂·…, matrices of size `n`. */
export function productOf(hs: readonly Reflection[], n: number, width: number): Matrix {
  const q = zeroMatrix(n, width)
  for (let i = 0; i < width; i++) q.data[i * width + i] = 1
  for (let k = hs.length - 1; k >= 0; k--) reflectRows(q, hs[k]!)
  return q
}

/** A column of a matrix. */
export const columnOf = ({ rows, columns, data }: Matrix, j: number): Float64Array => Float64Array.from({ length: rows }, (_, i) => data[i * columns + j]!)

/** A row of a matrix. */
export const rowOf = ({ columns, data }: Matrix, i: number): Float64Array => data.slice(i * columns, (i + 1) * columns)

/** A = Q·R by reflections, Q as these and R with zeros below its diagonal (ibid., algorithm 5.2.1). */
export function triangularise(a: Matrix): { readonly hs: readonly Reflection[]; readonly r: Matrix } {
  const r: Matrix = { ...a, data: a.data.slice() }
  const hs = Array.from({ length: Math.min(a.rows, a.columns) }, (_, k) => {
    const { h, beta } = reflection(columnOf(r, k), k)
    reflectRows(r, h, k)
    r.data[k * a.columns + k] = beta
    for (let i = k + 1; i < a.rows; i++) r.data[i * a.columns + k] = 0
    return h
  })
  return { hs, r }
}

/** A rotation [c s; −s c] that turns (f, g) into (r, 0). */
export interface Rotation {
  readonly c: number
  readonly s: number
  readonly r: number
}

/** The rotation of (f, g) with c ≥ 0 (Bindel et al. 2002, "On Computing Givens Rotations Reliably and Efficiently"). */
export function rotation(f: number, g: number): Rotation {
  if (g === 0) return { c: 1, s: 0, r: f }
  if (f === 0) return { c: 0, s: Math.sign(g), r: Math.abs(g) }
  const r = Math.sign(f) * Math.hypot(f, g)
  return { c: f / r, s: g / r, r }
}

/** Rows i and j of a matrix turned: (xᵢ, xⱼ) := (c·xᵢ + s·xⱼ, c·xⱼ − s·xᵢ). */
export function rotateRows({ columns, data }: Matrix, i: number, j: number, c: number, s: number): void {
  for (let k = 0; k < columns; k++) {
    const [x, y] = [data[i * columns + k]!, data[j * columns + k]!]
    data[i * columns + k] = c * x + s * y
    data[j * columns + k] = c * y - s * x
  }
}

/** Rows i and j of a matrix exchanged. */
export function swapRows({ columns, data }: Matrix, i: number, j: number): void {
  const row = data.slice(i * columns, (i + 1) * columns)
  data.copyWithin(i * columns, j * columns, (j + 1) * columns)
  data.set(row, j * columns)
}
