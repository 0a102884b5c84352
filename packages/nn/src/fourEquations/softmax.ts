// The derivative of softmax in two ways: the whole Jacobian, and its product with a vector without it.

import { mul, type Tensor } from '@bp/core'
import { describe, fail, sameShape } from '@bp/core/extend'
import { diagEmbed, sub, sum, unsqueeze } from '@bp/ops'

/**
 * J = diag(ŷ) − ŷŷᵀ, of softmax at the point where it is ŷ: [..., k] → [..., k, k]. It is symmetric.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { softmaxJacobian } from '@bp/nn'
 * softmaxJacobian(tensor([0.5, 0.5])) // => tensor([[0.25, -0.25], [-0.25, 0.25]], float32)
 * ```
 */
export function softmaxJacobian(y: Tensor): Tensor {
  if (y.rank === 0) fail('shape', 'softmaxJacobian', `needs probabilities along the last axis, got ${describe(y)}`)
  return sub(diagEmbed(y), mul(unsqueeze(y, -1), unsqueeze(y, -2)))
}

/**
 * z̄ = Jᵀȳ = ŷ ⊙ (ȳ − ⟨ȳ, ŷ⟩), in O(k) where J has k² elements: ŷ and ȳ [..., k] → [..., k].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { softmaxVjp } from '@bp/nn'
 * softmaxVjp(tensor([0.5, 0.5]), tensor([1, 0])) // => tensor([0.25, -0.25], float32)
 * ```
 */
export function softmaxVjp(y: Tensor, ct: Tensor): Tensor {
  if (y.rank === 0 || !sameShape(y.shape, ct.shape)) fail('shape', 'softmaxVjp', `needs probabilities and a cotangent of one shape [..., k], got ${describe(y)} and ${describe(ct)}`)
  return mul(y, sub(ct, sum(mul(ct, y), -1, true)))
}
