// A softmax over very many classes that spends its parameters on the frequent ones.

import { add, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { argMax, cast, clamp, concat, greaterEqual, less, logicalAnd, logSoftmax, mean, narrow, neg, reshape, select, sub, takeAlong } from '@bp/ops'
import { Module } from '../module.ts'
import { Sequential } from './containers.ts'
import { type LayerOptions, Linear } from './linear.ts'

/** Options of {@link AdaptiveLogSoftmaxWithLoss}. */
export interface AdaptiveLogSoftmaxOptions extends Omit<LayerOptions, 'bias'> {
  /** What each cluster's number of features is smaller by than that of the one before; 4 unless given. */
  readonly divValue?: number
  /** Whether the head has a bias; false unless given. */
  readonly headBias?: boolean
}

/** What {@link AdaptiveLogSoftmaxWithLoss} gives. */
export interface AdaptiveLogSoftmaxOutput {
  /** The log-probability of each target: [n]. */
  readonly output: Tensor
  /** Their mean, negative. */
  readonly loss: Tensor
}

/**
 * The log-probabilities of class indices [n] for features [n, inFeatures], or a scalar and [inFeatures]: classes below the first
 * cutoff are told apart by the head, which also chooses among clusters of the others, each with fewer features than the one
 * before (Grave et al. 2017, "Efficient softmax approximation for GPUs", §4). Classes are numbered from the most frequent on.
 *
 * @example
 * ```ts
 * import { ones, tensor } from '@bp/core'
 * import { AdaptiveLogSoftmaxWithLoss } from '@bp/nn'
 * const layer = new AdaptiveLogSoftmaxWithLoss(16, 20, [4, 10])
 * layer.forward(ones([3, 16]), tensor([1, 6, 19], { dtype: 'int32' })).output.shape // => [3]
 * layer.logProb(ones([3, 16])).shape // => [3, 20]
 * ```
 */
export class AdaptiveLogSoftmaxWithLoss extends Module<[x: Tensor, target: Tensor], AdaptiveLogSoftmaxOutput> {
  readonly head: Linear
  readonly tail: readonly Sequential[]
  /** Where each cluster begins, and the number of classes. */
  private readonly cutoffs: readonly number[]

  constructor(inFeatures: number, classes: number, cutoffs: readonly number[], { divValue = 4, headBias = false, ...options }: AdaptiveLogSoftmaxOptions = {}) {
    super()
    if (cutoffs.length === 0 || !cutoffs.every((cut, i) => Number.isInteger(cut) && cut > (cutoffs[i - 1] ?? 0) && cut < classes)) {
      fail('value', 'AdaptiveLogSoftmaxWithLoss', `cutoffs must be whole numbers that rise between 0 and ${classes}, the number of classes, got [${cutoffs.join(',')}]`)
    }
    this.cutoffs = [...cutoffs, classes]
    this.head = new Linear(inFeatures, cutoffs[0]! + cutoffs.length, { ...options, bias: headBias })
    this.tail = cutoffs.map((cut, i) => {
      const features = Math.floor(inFeatures / divValue ** (i + 1))
      if (features < 1) fail('value', 'AdaptiveLogSoftmaxWithLoss', `cluster ${i} has no features left of ${inFeatures}. Use a smaller divValue or fewer cutoffs`)
      return new Sequential(new Linear(inFeatures, features, { ...options, bias: false }), new Linear(features, this.cutoffs[i + 1]! - cut, { ...options, bias: false }))
    })
  }

  override forward(x: Tensor, target: Tensor): AdaptiveLogSoftmaxOutput {
    if (x.rank < 1 || x.rank > 2 || target.rank !== x.rank - 1 || (x.rank === 2 && target.size !== x.shape[0])) {
      fail('shape', 'AdaptiveLogSoftmaxWithLoss', `needs features [n, d] with class indices [n], or [d] and a scalar, got ${describe(x)} and ${describe(target)}`)
    }
    const [rows, index] = [reshape(x, [-1, x.shape.at(-1)!]), cast(reshape(target, [-1, 1]), 'int32')]
    const head = logSoftmax(this.head.forward(rows))
    const first = this.cutoffs[0]!
    const known = takeAlong(head, clamp(index, 0, first - 1), 1)
    const output = this.tail.reduce((found, layer, i) => {
      const [start, end] = [this.cutoffs[i]!, this.cutoffs[i + 1]!]
      const within = takeAlong(logSoftmax(layer.forward(rows)), clamp(sub(index, start), 0, end - start - 1), 1)
      return select(logicalAnd(greaterEqual(index, start), less(index, end)), add(within, narrow(head, 1, first + i, 1)), found)
    }, known)
    return { output: reshape(output, target.shape), loss: neg(mean(output)) }
  }

  /** The log-probabilities of all classes: [n, inFeatures] → [n, classes]. */
  logProb(x: Tensor): Tensor {
    const head = logSoftmax(this.head.forward(x))
    const first = this.cutoffs[0]!
    return concat([narrow(head, 1, 0, first), ...this.tail.map((layer, i) => add(logSoftmax(layer.forward(x)), narrow(head, 1, first + i, 1)))], 1)
  }

  /** The likeliest class of each row: [n, inFeatures] → [n]. */
  predict(x: Tensor): Tensor {
    return argMax(this.logProb(x), 1)
  }
}
