// Eigenvalues of symmetric matrices and singular values of any, with their vectors.

import { add, mul, type Tensor } from '@bp/core'
import { bindMany, defineOp } from '@bp/core/extend'
import { diagEmbed, diagonal } from '../composites/diagonal.ts'
import { matmul } from '../composites/matmul.ts'
import { div, sub } from '../rows/arithmetic.ts'
import { equal, select } from '../rows/compare.ts'
import { narrow, reshape } from '../rows/view.ts'
import { eigenOf } from './eigen.ts'
import { checkMatrix, checkSquare, countOf, matricesLike, matrixAt, mT, scaleColumns, scaleRows, stacked, stackOf, transposed } from './matrices.ts'
import { svdOf } from './singular.ts'

/** 1/x, and 0 where x is 0: what belongs to a direction that does not exist counts for nothing. */
function reciprocal(x: Tensor): Tensor {
  const zero = equal(x, 0)
  return select(zero, 0, div(1, select(zero, 1, x)))
}

/** Each vector as a row and as a column: what they make at i, j is made of xⱼ and xᵢ. */
const acrossAndDown = (x: Tensor): [Tensor, Tensor] => [reshape(x, [...x.shape.slice(0, -1), 1, x.shape.at(-1)!]), reshape(x, [...x.shape, 1])]

/** Which triangle is read. */
interface EighParams {
  readonly upper: boolean
}

/**
 * V·diag(w)·Vᵀ = A, symmetric, of which one triangle is read,   dw = diag M and dV = V·(M ∘ F) with M = Vᵀ·dA·V,
 * Ā = sym(V·(diag(w̄) + (Vᵀ·V̄) ∘ F)·Vᵀ), Fᵢⱼ = 1/(wⱼ − wᵢ) (Giles 2008, "Collected Matrix Derivative Results", §3.1). Not among the
 * library's rows, whose laws move operands in every direction: tangents are taken for symmetric as A is.
 */
const eighRow = /* @__PURE__ */ defineOp({
  name: 'eigh', arity: 1, fuse: 'opaque', saves: 'y',
  infer: ([a], _p: EighParams) => [stackOf(a, [checkSquare('eigh', a)]), a.aval],
  diff: {
    kind: 'custom', why: 'a decomposition has no weaker derivative than that of its defining equation',
    vjp: ([dw, dv], _xs, [w, v]) => {
      const inner = add(diagEmbed(dw!), mul(matmul(mT(v!), dv!), inverseGaps(w!)))
      const whole = matmul(v!, matmul(inner, mT(v!)))
      return [mul(0.5, add(whole, mT(whole)))]
    },
    jvp: ([t], _xs, [w, v]) => {
      const m = matmul(mT(v!), matmul(t!, v!))
      return [diagonal(m, { axes: [-2, -1] }), matmul(v!, mul(m, inverseGaps(w!)))]
    },
  },
  host: ([a], { upper }, out) => stacked(countOf(a), out, k => {
    const { values, vectors } = eigenOf(matrixAt(a, k), upper)
    return [values, transposed(vectors)]
  }),
  batch: ([a], _batched, _size, { upper }) => eigh(a, { upper }),
})

/** 1/(wⱼ − wᵢ) */
function inverseGaps(w: Tensor): Tensor {
  const [across, down] = acrossAndDown(w)
  return reciprocal(sub(across, down))
}

/** Options of {@link eigh}. */
export interface EighOptions {
  /** Reads the upper triangle of the matrices; the lower one unless given. */
  readonly upper?: boolean
}

/**
 * The eigenvalues of symmetric matrices in rising order, and orthonormal eigenvectors as columns; one triangle is read. The
 * gradient is symmetric, as the matrices are. Eigenvectors are defined up to their sign, which is LAPACK's here as far as
 * rounding does not decide it; where eigenvalues are equal their vectors have no derivative, and none is given.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { eigh } from '@bp/ops'
 * eigh(tensor([[2, 1], [1, 2]])) // => [tensor([1, 3], float32), tensor([[-0.707107, 0.707107], [0.707107, 0.707107]], float32)]
 * ```
 */
export const eigh = (a: Tensor, { upper = false }: EighOptions = {}): [w: Tensor, v: Tensor] => bindMany(eighRow, [a], { upper }) as [Tensor, Tensor]

/**
 * The eigenvalues of symmetric matrices in rising order; see {@link eigh}.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { eigvalsh } from '@bp/ops'
 * eigvalsh(tensor([[2, 1], [1, 2]])) // => tensor([1, 3], float32)
 * ```
 */
