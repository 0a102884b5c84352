// Scattering: values put, added or otherwise reduced to where an index along an axis points.

import { add, full, mul, onesLike, type Tensor, type TensorLike } from '@bp/core'
import { describe, fail, normaliseAxis } from '@bp/core/extend'
import { div } from '../rows/arithmetic.ts'
import { less, select } from '../rows/compare.ts'
import { scatterAdd } from '../rows/indexing.ts'
import { scatterExtreme } from '../rows/scatter.ts'
import { reshape, slice } from '../rows/view.ts'
import { flatIndex } from './along.ts'
import { likeDType, putAt } from './places.ts'
import { combinedAt } from './runs.ts'
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
 * axes as `x`; values may be larger, and what the index does not reach is left out. Without `reduce`, of several values for one
 * place the last one stays; among several extremes the gradient is shared evenly. PyTorch's `scatter`, `scatter_add` and
 * `scatter_reduce`.
 *
 * Throws where an index is out of range; negative ones count from the end.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { scatter } from '@bp/ops'
 * const index = tensor([0, 2, 0], { dtype: 'int32' })
 * scatter(tensor([1, 2, 3]), 0, index, tensor([10, 20, 30])) // => tensor([30, 2, 20], float32)
 * scatter(tensor([1, 2, 3]), 0, index, tensor([10, 20, 30]), { reduce: 'sum' }) // => tensor([41, 2, 23], float32)
 * ```
 */
export function scatter(x: Tensor, axis: number, index: Tensor, values: TensorLike, { reduce, includeSelf = true }: ScatterOptions = {}): Tensor {
  if (x.rank === 0) return reshape(scatter(atLeast1d(x), axis, atLeast1d(index), typeof values === 'number' ? values : atLeast1d(values), { ...reduce && { reduce }, includeSelf }), [])
  const places = flatIndex('scatter', x.shape, index, normaliseAxis('scatter', axis, x.rank))
  const own = typeof values === 'number' ? full(index.shape, values, x.dtype, x.backend) : fitted(likeDType('scatter', x, values), index)
  if (reduce === undefined) return putAt('scatter', x, places, own)
  const flat = reduceAt(reshape(x, [x.size]), reshape(places, [index.size]), reshape(own, [index.size]), reduce, includeSelf)
  return reshape(flat, x.shape)
}

function fitted(values: Tensor, index: Tensor): Tensor {
  if (values.rank !== index.rank || values.shape.some((size, i) => size < index.shape[i]!)) fail('shape', 'scatter', `the values ${describe(values)} must reach as far as the index ${describe(index)} along every axis. Broadcast them to its shape`)
  return slice(values, index.shape.map(() => 0), index.shape)
}

/** The same on vectors. */
function reduceAt(x: Tensor, places: Tensor, values: Tensor, reduce: ScatterReduction, includeSelf: boolean): Tensor {
  if (reduce === 'amax' || reduce === 'amin') return scatterExtreme(x, places, values, reduce, includeSelf)
  if (reduce === 'prod') {
    const { value, hit } = combinedAt(places, values, x.size, mul)
    return select(hit, includeSelf ? mul(x, value) : value, x)
  }
  const count = scatterAdd(onesLike(values), places, x.size)
  const hit = less(0, count)
  const total = add(includeSelf ? x : select(hit, 0, x), scatterAdd(values, places, x.size))
  return reduce === 'sum' ? total : div(total, select(hit, includeSelf ? add(count, 1) : count, 1))
}

/**
 * {@link scatter} under the name that goes with `takeAlong`: `values` put, or added, where the index along an axis points.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { putAlong } from '@bp/ops'
 * putAlong(tensor([1, 2, 3]), tensor([2, 0], { dtype: 'int32' }), tensor([10, 20]), 0) // => tensor([20, 2, 10], float32)
 * ```
 */
export const putAlong = (x: Tensor, index: Tensor, values: TensorLike, axis: number, mode: 'set' | 'add' = 'set'): Tensor =>
  scatter(x, axis, index, values, mode === 'add' ? { reduce: 'sum' } : {})
