// Precision, recall and F1, of one class or averaged over classes.

import type { Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import type { ClassOptions } from './accuracy.ts'
import { classesOf } from './classes.ts'
import { type Metric, Sums } from './metric.ts'

/**
 * How classes become one number: `binary` takes class 1 of two, `macro` the mean over classes that occur, `weighted` the same
 * weighted by how often each is right, `micro` counts all together.
 */
export type Average = 'binary' | 'macro' | 'micro' | 'weighted'

/** Options of {@link Precision}, {@link Recall} and {@link F1}. */
export interface AverageOptions extends ClassOptions {
  /** `binary` unless given, as in scikit-learn. */
  readonly average?: Average
}

/** Of a class: how often it was predicted rightly, was predicted, and was right. */
interface Count {
  readonly hits: number
  readonly predicted: number
  readonly right: number
}

abstract class ByClass extends Sums implements Metric<number> {
  private readonly options: AverageOptions

  constructor(options: AverageOptions = {}) {
    super()
    this.options = options
  }

  protected abstract score(count: Count): number

  update(prediction: Tensor, target: Tensor): void {
    const op = this.constructor.name
    const { average = 'binary', threshold, ignoreIndex } = this.options
    const { predicted, right } = classesOf(op, prediction, target, threshold)
    for (let i = 0; i < right.length; i++) {
      const [guess, truth] = [predicted[i]!, right[i]!]
      if (truth === ignoreIndex) continue
      if (!(guess >= 0 && truth >= 0)) fail('value', op, `there is a class ${Math.min(guess, truth)}; classes are whole numbers from 0 on. Pass { ignoreIndex } for targets that do not count`)
      if (average === 'binary' && (guess > 1 || truth > 1)) fail('value', op, `there is a class ${Math.max(guess, truth)}, and average is binary. Pass { average: 'macro' }, 'micro' or 'weighted' for more than two classes`)
      if (guess === truth) this.add(3 * truth, 1)
      this.add(3 * guess + 1, 1)
      this.add(3 * truth + 2, 1)
    }
  }

  override compute(): number {
    const { average = 'binary' } = this.options
    const counts = Array.from({ length: Math.ceil(this.sums.length / 3) }, (_, c): Count => ({ hits: this.sums[3 * c] ?? 0, predicted: this.sums[3 * c + 1] ?? 0, right: this.sums[3 * c + 2] ?? 0 }))
      .map((count, c) => ({ ...count, c })).filter(({ predicted, right }) => predicted + right > 0)
    if (counts.length === 0) return NaN
    switch (average) {
      case 'binary': return this.score(counts.find(({ c }) => c === 1) ?? { hits: 0, predicted: 0, right: 0 })
      case 'micro': return this.score(counts.reduce((a, b) => ({ hits: a.hits + b.hits, predicted: a.predicted + b.predicted, right: a.right + b.right, c: 0 })))
      case 'macro': return counts.reduce((sum, count) => sum + this.score(count), 0) / counts.length
      case 'weighted': return counts.reduce((sum, count) => sum + count.right * this.score(count), 0) / counts.reduce((sum, { right }) => sum + right, 0)
    }
  }
}

/** A share of nothing counts as 0, as in scikit-learn. */
const share = (part: number, whole: number): number => whole === 0 ? 0 : part / whole

/**
 * How many of the predictions of a class are right: hits / predicted. 0 where a class is never predicted, as in scikit-learn.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Precision } from '@bp/train'
 * const precision = new Precision()
 * precision.update(tensor([0.9, 0.8, 0.1]), tensor([1, 0, 1], { dtype: 'int32' }))
 * precision.compute() // => 0.5
 * ```
 */
export class Precision extends ByClass {
  protected override score({ hits, predicted }: Count): number {
    return share(hits, predicted)
  }
}

/** How many samples of a class are found: hits / right. 0 where a class never is right, as in scikit-learn. */
export class Recall extends ByClass {
  protected override score({ hits, right }: Count): number {
    return share(hits, right)
  }
}

/** The harmonic mean of precision and recall: 2 · hits / (predicted + right). */
export class F1 extends ByClass {
  protected override score({ hits, predicted, right }: Count): number {
    return share(2 * hits, predicted + right)
  }
}
