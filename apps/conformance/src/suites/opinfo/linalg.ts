// Linear algebra.

import { type Tensor, zeros } from '@bp/core'
import {
  cholesky, choleskyEx, choleskyInverse, choleskySolve, cond, cross, det, detach, eigh, eigvalsh, Generator, householderProduct, inv, invEx, logdet, lstsq, lu, luFactor, luFactorEx, luSolve, luUnpack, matmul, matrixExp, matrixNorm, type MatrixNormOrder, matrixPower, matrixRank, matrixTranspose,
  pcaLowrank, pinv, qr, slogdet, solve, solveEx, solveTriangular, square, sub, sum, svd, svdLowrank, svdvals, tensorinv, tensorsolve, triangularSolve, unsqueeze, vander, vecdot, vectorNorm,
} from '@bp/ops'
import { Unsupported } from '../../compare.ts'
import type { Adapter, Arguments } from './arguments.ts'
import { inputAs } from './reduce.ts'

/** What PyTorch returns in place of a result that was not asked for. */
const nothing = (like: Tensor): Tensor => zeros([0], like.dtype)

/** The order of a norm: a number, or a name. */
function orderOf(call: Arguments, keyword: string): MatrixNormOrder | undefined {
  const value = call.value(1, keyword)
  return value === undefined || value === 'fro' || value === 'nuc' ? value : call.number(1, keyword)
}

/** The two axes of matrices. */
const pairOf = (axes: readonly number[]): readonly [number, number] =>
  axes.length === 2 ? axes as [number, number] : unsupported(`matrices along ${axes.length} axes`)

const unsupported = (what: string): never => { throw new Unsupported(what) }

/** `linalg.norm(input, ord, dim, keepdim, *, dtype)`: of vectors or of matrices, by how many axes there are */
const norm: Adapter = call => {
  const x = inputAs(call)
  const ord = orderOf(call, 'ord')
  const axes = call.maybeNumbers(2, 'dim')
  const keepDims = call.flag(3, 'keepdim')
  const matrices = axes ? axes.length === 2 : x.rank === 2
  if (ord !== undefined && (matrices || typeof ord === 'string')) return matrixNorm(x, { ord, axes: pairOf(axes ?? [-2, -1]), keepDims })
  return vectorNorm(x, { p: ord ?? 2, axes, keepDims })
}

/** `norm(input, p, dim, keepdim, dtype)` with the name of a norm */
const named: Adapter = call => {
  const x = inputAs(call, 4)
  const axes = call.maybeNumbers(2, 'dim')
  const keepDims = call.flag(3, 'keepdim')
  return orderOf(call, 'p') === 'nuc' ? matrixNorm(x, { ord: 'nuc', axes: pairOf(axes ?? [-2, -1]), keepDims }) : vectorNorm(x, { axes, keepDims })
}

/** `f(input, upper)` */
const upper = (f: (a: Tensor, options: { upper: boolean }) => Tensor | readonly Tensor[]): Adapter => call => f(call.input, { upper: call.flag(1, 'upper') })

/** `f(input, UPLO)` */
const triangle = (f: (a: Tensor, options: { upper: boolean }) => Tensor | readonly Tensor[]): Adapter => call => f(call.input, { upper: call.text(1, 'UPLO', 'L').toUpperCase() === 'U' })

/** A function that refuses no matrix: nothing is left to check. */
const unchecked = (f: Adapter, place = -1): Adapter => call => {
  call.flag(place, 'check_errors')
  return f(call)
}

/** `f(input, *, atol, rtol, hermitian)` */
const ranked = (f: typeof pinv): Adapter => call => {
  const [atol, rtol] = ['atol', 'rtol'].map(keyword => call.has(-1, keyword) ? call.operand(-1, keyword) : undefined)
  return f(call.input, { ...atol !== undefined && { atol }, ...rtol !== undefined && { rtol }, hermitian: call.flag(-1, 'hermitian') })
}

