// Products of vectors, matrices and stacks of them by PyTorch's names, each strict about ranks.

import { mul, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { dot } from '../rows/contract.ts'
import { reshape } from '../rows/view.ts'
import { tensordot } from './einsum.ts'
import { matmul } from './matmul.ts'

function checkRanks(op: string, a: Tensor, rankA: number, b: Tensor, rankB: number, wayOut = 'Use matmul, which broadcasts'): void {
  if (a.rank !== rankA || b.rank !== rankB) fail('shape', op, `needs operands of ${rankA} and ${rankB} axes, got ${describe(a)} and ${describe(b)}. ${wayOut}`)
}

const flat = 'Flatten them with reshape(x, [-1])'

/**
 * Σ a·b of two vectors. (`dot` is the name of the matrix product that everything here is made of.)
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { vdot } from '@bp/ops'
 * vdot(tensor([1, 2]), tensor([3, 4])) // => tensor(11, float32)
 * ```
 */
export function vdot(a: Tensor, b: Tensor): Tensor {
  checkRanks('vdot', a, 1, b, 1, flat)
  if (a.size !== b.size) fail('shape', 'vdot', `the vectors must have one length, got ${describe(a)} and ${describe(b)}. Use outer for all pairs`)
  return matmul(a, b)
}

/**
 * aᵢ·bⱼ of two vectors.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { outer } from '@bp/ops'
 * outer(tensor([1, 2]), tensor([3, 4])) // => tensor([[3, 4], [6, 8]], float32)
 * ```
 */
export function outer(a: Tensor, b: Tensor): Tensor {
  checkRanks('outer', a, 1, b, 1, flat)
  return mul(reshape(a, [a.size, 1]), b)
}

/**
 * Σ a·b over the last axis of both: the other axes of a, then those of b. A scalar multiplies.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { inner } from '@bp/ops'
 * inner(tensor([[1, 2], [3, 4]]), tensor([1, 10])) // => tensor([21, 43], float32)
 * ```
 */
export function inner(a: Tensor, b: Tensor): Tensor {
  if (a.rank === 0 || b.rank === 0) return mul(a, b)
  if (a.shape.at(-1) !== b.shape.at(-1)) fail('shape', 'inner', `the last axes must be equal, got ${describe(a)} and ${describe(b)}. Use tensordot to choose the axes`)
  return tensordot(a, b, [[-1], [-1]])
}

/**
 * Each element of a times all of b, in the place of the element: Kronecker's product, axis by axis.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { kron } from '@bp/ops'
 * kron(tensor([1, 10]), tensor([1, 2, 3])) // => tensor([1, 2, 3, 10, 20, 30], float32)
 * ```
 */
export function kron(a: Tensor, b: Tensor): Tensor {
  const rank = Math.max(a.rank, b.rank)
  const whole = ({ shape }: Tensor): number[] => [...new Array<number>(rank - shape.length).fill(1), ...shape]
  const [as, bs] = [whole(a), whole(b)]
  return reshape(mul(reshape(a, as.flatMap(size => [size, 1])), reshape(b, bs.flatMap(size => [1, size]))), as.map((size, i) => size * bs[i]!))
}

/**
 * A matrix times a vector.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { mv } from '@bp/ops'
 * mv(tensor([[1, 2], [3, 4]]), tensor([1, 10])) // => tensor([21, 43], float32)
 * ```
 */
export function mv(a: Tensor, b: Tensor): Tensor {
  checkRanks('mv', a, 2, b, 1)
  return matmul(a, b)
}

/**
 * A matrix times a matrix.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { mm } from '@bp/ops'
 * mm(tensor([[1, 2]]), tensor([[3], [4]])) // => tensor([[11]], float32)
 * ```
 */
export function mm(a: Tensor, b: Tensor): Tensor {
  checkRanks('mm', a, 2, b, 2)
  return dot(a, b)
}

/**
 * Matrices times matrices, one by one: [n, i, k] and [n, k, j] → [n, i, j].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { bmm } from '@bp/ops'
 * bmm(tensor([[[1, 2]], [[3, 4]]]), tensor([[[1], [1]], [[1], [1]]])) // => tensor([[[3]], [[7]]], float32)
 * ```
 */
export function bmm(a: Tensor, b: Tensor): Tensor {
  checkRanks('bmm', a, 3, b, 3)
  return dot(a, b)
}
