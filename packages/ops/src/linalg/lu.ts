// LU factors: elimination with partial pivoting, and what is solved and measured by it.

import { add, broadcastTo, mul, type Tensor } from '@bp/core'
import { bind, bindMany, defineOp, describe, fail, type HostOperand } from '@bp/core/extend'
import { div, neg, sub } from '../rows/arithmetic.ts'
import { equal, less, select } from '../rows/compare.ts'
import { exp } from '../rows/exponential.ts'
import { takeAlong } from '../composites/along.ts'
import { matmul } from '../composites/matmul.ts'
import { concat, narrow, reshape } from '../rows/view.ts'
import { alignStacks, batchStacks, checkMatrix, checkSquare, countOf, eyeLike, lower, type Matrix, matrixAt, mT, stacked, stackOf, upper } from './matrices.ts'
import { solveTriangular } from './triangular.ts'

/** A factored matrix: the rows' new order, the row exchanged at each step, and L and U in one. */
interface Factored {
  readonly lu: Matrix
  readonly order: Int32Array
  readonly pivots: Int32Array
  readonly sign: number
}

/** Gaussian elimination, the largest element of each column first (Golub & Van Loan 2013, "Matrix Computations", algorithm 3.4.1). */
function factor({ rows, columns, data }: Matrix): Factored {
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
    const pivot = a[k * columns + k]!
    if (pivot === 0) continue
    for (let i = k + 1; i < rows; i++) {
      const ratio = a[i * columns + k]! / pivot
      a[i * columns + k] = ratio
      if (ratio !== 0) for (let j = k + 1; j < columns; j++) a[i * columns + j]! -= ratio * a[k * columns + j]!
    }
  }
  return { lu: { rows, columns, data: a }, order, pivots, sign }
}

/** Solves A·X = B from A's factors; names the pivot where A is singular. */
function solveFactored(op: string, { lu, order }: Factored, b: Matrix): Matrix {
  const n = lu.rows
  const x = new Float64Array(n * b.columns)
  for (let i = 0; i < n; i++) if (lu.data[i * n + i] === 0) fail('value', op, `the matrix is singular: pivot ${i + 1} of ${n} is zero. Use pinv or lstsq`)
  for (let c = 0; c < b.columns; c++) {
    for (let i = 0; i < n; i++) {
      let sum = b.data[order[i]! * b.columns + c]!
      for (let j = 0; j < i; j++) sum -= lu.data[i * n + j]! * x[j * b.columns + c]!
      x[i * b.columns + c] = sum
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = x[i * b.columns + c]!
      for (let j = i + 1; j < n; j++) sum -= lu.data[i * n + j]! * x[j * b.columns + c]!
      x[i * b.columns + c] = sum / lu.data[i * n + i]!
    }
  }
  return { rows: n, columns: b.columns, data: x }
}

/** Solves A·X = B for one pair of matrices. */
export const solveMatrix = (a: Matrix, b: Matrix): Matrix => solveFactored('solve', factor(a), b)

/** The order of rows that partial pivoting brings about, the exchanges as LAPACK writes them, and the sign of the order */
export const pivotsRow = /* @__PURE__ */ defineOp({
  name: 'pivots', arity: 1, fuse: 'opaque',
  infer: ([a]) => {
    checkMatrix('lu', a)
    const [m, n] = a.shape.slice(-2) as [number, number]
    return [stackOf(a, [m], 'int32'), stackOf(a, [Math.min(m, n)], 'int32'), stackOf(a, [])]
  },
  diff: { kind: 'zero' },
  host: ([a], _p, out) => stacked(countOf(a), out, k => {
    const { order, pivots, sign } = factor(matrixAt(a, k))
    return [order, pivots, [sign]]
  }),
  batch: ([a]) => pivotsOf(a),
})

const pivotsOf = (a: Tensor): Tensor[] => bindMany(pivotsRow, [a], undefined)

/** A = L·U without exchanges, packed in one,   Ā = L⁻ᵀ·(tril₋₁(Lᵀ·L̄) + triu(Ū·Uᵀ))·U⁻ᵀ */
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
    for (let c = 0; c < n; c++) {
      for (let i = c + 1; i < n; i++) {
        const value = data[i * n + c]!
        const ratio = value === 0 ? 0 : value / data[c * n + c]!
        data[i * n + c] = ratio
        for (let j = c + 1; j < n; j++) data[i * n + j]! -= ratio * data[c * n + j]!
      }
    }
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
 * the row exchanged at each step, counted from 1: PyTorch's `lu_factor`.
 */
