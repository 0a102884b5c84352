// Scattering: values put, added or otherwise reduced to where an index along an axis points.

import { add, broadcastTo, mul, onesLike, type Tensor, type TensorLike, zerosLike } from '@bp/core'
import { describe, fail, normaliseAxis, sizeOf } from '@bp/core/extend'
import { div, neg } from '../rows/arithmetic.ts'
import { cast, equal, less, select } from '../rows/compare.ts'
import { scatterAdd, take } from '../rows/indexing.ts'
import { scatterMax, scatterMul } from '../rows/scatter.ts'
import { reshape, slice } from '../rows/view.ts'
import { flatIndex } from './along.ts'
import { constant, putAt, readAt } from './places.ts'
import { atLeast1d } from './shapes.ts'

/** How values that meet at one place are combined. */
export type ScatterReduction = 'sum' | 'prod' | 'mean' | 'amax' | 'amin'

/** Options of {@link scatter}. */
export interface ScatterOptions {
  /** Combines the values with each other, and with `x` where `includeSelf`; without it they take its place. */
  readonly reduce?: ScatterReduction
  /** Whether what stood there counts as one of the values; true unless given. */
  readonly includeSelf?: boolean
}

/**
 * `x` with values put where an index along an axis points: y[index[i, j], j] = values[i, j] for axis 0. The index has as many
 * axes as `x`; values may be larger, and what the index does not reach is left out. Without `reduce`, of
 * several values for one place the last one stays. PyTorch's `scatter` and `scatter_reduce`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { scatter } from '@bp/ops'
 * const index = tensor([0, 2, 0], { dtype: 'int32' })
 * scatter(tensor([1, 2, 3]), 0, index, tensor([10, 20, 30]), { reduce: 'sum' }) // => tensor([41, 2, 23], float32)
 * ```
 */
export function scatter(x: Tensor, axis: number, index: Tensor, values: TensorLike, { reduce, includeSelf = true }: ScatterOptions = {}): Tensor {
  if (x.rank === 0) return reshape(scatter(atLeast1d(x), 0, atLeast1d(index), typeof values === 'number' ? values : atLeast1d(values), { ...reduce && { reduce }, includeSelf }), [])
  const along = normaliseAxis('scatter', axis, x.rank)
  const places = flatIndex('scatter', x.shape, index, along)
  const own = typeof values === 'number' ? broadcastTo(mul(onesLike(reshape(readAt(x, constant([0], [], x)), [])), values), index.shape) : fitted(values, index)
  if (reduce === undefined) return putAt(x, places, own)
  const flat = reduceAt(reshape(x, [x.size]), reshape(places, [index.size]), reshape(own, [index.size]), reduce, includeSelf)
  return reshape(flat, x.shape)
}

function fitted(values: Tensor, index: Tensor): Tensor {
  if (values.rank !== index.rank || values.shape.some((size, i) => size < index.shape[i]!)) fail('shape', 'scatter', `the values ${describe(values)} must reach as far as the index ${describe(index)} along every axis`)
  return slice(values, index.shape.map(() => 0), index.shape)
}

/** The same on vectors. */
function reduceAt(x: Tensor, places: Tensor, values: Tensor, reduce: ScatterReduction, includeSelf: boolean): Tensor {
  const count = scatterAdd(onesLike(values), places, x.size)
  const hit = less(0, count)
  /** What stood there, or the reduction's identity where it shall not count. */
  const start = (identity: number): Tensor => includeSelf ? x : select(hit, identity, x)
  switch (reduce) {
    case 'sum': return add(start(0), scatterAdd(values, places, x.size))
    case 'mean': {
      const total = add(start(0), scatterAdd(values, places, x.size))
      return div(total, select(hit, includeSelf ? add(count, 1) : count, 1))
    }
    case 'amax': return scatterMax(start(-Infinity), places, values)
    case 'amin': return neg(scatterMax(neg(start(Infinity)), places, neg(values)))
    case 'prod': return productAt(start(1), places, values)
  }
}

/** A product where one factor is 0 is that factor times the others; where more are, 0. */
function productAt(x: Tensor, places: Tensor, values: Tensor): Tensor {
  const zero = equal(values, 0)
  const zeros = scatterAdd(cast(zero, x.dtype), places, x.size)
  const single = scatterAdd(select(zero, values, 0), places, x.size)
  const others = scatterMul(onesLike(x), places, select(zero, 1, values))
  return mul(x, mul(others, select(equal(zeros, 0), 1, select(equal(zeros, 1), single, zerosLike(x)))))
}

