// Matrix products by NumPy's rules and the linear layer, on the one contraction `dot`.

import { add, broadcastTo, type Tensor } from '@bp/core'
import { besideProduct, broadcastShapes, describe, fail, sameShape, sizeOf } from '@bp/core/extend'
import { dot } from '../rows/contract.ts'
import { reshape } from '../rows/view.ts'

/**
 * The matrix product by NumPy's rules: vectors are a row on the left and a column on the right, leading axes broadcast.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { matmul } from '@bp/ops'
 * matmul(tensor([[1, 2], [3, 4]]), tensor([1, 1])) // => tensor([3, 7], float32)
 * ```
 */
export const matmul = (a: Tensor, b: Tensor): Tensor => product(a, b, false)

/** a·bᵀ over the last two axes, for matrices `b` or stacks of them. */
export const matmulTransposed = (a: Tensor, b: Tensor): Tensor => product(a, b, true)

function product(a: Tensor, b: Tensor, tb: boolean): Tensor {
  if (a.rank === 0 || b.rank === 0) fail('shape', 'matmul', `needs at least one axis on each side, got ${describe(a)} and ${describe(b)}. Use mul for scalars`)
  const x = a.rank === 1 ? reshape(a, [1, a.size]) : a
  const y = b.rank === 1 ? reshape(b, tb ? [1, b.size] : [b.size, 1]) : b
  const z = matrices(x, y, tb)
  const dropped = [...a.rank === 1 ? [z.rank - 2] : [], ...b.rank === 1 ? [z.rank - 1] : []]
  return dropped.length > 0 ? reshape(z, z.shape.filter((_, i) => !dropped.includes(i))) : z
}

function matrices(a: Tensor, b: Tensor, tb: boolean): Tensor {
  const lead = a.shape.slice(0, -2)
  if (b.rank === 2 && a.rank > 2) {
    // one matrix on the right: fold the left's leading axes into its rows
    const rows = [...lead, a.shape[a.rank - 2]!]
    const flat = dot(reshape(a, [sizeOf(rows), a.shape[a.rank - 1]!]), b, false, tb)
    return reshape(flat, [...rows, flat.shape[1]!])
  }
  const batch = broadcastShapes('matmul', lead, b.shape.slice(0, -2))
  const stack = (x: Tensor): Tensor => sameShape(x.shape.slice(0, -2), batch) ? x : broadcastTo(x, [...batch, ...x.shape.slice(-2)])
  return dot(stack(a), stack(b), false, tb)
}

/**
 * x·wᵀ + b over the last axis of x, with w: [out, in], or [in] for a single output without an axis of its own. (PyTorch's
 * `nn.functional.linear`.)
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { linear } from '@bp/ops'
 * linear(tensor([1, 2]), tensor([[3, 4]]), tensor([0.5])) // => tensor([11.5], float32)
 * ```
 */
export function linear(x: Tensor, w: Tensor, b?: Tensor): Tensor {
  if (x.rank === 0 || x.shape.at(-1) !== w.shape.at(-1)) fail('shape', 'linear', `the input ${describe(x)} must end in ${w.shape.at(-1)}, the columns of the weight ${describe(w)}`)
  const y = w.rank === 1 ? matmul(x, w) : matmulTransposed(x, w)
  return b ? add(y, besideProduct(y, b)) : y
}
