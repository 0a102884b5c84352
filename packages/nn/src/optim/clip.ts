// Clipping gradients, by their common norm or one by one.

import { add, mul, noGrad, type Tensor, tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { abs, amax, amin, cast, clamp, div, maximum, minimum, pow, sqrt, square, sum } from '@bp/ops'
import type { Parameter } from '../module.ts'

/** Options of {@link clipGradNorm} and {@link getTotalNorm}. */
export interface ClipOptions {
  /** Which norm: any p > 0, 2 unless given; `Infinity` for the largest absolute value, `-Infinity` for the least. */
  readonly normType?: number
  /** Throws where the norm is infinite or NaN, and clips nothing; not in compiled steps. */
  readonly errorIfNonfinite?: boolean
}

/**
 * Scales all gradients by one factor so that their common norm is at most `maxNorm`, and returns the norm from before:
 * g ← g·min(1, maxNorm/(‖g‖ + 10⁻⁶)), as `torch.nn.utils.clip_grad_norm_` (Pascanu et al. 2013, "On the difficulty of training
 * recurrent neural networks"). Pass a group's parameters to clip groups apart.
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
export function clipGradNorm(params: readonly Parameter[], maxNorm: number, options: ClipOptions = {}): Tensor {
  if (!(maxNorm >= 0)) fail('value', 'clipGradNorm', `maxNorm must be at least 0, got ${maxNorm}`)
  const total = getTotalNorm(params.flatMap(p => p.grad ?? []), options)
  noGrad(() => {
    // as PyTorch's, so that a norm of 0 divides nothing by 0
    const factor = minimum(div(maxNorm, add(total, 1e-6)), 1)
    for (const p of params) if (p.grad) p.grad = mul(p.grad, cast(factor, p.grad.dtype))
  })
  return total
}

/**
 * The norm of tensors as if they were one vector, such as all gradients; 0 where there are none: `torch.nn.utils.get_total_norm`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { getTotalNorm } from '@bp/nn'
 * getTotalNorm([tensor([3, 0]), tensor([[-4]])]) // => tensor(5, float32)
 * getTotalNorm([tensor([3, 0]), tensor([[-4]])], { normType: Infinity }) // => tensor(4, float32)
 * ```
 */
export function getTotalNorm(tensors: readonly Tensor[], { normType = 2, errorIfNonfinite = false }: ClipOptions = {}): Tensor {
  if (!(normType > 0 || normType === -Infinity)) fail('value', 'getTotalNorm', `normType must be greater than 0, Infinity or -Infinity, got ${normType}`)
  if (tensors.length === 0) return tensor(0)
  const total = noGrad(() => norm(tensors, normType))
  if (!errorIfNonfinite) return total
  if (total.storage === null) fail('grad', 'getTotalNorm', 'whether the norm is finite is not known while compiling. Return the norm from the compiled step and check it there, or leave out errorIfNonfinite')
  if (!Number.isFinite(total.item())) fail('value', 'getTotalNorm', `the norm of the gradients is ${total.item()}. Lower the learning rate, or leave out errorIfNonfinite`)
  return total
}

function norm(xs: readonly Tensor[], type: number): Tensor {
  if (type === Infinity) return xs.map(x => amax(abs(x))).reduce((a, b) => maximum(a, b))
  if (type === -Infinity) return xs.map(x => amin(abs(x))).reduce((a, b) => minimum(a, b))
  if (type === 2) return sqrt(xs.map(x => sum(square(x))).reduce((a, b) => add(a, b)))
  return pow(xs.map(x => sum(pow(abs(x), type))).reduce((a, b) => add(a, b)), 1 / type)
}

/** Cuts every element of every gradient to [−limit, limit]. */
export function clipGradValue(params: readonly Parameter[], limit: number): void {
  if (!(limit >= 0)) fail('value', 'clipGradValue', `the limit must be at least 0, got ${limit}`)
  noGrad(() => { for (const p of params) if (p.grad) p.grad = clamp(p.grad, -limit, limit) })
}
