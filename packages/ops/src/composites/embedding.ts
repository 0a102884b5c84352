// Embeddings: rows of a table by index, alone or in bags.

import { add, broadcastTo, full, mul, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { div, minimum } from '../rows/arithmetic.ts'
import { cast, equal, less, logicalAnd, notEqual, select } from '../rows/compare.ts'
import { asIndex, scatterAdd, take } from '../rows/indexing.ts'
import { argMax, cumSum, sum } from '../rows/reduce.ts'
import { iota } from '../rows/source.ts'
import { detach, narrow, reshape } from '../rows/view.ts'
import { takeAlong } from './along.ts'
import { vectorNorm } from './norms.ts'
import { scatter } from './scatter.ts'
import { withSlopeOf } from './ties.ts'

/** Options of {@link embedding}. */
export interface EmbeddingOptions {
  /** A row that gets no gradient; negative counts from the end. */
  readonly paddingIdx?: number
  /** Rows with a larger norm are scaled down to it first, which their gradient does not see. */
  readonly maxNorm?: number
  /** The p of that norm; 2 unless given. */
  readonly normType?: number
  /** Divides each row's gradient by how often the index asks for it. */
  readonly scaleGradByFreq?: boolean
}

/**
 * The rows of a table [rows, width] that an index of any shape names: [...index, width].
 *
 * Throws where an index is out of range.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { embedding } from '@bp/ops'
 * embedding(tensor([2, 0], { dtype: 'int32' }), tensor([[1, 1], [2, 2], [3, 3]])) // => tensor([[3, 3], [1, 1]], float32)
 * ```
 */
export function embedding(index: Tensor, weight: Tensor, options: EmbeddingOptions = {}): Tensor {
  if (weight.rank !== 2) fail('shape', 'embedding', `the table must be [rows, width], got ${describe(weight)}`)
  const places = asIndex('embedding', index)
  checkRows('embedding', places, weight)
  const rows = take(weight, places)
  const { paddingIdx, maxNorm, normType = 2, scaleGradByFreq = false } = options
  const value = maxNorm === undefined ? rows : shrunk(rows, maxNorm, normType)
  const slope = scaleGradByFreq ? mul(rows, column(div(1, take(occurrences(places, weight), places)))) : rows
  const y = value === rows && slope === rows ? rows : withSlopeOf(value, slope)
  return paddingIdx === undefined ? y : select(column(notPadding(places, weight, paddingIdx)), y, detach(y))
}

/** Throws where an index names no row; only where it can be read at once. Elsewhere the lookup itself notices what is too large. */
function checkRows(op: string, places: Tensor, weight: Tensor): void {
  if (!places.storage || !places.backend.readSync) return
  const bad = (places.dataSync() as Int32Array).find(row => row < 0 || row >= weight.shape[0]!)
  if (bad !== undefined) fail('value', op, `row ${bad} is outside 0 … ${weight.shape[0]! - 1}, the rows of ${describe(weight)}. Give padding a row of its own, and name it as paddingIdx`)
}

/** A vector's, or any tensor's, elements each as one entry of a new last axis. */
const column = (x: Tensor): Tensor => reshape(x, [...x.shape, 1])

/** How often each row is asked for, in the table's dtype. */
const occurrences = (places: Tensor, weight: Tensor): Tensor => scatterAdd(full([places.size], 1, weight.dtype, weight.backend), reshape(places, [places.size]), weight.shape[0]!)

const notPadding = (places: Tensor, weight: Tensor, paddingIdx: number): Tensor => notEqual(places, paddingIdx < 0 ? paddingIdx + weight.shape[0]! : paddingIdx)

/** The rows, those with a larger norm scaled to it; 10⁻⁷ keeps the quotient finite, as in PyTorch. */
function shrunk(rows: Tensor, maxNorm: number, p: number): Tensor {
  const norm = vectorNorm(rows, { p, axes: -1, keepDims: true })
  return select(less(maxNorm, norm), mul(rows, div(maxNorm, add(norm, 1e-7))), rows)
}

/** Options of {@link embeddingBag}. */
export interface EmbeddingBagOptions extends EmbeddingOptions {
  /** Where each bag begins in an index of one axis: from 0 on, never falling. */
  readonly offsets?: Tensor
  /** Whether the last offset is where the last bag ends; else it is where one begins. */
  readonly includeLastOffset?: boolean
  /** What becomes of a bag's rows; their mean unless given. The gradient of a maximum goes to the first row that has it. */
  readonly mode?: 'sum' | 'mean' | 'max'
  /** A factor for each row, in mode `sum`; of the index's shape. */
  readonly perSampleWeights?: Tensor
}

/**
 * The sum, mean or maximum of the rows of each bag: [bags, width]. A bag is a row of an index [bags, n], or what lies between
 * two offsets of an index [n]; empty bags give zeros, and the padding index does not count.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { embeddingBag } from '@bp/ops'
 * const table = tensor([[1, 1], [2, 2], [3, 3]])
 * embeddingBag(tensor([[0, 2]], { dtype: 'int32' }), table, { mode: 'sum' }) // => tensor([[4, 4]], float32)
 * ```
 */
export function embeddingBag(index: Tensor, weight: Tensor, options: EmbeddingBagOptions = {}): Tensor {
  const { mode = 'mean', perSampleWeights, paddingIdx } = options
  if (perSampleWeights && mode !== 'sum') fail('value', 'embeddingBag', `perSampleWeights need mode 'sum', got '${mode}'`)
  if (perSampleWeights && perSampleWeights.size !== index.size) fail('shape', 'embeddingBag', `needs a weight for each of ${describe(index)}, got ${describe(perSampleWeights)}`)
  const bags = bagsOf(index, options)
  const flat = reshape(asIndex('embeddingBag', index), [index.size])
  const rows = embedding(flat, weight, options)
  const counted = paddingIdx === undefined ? full([flat.size], 1, 'bool', weight.backend) : notPadding(flat, weight, paddingIdx)
  const seen = (x: Tensor): Tensor => paddingIdx === undefined ? x : select(column(counted), x, 0)
  const own = (perBin: Tensor): Tensor => narrow(perBin, 0, 1, bags.count)
  if (mode === 'max') return index.rank === 2 && !options.offsets ? maximaByRow(rows, index.shape as [number, number], counted) : own(maxima(rows, bags, counted))
  const weighted = perSampleWeights ? mul(rows, reshape(perSampleWeights, [flat.size, 1])) : rows
  const total = own(scatterAdd(seen(weighted), bags.bin, bags.bins))
  if (mode === 'sum') return total
  const count = own(scatterAdd(cast(counted, weight.dtype), bags.bin, bags.bins))
  return div(total, column(select(equal(count, 0), 1, count)))
}

/** Which bin each entry of the flattened index belongs to: 0 before the first bag, then one a bag, then what follows the last. */
interface Bags {
  readonly bin: Tensor
  readonly bins: number
  readonly count: number
}

function bagsOf(index: Tensor, { offsets, includeLastOffset = false }: EmbeddingBagOptions): Bags {
  if (index.rank === 2 && !offsets) {
    const [count, size] = index.shape as [number, number]
    const number = add(iota(count, 'int32', index.backend), 1)
    return { bin: reshape(broadcastTo(column(number), [count, size]), [index.size]), bins: count + 1, count }
  }
  if (index.rank !== 1 || offsets?.rank !== 1) return fail('shape', 'embeddingBag', `needs an index [bags, n], or [n] with offsets [bags], got ${describe(index)}${offsets ? ` and ${describe(offsets)}` : ''}`)
  const begins = scatterAdd(full([offsets.size], 1, 'int32', index.backend), offsets, index.size + 1)
  return { bin: narrow(cumSum(begins, 0), 0, 0, index.size), bins: offsets.size + 1, count: offsets.size - Number(includeLastOffset) }
}

/** The largest of each bag by column where all have as many rows, in ops whose number does not depend on how many that is; 0 for bags without rows that count. */
function maximaByRow(rows: Tensor, [count, size]: readonly [number, number], counted: Tensor): Tensor {
  const width = rows.shape[1]!
  if (rows.size === 0) return full([count, width], 0, rows.dtype, rows.backend)
  const seen = reshape(select(column(counted), rows, -Infinity), [count, size, width])
  const top = reshape(takeAlong(seen, reshape(argMax(seen, 1), [count, 1, width]), 1), [count, width])
  return select(column(less(0, sum(cast(reshape(counted, [count, size]), 'int32'), 1))), top, 0)
}

/** The largest of each bin by column, read from the first row that has it; 0 for bins without rows that count. */
function maxima(rows: Tensor, { bin, bins }: Bags, counted: Tensor): Tensor {
  const [n, width] = rows.shape as [number, number]
  if (n === 0) return full([bins, width], 0, rows.dtype, rows.backend)
  const bin2d = broadcastTo(column(bin), [n, width])
  const seen = select(column(counted), detach(rows), -Infinity)
  const top = scatter(full([bins, width], -Infinity, rows.dtype, rows.backend), 0, bin2d, seen, { reduce: 'amax' })
  const best = logicalAnd(column(counted), equal(seen, take(top, bin)))
  const order = select(best, broadcastTo(column(iota(n, 'int32', rows.backend)), [n, width]), n)
  const first = scatter(full([bins, width], n, 'int32', rows.backend), 0, bin2d, order, { reduce: 'amin' })
  return select(less(first, n), takeAlong(rows, minimum(first, n - 1), 0), 0)
}
