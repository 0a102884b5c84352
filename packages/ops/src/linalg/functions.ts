// Functions of matrices: pseudo-inverses, powers, exponentials, norms, least squares, and tensors as matrices.

import { add, broadcastTo, mul, type Tensor } from '@bp/core'
import { bind, defineOp, describe, fail, normaliseAxis, sizeOf } from '@bp/core/extend'
import { abs, div, neg, sub } from '../rows/arithmetic.ts'
import { amax, sum } from '../rows/reduce.ts'
import { amin } from '../composites/statistics.ts'
import { matmul } from '../composites/matmul.ts'
import { moveAxis } from '../composites/shapes.ts'
import { pow } from '../rows/exponential.ts'
import { concat, narrow, reshape } from '../rows/view.ts'
import { iota } from '../rows/source.ts'
import { cast } from '../rows/compare.ts'
import { stack } from '../composites/arrange.ts'
import { vectorNorm } from '../composites/norms.ts'
import { inv, solve, solveMatrix } from './lu.ts'
import { checkMatrix, checkSquare, countOf, eyeLike, matricesLike, matrixAt, mT, stacked, type Matrix, zeroMatrix } from './matrices.ts'
import { svdOf, svdvals } from './spectral.ts'

/** Singular values up to the larger of `atol` and `rtol` times the largest count as 0. */
export interface PinvParams {
  readonly rtol: number | null
  readonly atol: number
}

/** P = A⁺,   dP = −P·dA·P + P·Pᵀ·dAᵀ·(I − A·P) + (I − P·A)·dAᵀ·Pᵀ·P (Golub & Pereyra 1973, "The Differentiation of Pseudo-Inverses", eq. 4.12) */
export const pinvRow = /* @__PURE__ */ defineOp({
  name: 'pinv', arity: 1, fuse: 'opaque', saves: 'xy',
  infer: ([a], _p: PinvParams) => {
    checkMatrix('pinv', a)
    return matricesLike(a, a.shape.at(-1)!, a.shape.at(-2)!)
  },
  diff: {
    kind: 'custom', why: 'its derivative is known where that of the singular vectors is not',
    vjp: ([ct], [a], [y]) => {
      const p = y!
      const g = mT(ct!)
      const [ph, gp] = [mT(p), matmul(g, p)]
      const first = neg(matmul(ph, matmul(ct!, ph)))
      const second = matmul(sub(g, matmul(a, matmul(p, g))), matmul(p, ph))
      const third = matmul(matmul(ph, p), sub(g, matmul(gp, a)))
      return [add(first, add(second, third))]
    },
    jvp: ([t], [a], [y]) => {
      const p = y!
      const [ph, th] = [mT(p), mT(t!)]
      const rest = matmul(p, matmul(ph, th))
      const other = matmul(th, matmul(ph, p))
      return [add(neg(matmul(p, matmul(t!, p))), add(sub(rest, matmul(matmul(rest, a), p)), sub(other, matmul(p, matmul(a, other)))))]
    },
  },
  host: ([a], { rtol, atol }, out) => stacked(countOf(a), out, k => {
    const matrix = matrixAt(a, k)
    const { u, s, vh } = svdOf(matrix)
    const epsilon = a.dtype === 'float64' ? 2 ** -52 : 2 ** -23
    const relative = rtol ?? (atol > 0 ? 0 : epsilon * Math.max(matrix.rows, matrix.columns))
    const least = Math.max(atol, relative * (s[0] ?? 0))
    const p: Matrix = zeroMatrix(matrix.columns, matrix.rows)
    s.forEach((value, i) => {
      if (!(value > least)) return
      for (let r = 0; r < p.rows; r++) for (let c = 0; c < p.columns; c++) p.data[r * p.columns + c]! += vh.data[i * vh.columns + r]! * u.data[c * u.columns + i]! / value
    })
    return [p]
  }),
  batch: ([a], _batched, _size, p) => inverseLike(a, p),
})

const inverseLike = (a: Tensor, p: PinvParams): Tensor => bind(pinvRow, [a], p)

/** Options of {@link pinv}. */
export interface PinvOptions {
  /** Singular values up to this part of the largest count as 0; the dtype's epsilon times the larger side unless given. */
  readonly rtol?: number
  /** And those up to this. */
  readonly atol?: number
}

