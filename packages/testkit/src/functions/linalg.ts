// Samples of the functions of matrices: far from singular, with eigenvalues and singular values apart.

import { add, mul, type Tensor } from '@bp/core'
import { cholesky, choleskyEx, choleskyInverse, choleskySolve, cond, cross, det, eigh, eigvalsh, householderProduct, inv, invEx, logdet, lstsq, lu, luFactor, luFactorEx, luSolve, luUnpack, matmul, matrixExp, matrixNorm, matrixPower, matrixRank, matrixTranspose, narrow, pcaLowrank, pinv, qr, slogdet, solve, solveEx, solveTriangular, svd, svdLowrank, svdvals, tensorinv, tensorsolve, triangularSolve, triu, vander, vecdot } from '@bp/ops'
import type { FunctionSample } from '../functions.ts'
import { fixed, given, operand, type OperandSpec } from '../sample.ts'

const of = (f: (...xs: Tensor[]) => Tensor | Tensor[], ...operands: OperandSpec[]): FunctionSample => ({ f, operands })
const square = operand([3, 3], given(4, 1, -0.5, 0.75, 3, 1.25, -1, 0.5, 2.5))
const stack = operand([2, 2, 2], given(3, 0.5, -1, 2, 1.5, 0.25, 0.5, -2.5))
const singular = operand([3, 3], given(1, 2, 3, 2, 4, 6, 1, 0.5, -1))
const tall = operand([4, 2], given(1, 0.5, -2, 1.5, 0.75, 3, 1.25, -1))
const wide = operand([2, 3], given(1, 0.5, -2, 1.5, -0.75, 3))
const triangle = operand([3, 3], given(2, 0, 0, 1, 1.5, 0, -0.5, 0.75, 1.25))
const random = operand([2, 2], given(0.5, -1, 1.5, 0.25))
const cube = operand([2, 2, 4], given(3, 0.5, -1, 2, 1.5, 0.25, 0.75, -2.5, 1.75, -0.35, 0.45, 1.1, -0.2, 2.2, 0.9, 0.7))

/** What is assumed symmetric is made so, that operands may move in every direction. */
const symmetric = (a: Tensor): Tensor => mul(0.5, add(a, matrixTranspose(a)))
const asProduct = (a: Tensor, b: Tensor): Tensor => matmul(a, matrixTranspose(b))

/** By the name of the function. */
export const linalgFunctions: Readonly<Record<string, readonly FunctionSample[]>> = {
  solve: [of((a, b) => solve(a, b), square, operand([3])), of((a, b) => solve(a, b), square, operand([2, 3, 1])), of((a, b) => solve(a, b, { left: false }), stack, operand([1, 2]))],
  solveEx: [of((a, b) => solveEx(a, b), square, operand([3, 2]))],
  inv: [of(a => inv(a), square), of(a => inv(a), stack)],
  invEx: [of(a => invEx(a), stack)],
  det: [of(a => det(a), square), of(a => det(a), stack), of(a => det(a), singular)],
  slogdet: [of(a => slogdet(a), square)],
  logdet: [of(a => logdet(symmetric(a)), square)],
  luFactor: [of(a => luFactor(a), tall), of(a => luFactor(a), wide), of(a => luFactor(a), square)],
  luFactorEx: [of(a => luFactorEx(a), stack)],
  luUnpack: [of((a, p) => luUnpack(a, p), square, fixed([3], 'int32', given(2, 3, 3)))],
  lu: [of(a => lu(a), tall), of(a => lu(a), wide)],
  luSolve: [of((a, b) => luSolve(...luFactor(a), b), square, operand([3, 2])), of((a, b) => luSolve(...luFactor(a), b, { adjoint: true }), square, operand([3, 2])), of((a, b) => luSolve(...luFactor(a), b, { left: false }), stack, operand([1, 2]))],
  solveTriangular: [of((a, b) => solveTriangular(a, b, { upper: true, left: false }), square, operand([2, 3])), of((a, b) => solveTriangular(a, b, { upper: false, transpose: true, unitriangular: true }), square, operand([3, 2]))],
  triangularSolve: [of((b, a) => triangularSolve(b, triu(a)), operand([3, 2]), square), of((b, a) => triangularSolve(b, triu(a), { transpose: true }), operand([3, 1]), square)],
  cholesky: [of(a => cholesky(symmetric(a)), square), of(a => cholesky(symmetric(a), { upper: true }), square)],
  choleskyEx: [of(a => choleskyEx(symmetric(a)), square)],
  choleskySolve: [of((b, l) => choleskySolve(b, l), operand([3, 2]), triangle)],
  choleskyInverse: [of(l => choleskyInverse(l), triangle), of(l => choleskyInverse(l, { upper: true }), square)],
  qr: [of(a => qr(a), wide), of(a => qr(a), tall), of(a => qr(a, { mode: 'r' }), tall)],
  householderProduct: [of((a, t) => householderProduct(a, t), tall, operand([2])), of((a, t) => householderProduct(a, t), stack, operand([2, 1]))],
  eigh: [of(a => eigh(symmetric(a)), square), of(a => eigh(symmetric(a), { upper: true }), square)],
  eigvalsh: [of(a => eigvalsh(symmetric(a)), stack)],
  svd: [of(a => narrow(svd(a, { fullMatrices: true })[0], -1, 0, 2), tall)],
  svdvals: [of(a => svdvals(a), wide)],
  svdLowrank: [of((a, r) => svdLowrank(a, r, { q: 2 }), tall, random), of((a, r) => svdLowrank(a, r, { q: 1, m: 0.5 })[1], wide, operand([2, 1]))],
  pcaLowrank: [of((a, r) => pcaLowrank(a, r, { q: 2 }), tall, random)],
  pinv: [of((a, b) => pinv(asProduct(a, b)), operand([3, 1]), operand([2, 1])), of(a => pinv(symmetric(a), { hermitian: true, rtol: 1e-9 }), square)],
  matrixRank: [of(a => matrixRank(a), tall), of(a => matrixRank(a, { hermitian: true, atol: 1 }), stack)],
  lstsq: [of((a, b) => lstsq(a, b), tall, operand([4, 2])), of((a, b) => lstsq(a, b), tall, operand([4]))],
  matrixExp: [of(a => matrixExp(a), stack)],
  matrixPower: [of(a => matrixPower(a, 5), square), of(a => matrixPower(a, -2), square), of(a => matrixPower(a, 0), square)],
  matrixNorm: (['fro', 'nuc', 1, -1, 2, -2, Infinity, -Infinity] as const).map(ord => of(a => matrixNorm(a, { ord, axes: [0, 2] }), operand([2, 2, 3], given(3, 0.5, -1, 2, 1.5, 0.25, 0.75, -2.5, 1.75, -0.35, 0.45, 1.1)))),
  cond: [of(a => cond(a), tall), of(a => cond(a, -2), tall), of(a => cond(a, 'fro'), square)],
  tensorinv: [of(a => tensorinv(a, 1), operand([4, 2, 2], cube.draw))],
  tensorsolve: [of((a, b) => tensorsolve(a, b), cube, operand([2, 2])), of((a, b) => tensorsolve(a, b, [0]), operand([4, 2, 2], cube.draw), operand([2, 2]))],
  vander: [of(a => vander(a, 4), operand([3], given(0, 1.5, -1.25))), of(a => vander(a), operand([2, 2]))],
  vecdot: [of((a, b) => vecdot(a, b), square, operand([3]))],
  cross: [of((a, b) => cross(a, b), square, square), of((a, b) => cross(a, b, 0), square, operand([3, 1]))],
}
