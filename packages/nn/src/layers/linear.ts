// The linear layer, and layers one after the other.

import { type DType, type Tensor } from '@bp/core'
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
  readonly weight: Parameter
  readonly bias: Parameter | null

  constructor(inFeatures: number, outFeatures: number, options: LayerOptions = {}) {
    super()
    this.weight = new Parameter(kaimingUniform([outFeatures, inFeatures], { ...options, slope: Math.sqrt(5) }))
    this.bias = options.bias ?? true ? new Parameter(uniform([outFeatures], 1 / Math.sqrt(inFeatures), options)) : null
  }

  override forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias ?? undefined)
  }
}

/**
 * Layers one after the other. Their names are `0`, `1`, …
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { Linear, ReLU, Sequential } from '@bp/nn'
 * const mlp = new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 2))
 * mlp.forward(ones([1, 4])).shape // => [1, 2]
 * mlp.namedParameters().map(([name]) => name) // => [0.weight, 0.bias, 2.weight, 2.bias]
 * ```
 */
export class Sequential extends Module {
  readonly layers: readonly Module[]

  constructor(...layers: Module[]) {
    super()
    this.layers = layers
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return this.layers.map((layer, i) => [String(i), layer] as const)
  }

  override forward(x: Tensor): Tensor {
    return this.layers.reduce((y, layer) => layer.forward(y), x)
  }
}
