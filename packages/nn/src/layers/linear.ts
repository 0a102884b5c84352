// Linear, Embedding, and the reshapings between layers.

import { type DType, type Tensor } from '@bp/core'
import { describe, fail, sizeOf } from '@bp/core/extend'
import { type Generator, linear, reshape, take } from '@bp/ops'
import { kaimingUniform, normal, uniform } from '../init.ts'
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
    this.weight = new Parameter(kaimingUniform([outFeatures, inFeatures], { ...options, slope: Math.sqrt(5) }))
    this.bias = options.bias ?? true ? new Parameter(uniform([outFeatures], 1 / Math.sqrt(inFeatures), options)) : null
  }

  override forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias ?? undefined)
  }
}

/** A table of vectors looked up by whole numbers: index [...] → [..., dim]. */
export class Embedding extends Module {
  readonly weight: Parameter

  constructor(count: number, dim: number, options: LayerOptions = {}) {
    super()
    this.weight = new Parameter(normal([count, dim], 1, options))
  }

  override forward(index: Tensor): Tensor {
    return take(this.weight, index)
  }
}

/** Joins all axes from `startAxis` on into one; the batch stays. */
export class Flatten extends Module {
  readonly startAxis: number

  constructor(startAxis = 1) {
    super()
    this.startAxis = startAxis
  }

  override forward(x: Tensor): Tensor {
    if (x.rank < this.startAxis) fail('shape', 'Flatten', `needs at least ${this.startAxis} axes, got ${describe(x)}`)
    return reshape(x, [...x.shape.slice(0, this.startAxis), sizeOf(x.shape.slice(this.startAxis))])
  }
}