export function luFactor(a: Tensor): [lu: Tensor, pivots: Tensor] {
  const [order, pivots] = pivotsOf(a) as [Tensor, Tensor, Tensor]
  const [m, n] = a.shape.slice(-2) as [number, number]
  const permuted = reordered(a, order)
  if (m === n) return [luSquare(permuted), pivots]
  const k = Math.min(m, n)
  const square = luSquare(narrow(narrow(permuted, -2, 0, k), -1, 0, k))
  const [l, u] = unpacked(square)
  if (m > n) return [concat([square, mT(solveTriangular(mT(u), mT(narrow(permuted, -2, k, m - k)), { upper: false }))], a.rank - 2), pivots]
  return [concat([square, solveTriangular(l, narrow(permuted, -1, k, n - k), { upper: false, unitriangular: true })], a.rank - 1), pivots]
}

/** The order of rows that LAPACK's exchanges make of m rows */
export const pivotOrderRow = /* @__PURE__ */ defineOp({
  name: 'pivotOrder', arity: 1, fuse: 'opaque',
  infer: ([pivots], p: { readonly rows: number }) => stackOf({ ...pivots, aval: pivots.aval, shape: [...pivots.shape, 1] }, [p.rows], 'int32'),
  diff: { kind: 'zero' },
  host: ([pivots], p, [out]) => {
    const count = pivots.shape.at(-1)!
    const order = new Int32Array(out!.shape.reduce((a, b) => a * b, 1))
    for (let k = 0; k * p.rows < order.length; k++) {
      const own = order.subarray(k * p.rows, (k + 1) * p.rows)
      for (let i = 0; i < p.rows; i++) own[i] = i
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

/** The permutation, L and U that {@link luFactor} packed, so that A = P·L·U. */
export function luUnpack(lu: Tensor, pivots: Tensor): [p: Tensor, l: Tensor, u: Tensor] {
  const [m, n] = lu.shape.slice(-2) as [number, number]
  const k = Math.min(m, n)
  const left = narrow(lu, -1, 0, k)
  const eye = eyeLike(lu, m)
  const order = pivotOrder(pivots, m)
  // row i of A is row order⁻¹[i] of L·U: P has a one at [order[i], i]
  const p = mT(takeAlong(broadcastTo(eye, [...lu.shape.slice(0, -2), m, m]), broadcastTo(reshape(order, [...order.shape, 1]), [...order.shape, m]), lu.rank - 2))
  return [p, add(lower(left, -1), narrow(eye, -1, 0, k)), upper(narrow(lu, -2, 0, k))]
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
  /** Solves X·A = B instead. */
  readonly left?: boolean
  /** Solves with the transposed matrix. */
  readonly adjoint?: boolean
}

/** A·X = B solved by the factors of A that {@link luFactor} gave. */
export function luSolve(factors: Tensor, pivots: Tensor, b: Tensor, { left = true, adjoint = false }: LuSolveOptions = {}): Tensor {
  // X·A = B is Aᵀ·Xᵀ = Bᵀ
  if (!left) return mT(luSolve(factors, pivots, mT(b), { adjoint: !adjoint }))
  const [p, l, u] = luUnpack(factors, pivots)
  if (adjoint) return matmul(p, solveTriangular(mT(l), solveTriangular(mT(u), b, { upper: false }), { upper: true, unitriangular: true }))
  return solveTriangular(u, solveTriangular(l, matmul(mT(p), b), { upper: false, unitriangular: true }), { upper: true })
}

/** X = A⁻¹·B,   B̄ = A⁻ᵀ·X̄,   Ā = −B̄·Xᵀ */
export const solveRow = /* @__PURE__ */ defineOp({
  name: 'solve', arity: 2, fuse: 'opaque', saves: 'xy',
  infer: ([a, b]) => {
    const n = checkSquare('solve', a)
    checkMatrix('solve', b)
    if (b.shape.at(-2) !== n) fail('shape', 'solve', `the right side ${describe(b)} must have ${n} rows, as ${describe(a)} has`)
    return b.aval
  },
  diff: {
    kind: 'custom', why: 'linear in B, but not in A',
    vjp: ([ct], [a], [x]) => {
      const right = solveStacks(mT(a), ct!)
      return [neg(matmul(right, mT(x!))), right]
    },
    jvp: ([da, db], [a], [x]) => {
      const parts = [...db ? [db] : [], ...da ? [neg(matmul(da, x!))] : []]
      return [solveStacks(a, parts.reduce((p, q) => add(p, q)))]
    },
  },
  host: ([a, b]: HostOperand[], _p: void, out) => stacked(countOf(a!), out, k => [solveMatrix(matrixAt(a!, k), matrixAt(b!, k))]),
  batch: batchStacks(([a, b]: Tensor[]) => solveStacks(a!, b!)),
})

const solveStacks = (a: Tensor, b: Tensor): Tensor => bind(solveRow, [a, b], undefined)

/**
 * X with A·X = B, for square matrices; stacks broadcast, and a vector on the right gives a vector.
 *
 * Throws where A is singular, and names the pivot that is zero.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { solve } from '@bp/ops'
 * solve(tensor([[2, 0], [1, 4]]), tensor([2, 9])) // => tensor([1, 2], float32)
 * ```
 */
export function solve(a: Tensor, b: Tensor): Tensor {
  checkMatrix('solve', a)
  if (b.rank === 1 || (b.rank === a.rank - 1 && b.shape.join() === a.shape.slice(0, -1).join())) {
    const [x, y] = alignStacks('solve', a, reshape(b, [...b.shape, 1]))
    return reshape(solveStacks(x, y), y.shape.slice(0, -1))
  }
  return solveStacks(...alignStacks('solve', a, b))
}

/** The inverse of each matrix. Prefer {@link solve}, which is faster and more accurate, where it is multiplied by something. */
export const inv = (a: Tensor): Tensor => {
  const n = checkSquare('inv', a)
  return solveStacks(...alignStacks('inv', a, eyeLike(a, n)))
}

/** The sign and the logarithm of the magnitude of det A,   Ā = ȳ·A⁻ᵀ for the logarithm */
export const slogdetRow = /* @__PURE__ */ defineOp({
  name: 'slogdet', arity: 1, fuse: 'opaque', saves: 'x',
  infer: ([a]) => {
    checkSquare('slogdet', a)
    return [stackOf(a, []), stackOf(a, [])]
  },
  diff: {
    kind: 'custom', why: 'two results, of which one is constant almost everywhere',
    vjp: ([, ct], [a]) => [mul(reshape(ct!, [...ct!.shape, 1, 1]), mT(inv(a)))],
  },
  host: ([a], _p, out) => stacked(countOf(a), out, k => {
    const { lu: { rows: n, data }, sign } = factor(matrixAt(a, k))
    let [s, log] = [sign, 0]
    for (let i = 0; i < n; i++) {
      s *= Math.sign(data[i * n + i]!)
      log += Math.log(Math.abs(data[i * n + i]!))
    }
    return [[s], [log]]
  }),
  batch: ([a]) => slogdet(a),
})

/** The sign of the determinant and the logarithm of its magnitude, which does not overflow. */
export const slogdet = (a: Tensor): [sign: Tensor, logAbsDet: Tensor] => bindMany(slogdetRow, [a], undefined) as [Tensor, Tensor]

/** For determinants: up to this size the elimination itself is differentiated, which is right at singular matrices too. */
const smallest = 32

/**
 * The determinant of each square matrix. Up to 32 × 32 its derivatives are right at singular matrices too; above, they are
 * det A·A⁻ᵀ.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { det } from '@bp/ops'
 * det(tensor([[1, 2], [3, 4]])) // => tensor(-2, float32)
 * ```
 */
export function det(a: Tensor): Tensor {
  const n = checkSquare('det', a)
  if (n > smallest) {
    const [sign, log] = slogdet(a)
    return mul(sign, exp(log))
  }
  const [order, , sign] = pivotsOf(a) as [Tensor, Tensor, Tensor]
  let rest = reordered(a, order)
  let product = sign
  for (let k = n; k > 0; k--) {
    const pivot = narrow(narrow(rest, -2, 0, 1), -1, 0, 1)
    product = mul(product, reshape(pivot, sign.shape))
    if (k === 1) break
    // the Schur complement; a column of zeros is eliminated already
    const column = narrow(narrow(rest, -2, 1, k - 1), -1, 0, 1)
    const row = narrow(narrow(rest, -2, 0, 1), -1, 1, k - 1)
    const ratio = div(column, select(equal(pivot, 0), 1, pivot))
    rest = sub(narrow(narrow(rest, -2, 1, k - 1), -1, 1, k - 1), mul(ratio, row))
  }
  return product
}

/** The logarithm of the determinant; NaN where it is negative. Its gradient is A⁻ᵀ. */
export function logdet(a: Tensor): Tensor {
  const [sign, log] = slogdet(a)
  return select(less(sign, 0), NaN, log)
}

/** The rows of this file, by name. */
export const luLibrary = { pivots: pivotsRow, luSquare: luSquareRow, pivotOrder: pivotOrderRow, solve: solveRow, slogdet: slogdetRow }
