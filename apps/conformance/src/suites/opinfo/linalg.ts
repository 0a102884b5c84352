// Linear algebra.

import { full, type Tensor, zeros, zerosLike } from '@bp/core'
import { cholesky, choleskyInverse, choleskySolve, cond, cross, det, detach, eigh, eigvalsh, householderProduct, inv, logdet, lstsq, lu, luFactor, luSolve, luUnpack, matrixExp, matrixNorm, matrixPower, matrixTranspose, pinv, qr, slogdet, solve, solveTriangular, square, sub, sum, svd, svdvals, tensorinv, tensorsolve, tril, triu, unsqueeze, vander, vecdot, vectorNorm, cast, matmul } from '@bp/ops'
import { Unsupported } from '../../compare.ts'
import type { Adapter, Arguments } from './arguments.ts'

/** LAPACK's status: zero for each matrix, as everything that goes wrong is an error here. */
const success = (like: Tensor, axes: number): Tensor => {
  let zero = cast(detach(zerosLike(like)), 'int32')
  for (let i = 0; i < axes; i++) zero = sum(zero, -1)
  return zero
}

const order = (call: Arguments, place: number, otherwise: 'fro' | number): 'fro' | 'nuc' | number => {
  const value = call.value(place, call.has(place, 'p') ? 'p' : 'ord')
  if (value === undefined || value === 'fro' || value === 'nuc') return value ?? otherwise
  if (value === 'inf' || value === '-inf') return value === 'inf' ? Infinity : -Infinity
  return typeof value === 'number' ? value : call.number(place, 'ord')
}

/** A norm of vectors or of matrices, by how many axes there are. */
const norm: Adapter = call => {
  const x = call.input
  const axes = call.maybeNumbers(2, 'dim')
  const keepDims = call.flag(3, 'keepdim')
  const given = call.has(1, 'ord') || call.has(1, 'p')
  const ord = order(call, 1, 2)
  const dtype = call.dtype(4, 'dtype')
  const y = dtype ? cast(x, dtype) : x
  const matrices = axes ? axes.length === 2 : x.rank === 2
  if (given && (matrices || typeof ord === 'string')) return matrixNorm(y, { ord, axes: (axes ?? [-2, -1]) as [number, number], keepDims })
  return vectorNorm(y, { p: ord as number, ...axes && { axes }, keepDims })
}

const parts = (call: Arguments): Tensor[] => {
  const [w, v] = eigh(call.input)
  call.text(1, 'UPLO', 'L')
  return [w, v]
}

const cholesk: Adapter = call => cholesky(call.input, { upper: call.flag(1, 'upper') })

const pseudo: Adapter = call => {
  const given = call.value(1, call.has(Infinity, 'rtol') ? 'rtol' : 'rcond')
  const rtol = typeof given === 'object' && given !== null && 'item' in given ? given.item() : given === undefined ? undefined : call.number(1, call.has(Infinity, 'rtol') ? 'rtol' : 'rcond')
  call.flag(2, 'hermitian')
  const atol = call.maybeNumber(Infinity, 'atol')
  return pinv(call.input, { ...rtol !== undefined && { rtol }, ...atol !== undefined && { atol } })
}

const decomposed: Adapter = call => {
  if (!call.flag(1, 'pivot', true)) throw new Unsupported('LU without pivots')
  return luFactor(call.input)
}

const solution: Adapter = call => {
  const left = call.flag(Infinity, 'left', true)
  const [a, b] = [call.input, call.tensor(1, 'B')]
  return left ? solve(a, b) : matrixTranspose(solve(matrixTranspose(a), matrixTranspose(b)))
}

/**
 * What PyTorch takes for granted of the matrices, and of tangents, of some functions. Where it does not hold, PyTorch reads one
 * triangle and differentiates by both; here the symmetric part is taken, or the one triangle, in every mode alike.
 */
export const assumed: Readonly<Record<string, 'symmetric' | 'upper triangular'>> = {
  cholesky: 'symmetric', 'linalg.cholesky': 'symmetric', 'linalg.cholesky_ex': 'symmetric',
  symeig: 'symmetric', 'linalg.eigh': 'symmetric', 'linalg.eigvalsh': 'symmetric', 'linalg.pinv/hermitian': 'symmetric',
  triangular_solve: 'upper triangular',
}

