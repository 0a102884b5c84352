// Reductions that see only where a mask is true: elsewhere stands what changes nothing.

import { broadcastTo, type DType, type Tensor, type TensorLike } from '@bp/core'
import { broadcastsTo, describe, fail, isFloat, normaliseAxes } from '@bp/core/extend'
import { div, maximum, sub } from '../rows/arithmetic.ts'
import { cast, select } from '../rows/compare.ts'
import { amax, argMax, droppedShape, opposite, sum } from '../rows/reduce.ts'
import { reshape } from '../rows/view.ts'
import { square } from './activations.ts'
import { vectorNorm, type VectorNormOptions } from './norms.ts'
import { nanMedian } from './order.ts'
import { prod } from './reduce.ts'
import { logSumExp } from './softmax.ts'
import { countOf, flatSqrt, type VarianceOptions } from './statistics.ts'

/** bool, true where an element counts; broadcasts to the operand. `null` where all count. */
export type Mask = Tensor | null

type Axes = number | readonly number[]

/** x where the mask is true, else `value`. */
export function filled(op: string, x: Tensor, mask: Mask, value: number): Tensor {
  if (mask === null) return x
  if (mask.dtype !== 'bool' || !broadcastsTo(mask.shape, x.shape)) fail('shape', op, `the mask must be bool and broadcast to ${describe(x)}, got ${describe(mask)}`)
  return select(mask, x, value)
}

/** How many elements count over axes, kept at size 1: a number where all do. */
function counted(x: Tensor, mask: Mask, axes: readonly number[]): TensorLike {
  return mask === null ? countOf(x, axes) : sum(cast(broadcastTo(mask, x.shape), x.dtype), axes, true)
}

/** The least number of a dtype. */
function lowest(dtype: DType): number {
  if (isFloat(dtype)) return -Infinity
  if (dtype === 'int64') return -(2 ** 63)
  return dtype === 'int32' ? -(2 ** 31) : 0
}

/**
 * The sum over the given axes (all unless given) of the elements where the mask is true.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedSum } from '@bp/ops'
 * maskedSum(tensor([1, 2, 4]), tensor([true, false, true])) // => tensor(5, float32)
 * ```
 */
export const maskedSum = (x: Tensor, mask: Mask, axes?: Axes, keepDims = false): Tensor => sum(filled('maskedSum', x, mask, 0), axes, keepDims)

/**
 * The product over the given axes (all unless given) of the elements where the mask is true.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedProd } from '@bp/ops'
 * maskedProd(tensor([3, 0, 4]), tensor([true, false, true])) // => tensor(12, float32)
 * ```
 */
export const maskedProd = (x: Tensor, mask: Mask, axes?: Axes, keepDims = false): Tensor => prod(filled('maskedProd', x, mask, 1), axes, keepDims)

/**
 * The mean over the given axes (all unless given) of the elements where the mask is true; NaN where it never is.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedMean } from '@bp/ops'
 * maskedMean(tensor([1, 2, 4]), tensor([true, false, true])) // => tensor(2.5, float32)
 * ```
 */
export function maskedMean(x: Tensor, mask: Mask, axes?: Axes, keepDims = false): Tensor {
  const list = normaliseAxes('maskedMean', axes, x.rank)
  const y = div(maskedSum(x, mask, list, true), counted(x, mask, list))
  return keepDims ? y : reshape(y, droppedShape(x, list))
}

/**
 * The largest element over the given axes (all unless given) where the mask is true; the dtype's least where it never is.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedAmax } from '@bp/ops'
 * maskedAmax(tensor([1, 9, 4]), tensor([true, false, true])) // => tensor(4, float32)
 * ```
 */
export const maskedAmax = (x: Tensor, mask: Mask, axes?: Axes, keepDims = false): Tensor =>
  amax(filled('maskedAmax', x, mask, lowest(x.dtype)), axes, keepDims)

/**
 * The smallest element over the given axes (all unless given) where the mask is true; the dtype's largest where it never is.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedAmin } from '@bp/ops'
 * maskedAmin(tensor([3, 1, 4]), tensor([true, false, true])) // => tensor(3, float32)
 * ```
 */
