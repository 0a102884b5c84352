// Singular values and principal components of low rank, by random projection.

import type { Tensor, TensorLike } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { matmul } from '../composites/matmul.ts'
import type { Generator } from '../composites/random.ts'
import { mean } from '../composites/statistics.ts'
import { sub } from '../rows/arithmetic.ts'
import { cast } from '../rows/compare.ts'
import { checkMatrix, mT } from './matrices.ts'
import { qr } from './orthogonal.ts'
import { svd } from './spectral.ts'

/** Options of {@link svdLowrank}. */
export interface LowRankOptions {
  /** How many singular values, 6 unless given; should be a little more than A's rank. */
  readonly q?: number
  /** How many rounds of subspace iteration sharpen the projection; 2 unless given. */
  readonly iterations?: number
  /** Is subtracted from A first; broadcasts. */
  readonly m?: TensorLike
}

/**
 * U, s and V (not Vᵀ) of the `q` largest singular values of each matrix, from its product with a random matrix (Halko et al.
 * 2011, "Finding Structure with Randomness", algorithms 4.4 and 5.1): exact where A's rank is at most q. What is random comes
 * from a generator, or is the matrix itself: the smaller side of A by q.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Generator, svdLowrank } from '@bp/ops'
 * svdLowrank(tensor([[3, 0], [0, 0], [4, 0]]), new Generator(1), { q: 1 })[1] // => tensor([5], float32)
 * ```
 */
export function svdLowrank(a: Tensor, random: Generator | Tensor, { q = 6, iterations = 2, m }: LowRankOptions = {}): [u: Tensor, s: Tensor, v: Tensor] {
  checkMatrix('svdLowrank', a)
  const rest = m === undefined ? a : sub(a, m)
  const [rows, columns] = rest.shape.slice(-2) as [number, number]
  const least = Math.min(rows, columns)
  if (!(Number.isInteger(q) && q >= 0 && q <= least)) fail('value', 'svdLowrank', `q must be a whole number between 0 and the smaller side of ${describe(rest)}, got ${q}`)
  // float16 has no random numbers of its own
  const projection = 'normal' in random ? cast(random.normal([least, q], { dtype: a.dtype === 'float64' ? 'float64' : 'float32' }), a.dtype) : random
  if (rows >= columns) return projected(rest, projection, iterations)
  const [u, s, v] = projected(mT(rest), projection, iterations)
  return [v, s, u]
}

/** The same for matrices of at least as many rows as columns. */
function projected(a: Tensor, projection: Tensor, iterations: number): [Tensor, Tensor, Tensor] {
  const basis = (x: Tensor): Tensor => qr(x)[0]
  let y = basis(matmul(a, projection))
  for (let i = 0; i < iterations; i++) y = basis(matmul(a, basis(matmul(mT(a), y))))
  const [u, s, vh] = svd(matmul(mT(y), a))
  return [matmul(y, u), s, mT(vh)]
}

/** Options of {@link pcaLowrank}. */
export interface PcaOptions {
  /** How many components; 6, or the smaller side where that is less, unless given. */
  readonly q?: number
  /** Subtracts the mean of the columns first; true unless given. */
  readonly center?: boolean
  /** How many rounds of subspace iteration; 2 unless given. */
  readonly iterations?: number
}

/**
 * The principal components of samples, the rows of each matrix, as U, s and V of {@link svdLowrank}: the columns of V are the
 * directions, A·V the samples' coordinates.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Generator, pcaLowrank } from '@bp/ops'
 * pcaLowrank(tensor([[1, 5], [3, 5], [5, 5]]), new Generator(1), { q: 1 })[1] // => tensor([2.82843], float32)
 * ```
 */
export function pcaLowrank(a: Tensor, random: Generator | Tensor, { q, center = true, iterations = 2 }: PcaOptions = {}): [u: Tensor, s: Tensor, v: Tensor] {
  checkMatrix('pcaLowrank', a)
  const count = q ?? Math.min(6, ...a.shape.slice(-2))
  return svdLowrank(center ? sub(a, mean(a, -2, true)) : a, random, { q: count, iterations })
}
