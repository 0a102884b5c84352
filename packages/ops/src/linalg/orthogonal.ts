// Orthogonal factors: QR by Householder reflections, and products of reflections.

import { add, broadcastTo, full, mul, type Tensor } from '@bp/core'
import { Aval, bindMany, defineOp, describe, fail } from '@bp/core/extend'
import { matmul } from '../composites/matmul.ts'
import { sub } from '../rows/arithmetic.ts'
import { concat, narrow, reshape } from '../rows/view.ts'
import { checkMatrix, countOf, eyeLike, lower, matricesLike, matrixAt, mT, stacked } from './matrices.ts'
import { productOf, triangularise } from './reflections.ts'
import { solveTriangular } from './triangular.ts'

/** Whether all columns of Q and rows of R are made, or as many as the smaller side has. */
export interface QrParams {
  readonly complete: boolean
}

/** A = Q·R,   Ā = (Q̄ + Q·sym(tril(M)))·R⁻ᵀ with M = R·R̄ᵀ − Q̄ᵀ·Q and sym(tril) the lower triangle mirrored, for at least as many rows as columns (Walter & Lehmann 2010, "Algorithmic Differentiation of Linear Algebra Functions", eq. 35) */
export const qrRow = /* @__PURE__ */ defineOp({
  name: 'qr', arity: 1, fuse: 'opaque', saves: 'y',
  infer: ([a], p: QrParams) => {
    checkMatrix('qr', a)
    const [m, n] = a.shape.slice(-2) as [number, number]
    const k = p.complete ? m : Math.min(m, n)
    return [matricesLike(a, m, k), matricesLike(a, k, n)]
  },
  diff: {
    kind: 'custom', why: 'a decomposition has no weaker derivative than that of its defining equation',
    vjp: ([dq, dr], _xs, [y, z]) => {
      const [q, r] = [y!, z!]
      if (q.shape.at(-1) !== r.shape.at(-1)) fail('grad', 'qr', `the complete factors of ${describe(new Aval([...q.shape.slice(0, -1), r.shape.at(-1)!], q.dtype))} are not unique and have no derivative. Use mode 'reduced'`)
      const m = sub(matmul(r, mT(dr!)), matmul(mT(dq!), q))
      const symmetric = add(lower(m), mT(lower(m, -1)))
      return [solveTriangular(r, add(dq!, matmul(q, symmetric)), { upper: true, left: false, transpose: true })]
    },
  },
  host: ([a], { complete }, out) => stacked(countOf(a), out, k => {
    const { rows: m, columns: n, data } = matrixAt(a, k)
    const { hs, r } = triangularise({ rows: m, columns: n, data })
    const width = complete ? m : Math.min(m, n)
    return [productOf(hs, m, width), { rows: width, columns: n, data: r.data.slice(0, width * n) }]
  }),
  batch: ([a], _batched, _size, p) => factors(a, p),
})

const factors = (a: Tensor, p: QrParams): [Tensor, Tensor] => bindMany(qrRow, [a], p) as [Tensor, Tensor]

/** Options of {@link qr}. */
export interface QrOptions {
  /** As many columns of Q and rows of R as the smaller side has (unless given), all, or R alone with nothing, [0], for Q. */
  readonly mode?: 'reduced' | 'complete' | 'r'
}

/**
 * A = Q·R with orthonormal columns in Q and upper triangular R: [m, k] and [k, n] with k the smaller of m and n, or all of them,
 * [m, m] and [m, n], in mode `complete`. The signs are LAPACK's.
 *
 * The derivative throws in mode `complete` for more rows than columns, where Q is not unique.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { qr } from '@bp/ops'
 * const [q, r] = qr(tensor([[3, 1], [4, 2]]))
 * r // => tensor([[-5, -2.2], [0, 0.4]], float32)
 * ```
 */
export function qr(a: Tensor, { mode = 'reduced' }: QrOptions = {}): [q: Tensor, r: Tensor] {
  checkMatrix('qr', a)
  if (mode === 'r') return [full([0], 0, a.dtype, a.backend), qr(a)[1]]
  const [m, n] = a.shape.slice(-2) as [number, number]
  if (m >= n) return factors(a, { complete: mode === 'complete' })
  // a wide matrix: its first columns decide Q, which turns the others
  const [q, r] = factors(narrow(a, -1, 0, m), { complete: false })
  return [q, concat([r, matmul(mT(q), narrow(a, -1, m, n - m))], a.rank - 1)]
}

/**
 * The first columns of H₁·H₂·…, with Hᵢ = I − τᵢ·vᵢ·vᵢᵀ and vᵢ the i-th column of `a` below its diagonal, with a one on it:
 * LAPACK's `orgqr`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { householderProduct } from '@bp/ops'
 * householderProduct(tensor([[0], [1]]), tensor([1])) // => tensor([[0], [-1]], float32)
 * ```
 */
export function householderProduct(a: Tensor, tau: Tensor): Tensor {
  checkMatrix('householderProduct', a)
  const [m, n] = a.shape.slice(-2) as [number, number]
  const count = tau.shape.at(-1) ?? -1
  if (n > m || count > n || count < 0) fail('shape', 'householderProduct', `needs at least as many rows as columns, and no more factors than columns, got ${describe(a)} and ${describe(tau)}`)
  const eye = narrow(eyeLike(a, m), -1, 0, n)
  const vectors = add(lower(a, -1), eye)
  let q = broadcastTo(eye, a.shape)
  for (let i = count - 1; i >= 0; i--) {
    const v = narrow(vectors, -1, i, 1)
    q = sub(q, mul(reshape(narrow(tau, -1, i, 1), [...tau.shape.slice(0, -1), 1, 1]), matmul(v, matmul(mT(v), q))))
  }
  return q
}

/** The rows of this file, by name. */
export const orthogonalLibrary = { qr: qrRow }
