// LU factors with partial pivoting, and systems solved by them.

import { add, broadcastTo, type Tensor } from '@bp/core'
import { bind, bindMany, defineOp, sizeOf } from '@bp/core/extend'
import { takeAlong } from '../composites/along.ts'
import { diagonal } from '../composites/diagonal.ts'
import { matmul } from '../composites/matmul.ts'
import { equal } from '../rows/compare.ts'
import { concat, detach, narrow, reshape } from '../rows/view.ts'
import { eliminate, factor } from './elimination.ts'
import { checkMatrix, checkSquare, countOf, eyeLike, firstTrue, lower, matrixAt, mT, stacked, stackOf, upper } from './matrices.ts'
import { solveTriangular } from './triangular.ts'

/** The order of rows that partial pivoting brings about, and the exchanges as LAPACK writes them */
export const pivotsRow = /* @__PURE__ */ defineOp({
  name: 'pivots', arity: 1, fuse: 'opaque',
  infer: ([a]) => {
    checkMatrix('lu', a)
    const [m, n] = a.shape.slice(-2) as [number, number]
    return [stackOf(a, [m], 'int32'), stackOf(a, [Math.min(m, n)], 'int32')]
  },
  diff: { kind: 'zero' },
  host: ([a], _p, out) => stacked(countOf(a), out, k => {
    const { order, pivots } = factor(matrixAt(a, k))
    return [order, pivots]
  }),
  batch: ([a]) => pivotsOf(a),
})

const pivotsOf = (a: Tensor): [order: Tensor, pivots: Tensor] => bindMany(pivotsRow, [a], undefined) as [Tensor, Tensor]

/** A = L·U without exchanges, packed in one,   Ā = L⁻ᵀ·(tril₋₁(Lᵀ·L̄) + triu(Ū·Uᵀ))·U⁻ᵀ (Walter & Lehmann 2010, "Algorithmic Differentiation of Linear Algebra Functions", §4.1) */
export const luSquareRow = /* @__PURE__ */ defineOp({
  name: 'luSquare', arity: 1, fuse: 'opaque', saves: 'y',
  infer: ([a]) => {
    checkSquare('lu', a)
    return a.aval
  },
  diff: {
    kind: 'custom', why: 'a decomposition has no weaker derivative than that of its defining equation',
    vjp: ([ct], _xs, [y]) => {
      const [l, u] = unpacked(y!)
      const middle = add(lower(matmul(mT(l), lower(ct!, -1)), -1), upper(matmul(upper(ct!), mT(u))))
      const left = solveTriangular(mT(l), middle, { upper: true, unitriangular: true })
      return [mT(solveTriangular(u, mT(left), { upper: true }))]
    },
  },
  host: ([a], _p, out) => stacked(countOf(a), out, k => {
    const { rows: n, data } = matrixAt(a, k)
    for (let c = 0; c < n; c++) eliminate(data, n, n, c)
    return [data]
  }),
  batch: ([a]) => luSquare(a),
})

const luSquare = (a: Tensor): Tensor => bind(luSquareRow, [a], undefined)

/** L with ones on the diagonal, and U, of a square matrix that holds both. */
const unpacked = (lu: Tensor): [Tensor, Tensor] => [add(lower(lu, -1), eyeLike(lu, lu.shape.at(-1)!)), upper(lu)]

/** The rows of each matrix in another order. */
function reordered(a: Tensor, order: Tensor): Tensor {
  const index = broadcastTo(reshape(order, [...order.shape, 1]), a.shape)
  return takeAlong(a, index, a.rank - 2)
}

/**
 * The LU factors of each matrix, packed in one as LAPACK does (L below the diagonal, its ones left out, U on and above), and
 * the row exchanged at each step, an int32 counted from 1.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { luFactor } from '@bp/ops'
 * luFactor(tensor([[1, 2], [4, 2]])) // => [tensor([[4, 2], [0.25, 1.5]], float32), tensor([2, 2], int32)]
 * ```
 */
export function luFactor(a: Tensor): [lu: Tensor, pivots: Tensor] {
  const [order, pivots] = pivotsOf(a)
  const [m, n] = a.shape.slice(-2) as [number, number]
  const permuted = reordered(a, order)
  if (m === n) return [luSquare(permuted), pivots]
  const k = Math.min(m, n)
  const square = luSquare(narrow(narrow(permuted, -2, 0, k), -1, 0, k))
  const [l, u] = unpacked(square)
  if (m > n) return [concat([square, solveTriangular(u, narrow(permuted, -2, k, m - k), { upper: true, left: false })], a.rank - 2), pivots]
  return [concat([square, solveTriangular(l, narrow(permuted, -1, k, n - k), { upper: false, unitriangular: true })], a.rank - 1), pivots]
}

