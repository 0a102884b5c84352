// Layers of two inputs: how alike they are, how far apart, and what a bilinear form makes of them.

import type { Tensor } from '@bp/core'
import { bilinear, cosineSimilarity, type CosineSimilarityOptions, pairwiseDistance, type PairwiseDistanceOptions } from '@bp/ops'
import { uniform } from '../init.ts'
import { Module, Parameter } from '../module.ts'
import { FunctionModule } from './function.ts'
import type { LayerOptions } from './linear.ts'

/** a·b/(‖a‖‖b‖) along an axis. */
export class CosineSimilarity extends FunctionModule<[a: Tensor, b: Tensor]> {
  constructor(options: CosineSimilarityOptions = {}) {
    super((a, b) => cosineSimilarity(a, b, options))
  }
}

/** The p-norm of a − b + ε over the last axis. */
export class PairwiseDistance extends FunctionModule<[a: Tensor, b: Tensor]> {
  constructor(options: PairwiseDistanceOptions = {}) {
    super((a, b) => pairwiseDistance(a, b, options))
  }
}

/**
 * yₖ = aᵀ·Wₖ·b + biasₖ: [..., in1] and [..., in2] → [..., out]; weight [out, in1, in2].
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { Bilinear } from '@bp/nn'
 * new Bilinear(2, 3, 4).forward(ones([5, 2]), ones([5, 3])).shape // => [5, 4]
 * ```
 */
export class Bilinear extends Module<[a: Tensor, b: Tensor]> {
  readonly weight: Parameter
  readonly bias: Parameter | null

  constructor(in1: number, in2: number, out: number, options: LayerOptions = {}) {
    super()
    const bound = 1 / Math.sqrt(in1)
    this.weight = new Parameter(uniform([out, in1, in2], bound, options))
    this.bias = options.bias ?? true ? new Parameter(uniform([out], bound, options)) : null
  }

  override forward(a: Tensor, b: Tensor): Tensor {
    return bilinear(a, b, this.weight, this.bias ?? undefined)
  }
}