/** LU with pivots, the only one that PyTorch has on a CPU. */
const pivoted = (f: (a: Tensor) => readonly Tensor[]): Adapter => call => call.flag(1, 'pivot', true) ? f(call.input) : unsupported('LU without pivots')

/** `f(A, B, *, left)` */
const system = (f: (a: Tensor, b: Tensor, options: { left: boolean }) => Tensor | readonly Tensor[]): Adapter => call => f(call.input, call.tensor(1, 'B'), { left: call.flag(-1, 'left', true) })

/** The factors of a random projection: its signs are those of the random numbers, which are PyTorch's own. */
const projected = (call: Arguments): { readonly a: Tensor; readonly q: number; readonly iterations: number } => {
  const q = call.number(-1, 'q', 6)
  if (q > 0) throw new Unsupported('a random projection, which decides the signs')
  return { a: matmul(call.input, matrixTranspose(call.tensor(1, 'b'))), q, iterations: call.number(-1, 'niter', 2) }
}

/** `lstsq(a, b, rcond, *, driver)`: which of the results there are depends on LAPACK's driver */
const leastSquares: Adapter = call => {
  const [a, b] = [call.input, call.tensor(1, 'b')]
  const driver = call.text(-1, 'driver', 'gelsy')
  const rtol = call.maybeNumber(2, 'rcond')
  const limits = rtol === undefined ? {} : { rtol }
  const x = lstsq(a, b, limits)
  const residuals = driver !== 'gelsy' && a.shape.at(-2)! > a.shape.at(-1)! ? detach(sum(square(sub(matmul(a, x), b)), -2)) : nothing(a)
  return [x, residuals, driver === 'gels' ? zeros([0], 'int64') : matrixRank(a, limits), driver === 'gels' || driver === 'gelsy' ? nothing(a) : detach(svdvals(a))]
}

