// Reductions of segments: neighbours along an axis, grouped by how many belong together.

import { add, broadcastTo, full, mul, type Tensor } from '@bp/core'
import { describe, fail, normaliseAxis, sameShape, sizeOf } from '@bp/core/extend'
import { div, maximum, neg, sub } from '../rows/arithmetic.ts'
import { cast, equal, less, logicalOr, notEqual, select } from '../rows/compare.ts'
import { scatterAdd, take } from '../rows/indexing.ts'
import { cumSum } from '../rows/reduce.ts'
import { iota } from '../rows/source.ts'
import { concat, detach, narrow, padInterior, reshape } from '../rows/view.ts'
import { clamp } from './activations.ts'
import { takeAlong } from './along.ts'
import { associativeScan } from './scan.ts'
import { searchSorted } from './search.ts'
import { attains, withSlopeOf } from './ties.ts'

/** How {@link segmentReduce} reduces. */
export type SegmentReduction = 'sum' | 'mean' | 'prod' | 'max' | 'min'

/** Options of {@link segmentReduce}: one of `lengths` and `offsets`. */
export interface SegmentOptions {
  /** How many entries each segment has: the axes of x before the axis, then one entry per segment; int32 or int64, ≥ 0. */
  readonly lengths?: Tensor | undefined
  /** Where each segment begins, and where the last one ends; as `lengths`, with one entry more, never falling. */
  readonly offsets?: Tensor | undefined
  /** 0 unless given. */
  readonly axis?: number
  /** One more operand of every segment, and the result of empty ones. */
  readonly initial?: number | undefined
}

/**
 * Reduces each segment of an axis to one entry; entries in no segment are left out. An empty segment gives `initial`, else 0
 * for a sum, 1 for a product, NaN for a mean, −∞ for a maximum, ∞ for a minimum. A mean divides the sum and `initial` by the
 * count; ties of extremes share the gradient evenly. (PyTorch's `segment_reduce`.)
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { segmentReduce } from '@bp/ops'
 * segmentReduce(tensor([1, 2, 3, 4]), 'sum', { lengths: tensor([1, 3], { dtype: 'int32' }) }) // => tensor([1, 9], float32)
 * segmentReduce(tensor([1, 2, 3, 4]), 'max', { offsets: tensor([0, 2, 4], { dtype: 'int32' }) }) // => tensor([2, 4], float32)
 * ```
 */
export function segmentReduce(x: Tensor, reduction: SegmentReduction, { lengths, offsets, axis = 0, initial }: SegmentOptions): Tensor {
  const at = normaliseAxis('segmentReduce', axis, x.rank)
  const bounds = boundsOf(x, at, lengths, offsets)
  const n = x.shape[at]!
  const count = bounds.shape[1]! - 1
  const shape = [...x.shape.slice(0, at), count, ...x.shape.slice(at + 1)]
  if (sizeOf(shape) === 0 || n === 0) return full(shape, initial ?? nothing[reduction], x.dtype, x.backend)
  const rows = reshape(x, [bounds.shape[0]!, n, sizeOf(x.shape.slice(at + 1))])
  const places = iota(n, 'int32', x.backend)
  const segments: Segments = { bounds, bin: searchSorted(bounds, broadcastTo(places, [bounds.shape[0]!, n]), { right: true }) }
  return reshape(reduce(rows, reduction, segments, initial), shape)
}

/** What a segment without entries gives. */
const nothing: Readonly<Record<SegmentReduction, number>> = { sum: 0, mean: NaN, prod: 1, max: -Infinity, min: Infinity }

/** The segments of each row. */
interface Segments {
  /** [rows, segments + 1]: where they begin and end. */
  readonly bounds: Tensor
  /** [rows, n]: the number of each entry's segment, from 1; 0 before the first, and one too many behind the last. */
  readonly bin: Tensor
}

/** The offsets as i32[rows, segments + 1]. */
function boundsOf(x: Tensor, axis: number, lengths: Tensor | undefined, offsets: Tensor | undefined): Tensor {
  const given = lengths ?? offsets
  if (!given || (lengths && offsets)) return fail('value', 'segmentReduce', 'needs one of lengths and offsets')
  const lead = x.shape.slice(0, axis)
  if (given.rank !== axis + 1 || !sameShape(given.shape.slice(0, -1), lead) || (offsets && given.shape[axis] === 0)) {
    fail('shape', 'segmentReduce', `the ${lengths ? 'lengths' : 'offsets'} must have the axes of ${describe(x)} before axis ${axis} and one of segments, got ${describe(given)}`)
  }
  const flat = cast(reshape(given, [sizeOf(lead), given.shape[axis]!]), 'int32')
  return lengths ? concat([full([flat.shape[0]!, 1], 0, 'int32', x.backend), cumSum(flat, 1)], 1) : flat
}

