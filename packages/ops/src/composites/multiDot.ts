// The product of a chain of matrices, in the order that takes the fewest multiplications.

import type { Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { matmul } from './matmul.ts'

/**
 * The product of many matrices in the order that takes the fewest multiplications (Cormen et al., "Introduction to
 * Algorithms", §15.2). The first may be a row vector, the last a column vector.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { multiDot } from '@bp/ops'
 * multiDot([tensor([1, 2]), tensor([[1, 2], [3, 4]]), tensor([1, 1])]) // => tensor(17, float32)
 * ```
 */
export function multiDot(xs: readonly Tensor[]): Tensor {
  const n = xs.length
  if (n < 2) fail('value', 'multiDot', `needs at least two matrices, got ${n}`)
  xs.forEach((x, i) => {
    if (x.rank !== 2 && !(x.rank === 1 && (i === 0 || i === n - 1))) fail('shape', 'multiDot', `operand ${i} must be a matrix, got ${describe(x)}. Only the first and the last may be vectors`)
  })
  const rows = xs.map((x, i) => x.rank === 2 ? x.shape[0]! : i === 0 ? 1 : x.size)
  const ends = [...rows, xs[n - 1]!.rank === 2 ? xs[n - 1]!.shape[1]! : 1]
  const cut = cheapestCuts(ends)
  const product = (from: number, to: number): Tensor => from === to ? xs[from]! : matmul(product(from, cut[from]![to]!), product(cut[from]![to]! + 1, to))
  return product(0, n - 1)
}

/** Where to cut the product of matrices i … j, of sizes ends[i] × ends[i + 1], in two. */
function cheapestCuts(ends: readonly number[]): number[][] {
  const n = ends.length - 1
  const cost = Array.from({ length: n }, () => new Array<number>(n).fill(0))
  const cut = Array.from({ length: n }, () => new Array<number>(n).fill(0))
  for (let length = 1; length < n; length++) {
    for (let i = 0; i + length < n; i++) {
      const j = i + length
      cost[i]![j] = Infinity
      for (let k = i; k < j; k++) {
        const total = cost[i]![k]! + cost[k + 1]![j]! + ends[i]! * ends[k + 1]! * ends[j + 1]!
        if (total < cost[i]![j]!) [cost[i]![j], cut[i]![j]] = [total, k]
      }
    }
  }
  return cut
}
