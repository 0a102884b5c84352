// Activation functions that are cut at a threshold, with PyTorch's derivatives at the corners.

import { add, mul, type Tensor, type TensorLike } from '@bp/core'
import { fail } from '@bp/core/extend'
import { sub } from '../rows/arithmetic.ts'
import { greater, less, lessEqual, logicalAnd, select } from '../rows/compare.ts'
import { tanh } from '../rows/exponential.ts'
import { clamp } from './activations.ts'

/**
 * x, or `min` where x is smaller: {@link clamp} with one bound, a number or a tensor that broadcasts.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { clampMin } from '@bp/ops'
 * clampMin(tensor([-2, 0.5, 2]), tensor([-1, 1, 1])) // => tensor([-1, 1, 2], float32)
 * ```
 */
export const clampMin = (x: Tensor, min: TensorLike): Tensor => clamp(x, min)

/**
 * x, or `max` where x is larger: {@link clamp} with one bound, a number or a tensor that broadcasts.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { clampMax } from '@bp/ops'
 * clampMax(tensor([-2, 0.5, 2]), 1) // => tensor([-2, 0.5, 1], float32)
 * ```
 */
export const clampMax = (x: Tensor, max: TensorLike): Tensor => clamp(x, undefined, max)

/**
 * x cut to [min, max], with derivative 0 at the bounds, where {@link clamp} has 1.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { hardTanh } from '@bp/ops'
 * hardTanh(tensor([-2, 0.5, 2])) // => tensor([-1, 0.5, 1], float32)
 * ```
 */
export function hardTanh(x: Tensor, min = -1, max = 1): Tensor {
  const raised = select(lessEqual(x, min), min, x)
  return select(lessEqual(max, raised), max, raised)
}

/**
 * x cut to [0, 6] (Krizhevsky 2010), with derivative 0 at both ends.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { relu6 } from '@bp/ops'
 * relu6(tensor([-1, 3, 8])) // => tensor([0, 3, 6], float32)
 * ```
 */
export const relu6 = (x: Tensor): Tensor => hardTanh(x, 0, 6)

/**
 * x where x > limit, else `value`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { threshold } from '@bp/ops'
 * threshold(tensor([-1, 0.5, 2]), 1, 9) // => tensor([9, 9, 2], float32)
 * ```
 */
export const threshold = (x: Tensor, limit: number, value: number): Tensor => select(lessEqual(x, limit), value, x)

/**
 * x where |x| > lambda, else 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { hardShrink } from '@bp/ops'
 * hardShrink(tensor([-1, 0.25, 2])) // => tensor([-1, 0, 2], float32)
 * ```
 */
export const hardShrink = (x: Tensor, lambda = 0.5): Tensor => select(logicalAnd(lessEqual(-lambda, x), lessEqual(x, lambda)), 0, x)

/**
 * x nearer to 0 by lambda, and 0 where it was as near as that. Throws for a negative lambda.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { softShrink } from '@bp/ops'
 * softShrink(tensor([-1, 0.25, 2])) // => tensor([-0.5, 0, 1.5], float32)
 * ```
 */
export function softShrink(x: Tensor, lambda = 0.5): Tensor {
  if (!(lambda >= 0)) fail('value', 'softShrink', `lambda must be ≥ 0, got ${lambda}`)
  // 0·x, and not 0, keeps NaN
  return select(greater(x, lambda), sub(x, lambda), select(less(x, -lambda), add(x, lambda), mul(x, 0)))
}

/**
 * x − tanh x.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { tanhShrink } from '@bp/ops'
 * tanhShrink(tensor([0, 2])) // => tensor([0, 1.03597], float32)
 * ```
 */
export const tanhShrink = (x: Tensor): Tensor => sub(x, tanh(x))
