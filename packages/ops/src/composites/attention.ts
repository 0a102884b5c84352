// Scaled dot-product attention, and the weights that it takes the mean of the values with.

import { add, mul, type Tensor } from '@bp/core'
import { bind, defineComposite, describe, fail } from '@bp/core/extend'
import { greaterEqual, logicalAnd, select } from '../rows/compare.ts'
import { iota } from '../rows/source.ts'
import { reshape } from '../rows/view.ts'
import { matmul, matmulTransposed } from './matmul.ts'
import { softmax } from './softmax.ts'

/** Options of {@link scaledDotProductAttention}. */
export interface AttentionOptions {
  /** bool, true where a query may look, or numbers that are added to the scores; broadcasts to [..., queries, keys]. */
  readonly mask?: Tensor | undefined
  /** A query sees keys at its own place and before. */
  readonly causal?: boolean
  /** The factor of the scores; 1/√d unless given. */
  readonly scale?: number | undefined
}

/** The parameters of `attention`. */
export interface AttentionParams {
  readonly causal: boolean
  readonly scale: number
}

/** y = softmax(scale·q·kᵀ)·v; the operands are q, k, v, and a mask where there is one */
export const attentionRow = /* @__PURE__ */ defineComposite({
  name: 'attention', arity: 'n', fuse: 'opaque',
  decompose: ([q, k, v, mask], { causal, scale }: AttentionParams) => matmul(attentionWeights(q!, k!, { mask, causal, scale }), v!),
})

/**
 * softmax(q·kᵀ/√d)·v over the last two axes (Vaswani et al. 2017, "Attention Is All You Need", eq. 1).
 * q: [..., n, d], k: [..., m, d], v: [..., m, e] → [..., n, e].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { scaledDotProductAttention } from '@bp/ops'
 * const q = tensor([[0], [0]])
 * scaledDotProductAttention(q, q, tensor([[1], [3]]), { causal: true }) // => tensor([[1], [2]], float32)
 * ```
 */
export function scaledDotProductAttention(q: Tensor, k: Tensor, v: Tensor, { mask, causal = false, scale }: AttentionOptions = {}): Tensor {
  check(q, k)
  return bind(attentionRow, mask ? [q, k, v, mask] : [q, k, v], { causal, scale: scale ?? 1 / Math.sqrt(q.shape.at(-1)!) })
}

/**
 * softmax(q·kᵀ/√d), the weights of {@link scaledDotProductAttention}: how much of each value a query takes.
 * q: [..., n, d], k: [..., m, d] → [..., n, m].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { attentionWeights } from '@bp/ops'
 * attentionWeights(tensor([[0]]), tensor([[1], [2]])) // => tensor([[0.5, 0.5]], float32)
 * ```
 */
export function attentionWeights(q: Tensor, k: Tensor, { mask, causal = false, scale }: AttentionOptions = {}): Tensor {
  check(q, k)
  const scores = mul(matmulTransposed(q, k), scale ?? 1 / Math.sqrt(q.shape.at(-1)!))
  const byNumber = mask && mask.dtype !== 'bool'
  const seen = [...mask && !byNumber ? [mask] : [], ...causal ? [lookback(q, k)] : []].reduce<Tensor | null>((a, b) => a ? logicalAnd(a, b) : b, null)
  const moved = byNumber ? add(scores, mask) : scores
  return softmax(seen ? select(seen, moved, -Infinity) : moved)
}

function check(q: Tensor, k: Tensor): void {
  if (q.rank < 2 || k.rank < 2 || q.shape.at(-1) !== k.shape.at(-1)) fail('shape', 'attentionWeights', `queries and keys must be [..., n, d] and [..., m, d], got ${describe(q)} and ${describe(k)}`)
}

/** [i ≥ j] as bool. */
function lookback(q: Tensor, k: Tensor): Tensor {
  const [n, m] = [q.shape[q.rank - 2]!, k.shape[k.rank - 2]!]
  return greaterEqual(reshape(iota(n, 'int32', q.backend), [n, 1]), reshape(iota(m, 'int32', q.backend), [1, m]))
}
