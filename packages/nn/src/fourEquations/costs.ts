// Costs of the last layer, and the error that each starts backpropagation with: BP1.

import { mul, type Tensor } from '@bp/core'
import { abs, add, exp, log1p, logSumExp, maximum, neg, square, sub, sum } from '@bp/ops'
import { type Activation, sigmoid, softmax } from './activations.ts'

/** What an example costs, from the last layer's z and a and from what was wanted; all of it in columns [k, m]. */
export interface Cost {
  /** The one activation of the last layer that it goes with, by name and value; any where there is none. */
  readonly output?: readonly [name: string, activation: Activation]
  /** The costs of the m examples, [m]. */
  readonly losses: (z: Tensor, a: Tensor, y: Tensor) => Tensor
  /** BP1: Δᴸ = ∂L/∂Zᴸ, [k, m]. */
  readonly delta: (z: Tensor, a: Tensor, y: Tensor, activation: Activation) => Tensor
}

/** L = ½‖a − y‖²,   ∇ₐL = a − y,   Δᴸ = ∇ₐL ⊙ σ′(Zᴸ) */
export const squaredError: Cost = {
  losses: (_z, a, y) => mul(0.5, sum(square(sub(a, y)), 0)),
  delta: (z, a, y, { derivative }) => mul(sub(a, y), derivative(z, a)),
}

/**
 * L = −Σₖ yₖ·log ŷₖ with ŷ = softmax z and Σₖ yₖ = 1, that is log Σₖ e^zₖ − Σₖ yₖ·zₖ, which is finite for any z.
 * The divisions by ŷ cancel:   Δᴸ = Ŷ − Y
 */
export const crossEntropy: Cost = {
  output: ['softmax', softmax],
  losses: (z, _a, y) => sub(logSumExp(z, 0), sum(mul(y, z), 0)),
  delta: (_z, a, y) => sub(a, y),
}

/**
 * L = −Σₖ (yₖ·log ŷₖ + (1 − yₖ)·log(1 − ŷₖ)) with ŷ = 1/(1 + e⁻ᶻ), that is Σₖ (max(z, 0) − y·z + log(1 + e^−|z|)), which is
 * finite for any z. The division by ŷ(1 − ŷ) cancels σ′ = ŷ(1 − ŷ):   Δᴸ = Ŷ − Y
 */
export const binaryCrossEntropy: Cost = {
  output: ['sigmoid', sigmoid],
  losses: (z, _a, y) => sum(add(sub(maximum(z, 0), mul(y, z)), log1p(exp(neg(abs(z))))), 0),
  delta: (_z, a, y) => sub(a, y),
}
