// Functions that see only where a mask is true and keep the shape: softmaxes, normalising, running sums, sums of logarithms.

import { add, type Tensor } from '@bp/core'
import { bind, defineOp, inferElementwise } from '@bp/core/extend'
import { div, maximum, neg, sub } from '../rows/arithmetic.ts'
import { exp } from '../rows/exponential.ts'
import { cumSum } from '../rows/reduce.ts'
import { logAddExp } from './logarithms.ts'
import { filled, type Mask, maskedNorm } from './masked.ts'
import type { NormalizeOptions } from './norms.ts'
import { cumProd } from './scan.ts'
import { logSoftmax, softmax } from './softmax.ts'

/**
 * eˣ normalised to sum 1 along an axis where the mask is true, 0 elsewhere; NaN where it never is.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedSoftmax } from '@bp/ops'
 * maskedSoftmax(tensor([1, 9, 1]), tensor([true, false, true])) // => tensor([0.5, 0, 0.5], float32)
 * ```
 */
export const maskedSoftmax = (x: Tensor, mask: Mask, axis = -1): Tensor => softmax(filled('maskedSoftmax', x, mask, -Infinity), axis)

/**
 * The logarithm of {@link maskedSoftmax}: −∞ where the mask is false.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedLogSoftmax } from '@bp/ops'
 * maskedLogSoftmax(tensor([1, 9, 1]), tensor([true, false, true])) // => tensor([-0.693147, -Infinity, -0.693147], float32)
 * ```
 */
export const maskedLogSoftmax = (x: Tensor, mask: Mask, axis = -1): Tensor => logSoftmax(filled('maskedLogSoftmax', x, mask, -Infinity), axis)

/**
 * {@link maskedSoftmax} of −x.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedSoftmin } from '@bp/ops'
 * maskedSoftmin(tensor([1, -9, 1]), tensor([true, false, true])) // => tensor([0.5, 0, 0.5], float32)
 * ```
 */
export const maskedSoftmin = (x: Tensor, mask: Mask, axis = -1): Tensor => maskedSoftmax(neg(x), mask, axis)

/**
 * x divided by its p-norm over axes where the mask is true, 0 elsewhere; see `normalize`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedNormalize } from '@bp/ops'
 * maskedNormalize(tensor([3, 9, 4]), tensor([true, false, true]), { axes: 0 }) // => tensor([0.6, 0, 0.8], float32)
 * ```
 */
export const maskedNormalize = (x: Tensor, mask: Mask, { p = 2, axes = 1, eps = 1e-12 }: NormalizeOptions = {}): Tensor =>
  div(filled('maskedNormalize', x, mask, 0), maximum(maskedNorm(x, mask, { p, axes, keepDims: true }), eps))

/**
 * y = log(eᵃ + eᵇ),   ∂y/∂a = 1/(1 + e^(b − a)),   ∂y/∂b = 1/(1 + e^(a − b)): as in PyTorch, NaN where both are −∞, which is
 * where neither is seen
 */
export const maskedLogAddExpRow = /* @__PURE__ */ defineOp({
  name: 'maskedLogAddExp', arity: 2, fuse: 'map', saves: 'x', infer: ([a, b]) => inferElementwise('maskedLogAddExp', a, b),
  diff: { kind: 'map', d: [(a, b) => div(1, add(1, exp(sub(b, a)))), (a, b) => div(1, add(1, exp(sub(a, b))))] },
  decompose: ([a, b]) => logAddExp(a, b),
})

/**
 * log(eᵃ + eᵇ), elementwise with broadcasting, of those operands whose mask is true; −∞ where neither is.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedLogAddExp } from '@bp/ops'
 * maskedLogAddExp(tensor([0, 2]), tensor([0, 3]), null, tensor([true, false])) // => tensor([0.693147, 2], float32)
 * ```
 */
export const maskedLogAddExp = (a: Tensor, b: Tensor, maskA: Mask, maskB: Mask): Tensor =>
  bind(maskedLogAddExpRow, [filled('maskedLogAddExp', a, maskA, -Infinity), filled('maskedLogAddExp', b, maskB, -Infinity)], undefined)

/** The library primitives of this family. */
export const maskedLibrary = { maskedLogAddExp: maskedLogAddExpRow }

/**
 * Running sums along an axis of the elements where the mask is true.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedCumSum } from '@bp/ops'
 * maskedCumSum(tensor([1, 2, 3]), tensor([true, false, true])) // => tensor([1, 1, 4], float32)
 * ```
 */
export const maskedCumSum = (x: Tensor, mask: Mask, axis = -1): Tensor => cumSum(filled('maskedCumSum', x, mask, 0), axis)

/**
 * Running products along an axis of the elements where the mask is true.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maskedCumProd } from '@bp/ops'
 * maskedCumProd(tensor([2, 0, 3]), tensor([true, false, true])) // => tensor([2, 2, 6], float32)
 * ```
 */
export const maskedCumProd = (x: Tensor, mask: Mask, axis = -1): Tensor => cumProd(filled('maskedCumProd', x, mask, 1), axis)