/**
 * The pseudo-inverse of each matrix (Moore 1920, Penrose 1955). Differentiable wherever the rank does not change.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { pinv } from '@bp/ops'
 * pinv(tensor([[2], [0]])) // => tensor([[0.5, 0]], float32)
 * ```
 */
export const pinv = (a: Tensor, { rtol, atol = 0 }: PinvOptions = {}): Tensor => inverseLike(a, { rtol: rtol ?? null, atol })

/** The X of least norm that makes ‖A·X − B‖ least, for A of full rank or not. */
export const lstsq = (a: Tensor, b: Tensor): Tensor => matmul(pinv(a), b)

/** The product of `n` copies of each matrix, of its inverse where `n` is negative; the identity where `n` is 0. */
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

/** The coefficients of the Padé approximant of order 13 (Higham 2005, "The Scaling and Squaring Method for the Matrix Exponential Revisited"). */
const pade = [64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1]

/** Y = e^A,   dY = L(A, dA) and Ā = L(Aᵀ, Ȳ), where e^[[A, E], [0, A]] = [[e^A, L(A, E)], [0, e^A]] (Al-Mohy & Higham 2009, eq. 1.4) */
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
  const block = concat([concat([a, e], axis), concat([mul(a, 0), a], axis)], axis - 1)
  return narrow(narrow(matrixExp(block), -2, 0, n), -1, n, n)
}

function product(a: Matrix, b: Matrix): Matrix {
  const out = zeroMatrix(a.rows, b.columns)
  for (let i = 0; i < a.rows; i++) for (let k = 0; k < a.columns; k++) {
    const factor = a.data[i * a.columns + k]!
    if (factor !== 0) for (let j = 0; j < b.columns; j++) out.data[i * b.columns + j]! += factor * b.data[k * b.columns + j]!
  }
  return out
}

/** (p − q)⁻¹·(p + q) with even and odd parts of the approximant, after halving A until its norm is below 5.4. */
function exponential(a: Matrix): Matrix {
  const n = a.rows
  let norm = 0
  for (let j = 0; j < n; j++) {
    let column = 0
    for (let i = 0; i < n; i++) column += Math.abs(a.data[i * n + j]!)
    norm = Math.max(norm, column)
  }
  const halvings = norm > 5.371920351148152 ? Math.max(0, Math.ceil(Math.log2(norm / 5.371920351148152))) : 0
  const x: Matrix = { ...a, data: a.data.map(value => value / 2 ** halvings) }
  const square = product(x, x)
  const series = (first: number): Matrix => {
    const sumOf = zeroMatrix(n, n)
    let power = zeroMatrix(n, n)
    for (let i = 0; i < n; i++) power.data[i * n + i] = 1
    for (let k = first; k < pade.length; k += 2) {
      for (let i = 0; i < n * n; i++) sumOf.data[i]! += pade[k]! * power.data[i]!
      power = product(power, square)
    }
    return sumOf
  }
  const [even, odd] = [series(0), product(x, series(1))]
  const plus: Matrix = { ...even, data: even.data.map((value, i) => value + odd.data[i]!) }
  const minus: Matrix = { ...even, data: even.data.map((value, i) => value - odd.data[i]!) }
  let y = solveMatrix(minus, plus)
  for (let i = 0; i < halvings; i++) y = product(y, y)
  return y
}

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

/** Options of {@link matrixNorm}. */
export interface MatrixNormOptions {
  /** Frobenius (unless given), nuclear, or the largest (negative: least) column sum (1), singular value (2), row sum (∞). */
  readonly ord?: 'fro' | 'nuc' | number
  /** The axes of rows and columns; the last two unless given. */
  readonly axes?: readonly [number, number]
  readonly keepDims?: boolean
}

