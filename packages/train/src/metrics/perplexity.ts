// How many equally likely classes the model hesitates between.

import type { Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { eachSample, haveScores } from './classes.ts'
import { type Metric, numbersOf, Sums } from './metric.ts'

/**
 * exp of the mean cross-entropy, of logits [n, c, …] and classes [n, …]; targets of `ignoreIndex` do not count.
 *
 * @example
 * ```ts
 * import { tensor, zeros } from '@bp/core'
 * import { Perplexity } from '@bp/train'
 * const perplexity = new Perplexity()
 * perplexity.update(zeros([2, 4]), tensor([0, 3], { dtype: 'int32' }))
 * perplexity.compute() // => ≈ 4.00
 * ```
 */
export class Perplexity extends Sums implements Metric<number> {
  private readonly ignoreIndex: number

  constructor({ ignoreIndex = -100 }: { readonly ignoreIndex?: number } = {}) {
    super()
    this.ignoreIndex = ignoreIndex
  }

  update(prediction: Tensor, target: Tensor): void {
    if (!haveScores(prediction, target)) fail('shape', 'Perplexity', `predictions must be logits [n, classes, …], got ${describe(prediction)} for targets ${describe(target)}`)
    const logits = numbersOf(prediction), right = numbersOf(target), classes = prediction.shape[1]!
    eachSample(prediction, (start, stride, sample) => {
      const own = right[sample]!
      if (own === this.ignoreIndex) return
      if (!(own >= 0 && own < classes)) fail('value', 'Perplexity', `there is a class ${own}, and logits of ${classes} classes`)
      let most = -Infinity
      for (let c = 0; c < classes; c++) most = Math.max(most, logits[start + c * stride]!)
      let sum = 0
      for (let c = 0; c < classes; c++) sum += Math.exp(logits[start + c * stride]! - most)
      this.add(0, most + Math.log(sum) - logits[start + own * stride]!)
      this.add(1, 1)
    })
  }

  override compute(): number {
    return Math.exp((this.sums[0] ?? 0) / (this.sums[1] ?? 0))
  }
}
