// Orthogonal factors: QR by Householder reflections, and products of reflections.

import { add, broadcastTo, mul, type Tensor } from '@bp/core'
import { Aval, bindMany, defineOp, describe, fail } from '@bp/core/extend'
import { sub } from '../rows/arithmetic.ts'
import { concat, narrow, reshape } from '../rows/view.ts'
import { matmul } from '../composites/matmul.ts'
import { checkMatrix, countOf, eyeLike, identityMatrix, lower, type Matrix, matricesLike, matrixAt, mT, stacked } from './matrices.ts'
import { solveTriangular } from './triangular.ts'

/** Which part of Q and R is made: as many columns and rows as the smaller side has, or all. */
export interface QrParams {
  readonly complete: boolean
}

/** H = I − τ·v·vᵀ applied to the rows of a matrix from `k` on; v has a one at `k` and the rest in `v` */
function reflect(a: Matrix, k: number, tau: number, v: ArrayLike<number>): void {
  const { rows, columns, data } = a
  for (let c = 0; c < columns; c++) {
    let dot = 0
    for (let i = k; i < rows; i++) dot += v[i]! * data[i * columns + c]!
    for (let i = k; i < rows; i++) data[i * columns + c]! -= tau * v[i]! * dot
  }
}

/** The Householder QR of a matrix, with LAPACK's signs (Golub & Van Loan 2013, "Matrix Computations", algorithm 5.2.1). */
export function householder(a: Matrix, complete: boolean): { q: Matrix; r: Matrix } {
  const { rows: m, columns: n } = a
  const r: Matrix = { ...a, data: a.data.slice() }
  const steps = Math.min(m, n)
  const reflections: { readonly tau: number; readonly v: Float64Array }[] = []
  for (let k = 0; k < steps; k++) {
    const v = new Float64Array(m)
    let tail = 0
    for (let i = k + 1; i < m; i++) tail = Math.hypot(tail, r.data[i * n + k]!)
    const alpha = r.data[k * n + k]!
    v[k] = 1
    // nothing below the diagonal: H = I, and the diagonal keeps its sign
    const beta = tail === 0 ? alpha : -Math.sign(alpha || 1) * Math.hypot(alpha, tail)
    const tau = tail === 0 ? 0 : (beta - alpha) / beta
    if (tau !== 0) for (let i = k + 1; i < m; i++) v[i] = r.data[i * n + k]! / (alpha - beta)
    reflect(r, k, tau, v)
    reflections.push({ tau, v })
  }
  const q = identityMatrix(m)
  for (let k = steps - 1; k >= 0; k--) reflect(q, k, reflections[k]!.tau, reflections[k]!.v)
  const width = complete ? m : steps
  return { q: columnsOf(q, width), r: { rows: width, columns: n, data: r.data.slice(0, width * n).map((value, i) => Math.floor(i / n) > i % n ? 0 : value) } }
}

function columnsOf({ rows, columns, data }: Matrix, width: number): Matrix {
  return { rows, columns: width, data: Float64Array.from({ length: rows * width }, (_, i) => data[Math.floor(i / width) * columns + i % width]!) }
}

/** A = Q·R,   Ā = (Q̄ + Q·copyltu(R·R̄ᵀ − Q̄ᵀ·Q))·R⁻ᵀ for at least as many rows as columns (Walter & Lehmann 2010, "Algorithmic Differentiation of Linear Algebra Functions", eq. 35) */
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
    vjp: ([dq, dr], _xs, [y, z], p) => {
      const [q, r] = [y!, z!]
      if (p.complete && q.shape.at(-1) !== r.shape.at(-1)) fail('grad', 'qr', `the complete factors of ${describe(new Aval([...q.shape.slice(0, -1), r.shape.at(-1)!], q.dtype))} are not unique and have no derivative. Use mode 'reduced'`)
      const m = sub(matmul(r, mT(dr!)), matmul(mT(dq!), q))
      const symmetric = add(lower(m), mT(lower(m, -1)))
      return [mT(solveTriangular(r, mT(add(dq!, matmul(q, symmetric))), { upper: true }))]
    },
  },
  host: ([a], { complete }, out) => stacked(countOf(a), out, k => {
    const { q, r } = householder(matrixAt(a, k), complete)
    return [q, r]
  }),
  batch: ([a], _batched, _size, p) => factors(a, p),
})

const factors = (a: Tensor, p: QrParams): [Tensor, Tensor] => bindMany(qrRow, [a], p) as [Tensor, Tensor]

/**
 * A = Q·R with orthonormal columns in Q and upper triangular R: [m, k] and [k, n] with k the smaller of m and n, or all of them,
 * [m, m] and [m, n], in mode `complete`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { qr } from '@bp/ops'
 * const [q, r] = qr(tensor([[3, 1], [4, 2]]))
 * r // => tensor([[-5, -2.2], [0, 0.4]], float32)
 * ```
 */
export function qr(a: Tensor, { mode = 'reduced' }: { readonly mode?: 'reduced' | 'complete' } = {}): [q: Tensor, r: Tensor] {
  checkMatrix('qr', a)
  const [m, n] = a.shape.slice(-2) as [number, number]
  if (m >= n) return factors(a, { complete: mode === 'complete' })
  // a wide matrix: its first columns decide Q, which turns the others
  const [q, r] = factors(narrow(a, -1, 0, m), { complete: false })
  return [q, concat([r, matmul(mT(q), narrow(a, -1, m, n - m))], a.rank - 1)]
}

/**
 * The first columns of H₁·H₂·…, with Hᵢ = I − τᵢ·vᵢ·vᵢᵀ and vᵢ the i-th column of `a` below its diagonal, with a one on it:
 * LAPACK's `orgqr`.
 */
export function householderProduct(a: Tensor, tau: Tensor): Tensor {
  checkMatrix('householderProduct', a)
  const n = a.shape.at(-1)!
  const vectors = add(lower(a, -1), narrow(eyeLike(a, a.shape.at(-2)!), -1, 0, n))
  let q = broadcastTo(narrow(eyeLike(a, a.shape.at(-2)!), -1, 0, n), a.shape)
  for (let i = tau.shape.at(-1)! - 1; i >= 0; i--) {
    const v = narrow(vectors, -1, i, 1)
    const t = unsqueezed(narrow(tau, -1, i, 1))
    q = sub(q, mul(t, matmul(v, matmul(mT(v), q))))
  }
  return q
}

const unsqueezed = (x: Tensor): Tensor => reshape(x, [...x.shape, 1])

/** The rows of this file, by name. */
export const orthogonalLibrary = { qr: qrRow }