/** The adapters of this family. */
export const linalg: Readonly<Record<string, Adapter>> = {
  cholesky: upper(cholesky), 'linalg.cholesky': upper(cholesky), 'linalg.cholesky_ex': unchecked(upper(choleskyEx)),
  cholesky_inverse: upper(choleskyInverse),
  cholesky_solve: call => choleskySolve(call.input, call.tensor(1, 'L'), { upper: call.flag(2, 'upper') }),
  'linalg.eigh': triangle(eigh), 'linalg.eigvalsh': triangle(eigvalsh),
  symeig: call => {
    const vectors = call.flag(1, 'eigenvectors')
    const [w, v] = eigh(call.input, { upper: call.flag(2, 'upper', true) })
    return [w, vectors ? v : nothing(v)]
  },
  svd: call => {
    if (!call.flag(2, 'compute_uv', true)) throw new Unsupported('singular values alone')
    const [u, s, vh] = svd(call.input, { fullMatrices: !call.flag(1, 'some', true) })
    return [u, s, matrixTranspose(vh)]
  },
  'linalg.svd': call => svd(call.input, { fullMatrices: call.flag(1, 'full_matrices', true) }),
  'linalg.svdvals': call => svdvals(call.input),
  svd_lowrank: call => {
    const { a, ...options } = projected(call)
    const m = call.maybeTensor(-1, 'M')
    return svdLowrank(a, new Generator(0), { ...options, ...m && { m } })
  },
  pca_lowrank: call => {
    const { a, ...options } = projected(call)
    return pcaLowrank(a, new Generator(0), { ...options, center: call.flag(-1, 'center', true) })
  },
  qr: call => qr(call.input, { mode: call.flag(1, 'some', true) ? 'reduced' : 'complete' }),
  'linalg.qr': call => {
    const mode = call.text(1, 'mode', 'reduced')
    return mode === 'reduced' || mode === 'complete' || mode === 'r' ? qr(call.input, { mode }) : unsupported(`mode ${mode}`)
  },
  'linalg.householder_product': call => householderProduct(call.input, call.tensor(1, 'tau')),
  'linalg.det': call => det(call.input), 'linalg.slogdet': call => slogdet(call.input), logdet: call => logdet(call.input),
  'linalg.inv': call => inv(call.input), 'linalg.inv_ex': unchecked(call => invEx(call.input)),
  'linalg.solve': system(solve), 'linalg.solve_ex': unchecked(system(solveEx)),
  'linalg.solve_triangular': call => solveTriangular(call.input, call.tensor(1, 'B'), { upper: call.flag(-1, 'upper'), left: call.flag(-1, 'left', true), unitriangular: call.flag(-1, 'unitriangular') }),
  triangular_solve: call => triangularSolve(call.input, call.tensor(1, 'A'), { upper: call.flag(2, 'upper', true), transpose: call.flag(3, 'transpose'), unitriangular: call.flag(4, 'unitriangular') }),
  'linalg.lu': pivoted(lu), 'linalg.lu_factor': pivoted(luFactor), 'linalg.lu_factor_ex': unchecked(pivoted(luFactorEx)),
  lu: call => pivoted(call.flag(2, 'get_infos') ? luFactorEx : luFactor)(call),
  lu_solve: call => luSolve(call.tensor(1, 'LU_data'), call.tensor(2, 'LU_pivots'), call.input),
  'linalg.lu_solve': call => luSolve(call.input, call.tensor(1, 'pivots'), call.tensor(2, 'B'), { left: call.flag(-1, 'left', true), adjoint: call.flag(-1, 'adjoint') }),
  lu_unpack: call => {
    const [p, l, u] = luUnpack(call.input, call.tensor(1, 'LU_pivots'))
    const [data, pivots] = [call.flag(2, 'unpack_data', true), call.flag(3, 'unpack_pivots', true)]
    return [pivots ? p : nothing(p), data ? l : nothing(l), data ? u : nothing(u)]
  },
  pinverse: call => pinv(call.input, { rtol: call.number(1, 'rcond', 1e-15) }),
  'linalg.pinv': ranked(pinv), 'linalg.matrix_rank': ranked(matrixRank),
  'linalg.pinv/singular': call => pinv(matmul(call.input, matrixTranspose(call.tensor(1, 'b')))),
  'linalg.lstsq': leastSquares,
  'linalg.lstsq/grad_oriented': call => [leastSquares(call)].flat<(Tensor | readonly Tensor[])[]>()[0]!,
  matrix_exp: call => matrixExp(call.input),
  'linalg.matrix_power': call => matrixPower(call.input, call.number(1, 'n')),
  'linalg.norm': norm,
  'linalg.norm/subgradients_at_zero': call => {
    const ord = orderOf(call, 'ord')
    if (ord === undefined || ord === 0.5 || ord === 2 || ord === -2 || typeof ord === 'string') throw new Unsupported('the second derivative of this norm at zero, which PyTorch does not determine')
    return norm(call)
  },
  'norm/fro': named, 'norm/nuc': named,
  'linalg.matrix_norm': call => matrixNorm(inputAs(call), { ord: orderOf(call, 'ord') ?? 'fro', axes: pairOf(call.numbers(2, 'dim', [-2, -1])), keepDims: call.flag(3, 'keepdim') }),
  'linalg.cond': call => cond(call.input, orderOf(call, 'p') ?? 2),
  'linalg.tensorinv': call => tensorinv(call.input, call.number(1, 'ind', 2)),
  'linalg.tensorsolve': call => tensorsolve(call.input, call.tensor(1, 'b'), call.maybeNumbers(2, 'dims') ?? []),
  'linalg.vander': call => {
    const n = call.maybeNumber(-1, 'N')
    const x = call.input.rank === 0 ? unsqueeze(call.input, 0) : call.input
    return n === undefined ? vander(x) : vander(x, n)
  },
  'linalg.vecdot': call => vecdot(call.input, call.tensor(1, 'y'), call.number(-1, 'dim', -1)),
  cross: call => cross(call.input, call.tensor(1, 'other'), call.number(2, 'dim', call.input.shape.indexOf(3))),
  'linalg.cross': call => cross(call.input, call.tensor(1, 'other'), call.number(-1, 'dim', -1)),
}
