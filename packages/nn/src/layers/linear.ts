// The linear layer, and the options that all layers with parameters share.

import { type DType, type Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { type Generator, linear } from '@bp/ops'
import { kaimingUniform, uniform } from '../init.ts'
import { Module, Parameter } from '../module.ts'

/** Options that every layer with parameters takes. */
export interface LayerOptions {
  /** Whether to add a learned bias; true unless given. */
  readonly bias?: boolean
  /** Where the first values come from; the default generator unless given. */
  readonly generator?: Generator
  readonly dtype?: DType
}

/**
 * y = x·wᵀ + b. Input [..., inFeatures] → [..., outFeatures]; weight [outFeatures, inFeatures].
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { Linear } from '@bp/nn'
 * new Linear(3, 2).forward(ones([5, 3])).shape // => [5, 2]
 * ```
 */
export class Linear extends Module {
  weight: Parameter
  readonly bias: Parameter | null

  constructor(inFeatures: number, outFeatures: number, options: LayerOptions = {}) {
    super()
    for (const [name, features] of Object.entries({ inFeatures, outFeatures })) if (!Number.isInteger(features) || features < 0) fail('value', 'Linear', `${name} must be a whole number ≥ 0, got ${String(features)}`)
    this.weight = new Parameter(kaimingUniform([outFeatures, inFeatures], { ...options, slope: Math.sqrt(5) }))
    this.bias = options.bias ?? true ? new Parameter(uniform([outFeatures], inFeatures === 0 ? 0 : 1 / Math.sqrt(inFeatures), options)) : null
  }

  override forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias ?? undefined)
  }
}
