// Eigenvalues of symmetric matrices and singular values of any, by Jacobi's rotations.

import { add, mul, type Tensor } from '@bp/core'
import { bindMany, defineOp } from '@bp/core/extend'
import { div, sub } from '../rows/arithmetic.ts'
import { equal, select } from '../rows/compare.ts'
import { matmul } from '../composites/matmul.ts'
import { reshape } from '../rows/view.ts'
import { diagEmbed } from '../composites/diagonal.ts'
import { checkMatrix, checkSquare, countOf, eyeLike, identityMatrix, type Matrix, matricesLike, matrixAt, mT, stacked, stackOf, transposed } from './matrices.ts'
import { householder } from './orthogonal.ts'

const sweeps = 60

/** The rotation (c, s) that makes the off-diagonal element q between p and r vanish. */
function rotation(p: number, q: number, r: number): { c: number; s: number; t: number } {
  const theta = (r - p) / (2 * q)
  const t = Math.abs(theta) > 1e150 ? 0.5 / theta : (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1))
  const c = 1 / Math.sqrt(t * t + 1)
  return { c, s: t * c, t }
}

/** Eigenvalues in rising order and eigenvectors as columns, by cyclic Jacobi (Golub & Van Loan 2013, "Matrix Computations", §8.5.3). */
function eigen(a: Matrix): { values: Float64Array; vectors: Matrix } {
  const n = a.rows
  const m = a.data.map((value, at) => (value + a.data[at % n * n + Math.floor(at / n)]!) / 2)
  const v = identityMatrix(n).data
  for (let sweep = 0; sweep < sweeps; sweep++) {
    let off = 0
    let scale = 0
    m.forEach((value, at) => {
      if (at % (n + 1) === 0) scale += value * value
      else off += value * value
    })
    if (off <= 1e-34 * (scale + off)) break
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        if (m[p * n + q] === 0) continue
        const { c, s } = rotation(m[p * n + p]!, m[p * n + q]!, m[q * n + q]!)
        for (let k = 0; k < n; k++) turn(m, k * n + p, k * n + q, c, s)
        for (let k = 0; k < n; k++) turn(m, p * n + k, q * n + k, c, s)
        m[p * n + q] = m[q * n + p] = 0
        for (let k = 0; k < n; k++) turn(v, k * n + p, k * n + q, c, s)
      }
    }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => m[i * n + i]! - m[j * n + j]!)
  return { values: Float64Array.from(order, i => m[i * n + i]!), vectors: { rows: n, columns: n, data: v.map((_, at) => v[Math.floor(at / n) * n + order[at % n]!]!) } }
}

function turn(x: Float64Array, i: number, j: number, c: number, s: number): void {
  const [a, b] = [x[i]!, x[j]!]
  x[i] = c * a - s * b
  x[j] = s * a + c * b
}

/** The singular value decomposition of a matrix of at least as many rows as columns, by one-sided Jacobi (ibid., §8.6.4). */
function singular(a: Matrix): { u: Matrix; s: Float64Array; v: Matrix } {
  const { rows: m, columns: n } = a
  const w = a.data.slice()
  const v = identityMatrix(n).data
  for (let sweep = 0, turned = true; turned && sweep < sweeps; sweep++) {
    turned = false
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        let [pp, pq, qq] = [0, 0, 0]
        for (let k = 0; k < m; k++) {
          const [x, y] = [w[k * n + p]!, w[k * n + q]!]
          pp += x * x
          pq += x * y
          qq += y * y
        }
        if (pq === 0 || Math.abs(pq) <= 1e-16 * Math.sqrt(pp * qq)) continue
        turned = true
        const { c, s } = rotation(pp, pq, qq)
        for (let k = 0; k < m; k++) turn(w, k * n + p, k * n + q, c, s)
        for (let k = 0; k < n; k++) turn(v, k * n + p, k * n + q, c, s)
      }
    }
  }
  const norms = Array.from({ length: n }, (_, j) => {
    let sum = 0
    for (let k = 0; k < m; k++) sum = Math.hypot(sum, w[k * n + j]!)
    return sum
  })
  const order = norms.map((_, i) => i).sort((i, j) => norms[j]! - norms[i]!)
  const s = Float64Array.from(order, i => norms[i]!)
  const tiny = (s[0] ?? 0) * 1e-15 * Math.max(m, n)
  // columns of no length are replaced by any that are orthogonal to the others
  const known = order.filter(i => norms[i]! > tiny)
  const q = householder({ rows: m, columns: known.length, data: Float64Array.from({ length: m * known.length }, (_, at) => w[Math.floor(at / known.length) * n + known[at % known.length]!]!) }, true).q
  const u = Float64Array.from({ length: m * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n]
    return j < known.length ? w[i * n + order[j]!]! / s[j]! : q.data[i * m + j]!
  })
  return { u: { rows: m, columns: n, data: u }, s, v: { rows: n, columns: n, data: v.map((_, at) => v[Math.floor(at / n) * n + order[at % n]!]!) } }
}

/** The same for any matrix: U, S and Vᵀ of the smaller side's size. */
export function svdOf(a: Matrix): { u: Matrix; s: Float64Array; vh: Matrix } {
  if (a.rows < a.columns) {
    const { u, s, v } = singular(transposed(a))
    return { u: v, s, vh: transposed(u) }
  }
  const { u, s, v } = singular(a)
  return { u, s, vh: transposed(v) }
}

