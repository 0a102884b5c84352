// The last layer of a classifier and its loss in one.

import type { Shape, Tensor } from '@bp/core'
import { sizeOf } from '@bp/core/extend'
import { crossEntropy, type CrossEntropyOptions, reshape } from '@bp/ops'
import { Linear, type LayerOptions } from './linear.ts'
import { Loss } from './loss.ts'

/** Options of {@link LinearCrossEntropyLoss}. */
export interface LinearCrossEntropyOptions extends LayerOptions, CrossEntropyOptions {
  /** Axes behind the classes: as many independent choices for each example; none unless given. */
  readonly outFeatures?: Shape
}

/**
 * The cross-entropy of the logits that a linear layer, without a bias unless asked for, makes of features [n, inFeatures] or
 * [inFeatures]; targets as those of `CrossEntropyLoss` for logits [n, classes, …outFeatures].
 *
 * @example
 * ```ts
 * import { ones, tensor } from '@bp/core'
 * import { LinearCrossEntropyLoss } from '@bp/nn'
 * const head = new LinearCrossEntropyLoss(4, 10)
 * head.forward(ones([2, 4]), tensor([3, 7], { dtype: 'int32' })).shape // => []
 * head.namedParameters().map(([name]) => name) // => [linear.weight]
 * ```
 */
export class LinearCrossEntropyLoss extends Loss<[logits: Tensor, target: Tensor], CrossEntropyOptions> {
  readonly linear: Linear
  /** The axes of an example's logits. */
  private readonly shape: Shape

  constructor(inFeatures: number, classes: number, { outFeatures = [], bias = false, generator, dtype, ...options }: LinearCrossEntropyOptions = {}) {
    super(crossEntropy, options)
    this.shape = [classes, ...outFeatures]
    this.linear = new Linear(inFeatures, sizeOf(this.shape), { bias, ...generator && { generator }, ...dtype && { dtype } })
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return [...super.fields(), ['linear', this.linear]]
  }

  override forward(x: Tensor, target: Tensor): Tensor {
    return super.forward(reshape(this.linear.forward(x), [...x.shape.slice(0, -1), ...this.shape]), target)
  }
}