/** Throws where a matrix of numbers is not what is assumed. */
export function checkAssumed(what: 'symmetric' | 'upper triangular', shape: readonly number[], values: readonly number[]): void {
  const n = shape.at(-1) ?? 0
  if (shape.at(-2) !== n) return
  values.forEach((value, at) => {
    const [first, i, j] = [Math.floor(at / (n * n)) * n * n, Math.floor(at / n) % n, at % n]
    const wrong = what === 'symmetric' ? Math.abs(value - values[first + j * n + i]!) > 1e-12 * (1 + Math.abs(value)) : i > j && value !== 0
    if (wrong) throw new Unsupported(`matrices or tangents that are not ${what}`)
  })
}

/** The adapters of this family. */
export const linalg: Readonly<Record<string, Adapter>> = {
  cholesky: cholesk, 'linalg.cholesky': cholesk,
  'linalg.cholesky_ex': call => {
    call.flag(Infinity, 'check_errors')
    return [cholesky(call.input, { upper: call.flag(Infinity, 'upper') }), success(call.input, 2)]
  },
  cholesky_inverse: call => {
    const upper = call.flag(1, 'upper')
    return choleskyInverse(upper ? triu(call.input) : tril(call.input), { upper })
  },
  cholesky_solve: call => choleskySolve(call.input, call.tensor(1, 'L'), { upper: call.flag(2, 'upper') }),
  cross: call => cross(call.input, call.tensor(1, 'other'), call.number(2, 'dim', call.input.shape.indexOf(3))),
  'linalg.cross': call => cross(call.input, call.tensor(1, 'other'), call.number(2, 'dim', -1)),
  'linalg.cond': call => cond(call.input, order(call, 1, 2)),
  'linalg.det': call => det(call.input),
  'linalg.eigh': parts,
  symeig: call => {
    call.flag(2, 'upper', true)
    const vectors = call.flag(1, 'eigenvectors')
    const [w, v] = eigh(call.input)
    return [w, vectors ? v : zerosLike(w)]
  },
  'linalg.eigvalsh': call => {
    call.text(1, 'UPLO', 'L')
    return eigvalsh(call.input)
  },
  'linalg.householder_product': call => householderProduct(call.input, call.tensor(1, 'tau')),
  'linalg.inv': call => inv(call.input),
  'linalg.inv_ex': call => {
    call.flag(1, 'check_errors')
    return [inv(call.input), success(call.input, 2)]
  },
  'linalg.lstsq': call => {
    const driver = call.text(Infinity, 'driver', 'gelsy')
    const [a, b] = [call.input, call.tensor(1, 'b')]
    const x = lstsq(a, b)
    const none = zeros([0], 'float64')
    const residuals = driver === 'gels' && a.shape.at(-2)! > a.shape.at(-1)! ? detach(sum(square(sub(matmul(a, x), b)), -2)) : none
    return [x, residuals, driver === 'gels' ? zeros([0], 'int64') : full([], Math.min(...a.shape.slice(-2)), 'int64'), none]
  },
  'linalg.lstsq/grad_oriented': call => {
    call.text(Infinity, 'driver', '')
    return lstsq(call.input, call.tensor(1, 'b'))
  },
  'linalg.lu': call => {
    if (!call.flag(1, 'pivot', true)) throw new Unsupported('LU without pivots')
    return lu(call.input)
  },
  'linalg.lu_factor': decomposed,
  'linalg.lu_factor_ex': call => {
    call.flag(Infinity, 'check_errors')
    return [...decomposed(call) as readonly Tensor[], success(call.input, 2)]
  },
  lu: call => {
    const infos = call.flag(2, 'get_infos')
    return [...decomposed(call) as readonly Tensor[], ...infos ? [success(call.input, 2)] : []]
  },
  lu_solve: call => luSolve(call.tensor(1, 'LU_data'), call.tensor(2, 'LU_pivots'), call.input),
  'linalg.lu_solve': call => luSolve(call.input, call.tensor(1, 'pivots'), call.tensor(2, 'B'), { left: call.flag(Infinity, 'left', true), adjoint: call.flag(Infinity, 'adjoint') }),
  lu_unpack: call => {
    if (!call.flag(2, 'unpack_data', true) || !call.flag(3, 'unpack_pivots', true)) throw new Unsupported('parts of the factors')
    return luUnpack(call.input, call.tensor(1, 'LU_pivots'))
  },
  logdet: call => logdet(call.input),
  matrix_exp: call => matrixExp(call.input),
  'linalg.matrix_norm': call => {
    const ord = order(call, 1, 'fro')
    const dtype = call.dtype(4, 'dtype')
    return matrixNorm(dtype ? cast(call.input, dtype) : call.input, { ord, axes: call.numbers(2, 'dim', [-2, -1]) as [number, number], keepDims: call.flag(3, 'keepdim') })
  },
  'linalg.matrix_power': call => matrixPower(call.input, call.number(1, 'n')),
  'linalg.norm/subgradients_at_zero': call => {
    const p = order(call, 1, 2)
    if (p === 2 || p === 0.5) throw new Unsupported('the second derivative of a norm at zero, which PyTorch gives as NaN')
    return norm(call)
  },
  'linalg.norm': norm, 'norm/nuc': norm, 'norm/fro': norm,
  pinverse: pseudo, 'linalg.pinv': pseudo,
  'linalg.pinv/singular': call => pinv(matmul(call.input, matrixTranspose(call.tensor(1, 'b')))),
  qr: call => {
    if (!call.flag(1, 'some', true)) throw new Unsupported('the complete factors')
    return qr(call.input)
  },
  'linalg.qr': call => {
    const mode = call.text(1, 'mode', 'reduced')
    if (mode === 'r') throw new Unsupported('mode r')
    return qr(call.input, { mode: mode === 'complete' ? 'complete' : 'reduced' })
  },
  'linalg.slogdet': call => slogdet(call.input),
  'linalg.solve': solution,
  'linalg.solve_ex': call => {
    call.flag(Infinity, 'check_errors')
    return [solution(call) as Tensor, success(call.input, 2)]
  },
  'linalg.solve_triangular': call => solveTriangular(call.input, call.tensor(1, 'B'), { upper: call.flag(Infinity, 'upper'), left: call.flag(Infinity, 'left', true), unitriangular: call.flag(Infinity, 'unitriangular') }),
  triangular_solve: call => {
    const [upper, transpose] = [call.flag(2, 'upper', true), call.flag(3, 'transpose')]
    const a = call.tensor(1, 'A')
    return [solveTriangular(transpose ? matrixTranspose(a) : a, call.input, { upper: transpose ? !upper : upper, unitriangular: call.flag(4, 'unitriangular') }), a]
  },
  svd: call => {
    if (!call.flag(1, 'some', true) && call.input.shape.at(-1) !== call.input.shape.at(-2)) throw new Unsupported('the complete factors')
    if (!call.flag(2, 'compute_uv', true)) throw new Unsupported('singular values alone')
    const [u, s, vh] = svd(call.input)
    return [u, s, matrixTranspose(vh)]
  },
  'linalg.svd': call => {
    if (call.flag(1, 'full_matrices', true) && call.input.shape.at(-1) !== call.input.shape.at(-2)) throw new Unsupported('the complete factors')
    return svd(call.input)
  },
  'linalg.svdvals': call => svdvals(call.input),
  'linalg.tensorinv': call => tensorinv(call.input, call.number(1, 'ind', 2)),
  'linalg.tensorsolve': call => tensorsolve(call.input, call.tensor(1, 'b'), call.maybeNumbers(2, 'dims') ?? []),
  'linalg.vander': call => {
    const n = call.maybeNumber(1, 'N')
    const x = call.input.rank === 0 ? unsqueeze(call.input, 0) : call.input
    return n === undefined ? vander(x) : vander(x, n)
  },
  'linalg.vecdot': call => vecdot(call.input, call.tensor(1, 'y'), call.number(2, 'dim', -1)),
}