/** 1/(xⱼ − xᵢ) off the diagonal, 0 on it, for each vector x */
function inverseGaps(x: Tensor): Tensor {
  const n = x.shape.at(-1)!
  const gaps = sub(reshape(x, [...x.shape.slice(0, -1), 1, n]), reshape(x, [...x.shape, 1]))
  const own = equal(eyeLike(x, n), 1)
  return select(own, 0, div(1, select(own, 1, gaps)))
}

const scaleRows = (x: Tensor, factors: Tensor): Tensor => mul(x, reshape(factors, [...factors.shape, 1]))
const scaleColumns = (x: Tensor, factors: Tensor): Tensor => mul(x, reshape(factors, [...factors.shape.slice(0, -1), 1, factors.shape.at(-1)!]))

/** V·diag(w)·Vᵀ = the symmetric part of A,   Ā = sym(V·(diag(w̄) + (Vᵀ·V̄) ∘ F)·Vᵀ), Fᵢⱼ = 1/(wⱼ − wᵢ) (Giles 2008, "Collected Matrix Derivative Results", §3.1) */
export const eighRow = /* @__PURE__ */ defineOp({
  name: 'eigh', arity: 1, fuse: 'opaque', saves: 'y',
  infer: ([a]) => {
    const n = checkSquare('eigh', a)
    return [stackOf(a, [n]), a.aval]
  },
  diff: {
    kind: 'custom', why: 'a decomposition has no weaker derivative than that of its defining equation',
    vjp: ([dw, dv], _xs, [y, z]) => {
      const [w, v] = [y!, z!]
      const inner = add(diagEmbed(dw!), mul(matmul(mT(v), dv!), inverseGaps(w)))
      const full = matmul(v, matmul(inner, mT(v)))
      return [mul(0.5, add(full, mT(full)))]
    },
  },
  host: ([a], _p, out) => stacked(countOf(a), out, k => {
    const { values, vectors } = eigen(matrixAt(a, k))
    return [values, vectors]
  }),
  batch: ([a]) => eigh(a),
})

/**
 * The eigenvalues of symmetric matrices in rising order, and orthonormal eigenvectors as columns; of other matrices the
 * symmetric part is taken. Eigenvectors are defined up to their sign, and their derivative is finite only where eigenvalues differ.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { eigh } from '@bp/ops'
 * eigh(tensor([[2, 1], [1, 2]]))[0] // => tensor([1, 3], float32)
 * ```
 */
export const eigh = (a: Tensor): [w: Tensor, v: Tensor] => bindMany(eighRow, [a], undefined) as [Tensor, Tensor]

/** The eigenvalues of symmetric matrices in rising order; see {@link eigh}. */
export const eigvalsh = (a: Tensor): Tensor => eigh(a)[0]

/**
 * A = U·diag(s)·Vᵀ,   Ā = U·(diag(s̄) + (F ∘ (UᵀŪ − ŪᵀU))·S + S·(F ∘ (VᵀV̄ − V̄ᵀV)))·Vᵀ + (I − UUᵀ)·Ū·S⁻¹·Vᵀ + U·S⁻¹·V̄ᵀ·(I − VVᵀ),
 * Fᵢⱼ = 1/(sⱼ² − sᵢ²) (Townsend 2016, "Differentiating the Singular Value Decomposition")
 */
export const svdRow = /* @__PURE__ */ defineOp({
  name: 'svd', arity: 1, fuse: 'opaque', saves: 'y',
  infer: ([a]) => {
    checkMatrix('svd', a)
    const [m, n] = a.shape.slice(-2) as [number, number]
    const k = Math.min(m, n)
    return [matricesLike(a, m, k), stackOf(a, [k]), matricesLike(a, k, n)]
  },
  diff: {
    kind: 'custom', why: 'a decomposition has no weaker derivative than that of its defining equation',
    vjp: ([du, ds, dvh], _xs, ys) => {
      const [u, s, vh] = ys as [Tensor, Tensor, Tensor]
      const [uh, v] = [mT(u), mT(vh)]
      const f = inverseGaps(mul(s, s))
      const [pu, pv] = [matmul(uh, du!), matmul(vh, mT(dvh!))]
      const core = add(diagEmbed(ds!), add(scaleColumns(mul(f, sub(pu, mT(pu))), s), scaleRows(mul(f, sub(pv, mT(pv))), s)))
      const inverse = div(1, s)
      const beside = scaleColumns(sub(du!, matmul(u, pu)), inverse)
      const below = scaleRows(sub(dvh!, matmul(matmul(dvh!, v), vh)), inverse)
      return [add(matmul(u, matmul(core, vh)), add(matmul(beside, vh), matmul(u, below)))]
    },
  },
  host: ([a], _p, out) => stacked(countOf(a), out, k => {
    const { u, s, vh } = svdOf(matrixAt(a, k))
    return [u, s, vh]
  }),
  batch: ([a]) => svd(a),
})

/**
 * A = U·diag(s)·Vᵀ with orthonormal columns in U and rows in Vᵀ, and singular values in falling order: [m, k], [k] and [k, n]
 * with k the smaller of m and n. Singular vectors are defined up to their sign; their derivative is finite only where singular
 * values differ and none is 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { svd } from '@bp/ops'
 * svd(tensor([[0, 2], [1, 0]]))[1] // => tensor([2, 1], float32)
 * ```
 */
export const svd = (a: Tensor): [u: Tensor, s: Tensor, vh: Tensor] => bindMany(svdRow, [a], undefined) as [Tensor, Tensor, Tensor]

/** The singular values in falling order; see {@link svd}. Their derivative needs no vectors to be unique. */
export const svdvals = (a: Tensor): Tensor => svd(a)[1]

/** The rows of this file, by name. */
export const spectralLibrary = { eigh: eighRow, svd: svdRow }
