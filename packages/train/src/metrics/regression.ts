// Errors of numbers: absolute, squared, and as a share of the variance.

import type { Tensor } from '@bp/core'
import { describe, fail, sameShape } from '@bp/core/extend'
import { type Metric, numbersOf, Sums } from './metric.ts'

/** The elements of both, as many of each. */
function pairs(op: string, prediction: Tensor, target: Tensor): [predicted: ArrayLike<number>, right: ArrayLike<number>] {
  if (!sameShape(prediction.shape, target.shape)) fail('shape', op, `predictions and targets must be of one shape, got ${describe(prediction)} and ${describe(target)}`)
  return [numbersOf(prediction), numbersOf(target)]
}

/** The mean of a function of the error over all elements. */
abstract class MeanError extends Sums implements Metric<number> {
  protected abstract cost(error: number): number

  update(prediction: Tensor, target: Tensor): void {
    const [predicted, right] = pairs(this.constructor.name, prediction, target)
    for (let i = 0; i < right.length; i++) this.add(0, this.cost(predicted[i]! - right[i]!))
    this.add(1, right.length)
  }

  override compute(): number {
    return (this.sums[0] ?? 0) / (this.sums[1] ?? 0)
  }
}

/**
 * The mean of |ŷ − y| over all elements.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { MeanAbsoluteError } from '@bp/train'
 * const error = new MeanAbsoluteError()
 * error.update(tensor([1, 2]), tensor([2, 4]))
 * error.compute() // => 1.5
 * ```
 */
export class MeanAbsoluteError extends MeanError {
  protected override cost(error: number): number {
    return Math.abs(error)
  }
}

/** The mean of (ŷ − y)² over all elements. */
export class MeanSquaredError extends MeanError {
  protected override cost(error: number): number {
    return error * error
  }
}

/**
 * R² = 1 − Σ(ŷ − y)² / Σ(y − ȳ)², of targets [n], or of [n, m] as the mean over the m columns, as in scikit-learn: where the targets
 * do not vary it is 1 for perfect predictions, else 0. Sums of squares are merged batch by batch (Chan, Golub & LeVeque 1979).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { R2Score } from '@bp/train'
 * const r2 = new R2Score()
 * r2.update(tensor([2.5, 0, 2, 8]), tensor([3, -0.5, 2, 7]))
 * r2.compute() // => ≈ 0.9486
 * ```
 */
export class R2Score extends Sums implements Metric<number> {
  update(prediction: Tensor, target: Tensor): void {
    const [predicted, right] = pairs('R2Score', prediction, target)
    const columns = target.rank > 1 ? target.shape.slice(1).reduce((a, b) => a * b, 1) : 1
    const n = target.shape[0] ?? 1
    if (n === 0) return
    for (let c = 0; c < columns; c++) {
      let [mean, spread, residual] = [0, 0, 0]
      for (let i = 0; i < n; i++) mean += right[i * columns + c]! / n
      for (let i = 0; i < n; i++) {
        spread += (right[i * columns + c]! - mean) ** 2
        residual += (predicted[i * columns + c]! - right[i * columns + c]!) ** 2
      }
      const [count = 0, before = 0] = this.sums.slice(4 * c)
      const step = mean - before
      this.add(4 * c, n)
      this.add(4 * c + 1, step * n / (count + n))
      this.add(4 * c + 2, spread + step * step * count * n / (count + n))
      this.add(4 * c + 3, residual)
    }
  }

  override compute(): number {
    const columns = this.sums.length / 4
    if ((this.sums[0] ?? 0) < 2) return NaN
    let total = 0
    for (let c = 0; c < columns; c++) {
      const [, , spread, residual] = this.sums.slice(4 * c) as [number, number, number, number]
      total += spread > 0 ? 1 - residual / spread : residual === 0 ? 1 : 0
    }
    return total / columns
  }
}
