// Norms of vectors, and what is scaled by them; where a norm has a corner at 0, its derivative there is 0.

import { add, mul, type Tensor } from '@bp/core'
import { fail, fullPrecision, normaliseAxes, normaliseAxis } from '@bp/core/extend'
import { abs, div, sub } from '../rows/arithmetic.ts'
import { cast, equal, less, notEqual, select } from '../rows/compare.ts'
import { pow } from '../rows/exponential.ts'
import { amax, sum } from '../rows/reduce.ts'
import { clamp } from './activations.ts'
import { amin, flatSqrt } from './statistics.ts'

/** Options of {@link vectorNorm}. */
export interface VectorNormOptions {
  /** The order: 2 unless given; 0 counts, 1 adds, ∞ takes the largest and −∞ the smallest of the absolute values. */
  readonly p?: number
  /** The axes that hold a vector; all unless given. */
  readonly axes?: number | readonly number[] | undefined
  readonly keepDims?: boolean
}

/**
 * (Σ |x|ᵖ)^(1/p) over axes, for any real p, 0 and ±∞ in their own sense. Ties of ±∞ share the gradient evenly; where the norm
 * or an element is 0 and has a corner or a pole, its derivative is 0. (PyTorch's `linalg.vector_norm`.)
 *
 * @example
 * ```ts
 * import { grad, tensor } from '@bp/core'
 * import { vectorNorm } from '@bp/ops'
 * vectorNorm(tensor([3, -4])) // => tensor(5, float32)
 * vectorNorm(tensor([3, -4]), { p: Infinity }) // => tensor(4, float32)
 * grad(x => vectorNorm(x))(tensor([0, 0])) // => tensor([0, 0], float32)
 * ```
 */
export function vectorNorm(v: Tensor, { p = 2, axes, keepDims = false }: VectorNormOptions = {}): Tensor {
  const x = fullPrecision(v)
  const list = normaliseAxes('vectorNorm', axes, x.rank)
  if (p === 0) return sum(cast(notEqual(x, 0), x.dtype), list, keepDims)
  if (p === 1) return sum(abs(x), list, keepDims)
  if (p === 2) return flatSqrt(sum(mul(x, x), list, keepDims))
  if (p === Infinity) return amax(abs(x), list, keepDims)
  if (p === -Infinity) return amin(abs(x), list, keepDims)
  if (Number.isNaN(p)) fail('value', 'vectorNorm', 'the order p is NaN. Use a number, or ±Infinity')
  return powerNorm(x, p, list, keepDims)
}

/** The norm of a finite order, with every power taken of numbers other than 0. */
function powerNorm(x: Tensor, p: number, axes: readonly number[], keepDims: boolean): Tensor {
  const zero = equal(x, 0)
  const total = sum(select(zero, p > 0 ? 0 : Infinity, pow(select(zero, 1, abs(x)), p)), axes, keepDims)
  if (p < 0) return pow(total, 1 / p)
  const none = equal(total, 0)
  return select(none, 0, pow(select(none, 1, total), 1 / p))
}

/**
 * The Euclidean norm over the given axes (all unless given); its derivative at 0 is 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { norm } from '@bp/ops'
 * norm(tensor([[3, 4], [6, 8]]), 1) // => tensor([5, 10], float32)
 * ```
 */
export const norm = (x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor => vectorNorm(x, { axes, keepDims })

/**
 * The p-norm of a − b over all elements, with broadcasting.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { dist } from '@bp/ops'
 * dist(tensor([1, 2]), tensor([4, 6])) // => tensor(5, float32)
 * ```
 */
export const dist = (a: Tensor, b: Tensor, p = 2): Tensor => vectorNorm(sub(fullPrecision(a), b), { p })

/**
 * x with every slice of an axis whose p-norm is above `maxNorm` scaled down to it.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { renorm } from '@bp/ops'
 * renorm(tensor([[3, 4], [0, 1]]), 2, 0, 1) // => tensor([[0.6, 0.8], [0, 1]], float32)
 * ```
 */
export function renorm(x: Tensor, p: number, axis: number, maxNorm: number): Tensor {
  const at = normaliseAxis('renorm', axis, x.rank)
  if (!(p > 0 && maxNorm >= 0)) fail('value', 'renorm', `needs p > 0 and maxNorm ≥ 0, got ${p} and ${maxNorm}`)
  const size = vectorNorm(x, { p, axes: x.shape.flatMap((_, i) => i === at ? [] : i), keepDims: true })
  return select(less(maxNorm, size), mul(x, div(maxNorm, add(size, 1e-7))), x)
}

/** Options of {@link normalize}. */
export interface NormalizeOptions {
  /** The order of the norm; 2 unless given. */
  readonly p?: number
  /** The axes that hold a vector; 1 unless given. */
  readonly axes?: number | readonly number[]
  /** What a smaller norm is taken for. */
  readonly eps?: number
}

/**
 * x divided by its p-norm over axes, so that each vector has norm 1; vectors shorter than `eps` are divided by it.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { normalize } from '@bp/ops'
 * normalize(tensor([[3, 4], [0, 0]])) // => tensor([[0.6, 0.8], [0, 0]], float32)
 * ```
 */
export const normalize = (x: Tensor, { p = 2, axes = 1, eps = 1e-12 }: NormalizeOptions = {}): Tensor =>
  div(x, clamp(vectorNorm(x, { p, axes, keepDims: true }), eps))
