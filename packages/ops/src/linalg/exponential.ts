// Powers and the exponential of square matrices.

import { broadcastTo, type Tensor, zerosLike } from '@bp/core'
import { bind, defineOp, fail } from '@bp/core/extend'
import { matmul } from '../composites/matmul.ts'
import { concat, narrow } from '../rows/view.ts'
import { factor, solveFactored } from './elimination.ts'
import { checkSquare, countOf, eyeLike, identityMatrix, type Matrix, matrixAt, mT, stacked, zeroMatrix } from './matrices.ts'
import { inv } from './solve.ts'

/**
 * The product of `n` copies of each matrix, of its inverse where `n` is negative; the identity where `n` is 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { matrixPower } from '@bp/ops'
 * matrixPower(tensor([[1, 1], [0, 1]]), 5) // => tensor([[1, 5], [0, 1]], float32)
 * ```
 */
export function matrixPower(a: Tensor, n: number): Tensor {
  const size = checkSquare('matrixPower', a)
  if (!Number.isInteger(n)) fail('value', 'matrixPower', `the power must be a whole number, got ${n}`)
  if (n < 0) return matrixPower(inv(a), -n)
  if (n === 0) return broadcastTo(eyeLike(a, size), a.shape)
  if (n === 1) return a
  const half = matrixPower(a, Math.floor(n / 2))
  const square = matmul(half, half)
  return n % 2 === 0 ? square : matmul(square, a)
}

/** Y = e^A,   dY = L(A, dA) and Ā = L(Aᵀ, Ȳ), where e^[[A, E], [0, A]] = [[e^A, L(A, E)], [0, e^A]] (Al-Mohy & Higham 2009, "Computing the Fréchet Derivative of the Matrix Exponential", eq. 1.4) */
export const matrixExpRow = /* @__PURE__ */ defineOp({
  name: 'matrixExp', arity: 1, fuse: 'opaque', saves: 'x',
  infer: ([a]) => {
    checkSquare('matrixExp', a)
    return a.aval
  },
  diff: {
    kind: 'custom', why: 'its derivative is a part of the exponential of a larger matrix',
    vjp: ([ct], [a]) => [frechet(mT(a), ct!)],
    jvp: ([t], [a]) => [frechet(a, t!)],
  },
  host: ([a], _p, out) => stacked(countOf(a), out, k => [exponential(matrixAt(a, k))]),
  batch: ([a]) => matrixExp(a),
})

/** L(A, E): how e^A changes along E */
function frechet(a: Tensor, e: Tensor): Tensor {
  const n = a.shape.at(-1)!
  const axis = a.rank - 1
  const block = concat([concat([a, e], axis), concat([zerosLike(a), a], axis)], axis - 1)
  return narrow(narrow(matrixExp(block), -2, 0, n), -1, n, n)
}

/** The coefficients of the Padé approximant of order 13, and the norm up to which it is exact to double precision (Higham 2005, "The Scaling and Squaring Method for the Matrix Exponential Revisited", tables 2.3 and 2.4). */
const pade = {
  even: [64764752532480000, 7771770303897600, 129060195264000, 670442572800, 1323241920, 960960, 182],
  odd: [32382376266240000, 1187353796428800, 10559470521600, 33522128640, 40840800, 16380, 1],
} as const
const largest = 5.371920351148152

/** (p − q)⁻¹·(p + q) with p and q the even and odd parts of the approximant, after halving A until its norm is small enough. */
function exponential(a: Matrix): Matrix {
  const n = a.rows
  const norm = columnNorm(a)
  if (!Number.isFinite(norm)) return { ...a, data: new Float64Array(n * n).fill(NaN) }
  const halvings = Math.max(0, Math.ceil(Math.log2(norm / largest)))
  const x: Matrix = { ...a, data: a.data.map(value => value / 2 ** halvings) }
  const x2 = product(x, x)
  const x4 = product(x2, x2)
  const x6 = product(x4, x2)
  const series = ([c0, c2, c4, c6, c8, c10, c12]: typeof pade.even | typeof pade.odd): Matrix =>
    plus(product(x6, combined([c12, c10, c8], [x6, x4, x2])), combined([c6, c4, c2, c0], [x6, x4, x2, identityMatrix(n)]))
  const [even, odd] = [series(pade.even), product(x, series(pade.odd))]
  let y = solveFactored(factor(plus(even, odd, -1)), plus(even, odd))
  for (let i = 0; i < halvings; i++) y = product(y, y)
  return y
}

function columnNorm({ rows, columns, data }: Matrix): number {
  let norm = 0
  for (let j = 0; j < columns; j++) {
    let sum = 0
    for (let i = 0; i < rows; i++) sum += Math.abs(data[i * columns + j]!)
    norm = Math.max(norm, sum)
  }
  return norm
}

function product(a: Matrix, b: Matrix): Matrix {
  const out = zeroMatrix(a.rows, b.columns)
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < a.columns; k++) {
      const ratio = a.data[i * a.columns + k]!
      if (ratio !== 0) for (let j = 0; j < b.columns; j++) out.data[i * b.columns + j]! += ratio * b.data[k * b.columns + j]!
    }
  }
  return out
}

const plus = (a: Matrix, b: Matrix, factor = 1): Matrix => ({ ...a, data: a.data.map((value, i) => value + factor * b.data[i]!) })

const combined = (factors: readonly number[], terms: readonly Matrix[]): Matrix =>
  ({ ...terms[0]!, data: terms[0]!.data.map((_, i) => factors.reduce((sum, factor, k) => sum + factor * terms[k]!.data[i]!, 0)) })

/**
 * e^A for square matrices, by scaling and squaring.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { matrixExp } from '@bp/ops'
 * matrixExp(tensor([[0, 1], [0, 0]])) // => tensor([[1, 1], [0, 1]], float32)
 * ```
 */
export const matrixExp = (a: Tensor): Tensor => bind(matrixExpRow, [a], undefined)

/** The rows of this file, by name. */
export const exponentialLibrary = { matrixExp: matrixExpRow }
