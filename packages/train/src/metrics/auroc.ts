// The area under the receiver operating characteristic.

import { type Tensor, tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { type Metric, numbersOf } from './metric.ts'

/**
 * The probability that a sample of class 1 has a higher score than one of class 0, ties counted half: the area under the ROC
 * curve (Hanley & McNeil 1982). Keeps the score of every sample; NaN until both classes have occurred.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { AUROC } from '@bp/train'
 * const area = new AUROC()
 * area.update(tensor([0.1, 0.4, 0.35, 0.8]), tensor([0, 0, 1, 1], { dtype: 'int32' }))
 * area.compute() // => 0.75
 * ```
 */
export class AUROC implements Metric<number> {
  private scores: number[] = []
  private labels: number[] = []

  update(prediction: Tensor, target: Tensor): void {
    if (prediction.size !== target.size) fail('shape', 'AUROC', `needs one score of class 1 for each target, got ${describe(prediction)} for targets ${describe(target)}`)
    const scores = numbersOf(prediction), labels = numbersOf(target)
    for (let i = 0; i < labels.length; i++) {
      if (labels[i] !== 0 && labels[i] !== 1) fail('value', 'AUROC', `targets must be 0 or 1, got ${labels[i]}`)
      this.scores.push(scores[i]!)
      this.labels.push(labels[i]!)
    }
  }

  /** (Σ ranks of class 1 − p(p + 1)/2) / (p·n), with equal scores sharing the mean of their ranks (Mann & Whitney 1947). */
  compute(): number {
    const { scores, labels } = this
    const order = scores.map((_, i) => i).sort((a, b) => scores[a]! - scores[b]!)
    const positives = labels.reduce((n, label) => n + label, 0)
    let ranks = 0
    for (let from = 0; from < order.length;) {
      let to = from
      while (to < order.length && scores[order[to]!] === scores[order[from]!]) to++
      for (let i = from; i < to; i++) if (labels[order[i]!] === 1) ranks += (from + to + 1) / 2
      from = Math.max(to, from + 1)
    }
    return (ranks - positives * (positives + 1) / 2) / (positives * (labels.length - positives))
  }

  reset(): void {
    this.scores = []
    this.labels = []
  }

  stateDict(): { readonly scores: Tensor; readonly labels: Tensor } {
    return { scores: tensor(Float64Array.from(this.scores)), labels: tensor(Uint8Array.from(this.labels)) }
  }

  loadStateDict({ scores, labels }: { readonly scores: Tensor; readonly labels: Tensor }): void {
    this.scores = Array.from(numbersOf(scores))
    this.labels = Array.from(numbersOf(labels))
  }
}
