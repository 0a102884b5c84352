// Losses of numbers against numbers: squares, absolute values, and what lies between.

import { mul, type Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { abs, div, sub } from '../../rows/arithmetic.ts'
import { less, select } from '../../rows/compare.ts'
import { square } from '../activations.ts'
import { alike, type LossOptions, reduce, reduceWeighted, type WeightedLossOptions } from './reduction.ts'

/**
 * (x − y)².
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { mseLoss } from '@bp/ops'
 * mseLoss(tensor([1, 2]), tensor([1, 4])) // => tensor(2, float32)
 * ```
 */
export function mseLoss(x: Tensor, target: Tensor, options: WeightedLossOptions = {}): Tensor {
  return reduceWeighted('mseLoss', square(sub(...alike('mseLoss', x, target))), options)
}

/**
 * |x − y|; its derivative where they are equal is 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { l1Loss } from '@bp/ops'
 * l1Loss(tensor([1, 2]), tensor([1, 4])) // => tensor(1, float32)
 * ```
 */
export function l1Loss(x: Tensor, target: Tensor, options: WeightedLossOptions = {}): Tensor {
  return reduceWeighted('l1Loss', abs(sub(...alike('l1Loss', x, target))), options)
}

/** Options of {@link huberLoss}. */
export interface HuberLossOptions extends LossOptions {
  /** A factor for each element; broadcasts. The mean is over all elements all the same, as in PyTorch. */
  readonly weight?: Tensor | undefined
  /** Where the parabola becomes a line; 1 unless given. */
  readonly delta?: number
}

/**
 * (x − y)²/2 where |x − y| < δ, else δ(|x − y| − δ/2) (Huber 1964).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { huberLoss } from '@bp/ops'
 * huberLoss(tensor([1, 5]), tensor([2, 2]), { reduction: 'none' }) // => tensor([0.5, 2.5], float32)
 * ```
 */
export function huberLoss(x: Tensor, target: Tensor, options: HuberLossOptions = {}): Tensor {
  const { delta = 1, weight } = options
  if (!(delta > 0)) fail('value', 'huberLoss', `delta must be positive, got ${delta}`)
  const off = sub(...alike('huberLoss', x, target))
  const size = abs(off)
  const losses = select(less(size, delta), mul(0.5, square(off)), mul(delta, sub(size, delta / 2)))
  return reduce(weight ? mul(losses, weight) : losses, options)
}

/** Options of {@link smoothL1Loss}. */
export interface SmoothL1LossOptions extends LossOptions {
  /** Where the parabola becomes a line; 1 unless given, 0 is {@link l1Loss}. */
  readonly beta?: number
}

/**
 * {@link huberLoss} divided by β: (x − y)²/(2β) where |x − y| < β, else |x − y| − β/2 (Girshick 2015, "Fast R-CNN").
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { smoothL1Loss } from '@bp/ops'
 * smoothL1Loss(tensor([1, 5]), tensor([2, 2]), { reduction: 'none', beta: 2 }) // => tensor([0.25, 2], float32)
 * ```
 */
export function smoothL1Loss(x: Tensor, target: Tensor, options: SmoothL1LossOptions = {}): Tensor {
  const { beta = 1, ...rest } = options
  if (!(beta >= 0)) fail('value', 'smoothL1Loss', `beta must be 0 or positive, got ${beta}`)
  return beta === 0 ? l1Loss(x, target, rest) : div(huberLoss(x, target, { ...rest, delta: beta }), beta)
}
