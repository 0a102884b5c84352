// The kernels of Gaussian elimination: LU factors, and substitution by them.

import { fail } from '@bp/core/extend'
import type { Matrix } from './matrices.ts'

/** A factored matrix: L and U in one, the rows' new order, the row exchanged at each step (from 1 on), and the sign of the order. */
export interface Factored {
  readonly lu: Matrix
  readonly order: Int32Array
  readonly pivots: Int32Array
  readonly sign: number
}

/** Gaussian elimination, the largest element of each column first (Golub & Van Loan 2013, "Matrix Computations", algorithm 3.4.1). */
export function factor({ rows, columns, data }: Matrix): Factored {
  const a = data.slice()
  const order = Int32Array.from({ length: rows }, (_, i) => i)
  const steps = Math.min(rows, columns)
  const pivots = new Int32Array(steps)
  let sign = 1
  for (let k = 0; k < steps; k++) {
    let p = k
    for (let i = k + 1; i < rows; i++) if (Math.abs(a[i * columns + k]!) > Math.abs(a[p * columns + k]!)) p = i
    pivots[k] = p + 1
    if (p !== k) {
      sign = -sign
      ;[order[k], order[p]] = [order[p]!, order[k]!]
      for (let j = 0; j < columns; j++) [a[k * columns + j], a[p * columns + j]] = [a[p * columns + j]!, a[k * columns + j]!]
    }
    eliminate(a, rows, columns, k)
  }
  return { lu: { rows, columns, data: a }, order, pivots, sign }
}

/** Clears column `k` below the diagonal, where the ratios of the rows are kept; a column of zeros is clear already. */
export function eliminate(a: Float64Array, rows: number, columns: number, k: number): void {
  const pivot = a[k * columns + k]!
  for (let i = k + 1; i < rows; i++) {
    const value = a[i * columns + k]!
    if (value === 0) continue
    const ratio = value / pivot
    a[i * columns + k] = ratio
    for (let j = k + 1; j < columns; j++) a[i * columns + j]! -= ratio * a[k * columns + j]!
  }
}

/** Which triangle of a matrix is read, and whether its diagonal is taken for ones. */
export interface Triangle {
  readonly upper: boolean
  readonly unitriangular: boolean
}

/** B := A⁻¹·B for a triangle A, row by row (ibid., algorithms 3.1.1 and 3.1.2). */
export function substitute({ rows: n, columns: width, data: a }: Matrix, { columns, data: b }: Matrix, { upper, unitriangular }: Triangle): void {
  for (let step = 0; step < n; step++) {
    const i = upper ? n - 1 - step : step
    for (let k = upper ? i + 1 : 0; k < (upper ? n : i); k++) {
      const ratio = a[i * width + k]!
      if (ratio !== 0) for (let j = 0; j < columns; j++) b[i * columns + j]! -= ratio * b[k * columns + j]!
    }
    if (!unitriangular) for (let j = 0; j < columns; j++) b[i * columns + j]! /= a[i * width + i]!
  }
}

/** A⁻¹·B by A's factors. */
export function solveFactored({ lu, order }: Factored, { rows, columns, data }: Matrix): Matrix {
  const x: Matrix = { rows, columns, data: new Float64Array(rows * columns) }
  order.forEach((from, i) => { x.data.set(data.subarray(from * columns, (from + 1) * columns), i * columns) })
  substitute(lu, x, { upper: false, unitriangular: true })
  substitute(lu, x, { upper: true, unitriangular: false })
  return x
}

/** Throws where a square matrix is singular, and names the pivot. */
export function checkPivots(op: string, { lu: { rows: n, data } }: Factored): void {
  for (let i = 0; i < n; i++) if (data[i * n + i] === 0) fail('value', op, `the matrix is singular: pivot ${i + 1} of ${n} is zero. Use pinv or lstsq, or ${op}Ex, which reports it`)
}