/** A norm of each matrix: PyTorch's `linalg.matrix_norm`. */
export function matrixNorm(x: Tensor, { ord = 'fro', axes = [-2, -1], keepDims = false }: MatrixNormOptions = {}): Tensor {
  const [rows, columns] = axes.map(axis => normaliseAxis('matrixNorm', axis, x.rank)) as [number, number]
  if (rows === columns) fail('axis', 'matrixNorm', `needs two different axes, got ${axes[0]} and ${axes[1]}`)
  const shape = x.shape.map((size, i) => i === rows || i === columns ? 1 : size)
  const shaped = (y: Tensor): Tensor => reshape(y, keepDims ? shape : shape.filter((_, i) => i !== rows && i !== columns))
  if (ord === 'fro') return shaped(vectorNorm(x, { p: 2, axes: [rows, columns] }))
  if (ord === 'nuc' || Math.abs(ord) === 2) {
    const s = svdvals(moveAxis(x, [rows, columns], [-2, -1]))
    return shaped(ord === 'nuc' ? sum(s, -1) : ord === 2 ? amax(s, -1) : amin(s, -1))
  }
  if (Math.abs(ord) !== 1 && Math.abs(ord) !== Infinity) fail('value', 'matrixNorm', `there is no norm of order ${ord}. Use 'fro', 'nuc', 1, -1, 2, -2, Infinity or -Infinity`)
  const sums = sum(abs(x), Math.abs(ord) === 1 ? rows : columns, true)
  return shaped((ord > 0 ? amax : amin)(sums, [rows, columns]))
}

/** The condition number ‖A‖·‖A⁻¹‖ in a norm; in the 2-norm, the ratio of the extreme singular values, for any matrix. */
export function cond(a: Tensor, ord: 'fro' | 'nuc' | number = 2): Tensor {
  checkMatrix('cond', a)
  if (Math.abs(ord as number) !== 2) return mul(matrixNorm(a, { ord }), matrixNorm(inv(a), { ord }))
  const s = svdvals(a)
  const [most, least] = [amax(s, -1), amin(s, -1)]
  return ord === 2 ? div(most, least) : div(least, most)
}

/** The inverse of a tensor as a matrix of its first `split` axes by the others. */
export function tensorinv(a: Tensor, split = 2): Tensor {
  const [front, back] = [a.shape.slice(0, split), a.shape.slice(split)]
  if (sizeOf(front) !== sizeOf(back)) fail('shape', 'tensorinv', `the axes before and after ${split} of ${describe(a)} must have as many elements. Choose another split`)
  return reshape(inv(reshape(a, [sizeOf(front), sizeOf(back)])), [...back, ...front])
}

/** X with tensordot(A, X, X's rank) = B; the axes given go to the end of A first. */
export function tensorsolve(a: Tensor, b: Tensor, axes: readonly number[] = []): Tensor {
  const moved = axes.length === 0 ? a : moveAxis(a, axes, axes.map((_, i) => a.rank - axes.length + i))
  const shape = moved.shape.slice(b.rank)
  if (sizeOf(shape) !== b.size) fail('shape', 'tensorsolve', `${describe(moved)} as a matrix of ${b.size} rows is not square`)
  return reshape(solve(reshape(moved, [b.size, sizeOf(shape)]), reshape(b, [b.size])), shape)
}

/** The powers of each element, from 0 to `n` − 1 (its own number of elements unless given), as a new last axis. */
export function vander(x: Tensor, n = x.shape.at(-1) ?? 1): Tensor {
  return pow(reshape(x, [...x.shape, 1]), cast(iota(n, 'int32', x.backend), x.dtype))
}

/** The inner products of vectors along an axis. */
export const vecdot = (a: Tensor, b: Tensor, axis = -1): Tensor => sum(mul(a, b), axis)

/** The cross products of vectors of three elements along an axis. */
export function cross(a: Tensor, b: Tensor, axis = -1): Tensor {
  const at = normaliseAxis('cross', axis, Math.max(a.rank, b.rank))
  if (a.shape[at] !== 3 || b.shape[at] !== 3) fail('shape', 'cross', `needs three elements along axis ${at}, got ${describe(a)} and ${describe(b)}`)
  const part = (x: Tensor, i: number): Tensor => reshape(narrow(x, at, i, 1), x.shape.toSpliced(at, 1))
  const component = (i: number, j: number): Tensor => sub(mul(part(a, i), part(b, j)), mul(part(a, j), part(b, i)))
  return stack([component(1, 2), component(2, 0), component(0, 1)], at)
}

/** The rows of this file, by name. */
export const functionsLibrary = { pinv: pinvRow, matrixExp: matrixExpRow }
