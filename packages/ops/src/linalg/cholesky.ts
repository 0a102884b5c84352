// Cholesky factors of positive definite matrices, and what is solved by them.

import { add, mul, type Tensor } from '@bp/core'
import { bind, defineOp, fail } from '@bp/core/extend'
import { diagonal } from '../composites/diagonal.ts'
import { matmul } from '../composites/matmul.ts'
import { less, logicalNot } from '../rows/compare.ts'
import { detach } from '../rows/view.ts'
import { checkSquare, countOf, eyeLike, firstTrue, lowerHalf, type Matrix, matrixAt, mT, stacked } from './matrices.ts'
import { solveTriangular } from './triangular.ts'

/** Which triangle is read, and whether a matrix that is not positive definite is refused or gives NaN. */
interface CholeskyParams {
  readonly upper: boolean
  readonly refuse: boolean
}

/**
 * L·Lᵀ = A, symmetric, of which one triangle is read,   dL = L·Φ(L⁻¹·dA·L⁻ᵀ),   Ā = sym(L⁻ᵀ·Φ(Lᵀ·L̄)·L⁻¹), Φ the lower triangle
 * with half the diagonal (Murray 2016, "Differentiation of the Cholesky Decomposition", eqs. 8 and 10). Not among the library's
 * rows, whose laws move operands in every direction: tangents are taken for symmetric as A is.
 */
const choleskyRow = /* @__PURE__ */ defineOp({
  name: 'cholesky', arity: 1, fuse: 'opaque', saves: 'y',
  infer: ([a], _p: CholeskyParams) => {
    checkSquare('cholesky', a)
    return a.aval
  },
  diff: {
    kind: 'custom', why: 'a decomposition has no weaker derivative than that of its defining equation',
    vjp: ([ct], _xs, [y]) => {
      const l = y!
      const left = solveTriangular(l, lowerHalf(matmul(mT(l), ct!)), { upper: false, transpose: true })
      const full = solveTriangular(l, left, { upper: false, left: false })
      return [mul(0.5, add(full, mT(full)))]
    },
    jvp: ([t], _xs, [y]) => {
      const l = y!
      const left = solveTriangular(l, t!, { upper: false })
      return [matmul(l, lowerHalf(solveTriangular(l, left, { upper: false, transpose: true, left: false })))]
    },
  },
  host: ([a], p, out) => stacked(countOf(a), out, k => [factorOf(matrixAt(a, k), p)]),
  batch: ([a], _batched, _size, p) => factor(a, p),
})

const factor = (a: Tensor, p: CholeskyParams): Tensor => bind(choleskyRow, [a], p)

/** Row by row (Golub & Van Loan 2013, "Matrix Computations", algorithm 4.2.1). */
function factorOf({ rows: n, data }: Matrix, { upper, refuse }: CholeskyParams): Float64Array {
  const l = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = upper ? data[j * n + i]! : data[i * n + j]!
      for (let c = 0; c < j; c++) rest -= l[i * n + c]! * l[j * n + c]!
      if (i > j) l[i * n + j] = rest / l[j * n + j]!
      else if (rest > 0 || !refuse) l[i * n + i] = Math.sqrt(rest)
      else fail('value', 'cholesky', `the matrix is not positive definite: its leading minor of order ${i + 1} is not positive. Add a multiple of the identity, use eigh, or choleskyEx, which reports it`)
    }
  }
  return l
}

/** Options of {@link cholesky} and its kin. */
export interface CholeskyOptions {
  /** Makes, or takes, R with A = Rᵀ·R in place of L. */
  readonly upper?: boolean
}

/**
 * The lower triangular L with A = L·Lᵀ (or, `upper`, R with A = Rᵀ·R) for positive definite A, of which that triangle is read.
 * Its gradient is symmetric, as A is.
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
export function cholesky(a: Tensor, { upper = false }: CholeskyOptions = {}): Tensor {
  const l = factor(a, { upper, refuse: true })
  return upper ? mT(l) : l
}

/**
 * {@link cholesky} without an error: where a matrix of the stack is not positive definite its factor is undefined, and `info`, an
 * int32 for each, is the order of the leading minor that is not positive; 0 where all went well. (PyTorch's
 * `linalg.cholesky_ex`.)
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { choleskyEx } from '@bp/ops'
 * choleskyEx(tensor([[1, 2], [2, 1]]))[1] // => tensor(2, int32)
 * ```
 */
export function choleskyEx(a: Tensor, { upper = false }: CholeskyOptions = {}): [factor: Tensor, info: Tensor] {
  const l = factor(a, { upper, refuse: false })
  return [upper ? mT(l) : l, firstTrue(logicalNot(less(0, diagonal(detach(l), { axes: [-2, -1] }))))]
}

/**
 * A·X = B solved by the Cholesky factor of A, of which only its triangle is read; stacks broadcast.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cholesky, choleskySolve } from '@bp/ops'
 * choleskySolve(tensor([[8], [12]]), cholesky(tensor([[4, 2], [2, 5]]))) // => tensor([[1], [2]], float32)
 * ```
 */
export function choleskySolve(b: Tensor, l: Tensor, { upper = false }: CholeskyOptions = {}): Tensor {
  return solveTriangular(l, solveTriangular(l, b, { upper, transpose: upper }), { upper, transpose: !upper })
}

/**
 * A⁻¹ from the Cholesky factor of A, of which only its triangle is read.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { choleskyInverse } from '@bp/ops'
 * choleskyInverse(tensor([[2, 0], [0, 4]])) // => tensor([[0.25, 0], [0, 0.0625]], float32)
 * ```
 */
export const choleskyInverse = (l: Tensor, options: CholeskyOptions = {}): Tensor => choleskySolve(eyeLike(l, checkSquare('choleskyInverse', l)), l, options)
