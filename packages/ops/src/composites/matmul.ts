// Matrix products by NumPy's rules, the linear layer, and attention, all on the one contraction `dot`.

import { add, broadcastTo, mul, type Tensor } from '@bp/core'
import { broadcastShapes, describe, fail, sameShape, sizeOf } from '@bp/core/extend'
import { greaterEqual, logicalAnd, select } from '../rows/compare.ts'
import { dot } from '../rows/contract.ts'
import { iota } from '../rows/source.ts'
import { reshape } from '../rows/view.ts'
import { softmax } from './softmax.ts'

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
 * x·wᵀ + b with w: [out, in], as `torch.nn.functional.linear`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { linear } from '@bp/ops'
 * linear(tensor([1, 2]), tensor([[3, 4]]), tensor([0.5])) // => tensor([11.5], float32)
 * ```
 */
export function linear(x: Tensor, w: Tensor, b?: Tensor): Tensor {
  if (x.shape.at(-1) !== w.shape[1]) fail('shape', 'linear', `the input ${describe(x)} must end in ${w.shape[1]}, the columns of the weight ${describe(w)}`)
  const y = matmulTransposed(x, w)
  return b ? add(y, b) : y
}

/** Options of {@link scaledDotProductAttention}. */
export interface AttentionOptions {
  /** bool, true where a query may look; broadcasts to [..., queries, keys]. */
  readonly mask?: Tensor
  /** A query sees keys at its own place and before. */
  readonly causal?: boolean
}

/**
 * softmax(q·kᵀ/√d)·v over the last two axes (Vaswani et al. 2017, "Attention Is All You Need", eq. 1).
 * q: [..., n, d], k: [..., m, d], v: [..., m, e] → [..., n, e].
 */
export function scaledDotProductAttention(q: Tensor, k: Tensor, v: Tensor, { mask, causal = false }: AttentionOptions = {}): Tensor {
  const scores = mul(matmulTransposed(q, k), 1 / Math.sqrt(q.shape[q.rank - 1]!))
  const before = causal ? lookback(q, k) : undefined
  const seen = mask && before ? logicalAnd(mask, before) : mask ?? before
  return matmul(softmax(seen ? select(seen, scores, -Infinity) : scores), v)
}

/** [i ≥ j] as bool. */
function lookback(q: Tensor, k: Tensor): Tensor {
  const [n, m] = [q.shape[q.rank - 2]!, k.shape[k.rank - 2]!]
  return greaterEqual(reshape(iota(n, 'int32', q.backend), [n, 1]), reshape(iota(m, 'int32', q.backend), [1, m]))
}