export const maskedAmin = (x: Tensor, mask: Mask, axes?: Axes, keepDims = false): Tensor =>
  opposite(maskedAmax(opposite(x), mask, axes, keepDims))

/**
 * The int32 index along an axis of the largest element where the mask is true, the first of several; 0 where it never is.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedArgMax } from '@bp/ops'
 * maskedArgMax(tensor([3, 9, 4]), tensor([true, false, true])) // => tensor(2, int32)
 * ```
 */
export const maskedArgMax = (x: Tensor, mask: Mask, axis = -1): Tensor => argMax(filled('maskedArgMax', x, mask, lowest(x.dtype)), axis)

/**
 * The int32 index along an axis of the smallest element where the mask is true, the first of several; 0 where it never is.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedArgMin } from '@bp/ops'
 * maskedArgMin(tensor([3, 1, 4]), tensor([true, false, true])) // => tensor(0, int32)
 * ```
 */
export const maskedArgMin = (x: Tensor, mask: Mask, axis = -1): Tensor => maskedArgMax(opposite(x), mask, axis)

/**
 * The median along an axis, the lower of two, of the elements where the mask is true and that are not NaN; NaN where there
 * are none.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedMedian } from '@bp/ops'
 * maskedMedian(tensor([1, 9, 4, 5]), tensor([true, false, true, true])) // => tensor(4, float32)
 * ```
 */
export const maskedMedian = (x: Tensor, mask: Mask, axis = -1, keepDims = false): Tensor =>
  nanMedian(filled('maskedMedian', x, mask, NaN), axis, keepDims)[0]

/**
 * The p-norm over axes of the elements where the mask is true; see `vectorNorm`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedNorm } from '@bp/ops'
 * maskedNorm(tensor([3, 9, 4]), tensor([true, false, true])) // => tensor(5, float32)
 * ```
 */
export const maskedNorm = (x: Tensor, mask: Mask, options: VectorNormOptions = {}): Tensor =>
  vectorNorm(filled('maskedNorm', x, mask, options.p !== undefined && options.p < 0 ? Infinity : 0), options)

/**
 * The variance over the given axes (all unless given) of the elements where the mask is true.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedVariance } from '@bp/ops'
 * maskedVariance(tensor([1, 9, 3]), tensor([true, false, true])) // => tensor(2, float32)
 * ```
 */
export function maskedVariance(x: Tensor, mask: Mask, axes?: Axes, { correction = 1, keepDims = false }: VarianceOptions = {}): Tensor {
  const list = normaliseAxes('maskedVariance', axes, x.rank)
  const count = counted(x, mask, list)
  const seen = filled('maskedVariance', x, mask, 0)
  const centred = filled('maskedVariance', sub(seen, div(sum(seen, list, true), count)), mask, 0)
  const freedom = typeof count === 'number' ? Math.max(0, count - correction) : maximum(sub(count, correction), 0)
  const y = div(sum(square(centred), list, true), freedom)
  return keepDims ? y : reshape(y, droppedShape(x, list))
}

/**
 * The standard deviation over the given axes (all unless given) where the mask is true; its derivative at 0 is 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedStd } from '@bp/ops'
 * maskedStd(tensor([1, 9, 3]), tensor([true, false, true]), 0, { correction: 0 }) // => tensor(1, float32)
 * ```
 */
export const maskedStd = (x: Tensor, mask: Mask, axes?: Axes, options: VarianceOptions = {}): Tensor => flatSqrt(maskedVariance(x, mask, axes, options))

/**
 * log Σ eˣ over the given axes (all unless given) where the mask is true; −∞ where it never is.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedLogSumExp } from '@bp/ops'
 * maskedLogSumExp(tensor([1000, 2000, 1000]), tensor([true, false, true])) // => tensor(1000.69, float32)
 * ```
 */
export const maskedLogSumExp = (x: Tensor, mask: Mask, axes?: Axes, keepDims = false): Tensor =>
  logSumExp(filled('maskedLogSumExp', x, mask, -Infinity), axes, keepDims)
