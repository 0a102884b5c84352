// What a metric is: sums that grow with each batch, and a value made of them.

import { decodeFloat16, type Tensor } from '@bp/core'
import type { Stateful } from '@bp/nn'

/** A value over many batches. It is {@link Stateful}, so that a run can be resumed in the middle of an epoch. */
export interface Metric<R = unknown> extends Stateful {
  /** Takes in a batch of predictions and what was right. Reads them at once: on backends that read asynchronously, move them to the CPU first. */
  update(prediction: Tensor, target: Tensor): void
  /** The value over all batches since the last {@link reset}; NaN where there was none. */
  compute(): R
  /** Forgets all batches. */
  reset(): void
}

/** The base of metrics whose state is a list of sums. */
export abstract class Sums<R = number> {
  protected sums: number[] = []

  abstract compute(): R

  reset(): void {
    this.sums = []
  }

  /** Adds a number to one of the sums. */
  protected add(which: number, term: number): void {
    while (this.sums.length <= which) this.sums.push(0)
    this.sums[which]! += term
  }

  stateDict(): readonly number[] {
    return [...this.sums]
  }

  loadStateDict(state: readonly number[]): void {
    this.sums = [...state]
  }
}

/**
 * A weighted mean: of a loss over batches of different sizes.
 *
 * @example
 * ```ts
 * import { Mean } from '@bp/train'
 * const loss = new Mean()
 * loss.update(0.5, 32)
 * loss.update(1, 16)
 * loss.compute() // => ≈ 0.6667
 * ```
 */
export class Mean extends Sums {
  update(value: number | Tensor, weight = 1): void {
    this.add(0, weight * (typeof value === 'number' ? value : value.item()))
    this.add(1, weight)
  }

  override compute(): number {
    return (this.sums[0] ?? 0) / (this.sums[1] ?? 0)
  }
}

/** The elements of a tensor as numbers, row-major. */
export function numbersOf(x: Tensor): ArrayLike<number> {
  const data = x.dataSync()
  if (x.dtype === 'float16') return decodeFloat16(data as Uint16Array)
  return data instanceof BigInt64Array ? Float64Array.from(data, Number) : data
}