/** An index along one axis as an index of the shape of what goes there. */
function spread(op: string, x: Tensor, axis: number, index: Tensor, values: Tensor): { along: number; index: Tensor } {
  const along = normaliseAxis(op, axis, x.rank)
  if (index.rank !== 1) fail('shape', op, `the index must have one axis, got ${describe(index)}. Use scatter for an index of more`)
  const shape = values.shape.toSpliced(along, 1, index.size)
  if (values.rank !== x.rank || values.shape[along] !== index.size) fail('shape', op, `the values ${describe(values)} must have ${index.size} entries along axis ${along}, one for each index, and the rank of ${describe(x)}`)
  return { along, index: broadcastTo(reshape(index, shape.map((_, i) => i === along ? index.size : 1)), shape) }
}

/** `x` with `alpha` times the entries of `values` added along an axis where the index points: PyTorch's `index_add`. */
export function indexAdd(x: Tensor, axis: number, index: Tensor, values: Tensor, alpha = 1): Tensor {
  if (x.rank === 0) return reshape(indexAdd(atLeast1d(x), 0, index, atLeast1d(values), alpha), [])
  const along = normaliseAxis('indexAdd', axis, x.rank)
  return add(x, scatterAdd(alpha === 1 ? values : mul(values, alpha), index, x.shape[along]!, along))
}

/** `x` with entries along an axis replaced by those of `values` where the index points: PyTorch's `index_copy`. */
export function indexCopy(x: Tensor, axis: number, index: Tensor, values: Tensor): Tensor {
  if (x.rank === 0) return reshape(indexCopy(atLeast1d(x), 0, index, atLeast1d(values)), [])
  const { along, index: all } = spread('indexCopy', x, axis, index, values)
  return scatter(x, along, all, values)
}

/** `x` with entries along an axis set to one value where the index points: PyTorch's `index_fill`. */
export function indexFill(x: Tensor, axis: number, index: Tensor, value: TensorLike): Tensor {
  if (x.rank === 0) return reshape(indexFill(atLeast1d(x), 0, index, value), [])
  const along = normaliseAxis('indexFill', axis, x.rank)
  const hits = scatterAdd(onesLike(index.rank === 1 ? cast(index, 'float32') : fail('shape', 'indexFill', `the index must have one axis, got ${describe(index)}`)), index, x.shape[along]!)
  return select(broadcastTo(reshape(less(0, hits), x.shape.map((size, i) => i === along ? size : 1)), x.shape), value, x)
}

/** `x` with the entries of `values` reduced into it along an axis where the index points: PyTorch's `index_reduce`. */
export function indexReduce(x: Tensor, axis: number, index: Tensor, values: Tensor, reduce: ScatterReduction, includeSelf = true): Tensor {
  if (x.rank === 0) return reshape(indexReduce(atLeast1d(x), 0, index, atLeast1d(values), reduce, includeSelf), [])
  const { along, index: all } = spread('indexReduce', x, axis, index, values)
  return scatter(x, along, all, values, { reduce, includeSelf })
}

/** Entries of an axis by an index of one axis: PyTorch's `index_select`. See `take` for an index of any shape. */
export const indexSelect = (x: Tensor, axis: number, index: Tensor): Tensor => x.rank === 0 ? reshape(take(atLeast1d(x), index, 0), []) : take(x, index, axis)

/** Elements by their flat, row-major place, in the shape of the index: PyTorch's `take`. */
export const takeFlat = (x: Tensor, index: Tensor): Tensor => readAt(x, index)

/** `x` with values in place of, or added to, the elements at flat places: PyTorch's `put`. */
export function putFlat(x: Tensor, index: Tensor, values: Tensor, accumulate = false): Tensor {
  if (sizeOf(index.shape) !== values.size) fail('shape', 'putFlat', `got ${index.size} places and ${values.size} values. Give one value for each`)
  return putAt(x, wrapped(index, x.size), reshape(values, index.shape), accumulate)
}

const wrapped = (index: Tensor, size: number): Tensor => {
  const at = cast(index, 'int32')
  return select(less(at, 0), add(at, size), at)
}
