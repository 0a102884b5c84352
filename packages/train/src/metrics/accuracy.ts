// How often the right class comes first, or among the first.

import type { Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { classesOf, eachSample, haveScores } from './classes.ts'
import { type Metric, numbersOf, Sums } from './metric.ts'

/** Options of metrics of classes. */
export interface ClassOptions {
  /** From which score on a prediction of two classes means the second: 0.5 unless given; 0 for logits. */
  readonly threshold?: number
  /** Targets of this class do not count. */
  readonly ignoreIndex?: number
}

/**
 * The share of predictions that are right. Predictions are scores [n, c, …] for targets [n, …], or classes, or scores of the
 * second of two classes.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Accuracy } from '@bp/train'
 * const accuracy = new Accuracy()
 * accuracy.update(tensor([[2, 1], [0, 3], [5, 4]]), tensor([0, 1, 1], { dtype: 'int32' }))
 * accuracy.compute() // => ≈ 0.6667
 * ```
 */
export class Accuracy extends Sums implements Metric<number> {
  private readonly options: ClassOptions

  constructor(options: ClassOptions = {}) {
    super()
    this.options = options
  }

  update(prediction: Tensor, target: Tensor): void {
    const { predicted, right } = classesOf('Accuracy', prediction, target, this.options.threshold)
    for (let i = 0; i < right.length; i++) {
      if (right[i] === this.options.ignoreIndex) continue
      this.add(0, predicted[i] === right[i] ? 1 : 0)
      this.add(1, 1)
    }
  }

  override compute(): number {
    return (this.sums[0] ?? 0) / (this.sums[1] ?? 0)
  }
}

/**
 * The share of targets whose score is among the k largest. Of equal scores those of lower classes come first.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { TopKAccuracy } from '@bp/train'
 * const top2 = new TopKAccuracy(2)
 * top2.update(tensor([[3, 2, 1], [3, 2, 1]]), tensor([1, 2], { dtype: 'int32' }))
 * top2.compute() // => 0.5
 * ```
 */
export class TopKAccuracy extends Sums implements Metric<number> {
  private readonly k: number

  constructor(k: number) {
    super()
    if (!(Number.isInteger(k) && k >= 1)) fail('value', 'TopKAccuracy', `k must be a whole number ≥ 1, got ${k}`)
    this.k = k
  }

  update(prediction: Tensor, target: Tensor): void {
    if (!haveScores(prediction, target)) fail('shape', 'TopKAccuracy', `predictions must be scores [n, classes, …], got ${describe(prediction)} for targets ${describe(target)}`)
    const scores = numbersOf(prediction), right = numbersOf(target), classes = prediction.shape[1]!
    eachSample(prediction, (start, stride, sample) => {
      const own = right[sample]!
      let before = 0
      for (let c = 0; c < classes; c++) {
        const score = scores[start + c * stride]!, least = scores[start + own * stride]!
        if (score > least || (score === least && c < own)) before++
      }
      this.add(0, before < this.k ? 1 : 0)
      this.add(1, 1)
    })
  }

  override compute(): number {
    return (this.sums[0] ?? 0) / (this.sums[1] ?? 0)
  }
}
