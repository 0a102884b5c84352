// Embeddings: rows of a table by index, alone or in bags.

import { add, mul, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { div, sub } from '../rows/arithmetic.ts'
import { cast, equal, lessEqual, notEqual, select } from '../rows/compare.ts'
import { scatterAdd, take } from '../rows/indexing.ts'
import { sum } from '../rows/reduce.ts'
import { iota } from '../rows/source.ts'
import { detach, reshape } from '../rows/view.ts'
import { scatter } from './scatter.ts'

/** Options of {@link embedding}. */
export interface EmbeddingOptions {
  /** A row that gets no gradient. */
  readonly paddingIndex?: number
  /** Divides each row's gradient by how often the batch asks for it. */
  readonly scaleGradByFreq?: boolean
}

/**
 * The rows of a table [rows, width] that an index of any shape names: [...index, width].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { embedding } from '@bp/ops'
 * embedding(tensor([2, 0], { dtype: 'int32' }), tensor([[1, 1], [2, 2], [3, 3]])) // => tensor([[3, 3], [1, 1]], float32)
 * ```
 */
export function embedding(index: Tensor, weight: Tensor, { paddingIndex, scaleGradByFreq = false }: EmbeddingOptions = {}): Tensor {
  if (weight.rank !== 2) fail('shape', 'embedding', `the table must be [rows, width], got ${describe(weight)}`)
  const rows = take(weight, index, 0)
  const kept = scaleGradByFreq ? scaledGradient(rows, index, weight.shape[0]!) : rows
  if (paddingIndex === undefined) return kept
  const padding = paddingIndex < 0 ? paddingIndex + weight.shape[0]! : paddingIndex
  return select(reshape(equal(index, padding), [...index.shape, 1]), detach(kept), kept)
}

/** The same values, whose gradient is divided by the frequency of their index. */
function scaledGradient(rows: Tensor, index: Tensor, count: number): Tensor {
  const flat = cast(reshape(index, [index.size]), 'int32')
  const frequency = scatterAdd(cast(equal(flat, flat), rows.dtype), flat, count)
  const share = reshape(div(1, take(frequency, index, 0)), [...index.shape, 1])
  const moving = mul(rows, share)
  return add(moving, detach(sub(rows, moving)))
}

/** Options of {@link embeddingBag}. */
export interface EmbeddingBagOptions extends EmbeddingOptions {
  /** Where each bag begins in an index of one axis. */
  readonly offsets?: Tensor
  /** Whether the last offset is the end instead of a bag. */
  readonly includeLastOffset?: boolean
  /** What becomes of a bag's rows; their mean unless given. */
  readonly mode?: 'sum' | 'mean' | 'max'
  /** A factor for each row, in mode `sum`. */
  readonly perSampleWeights?: Tensor
}

/**
 * The sum, mean or maximum of the rows of each bag: [bags, width]. A bag is a row of an index [bags, n], or what lies between
 * two offsets of an index [n]; empty bags give zeros, and the padding index does not count.
 */
export function embeddingBag(index: Tensor, weight: Tensor, options: EmbeddingBagOptions = {}): Tensor {
  const { offsets, includeLastOffset = false, mode = 'mean', perSampleWeights, paddingIndex } = options
  const [bags, flat] = bagsOf(index, offsets, includeLastOffset)
  const padding = paddingIndex === undefined ? undefined : paddingIndex < 0 ? paddingIndex + weight.shape[0]! : paddingIndex
  const rows = embedding(flat, weight, options)
  const counts = padding === undefined ? undefined : notEqual(flat, padding)
  const width = weight.shape[1]!
  const column = (x: Tensor): Tensor => reshape(x, [x.size, 1])
  const masked = (fill: number): Tensor => counts ? select(column(counts), rows, fill) : rows
  const count = scatterAdd(counts ? cast(counts, weight.dtype) : cast(equal(flat, flat), weight.dtype), bags.places, bags.count)
  if (perSampleWeights && mode !== 'sum') fail('value', 'embeddingBag', `perSampleWeights need mode 'sum', got '${mode}'`)
  if (mode === 'max') {
    const start = mul(sum(weight, 0, true), 0)
    const empty = select(column(equal(count, 0)), detach(start), -Infinity)
    const all = select(column(equal(count, 0)), 0, empty)
    return scatter(all, 0, add(column(bags.places), mul(iota(width, 'int32', weight.backend), 0)), masked(-Infinity), { reduce: 'amax' })
  }
  const weighted = perSampleWeights ? mul(masked(0), column(reshape(perSampleWeights, [flat.size]))) : masked(0)
  const total = scatterAdd(weighted, bags.places, bags.count)
  return mode === 'sum' ? total : div(total, column(select(equal(count, 0), 1, count)))
}

/** To which bag each index belongs, how many bags there are, and the indices as one axis. */
function bagsOf(index: Tensor, offsets: Tensor | undefined, includeLastOffset: boolean): [{ places: Tensor; count: number }, Tensor] {
  const place = iota(index.size, 'int32', index.backend)
  const flat = cast(reshape(index, [index.size]), 'int32')
  if (index.rank === 2) return [{ places: reshape(add(reshape(iota(index.shape[0]!, 'int32', index.backend), [index.shape[0]!, 1]), mul(iota(index.shape[1]!, 'int32', index.backend), 0)), [index.size]), count: index.shape[0]! }, flat]
  if (index.rank !== 1 || !offsets) return fail('shape', 'embeddingBag', `needs an index [bags, n], or [n] with offsets, got ${describe(index)}`)
  const begun = lessEqual(reshape(cast(offsets, 'int32'), [1, offsets.size]), reshape(place, [index.size, 1]))
  return [{ places: sub(sum(cast(begun, 'int32'), 1), 1), count: offsets.size - (includeLastOffset ? 1 : 0) }, flat]
}
