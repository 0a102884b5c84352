// Clipping gradients, by their common norm or one by one.

import { add, mul, noGrad, type Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { abs, amax, clamp, div, maximum, minimum, pow, sqrt, square, sum } from '@bp/ops'
import type { Parameter } from '../module.ts'

/** Options of {@link clipGradNorm}. */
export interface ClipOptions {
  /** Which norm: 2 unless given, `Infinity` for the largest absolute value. */
  readonly normType?: number
  /** Throws where the norm is infinite or NaN, and clips nothing. */
  readonly errorIfNonfinite?: boolean
}

/**
 * Scales all gradients by one factor so that their common norm is at most `maxNorm`, and returns the norm from before:
 * `torch.nn.utils.clip_grad_norm_` (Pascanu et al. 2013, "On the difficulty of training recurrent neural networks").
 *
 * @example
 * ```ts
 * import { mul, tensor } from '@bp/core'
 * import { clipGradNorm, Parameter } from '@bp/nn'
 * const w = new Parameter(tensor([3, 4]))
 * mul(w, w).backward({ gradient: tensor([0.5, 0.5]) })
 * clipGradNorm([w], 1) // => tensor(5, float32)
 * w.grad // => tensor([0.6, 0.8], float32)
 * ```
 */
export function clipGradNorm(params: readonly Parameter[], maxNorm: number, { normType = 2, errorIfNonfinite = false }: ClipOptions = {}): Tensor {
  return noGrad(() => {
    const grads = params.flatMap(p => p.grad ?? [])
    if (grads.length === 0) fail('grad', 'clipGradNorm', 'no parameter has a gradient. Call backward() first')
    const total = norm(grads, normType)
    if (errorIfNonfinite && !Number.isFinite(total.item())) fail('value', 'clipGradNorm', `the norm of the gradients is ${total.item()}. Lower the learning rate, or leave out errorIfNonfinite`)
    const factor = minimum(div(maxNorm, add(total, 1e-6)), 1)
    for (const p of params) if (p.grad) p.grad = mul(p.grad, factor)
    return total
  })
}

function norm(grads: readonly Tensor[], type: number): Tensor {
  if (type === Infinity) return grads.map(g => amax(abs(g))).reduce((a, b) => maximum(a, b))
  if (type === 2) return sqrt(grads.map(g => sum(square(g))).reduce((a, b) => add(a, b)))
  return pow(grads.map(g => sum(pow(abs(g), type))).reduce((a, b) => add(a, b)), 1 / type)
}

/** Cuts every element of every gradient to [−limit, limit]. */
export function clipGradValue(params: readonly Parameter[], limit: number): void {
  noGrad(() => { for (const p of params) if (p.grad) p.grad = clamp(p.grad, -limit, limit) })
}