/**
 * {@link luFactor} and, as an int32 for each matrix, the first pivot that is zero, counted from 1; 0 where none is. (PyTorch's
 * `linalg.lu_factor_ex`.)
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { luFactorEx } from '@bp/ops'
 * luFactorEx(tensor([[1, 2], [2, 4]]))[2] // => tensor(2, int32)
 * ```
 */
export function luFactorEx(a: Tensor): [lu: Tensor, pivots: Tensor, info: Tensor] {
  const [packed, pivots] = luFactor(a)
  return [packed, pivots, firstTrue(equal(diagonal(detach(packed), { axes: [-2, -1] }), 0))]
}

/** The order of rows that LAPACK's exchanges make of m rows */
export const pivotOrderRow = /* @__PURE__ */ defineOp({
  name: 'pivotOrder', arity: 1, fuse: 'opaque',
  infer: ([pivots], p: { readonly rows: number }) => stackOf({ ...pivots, aval: pivots.aval, shape: [...pivots.shape, 1] }, [p.rows], 'int32'),
  diff: { kind: 'zero' },
  host: ([pivots], { rows }, [out]) => {
    const count = pivots.shape.at(-1)!
    const order = Int32Array.from({ length: sizeOf(out!.shape) }, (_, i) => i % rows)
    for (let k = 0; k * rows < order.length; k++) {
      const own = order.subarray(k * rows, (k + 1) * rows)
      for (let i = 0; i < count; i++) {
        const other = Number(pivots.data[k * count + i]) - 1
        ;[own[i], own[other]] = [own[other]!, own[i]!]
      }
    }
    return order
  },
  batch: ([pivots], _batched, _size, p) => pivotOrder(pivots, p.rows),
})

const pivotOrder = (pivots: Tensor, rows: number): Tensor => bind(pivotOrderRow, [pivots], { rows })

/**
 * The permutation, L and U that {@link luFactor} packed, so that A = P·L·U: [m, m], [m, k] and [k, n] with k the smaller of m
 * and n.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { luFactor, luUnpack } from '@bp/ops'
 * luUnpack(...luFactor(tensor([[1, 2], [4, 2]])))[0] // => tensor([[0, 1], [1, 0]], float32)
 * ```
 */
export function luUnpack(lu: Tensor, pivots: Tensor): [p: Tensor, l: Tensor, u: Tensor] {
  checkMatrix('luUnpack', lu)
  const [m, n] = lu.shape.slice(-2) as [number, number]
  const k = Math.min(m, n)
  const left = narrow(lu, -1, 0, k)
  const eye = eyeLike(lu, m)
  // row i of L·U is row order[i] of A: P has a one at [order[i], i]
  const rows = broadcastTo(eye, [...lu.shape.slice(0, -2), m, m])
  return [mT(reordered(rows, pivotOrder(pivots, m))), add(lower(left, -1), narrow(eye, -1, 0, k)), upper(narrow(lu, -2, 0, k))]
}

/**
 * A = P·L·U with P a permutation, L lower triangular with ones on its diagonal and U upper triangular.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { lu } from '@bp/ops'
 * const [p, l, u] = lu(tensor([[1, 2], [4, 2]]))
 * l // => tensor([[1, 0], [0.25, 1]], float32)
 * u // => tensor([[4, 2], [0, 1.5]], float32)
 * ```
 */
export const lu = (a: Tensor): [p: Tensor, l: Tensor, u: Tensor] => luUnpack(...luFactor(a))

/** Options of {@link luSolve}. */
export interface LuSolveOptions {
  /** Solves A·X = B, or X·A = B where false. */
  readonly left?: boolean
  /** Solves with the transposed matrix. */
  readonly adjoint?: boolean
}

/**
 * A·X = B solved by the factors of A that {@link luFactor} gave; stacks broadcast. A zero pivot gives infinities.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { luFactor, luSolve } from '@bp/ops'
 * luSolve(...luFactor(tensor([[2, 0], [1, 4]])), tensor([[2], [9]])) // => tensor([[1], [2]], float32)
 * ```
 */
export function luSolve(factors: Tensor, pivots: Tensor, b: Tensor, { left = true, adjoint = false }: LuSolveOptions = {}): Tensor {
  // X·A = B is Aᵀ·Xᵀ = Bᵀ
  if (!left) return mT(luSolve(factors, pivots, mT(b), { adjoint: !adjoint }))
  checkSquare('luSolve', factors)
  const [p, l, u] = luUnpack(factors, pivots)
  if (adjoint) return matmul(p, solveTriangular(l, solveTriangular(u, b, { upper: true, transpose: true }), { upper: false, transpose: true, unitriangular: true }))
  return solveTriangular(u, solveTriangular(l, matmul(mT(p), b), { upper: false, unitriangular: true }), { upper: true })
}

/** The rows of this file, by name. */
export const luLibrary = { pivots: pivotsRow, luSquare: luSquareRow, pivotOrder: pivotOrderRow }
