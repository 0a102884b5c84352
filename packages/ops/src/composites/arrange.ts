// Arranging elements: axes of size 1, stacking, splitting, tiling, triangles, one-hot.

import { add, broadcastTo, type DType, type Tensor } from '@bp/core'
import { bindMany, defineComposite, describe, fail, normaliseAxes, normaliseAxis, sameShape } from '@bp/core/extend'
import { cast, equal, lessEqual, select } from '../rows/compare.ts'
import { iota } from '../rows/source.ts'
import { concat, narrow, reshape } from '../rows/view.ts'

/**
 * Adds an axis of size 1, so that it becomes the given one.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { unsqueeze } from '@bp/ops'
 * unsqueeze(tensor([1, 2]), -1) // => tensor([[1], [2]], float32)
 * ```
 */
export function unsqueeze(x: Tensor, axis: number): Tensor {
  const at = normaliseAxis('unsqueeze', axis, x.rank + 1)
  return reshape(x, x.shape.toSpliced(at, 0, 1))
}

/**
 * Drops axes of size 1: the given ones, or all. Throws where a given axis has another size.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { squeeze } from '@bp/ops'
 * squeeze(tensor([[1], [2]])) // => tensor([1, 2], float32)
 * ```
 */
export function squeeze(x: Tensor, axes?: number | readonly number[]): Tensor {
  const list = axes === undefined ? x.shape.flatMap((size, i) => size === 1 ? i : []) : normaliseAxes('squeeze', axes, x.rank)
  for (const axis of list) if (x.shape[axis] !== 1) fail('shape', 'squeeze', `axis ${axis} of ${describe(x)} has ${x.shape[axis]} entries; only axes of size 1 can go. Use reshape`)
  return reshape(x, x.shape.filter((_, i) => !list.includes(i)))
}

/**
 * Tensors of one shape side by side along a new axis.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { stack } from '@bp/ops'
 * stack([tensor([1, 2]), tensor([3, 4])]) // => tensor([[1, 2], [3, 4]], float32)
 * ```
 */
export function stack(xs: readonly Tensor[], axis = 0): Tensor {
  const first = xs[0] ?? fail('value', 'stack', 'needs at least one tensor')
  const other = xs.find(x => !sameShape(x.shape, first.shape))
  if (other) fail('shape', 'stack', `the tensors must have one shape, got ${describe(first)} and ${describe(other)}. Broadcast them first, or use concat along an axis they differ in`)
  const at = normaliseAxis('stack', axis, first.rank + 1)
  return concat(xs.map(x => unsqueeze(x, at)), at)
}

/** yᵢ = part i of an axis,   x̄ = the ȳᵢ end to end: written at once, where each part would pad its own to all of x */
export const splitRow = /* @__PURE__ */ defineComposite({
  name: 'split', arity: 1,
  decompose: ([x], { axis, sizes }: { readonly axis: number; readonly sizes: readonly number[] }) => {
    let start = 0
    return sizes.map(size => narrow(x, axis, (start += size) - size, size))
  },
  vjp: (cts, _xs, _ys, { axis }) => [concat(cts, axis)],
})

/**
 * Cuts an axis into parts of the given sizes, or of one size with a smaller last part.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { split } from '@bp/ops'
 * split(tensor([1, 2, 3]), 2) // => [tensor([1, 2], float32), tensor([3], float32)]
 * ```
 */
export function split(x: Tensor, sizes: number | readonly number[], axis = 0): Tensor[] {
  const at = normaliseAxis('split', axis, x.rank)
  const total = x.shape[at]!
  if (typeof sizes === 'number' && !(sizes >= 1)) fail('value', 'split', `the part size must be ≥ 1, got ${sizes}`)
  const list = typeof sizes === 'number' ? Array.from({ length: Math.ceil(total / sizes) }, (_, i) => Math.min(sizes, total - i * sizes)) : sizes
  const sum = list.reduce((a, b) => a + b, 0)
  if (sum !== total) fail('shape', 'split', `the parts [${list.join(',')}] add up to ${sum}, axis ${at} of ${describe(x)} has ${total} entries. Give sizes that add up to ${total}, or one size for all`)
  return list.length === 0 ? [] : bindMany(splitRow, [x], { axis: at, sizes: list })
}

/**
 * The tensor repeated along each axis: NumPy's `tile`, PyTorch's `repeat`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { tile } from '@bp/ops'
 * tile(tensor([1, 2]), [2]) // => tensor([1, 2, 1, 2], float32)
 * ```
 */
export function tile(x: Tensor, repeats: readonly number[]): Tensor {
  const rank = Math.max(x.rank, repeats.length)
  const shape = [...new Array<number>(rank - x.rank).fill(1), ...x.shape]
  const times = [...new Array<number>(rank - repeats.length).fill(1), ...repeats]
  const spreadOut = broadcastTo(reshape(x, shape.flatMap(size => [1, size])), shape.flatMap((size, i) => [times[i]!, size]))
  return reshape(spreadOut, shape.map((size, i) => size * times[i]!))
}

/**
 * The matrix, or each of a stack, with everything above diagonal `k` zero.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { tril } from '@bp/ops'
 * tril(tensor([[1, 2], [3, 4]])) // => tensor([[1, 0], [3, 4]], float32)
 * ```
 */
export const tril = (x: Tensor, k = 0): Tensor => triangle('tril', x, (row, column) => lessEqual(column, add(row, k)))

/**
 * The matrix, or each of a stack, with everything below diagonal `k` zero.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { triu } from '@bp/ops'
 * triu(tensor([[1, 2], [3, 4]]), 1) // => tensor([[0, 2], [0, 0]], float32)
 * ```
 */
export const triu = (x: Tensor, k = 0): Tensor => triangle('triu', x, (row, column) => lessEqual(add(row, k), column))

function triangle(op: string, x: Tensor, keep: (row: Tensor, column: Tensor) => Tensor): Tensor {
  if (x.rank < 2) fail('shape', op, `needs a matrix or a stack of them, got ${describe(x)}`)
  const [rows, columns] = x.shape.slice(-2) as [number, number]
  return select(keep(reshape(iota(rows, 'int32', x.backend), [rows, 1]), reshape(iota(columns, 'int32', x.backend), [1, columns])), x, 0)
}

/**
 * 1 at each index along a new last axis of `classes` entries, else 0; an index outside gives zeros.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { oneHot } from '@bp/ops'
 * oneHot(tensor([1, 0], { dtype: 'int32' }), 3) // => tensor([[0, 1, 0], [1, 0, 0]], float32)
 * ```
 */
export const oneHot = (index: Tensor, classes: number, dtype: DType = 'float32'): Tensor =>
  cast(equal(unsqueeze(index, -1), iota(classes, index.dtype, index.backend)), dtype)
