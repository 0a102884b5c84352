// Samples of the functions of matrices.

import { mul, type Tensor } from '@bp/core'
import { cholesky, choleskyInverse, choleskySolve, cond, cross, det, eigh, eigvalsh, householderProduct, inv, logdet, lstsq, lu, luFactor, luSolve, matrixNorm, matrixPower, pinv, qr, slogdet, solve, solveTriangular, svdvals, tensorinv, tensorsolve, vander, vecdot } from '@bp/ops'
import type { FunctionSample } from '../functions.ts'
import { given, operand, type OperandSpec } from '../sample.ts'

const of = (f: (...xs: Tensor[]) => Tensor | Tensor[], ...operands: OperandSpec[]): FunctionSample => ({ f, operands })
const square = operand([3, 3], given(4, 1, -0.5, 0.75, 3, 1.25, -1, 0.5, 2.5))
const stack = operand([2, 2, 2], given(3, 0.5, -1, 2, 1.5, 0.25, 0.5, -2.5))
const definite = operand([3, 3], given(4, 1, 0.5, 1, 3, -0.75, 0.5, -0.75, 2))
const singular = operand([3, 3], given(1, 2, 3, 2, 4, 6, 1, 0.5, -1))
const tall = operand([4, 2], given(1, 0.5, -2, 1.5, 0.75, 3, 1.25, -1))
const wide = operand([2, 3], given(1, 0.5, -2, 1.5, -0.75, 3))
const factor = operand([3, 3], given(2, 0, 0, 1, 1.5, 0, -0.5, 0.75, 1.25))

/** By the name of the function. */
export const linalgFunctions: Readonly<Record<string, readonly FunctionSample[]>> = {
  solve: [of((a, b) => solve(a, b), square, operand([3])), of((a, b) => solve(a, b), square, operand([2, 3, 1]))],
  inv: [of(a => inv(a), square), of(a => inv(a), stack)],
  det: [of(a => det(a), square), of(a => det(a), stack), of(a => det(a), singular)],
  slogdet: [of(a => slogdet(a)[1], square)],
  logdet: [of(a => logdet(a), definite)],
  luFactor: [of(a => luFactor(a)[0], tall), of(a => luFactor(a)[0], wide), of(a => luFactor(a)[0], square)],
  lu: [of(a => lu(a).slice(1), tall), of(a => lu(a), wide)],
  luSolve: [of((a, b) => luSolve(...luFactor(a), b), square, operand([3, 2])), of((a, b) => luSolve(...luFactor(a), b, { adjoint: true }), square, operand([3, 2])), of((a, b) => luSolve(...luFactor(a), b, { left: false }), square, operand([2, 3]))],
  solveTriangular: [of((a, b) => solveTriangular(a, b, { upper: true, left: false }), square, operand([2, 3]))],
  cholesky: [of(a => cholesky(a, { upper: true }), definite)],
  choleskySolve: [of((b, l) => choleskySolve(b, l), operand([3, 2]), factor)],
  choleskyInverse: [of(l => choleskyInverse(l), factor)],
  qr: [of(a => qr(a), wide), of(a => qr(a), tall)],
  householderProduct: [of((a, t) => householderProduct(a, t), tall, operand([2]))],
  eigh: [of(a => eigh(a), definite)],
  eigvalsh: [of(a => eigvalsh(a), definite)],
  svdvals: [of(a => svdvals(a), wide)],
  pinv: [of((a, b) => pinv(mul(a, b)), operand([3, 1]), operand([1, 2]))],
  lstsq: [of((a, b) => lstsq(a, b), tall, operand([4, 2]))],
  matrixPower: [of(a => matrixPower(a, 5), square), of(a => matrixPower(a, -2), square), of(a => matrixPower(a, 0), square)],
  matrixNorm: (['fro', 'nuc', 1, -1, 2, -2, Infinity, -Infinity] as const).map(ord => of(a => matrixNorm(a, { ord, axes: [0, 2] }), operand([2, 2, 3], given(3, 0.5, -1, 2, 1.5, 0.25, 0.75, -2.5, 1.75, -0.35, 0.45, 1.1)))),
  cond: [of(a => cond(a), tall), of(a => cond(a, 'fro'), square)],
  tensorinv: [of(a => tensorinv(a, 1), operand([4, 2, 2], given(3, 0.5, -1, 2, 1.5, 0.25, 0.75, -2.5, 1.75, -0.35, 0.45, 1.1, -0.2, 2.2, 0.9, 0.7)))],
  tensorsolve: [of((a, b) => tensorsolve(a, b), operand([2, 2, 4], given(3, 0.5, -1, 2, 1.5, 0.25, 0.75, -2.5, 1.75, -0.35, 0.45, 1.1, -0.2, 2.2, 0.9, 0.7)), operand([2, 2]))],
  vander: [of(a => vander(a, 4), operand([3], given(0.5, 1.5, -1.25)))],
  vecdot: [of((a, b) => vecdot(a, b), square, operand([3]))],
  cross: [of((a, b) => cross(a, b), square, square)],
}
