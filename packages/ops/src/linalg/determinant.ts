// Determinants, their logarithms, and the cofactors that are their derivatives.

import { add, mul, type Tensor } from '@bp/core'
import { bind, bindMany, defineOp } from '@bp/core/extend'
import { diagEmbed, diagonal } from '../composites/diagonal.ts'
import { matmul } from '../composites/matmul.ts'
import { prod } from '../composites/reduce.ts'
import { neg } from '../rows/arithmetic.ts'
import { equal, less, logicalOr, select } from '../rows/compare.ts'
import { sum } from '../rows/reduce.ts'
import { iota } from '../rows/source.ts'
import { detach, reshape } from '../rows/view.ts'
import { factor, solveFactored } from './elimination.ts'
import { checkSquare, countOf, identityMatrix, type Matrix, matrixAt, mT, stacked, stackOf, transposed } from './matrices.ts'
import { svdOf } from './singular.ts'
import { inv } from './solve.ts'
import { svd } from './spectral.ts'

/** y = det A,   Ā = ȳ·cof A */
export const detRow = /* @__PURE__ */ defineOp({
  name: 'det', arity: 1, fuse: 'opaque', saves: 'x',
  infer: ([a]) => {
    checkSquare('det', a)
    return stackOf(a, [])
  },
  diff: {
    kind: 'custom', why: 'a polynomial in all elements together',
    vjp: ([ct], [a]) => [mul(reshape(ct!, [...ct!.shape, 1, 1]), cofactors(a))],
    jvp: ([t], [a]) => [sum(mul(cofactors(a), t!), [-2, -1])],
  },
  host: ([a], _p, out) => stacked(countOf(a), out, k => [[determinant(matrixAt(a, k))]]),
  batch: ([a]) => det(a),
})

function determinant(a: Matrix): number {
  const { lu: { rows: n, data }, sign } = factor(a)
  let y = sign
  for (let i = 0; i < n; i++) y *= data[i * n + i]!
  return y
}

/** Every product of all factors but one. */
function productsWithout(factors: Float64Array): Float64Array {
  const out = new Float64Array(factors.length).fill(1)
  for (let i = 1; i < factors.length; i++) out[i] = out[i - 1]! * factors[i - 1]!
  for (let i = factors.length - 1, after = 1; i >= 0; i--) {
    out[i]! *= after
    after *= factors[i]!
  }
  return out
}

/** Pivots further apart than this are too near to a singular matrix for its inverse. */
const apart = 1e-3

/**
 * C = cof A = ∂det A/∂A. With A = U·S·Vᵀ, σ = det U·det V and pᵢⱼ the product of all singular values but the i-th and the j-th,
 * C = σ·U·diag(∏ⱼ≠ᵢ sⱼ)·Vᵀ, also where A is singular, and
 * dC = σ·U·(diag(p·diag X) − p ∘ Xᵀ)·Vᵀ with X = Uᵀ·dA·V, which is its own transpose: the second derivative of a polynomial that
 * is linear in every row and in every column.
 */
export const cofactorsRow = /* @__PURE__ */ defineOp({
  name: 'cofactors', arity: 1, fuse: 'opaque', saves: 'x',
  infer: ([a]) => {
    checkSquare('det', a)
    return a.aval
  },
  diff: {
    kind: 'custom', why: 'polynomials in all elements together',
    vjp: ([ct], [a]) => [cofactorsAlong(a, ct!)],
    jvp: ([t], [a]) => [cofactorsAlong(a, t!)],
  },
  host: ([a], _p, out) => stacked(countOf(a), out, k => [cofactorsOf(matrixAt(a, k))]),
  batch: ([a]) => cofactors(a),
})

const cofactors = (a: Tensor): Tensor => bind(cofactorsRow, [a], undefined)

function cofactorsOf(a: Matrix): Matrix {
  const n = a.rows
  const factors = factor(a)
  const pivots = Float64Array.from({ length: n }, (_, i) => factors.lu.data[i * n + i]!)
  const magnitudes = pivots.map(Math.abs)
  if (Math.min(...magnitudes) > apart * Math.max(...magnitudes)) {
    const y = pivots.reduce((p, q) => p * q, factors.sign)
    const c = transposed(solveFactored(factors, identityMatrix(n)))
    return { ...c, data: c.data.map(value => value * y) }
  }
  const { u, s, vh } = svdOf(a)
  const weights = productsWithout(s)
  const sign = determinant(u) * determinant(vh)
  const c = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      const weight = sign * u.data[i * n + k]! * weights[k]!
      for (let j = 0; j < n; j++) c[i * n + j]! += weight * vh.data[k * n + j]!
    }
  }
  return { rows: n, columns: n, data: c }
}

function cofactorsAlong(a: Tensor, t: Tensor): Tensor {
  const n = a.shape.at(-1)!
  const [u, s, vh] = svd(a)
  const sign = detach(mul(det(u), det(vh)))
  const x = matmul(mT(u), matmul(t, mT(vh)))
  const at = (axis: number): Tensor => reshape(iota(n, 'int32', a.backend), Array.from({ length: 3 }, (_, i) => i === axis ? n : 1))
  const [row, column, place] = [at(0), at(1), at(2)]
  const others = reshape(s, [...s.shape.slice(0, -1), 1, 1, n])
  const p = select(equal(reshape(row, [n, 1]), reshape(column, [1, n])), 0, prod(select(logicalOr(equal(row, place), equal(column, place)), 1, others), -1))
  const along = reshape(matmul(p, reshape(diagonal(x, { axes: [-2, -1] }), [...s.shape, 1])), s.shape)
  const inner = add(diagEmbed(along), neg(mul(p, mT(x))))
  return mul(reshape(sign, [...sign.shape, 1, 1]), matmul(u, matmul(inner, vh)))
}

/**
 * The determinant of each square matrix, by elimination. Its derivatives, the cofactors, are right at singular matrices too.
 *
 * @example
 * ```ts
 * import { grad, tensor } from '@bp/core'
 * import { det } from '@bp/ops'
 * det(tensor([[1, 2], [3, 4]])) // => tensor(-2, float32)
 * grad(x => det(x))(tensor([[0, 1], [0, 2]])) // => tensor([[2, 0], [-1, 0]], float32)
 * ```
 */
export const det = (a: Tensor): Tensor => bind(detRow, [a], undefined)

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

/**
 * The sign of the determinant and the logarithm of its magnitude, which does not overflow; 0 and −∞ where the matrix is singular.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { slogdet } from '@bp/ops'
 * slogdet(tensor([[0, 1], [1, 0]])) // => [tensor(-1, float32), tensor(0, float32)]
 * ```
 */
export const slogdet = (a: Tensor): [sign: Tensor, logAbsDet: Tensor] => bindMany(slogdetRow, [a], undefined) as [Tensor, Tensor]

/**
 * The logarithm of the determinant; NaN where it is negative. Its gradient is A⁻ᵀ.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { logdet } from '@bp/ops'
 * logdet(tensor([[2, 0], [0, 0.5]])) // => tensor(0, float32)
 * ```
 */
export function logdet(a: Tensor): Tensor {
  const [sign, log] = slogdet(a)
  return select(less(sign, 0), NaN, log)
}

/** The rows of this file, by name. */
export const determinantLibrary = { det: detRow, cofactors: cofactorsRow, slogdet: slogdetRow }
