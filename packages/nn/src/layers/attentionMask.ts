// Masks of attention: which keys a query may see, by PyTorch's several ways to say so.

import { add, broadcastTo, type DType, full, type Tensor } from '@bp/core'
import { describe, fail, isFloat } from '@bp/core/extend'
import { type AttentionOptions, cast, concat, greaterEqual, iota, logicalAnd, logicalNot, reshape, select, triu } from '@bp/ops'

/** Who may see what. `mask`, `causal` and `scale` are those of `scaledDotProductAttention`; the rest are PyTorch's, where true hides. */
export interface AttentionMasks extends AttentionOptions {
  /** bool, true where a query may **not** look, or numbers that are added to the scores: [queries, keys] or [n·heads, queries, keys]. */
  readonly attnMask?: Tensor | undefined
  /** bool, true where a key is padding, or numbers that are added to the scores: [n, keys], [keys] without a batch. */
  readonly keyPaddingMask?: Tensor | undefined
  /** PyTorch's name of `causal`. */
  readonly isCausal?: boolean | undefined
}

/** The sizes that masks must fit. */
export interface MaskSizes {
  readonly n: number
  readonly heads: number
  readonly queries: number
  readonly keys: number
  /** Keys that are put behind those of the input, and that all may see. */
  readonly extra: number
}

/**
 * 0 on and below the diagonal and −∞ above it, as `attnMask` that hides what comes after a query. PyTorch's
 * `Transformer.generate_square_subsequent_mask`.
 *
 * @example
 * ```ts
 * import { generateSquareSubsequentMask } from '@bp/nn'
 * generateSquareSubsequentMask(2) // => tensor([[0, -Infinity], [0, 0]], float32)
 * ```
 */
export const generateSquareSubsequentMask = (size: number, dtype: DType = 'float32'): Tensor => triu(full([size, size], -Infinity, dtype), 1)

/** All masks as one for [n, heads, queries, keys]. */
export function joined(masks: AttentionMasks, sizes: MaskSizes, dtype: DType): AttentionOptions {
  const { mask, attnMask, keyPaddingMask, scale } = masks
  const causal = masks.causal === true || masks.isCausal === true
  if (!attnMask && !keyPaddingMask && sizes.extra === 0) return { mask, causal, scale }
  const hidden = [...attnMask ? [ofQueries(attnMask, sizes)] : [], ...keyPaddingMask ? [ofKeys(keyPaddingMask, sizes)] : []].map(m => m.dtype === 'bool' ? logicalNot(m) : m)
  const given = [...mask ? [mask] : [], ...hidden, ...causal && sizes.extra > 0 ? [lookback(sizes, hidden[0] ?? mask)] : []].map(m => widened(m, sizes))
  const seen = given.filter(m => m.dtype === 'bool').reduce<Tensor | undefined>((a, b) => a ? logicalAnd(a, b) : b, undefined)
  const added = given.filter(m => m.dtype !== 'bool').map(m => cast(m, dtype)).reduce<Tensor | undefined>((a, b) => a ? add(a, b) : b, undefined)
  return { mask: seen && added ? select(seen, added, -Infinity) : seen ?? added, causal: causal && sizes.extra === 0, scale }
}

function ofQueries(mask: Tensor, { n, heads, queries, keys }: MaskSizes): Tensor {
  const fits = mask.shape.at(-1) === keys && mask.shape.at(-2) === queries && (mask.rank === 2 || (mask.rank === 3 && mask.shape[0] === n * heads))
  checkKind('attnMask', mask)
  if (!fits) fail('shape', 'MultiheadAttention', `attnMask must be [${queries},${keys}] or [n·heads, queries, keys] = [${n * heads},${queries},${keys}], got ${describe(mask)}`)
  return mask.rank === 3 ? reshape(mask, [n, heads, queries, keys]) : mask
}

function ofKeys(mask: Tensor, { n, keys }: MaskSizes): Tensor {
  checkKind('keyPaddingMask', mask)
  if (mask.size !== n * keys || mask.shape.at(-1) !== keys) fail('shape', 'MultiheadAttention', `keyPaddingMask must be [n, keys] = [${n},${keys}], got ${describe(mask)}`)
  return reshape(mask, [n, 1, 1, keys])
}

function checkKind(name: string, mask: Tensor): void {
  if (mask.dtype !== 'bool' && !isFloat(mask.dtype)) fail('dtype', 'MultiheadAttention', `${name} must be bool, true where nobody may look, or floating-point numbers that are added to the scores, got ${describe(mask)}. Convert it with cast(mask, 'bool')`)
}

const lookback = ({ queries, keys }: MaskSizes, like: Tensor | undefined): Tensor =>
  greaterEqual(reshape(iota(queries, 'int32', like?.backend), [queries, 1]), reshape(iota(keys, 'int32', like?.backend), [1, keys]))

/** A mask that hides none of the keys behind. */
function widened(mask: Tensor, { keys, extra }: MaskSizes): Tensor {
  if (extra === 0) return mask
  const wide = broadcastTo(mask, [...mask.shape.slice(0, -1), keys])
  const open = full([...mask.shape.slice(0, -1), extra], mask.dtype === 'bool' ? 1 : 0, mask.dtype, mask.backend)
  return concat([wide, open], -1)
}