/** x: [rows, n, rest] → [rows, segments, rest]. */
function reduce(x: Tensor, reduction: SegmentReduction, segments: Segments, initial: number | undefined): Tensor {
  if (reduction === 'min') return neg(reduce(neg(x), 'max', segments, initial === undefined ? undefined : -initial))
  if (reduction === 'prod') return mul(lastOf(running(x, mul, segments), 1, segments), initial ?? 1)
  if (reduction === 'max') return maxima(x, segments, initial ?? -Infinity)
  const total = add(sums(x, segments), initial ?? 0)
  if (reduction === 'sum') return total
  const size = cast(sizes(segments), x.dtype)
  const empty = equal(size, 0)
  return select(empty, initial ?? NaN, div(total, select(empty, 1, size)))
}

/** How many entries each segment has: i32[rows, segments, 1]. */
function sizes({ bounds }: Segments): Tensor {
  const count = bounds.shape[1]! - 1
  return reshape(sub(narrow(bounds, 1, 1, count), narrow(bounds, 1, 0, count)), [bounds.shape[0]!, count, 1])
}

/** The flat numbers of the bins of all rows. */
function flatBins({ bounds, bin }: Segments): Tensor {
  const [rows, bins] = [bounds.shape[0]!, bounds.shape[1]! + 1]
  return reshape(add(bin, reshape(mul(iota(rows, 'int32', bin.backend), bins), [rows, 1])), [bin.size])
}

/** The sum of each segment. */
function sums(x: Tensor, segments: Segments): Tensor {
  const [rows, bins] = [segments.bounds.shape[0]!, segments.bounds.shape[1]! + 1]
  const flat = scatterAdd(reshape(x, [segments.bin.size, x.shape[2]!]), flatBins(segments), rows * bins)
  return narrow(reshape(flat, [rows, bins, x.shape[2]!]), 1, 1, bins - 2)
}

/** What each entry's segment has: the transpose of {@link sums}. */
function spread(y: Tensor, segments: Segments): Tensor {
  const [rows, count, rest] = y.shape as [number, number, number]
  const padded = padInterior(y, [0, 1, 0], [0, 1, 0], [0, 0, 0])
  return reshape(take(reshape(padded, [rows * (count + 2), rest]), flatBins(segments)), [rows, segments.bin.shape[1]!, rest])
}

/** Combines the entries of each segment from its first on: a scan that starts again where a flag is set. */
function running(x: Tensor, f: (a: Tensor, b: Tensor) => Tensor, { bin }: Segments): Tensor {
  const [rows, n] = bin.shape as [number, number]
  const changes = n > 1 ? [notEqual(narrow(bin, 1, 1, n - 1), narrow(bin, 1, 0, n - 1))] : []
  const starts = reshape(concat([full([rows, 1], 1, 'bool', bin.backend), ...changes], 1), [rows, n, 1])
  return associativeScan(([p, a], [q, b]) => [logicalOr(p!, q!), select(q!, b!, f(a!, b!))], [starts, x], 1)[1]!
}

/** The entry at the end of each segment; `otherwise` for empty ones. */
function lastOf(x: Tensor, otherwise: number, segments: Segments): Tensor {
  const count = segments.bounds.shape[1]! - 1
  const ends = clamp(sub(narrow(segments.bounds, 1, 1, count), 1), 0, x.shape[1]! - 1)
  const place = broadcastTo(reshape(ends, [...ends.shape, 1]), [...ends.shape, x.shape[2]!])
  return select(less(0, sizes(segments)), takeAlong(x, place, 1), otherwise)
}

/** The largest of each segment and `initial`, with the gradient shared evenly among the entries equal to it. */
function maxima(x: Tensor, segments: Segments, initial: number): Tensor {
  const y = maximum(lastOf(running(detach(x), maximum, segments), -Infinity, segments), initial)
  const same = attains(x, spread(y, segments))
  const ties = sums(cast(same, x.dtype), segments)
  return withSlopeOf(y, select(less(0, ties), div(sums(select(same, x, 0), segments), select(less(0, ties), ties, 1)), y))
}
