// Triangular systems and Cholesky factors.

import { add, mul, type Tensor } from '@bp/core'
import { bind, defineOp, describe, fail, type HostOperand } from '@bp/core/extend'
import { neg } from '../rows/arithmetic.ts'
import { matmul } from '../composites/matmul.ts'
import { alignStacks, batchStacks, checkMatrix, checkSquare, countOf, eyeLike, lower, lowerHalf, matrixAt, mT, stacked, upper } from './matrices.ts'

/** Which triangle is read, and whether its diagonal is taken for ones. */
export interface TriangleParams {
  readonly upper: boolean
  readonly unitriangular: boolean
}

/** X = A⁻¹·B with A a triangle,   B̄ = A⁻ᵀ·X̄,   Ā = −(B̄·Xᵀ) in the triangle */
export const solveTriangularRow = /* @__PURE__ */ defineOp({
  name: 'solveTriangular', arity: 2, fuse: 'opaque', saves: 'xy',
  infer: ([a, b], _p: TriangleParams) => {
    const n = checkSquare('solveTriangular', a)
    checkMatrix('solveTriangular', b)
    if (b.shape.at(-2) !== n) fail('shape', 'solveTriangular', `the right side ${describe(b)} must have ${n} rows, as ${describe(a)} has`)
    return b.aval
  },
  diff: {
    kind: 'custom', why: 'linear in B, but not in A',
    vjp: ([ct], [a], [x], p) => {
      const right = apply(mT(a), ct!, { ...p, upper: !p.upper })
      return [neg(inTriangle(matmul(right, mT(x!)), p)), right]
    },
    jvp: ([da, db], [a], [x], p) => {
      const parts = [...db ? [db] : [], ...da ? [neg(matmul(inTriangle(da, p), x!))] : []]
      return [apply(a, parts.reduce((s, t) => add(s, t)), p)]
    },
  },
  host: ([a, b]: HostOperand[], p, out) => stacked(countOf(a!), out, k => {
    const [{ rows: n, data }, { columns, data: x }] = [matrixAt(a!, k), matrixAt(b!, k)]
    for (let c = 0; c < columns; c++) {
      for (let step = 0; step < n; step++) {
        const i = p.upper ? n - 1 - step : step
        let sum = x[i * columns + c]!
        for (let j = p.upper ? i + 1 : 0; p.upper ? j < n : j < i; j++) sum -= data[i * n + j]! * x[j * columns + c]!
        x[i * columns + c] = p.unitriangular ? sum : sum / data[i * n + i]!
      }
    }
    return [x]
  }),
  batch: (xs, batched, size, p) => batchStacks(([a, b]: Tensor[]) => apply(a!, b!, p))(xs, batched, size),
})

const apply = (a: Tensor, b: Tensor, p: TriangleParams): Tensor => bind(solveTriangularRow, [a, b], p)

const inTriangle = (x: Tensor, { upper: up, unitriangular }: TriangleParams): Tensor => up ? upper(x, unitriangular ? 1 : 0) : lower(x, unitriangular ? -1 : 0)

/** Options of {@link solveTriangular}. */
export interface SolveTriangularOptions {
  /** Which triangle of A is read. */
  readonly upper: boolean
  /** Solves A·X = B, or X·A = B where false. */
  readonly left?: boolean
  /** Takes A's diagonal for ones. */
  readonly unitriangular?: boolean
}

/**
 * X with A·X = B (or X·A = B) for triangular A, whose other triangle is not read; stacks broadcast. A zero on the diagonal
 * gives infinities.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { solveTriangular } from '@bp/ops'
 * solveTriangular(tensor([[2, 1], [0, 4]]), tensor([[4], [8]]), { upper: true }) // => tensor([[1], [2]], float32)
 * ```
 */
export function solveTriangular(a: Tensor, b: Tensor, { upper: up, left = true, unitriangular = false }: SolveTriangularOptions): Tensor {
  if (!left) return mT(solveTriangular(mT(a), mT(b), { upper: !up, unitriangular }))
  return apply(...alignStacks('solveTriangular', a, b), { upper: up, unitriangular })
}

/** L·Lᵀ = the symmetric part of A,   Ā = sym(L⁻ᵀ·Φ(Lᵀ·L̄)·L⁻¹), Φ the lower triangle with half the diagonal (Murray 2016, "Differentiation of the Cholesky Decomposition", eq. 10) */
export const choleskyRow = /* @__PURE__ */ defineOp({
  name: 'cholesky', arity: 1, fuse: 'opaque', saves: 'y',
  infer: ([a]) => {
    checkSquare('cholesky', a)
    return a.aval
  },
  diff: {
    kind: 'custom', why: 'a decomposition has no weaker derivative than that of its defining equation',
    vjp: ([ct], _xs, [y]) => {
      const l = y!
      const middle = lowerHalf(matmul(mT(l), lower(ct!)))
      const left = solveTriangular(mT(l), middle, { upper: true })
      const full = mT(solveTriangular(mT(l), mT(left), { upper: true }))
      return [mul(0.5, add(full, mT(full)))]
    },
  },
  host: ([a], _p, out) => stacked(countOf(a), out, k => {
    const { rows: n, data } = matrixAt(a, k)
    const l = new Float64Array(n * n)
    for (let j = 0; j < n; j++) {
      for (let i = j; i < n; i++) {
        let sum = (data[i * n + j]! + data[j * n + i]!) / 2
        for (let c = 0; c < j; c++) sum -= l[i * n + c]! * l[j * n + c]!
        if (i > j) l[i * n + j] = sum / l[j * n + j]!
        else if (sum > 0) l[j * n + j] = Math.sqrt(sum)
        else fail('value', 'cholesky', `the matrix is not positive definite: its leading minor of order ${j + 1} is not positive. Add a multiple of the identity, or use eigh`)
      }
    }
    return [l]
  }),
  batch: ([a]) => cholesky(a),
})

/**
 * The lower triangular L with A = L·Lᵀ (or, `upper`, R with A = Rᵀ·R) for positive definite A, whose symmetric
 * part is taken.
 *
 * Throws where A is not positive definite, and names the leading minor.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cholesky } from '@bp/ops'
 * cholesky(tensor([[4, 2], [2, 5]])) // => tensor([[2, 0], [1, 2]], float32)
 * ```
 */
export function cholesky(a: Tensor, { upper: up = false }: { readonly upper?: boolean } = {}): Tensor {
  const l = bind(choleskyRow, [a], undefined)
  return up ? mT(l) : l
}

/** A·X = B solved by the Cholesky factor of A. */
export function choleskySolve(b: Tensor, factor: Tensor, { upper: up = false }: { readonly upper?: boolean } = {}): Tensor {
  const l = up ? mT(factor) : factor
  return solveTriangular(mT(l), solveTriangular(l, b, { upper: false }), { upper: true })
}

/** A⁻¹ from the Cholesky factor of A. */
export const choleskyInverse = (factor: Tensor, options: { readonly upper?: boolean } = {}): Tensor => choleskySolve(eyeLike(factor, checkSquare('choleskyInverse', factor)), factor, options)

/** The rows of this file, by name. */
export const triangularLibrary = { solveTriangular: solveTriangularRow, cholesky: choleskyRow }
