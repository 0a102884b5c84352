// The four equations of backpropagation for a network of L dense layers, as they stand in print; autodiff is held to them.

import { add, mul, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { matmul, matmulTransposed, mean, reshape, sum, transpose, unsqueeze } from '@bp/ops'
import type { Activation } from './activations.ts'
import type { Cost } from './costs.ts'

/** A layer a = σ(W·a⁻ + b) of n units after n⁻ others. */
export interface DenseLayer {
  /** W, [n, n⁻], as in `Linear`. */
  readonly weight: Tensor
  /** b, [n]. */
  readonly bias: Tensor
  readonly activation: Activation
}

/** What the way forward leaves for the way back: columns, one an example. */
export interface ForwardCache {
  /** Z¹ … Zᴸ, [nˡ, m]. */
  readonly z: readonly Tensor[]
  /** A⁰ = X, A¹ … Aᴸ, [nˡ, m]. */
  readonly a: readonly Tensor[]
}

/** ∂L/∂W and ∂L/∂b of a layer. */
export interface LayerGradient {
  readonly weight: Tensor
  readonly bias: Tensor
}

/** What {@link backpropagate} gives. */
export interface Backpropagated {
  /** The mean cost of the m examples. */
  readonly loss: Tensor
  /** Of each layer, from the first to the last. */
  readonly gradients: readonly LayerGradient[]
  /** Δ¹ … Δᴸ, [nˡ, m]: each example's ∂L/∂z. */
  readonly deltas: readonly Tensor[]
}

/** One example [n] as the single column of a batch. */
const columns = (x: Tensor): Tensor => x.rank === 1 ? unsqueeze(x, 1) : x

/**
 * Zˡ = Wˡ·Aˡ⁻¹ + bˡ,   Aˡ = σˡ(Zˡ),   A⁰ = X
 *
 * X holds an example in each column, [n⁰, m], or is a single one, [n⁰].
 */
export function feedForward(layers: readonly DenseLayer[], x: Tensor): ForwardCache {
  const z: Tensor[] = []
  const a = [columns(x)]
  layers.forEach(({ weight, bias, activation }, l) => {
    const below = a.at(-1)!
    if (below.rank !== 2 || weight.shape[1] !== below.shape[0]) fail('shape', 'feedForward', `layer ${l + 1} has weights ${describe(weight)} for columns of ${weight.shape[1]}, got ${describe(below)}`)
    z.push(add(matmul(weight, below), reshape(bias, [bias.size, 1])))
    a.push(activation.f(z.at(-1)!))
  })
  return { z, a }
}

/**
 * The gradient of the mean cost by all weights and biases, by the four equations (Rumelhart, Hinton & Williams 1986,
 * "Learning representations by back-propagating errors"; numbered as in Nielsen 2015, "Neural Networks and Deep Learning",
 * ch. 2):
 *
 *     BP1   Δᴸ = ∇ₐL ⊙ σ′(Zᴸ)
 *     BP2   Δˡ = (Wˡ⁺¹ᵀ·Δˡ⁺¹) ⊙ σ′(Zˡ)
 *     BP3   ∂L/∂Wˡ = (1/m)·Δˡ·Aˡ⁻¹ᵀ
 *     BP4   ∂L/∂bˡ = (1/m)·Δˡ·1
 *
 * X and Y hold an example in each column, [n⁰, m] and [nᴸ, m], or are a single one, [n⁰] and [nᴸ]. This is for reading and
 * for checking: `backward` and `grad` do the same for any function.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { activations, backpropagate, costs } from '@bp/nn'
 * const layer = { weight: tensor([[1, -1]]), bias: tensor([0]), activation: activations.sigmoid }
 * const { gradients } = backpropagate([layer], tensor([2, 2]), tensor([1]), costs.binaryCrossEntropy)
 * gradients[0].weight // => tensor([[-1, -1]], float32)
 * gradients[0].bias // => tensor([-0.5], float32)
 * ```
 */
export function backpropagate(layers: readonly DenseLayer[], x: Tensor, y: Tensor, cost: Cost): Backpropagated {
  const last = layers.at(-1)
  if (!last) return fail('value', 'backpropagate', 'the network has no layers. Pass at least one')
  const [name, required] = cost.output ?? []
  if (required && last.activation !== required) fail('value', 'backpropagate', `ŷ − y is the error of this cost after ${name} only. Give the last layer activations.${name}, or use costs.squaredError`)
  const { z, a } = feedForward(layers, x)
  const [output, wanted] = [a.at(-1)!, columns(y)]
  if (describe(output) !== describe(wanted)) fail('shape', 'backpropagate', `the last layer gives ${describe(output)}, but ${describe(wanted)} is wanted. Put an example in each column`)
  const m = output.shape[1]!
  // BP1
  const deltas = [cost.delta(z.at(-1)!, output, wanted, last.activation)]
  // BP2, from the last layer but one to the first
  for (let l = layers.length - 2; l >= 0; l--) {
    const back = matmul(transpose(layers[l + 1]!.weight), deltas[0]!)
    deltas.unshift(mul(back, layers[l]!.activation.derivative(z[l]!, a[l + 1]!)))
  }
  const gradients = deltas.map((delta, l) => ({
    // BP3
    weight: mul(1 / m, matmulTransposed(delta, a[l]!)),
    // BP4
    bias: mul(1 / m, sum(delta, 1)),
  }))
  return { loss: mean(cost.losses(z.at(-1)!, output, wanted)), gradients, deltas }
}
