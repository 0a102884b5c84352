// A composite of our own: a loss between L1 and L2, with a pullback that keeps one tensor instead of three.

import { add, mul, type Tensor } from '@bp/core'
import { bind, defineComposite } from '@bp/core/extend'
import { div, mean, sqrt, sub } from '@bp/ops'

/** The parameters of `charbonnier`. */
export interface CharbonnierParams {
  readonly eps: number
}

/** y = √(x² + ε²),   x̄ = ȳ·x/y */
export const charbonnierRow = /* @__PURE__ */ defineComposite({
  name: 'acme/charbonnier', arity: 1, saves: 'xy', infer: ([x]) => x.aval,
  decompose: ([x], { eps }: CharbonnierParams) => sqrt(add(mul(x, x), eps * eps)),
  vjp: ([ct], [x], [y]) => [mul(ct!, div(x, y!))],
})

/**
 * The mean of √((x − target)² + ε²) (Charbonnier et al. 1994, "Two Deterministic Half-Quadratic Regularization Algorithms for
 * Computed Imaging").
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { charbonnierLoss } from '@acme/ops'
 * charbonnierLoss(tensor([3, 0]), tensor([0, 0]), 4) // => tensor(4.5, float32)
 * ```
 */
export const charbonnierLoss = (x: Tensor, target: Tensor, eps = 1e-3): Tensor => mean(bind(charbonnierRow, [sub(x, target)], { eps }))