export const eigvalsh = (a: Tensor, options: EighOptions = {}): Tensor => eigh(a, options)[0]

/** Whether all columns of U and rows of Vᵀ are made, or as many as there are singular values. */
export interface SvdParams {
  readonly full: boolean
}

/**
 * A = U·diag(s)·Vᵀ,   Ā = U·(diag(s̄) + (F ∘ (UᵀŪ − ŪᵀU))·S + S·(F ∘ (VᵀV̄ − V̄ᵀV)))·Vᵀ + (I − UUᵀ)·Ū·S⁻¹·Vᵀ + U·S⁻¹·V̄ᵀ·(I − VVᵀ),
 * Fᵢⱼ = 1/(sⱼ² − sᵢ²), for the vectors that belong to singular values; the others are constant (Townsend 2016, "Differentiating the
 * Singular Value Decomposition")
 */
export const svdRow = /* @__PURE__ */ defineOp({
  name: 'svd', arity: 1, fuse: 'opaque', saves: 'y',
  infer: ([a], p: SvdParams) => {
    checkMatrix('svd', a)
    const [m, n] = a.shape.slice(-2) as [number, number]
    const k = Math.min(m, n)
    return [matricesLike(a, m, p.full ? m : k), stackOf(a, [k]), matricesLike(a, p.full ? n : k, n)]
  },
  diff: {
    kind: 'custom', why: 'a decomposition has no weaker derivative than that of its defining equation',
    vjp: (cts, _xs, ys) => {
      const k = ys[1]!.shape.at(-1)!
      const [u, s, vh] = own(ys, k)
      const [du, ds, dvh] = own(cts, k)
      const [across, down] = acrossAndDown(s)
      const f = reciprocal(mul(sub(across, down), add(across, down)))
      const [pu, pv] = [matmul(mT(u), du), matmul(vh, mT(dvh))]
      const core = add(diagEmbed(ds), add(scaleColumns(mul(f, sub(pu, mT(pu))), s), scaleRows(mul(f, sub(pv, mT(pv))), s)))
      const inside = matmul(u, matmul(core, vh))
      const inverse = reciprocal(s)
      if (u.shape.at(-2)! > k) return [add(inside, matmul(scaleColumns(sub(du, matmul(u, pu)), inverse), vh))]
      return [vh.shape.at(-1)! > k ? add(inside, matmul(u, scaleRows(sub(dvh, matmul(mT(pv), vh)), inverse))) : inside]
    },
  },
  host: ([a], { full }, out) => stacked(countOf(a), out, k => {
    const { u, s, vh } = svdOf(matrixAt(a, k), full)
    return [u, s, vh]
  }),
  batch: ([a], _batched, _size, { full }) => svd(a, { fullMatrices: full }),
})

/** Of U, s and Vᵀ, or their cotangents, what belongs to the k singular values. */
const own = ([u, s, vh]: readonly Tensor[], k: number): [Tensor, Tensor, Tensor] => [narrow(u!, -1, 0, k), s!, narrow(vh!, -2, 0, k)]

/** Options of {@link svd}. */
export interface SvdOptions {
  /** Makes U and Vᵀ square: the vectors that belong to no singular value too, which are constant to derivatives. */
  readonly fullMatrices?: boolean
}

/**
 * A = U·diag(s)·Vᵀ with orthonormal columns in U and rows in Vᵀ, and singular values in falling order: [m, k], [k] and [k, n]
 * with k the smaller of m and n, or [m, m], [k] and [n, n]. Singular vectors are defined up to a common sign, which is LAPACK's
 * here as far as rounding does not decide it; where singular values are equal or 0 their vectors have no derivative, and none
 * is given.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { svd } from '@bp/ops'
 * svd(tensor([[0, 2], [1, 0]]))[1] // => tensor([2, 1], float32)
 * ```
 */
export const svd = (a: Tensor, { fullMatrices = false }: SvdOptions = {}): [u: Tensor, s: Tensor, vh: Tensor] =>
  bindMany(svdRow, [a], { full: fullMatrices }) as [Tensor, Tensor, Tensor]

/**
 * The singular values in falling order; see {@link svd}. Their derivative needs no vectors to be unique.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { svdvals } from '@bp/ops'
 * svdvals(tensor([[0, 2], [1, 0]])) // => tensor([2, 1], float32)
 * ```
 */
export const svdvals = (a: Tensor): Tensor => svd(a)[1]

/** The rows of this file, by name. */
export const spectralLibrary = { svd: svdRow }
