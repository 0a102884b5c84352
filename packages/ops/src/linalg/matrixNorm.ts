// Norms and condition numbers of matrices.

import { mul, type Tensor } from '@bp/core'
import { fail, normaliseAxis } from '@bp/core/extend'
import { vectorNorm } from '../composites/norms.ts'
import { moveAxis } from '../composites/shapes.ts'
import { amin } from '../composites/statistics.ts'
import { abs, div } from '../rows/arithmetic.ts'
import { less, select } from '../rows/compare.ts'
import { amax, sum } from '../rows/reduce.ts'
import { reshape } from '../rows/view.ts'
import { checkMatrix, checkSquare } from './matrices.ts'
import { invEx } from './solve.ts'
import { svdvals } from './spectral.ts'

/** Frobenius, nuclear (the sum of the singular values), or the largest (negative: least) column sum (1), singular value (2) or row sum (∞). */
export type MatrixNormOrder = 'fro' | 'nuc' | number

/** Options of {@link matrixNorm}. */
export interface MatrixNormOptions {
  /** Which norm; Frobenius' unless given. */
  readonly ord?: MatrixNormOrder
  /** The axes of rows and columns; the last two unless given. */
  readonly axes?: readonly [number, number]
  readonly keepDims?: boolean
}

/**
 * A norm of each matrix. (PyTorch's `linalg.matrix_norm`.)
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { matrixNorm } from '@bp/ops'
 * matrixNorm(tensor([[3, 0], [0, -4]])) // => tensor(5, float32)
 * matrixNorm(tensor([[3, 0], [0, -4]]), { ord: 'nuc' }) // => tensor(7, float32)
 * ```
 */
export function matrixNorm(x: Tensor, { ord = 'fro', axes = [-2, -1], keepDims = false }: MatrixNormOptions = {}): Tensor {
  checkMatrix('matrixNorm', x)
  const [rows, columns] = axes.map(axis => normaliseAxis('matrixNorm', axis, x.rank)) as [number, number]
  if (rows === columns) fail('axis', 'matrixNorm', `needs two different axes, got ${axes[0]} and ${axes[1]}`)
  const shape = x.shape.map((size, i) => i === rows || i === columns ? 1 : size)
  const shaped = (y: Tensor): Tensor => reshape(y, keepDims ? shape : shape.filter((_, i) => i !== rows && i !== columns))
  if (ord === 'fro') return shaped(vectorNorm(x, { axes: [rows, columns] }))
  if (ord === 'nuc' || Math.abs(ord) === 2) {
    const s = svdvals(moveAxis(x, [rows, columns], [-2, -1]))
    return shaped(ord === 'nuc' ? sum(s, -1) : ord === 2 ? amax(s, -1) : amin(s, -1))
  }
  if (Math.abs(ord) !== 1 && Math.abs(ord) !== Infinity) fail('value', 'matrixNorm', `there is no norm of order ${ord}. Use 'fro', 'nuc', 1, -1, 2, -2, Infinity or -Infinity`)
  const sums = sum(abs(x), Math.abs(ord) === 1 ? rows : columns, true)
  return shaped((ord > 0 ? amax : amin)(sums, [rows, columns]))
}

/**
 * The condition number ‖A‖·‖A⁻¹‖ in a norm, ∞ where A is singular; in the 2-norm (unless given) the ratio of the extreme singular
 * values, for matrices of any shape.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cond } from '@bp/ops'
 * cond(tensor([[2, 0], [0, 8]])) // => tensor(4, float32)
 * cond(tensor([[1, 0], [0, 0]]), 'fro') // => tensor(Infinity, float32)
 * ```
 */
export function cond(a: Tensor, ord: MatrixNormOrder = 2): Tensor {
  if (ord === 2 || ord === -2) {
    checkMatrix('cond', a)
    const s = svdvals(a)
    const [most, least] = [amax(s, -1), amin(s, -1)]
    return ord === 2 ? div(most, least) : div(least, most)
  }
  checkSquare('cond', a)
  const [inverse, info] = invEx(a)
  return select(less(0, info), Infinity, mul(matrixNorm(a, { ord }), matrixNorm(inverse, { ord })))
}
