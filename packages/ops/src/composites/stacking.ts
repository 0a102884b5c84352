// Putting tensors together and taking them apart along axes that have names in NumPy: stacks, splits, grids, products.

import { broadcastTo, type Tensor } from '@bp/core'
import { bindMany, defineComposite, describe, fail, normaliseAxis } from '@bp/core/extend'
import { take } from '../rows/indexing.ts'
import { concat, narrow, padInterior, reshape } from '../rows/view.ts'
import { split, stack } from './arrange.ts'
import { constant } from './places.ts'
import { atLeast1d, atLeast2d, atLeast3d } from './shapes.ts'

/**
 * Side by side along the second axis, or the only one.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { hstack } from '@bp/ops'
 * hstack([tensor([[1], [2]]), tensor([[3], [4]])]) // => tensor([[1, 3], [2, 4]], float32)
 * ```
 */
export function hstack(xs: readonly Tensor[]): Tensor {
  const all = xs.map(atLeast1d)
  return concat(all, all[0]?.rank === 1 ? 0 : 1)
}

/**
 * One below the other: along the first of at least two axes.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { vstack } from '@bp/ops'
 * vstack([tensor([1, 2]), tensor([3, 4])]) // => tensor([[1, 2], [3, 4]], float32)
 * ```
 */
export const vstack = (xs: readonly Tensor[]): Tensor => concat(xs.map(atLeast2d), 0)

/**
 * One behind the other: along the third of at least three axes.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { dstack } from '@bp/ops'
 * dstack([tensor([1, 2]), tensor([3, 4])]) // => tensor([[[1, 3], [2, 4]]], float32)
 * ```
 */
export const dstack = (xs: readonly Tensor[]): Tensor => concat(xs.map(atLeast3d), 2)

/**
 * Vectors as columns, matrices as they are, side by side.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { columnStack } from '@bp/ops'
 * columnStack([tensor([1, 2]), tensor([[3, 4], [5, 6]])]) // => tensor([[1, 3, 4], [2, 5, 6]], float32)
 * ```
 */
export const columnStack = (xs: readonly Tensor[]): Tensor => concat(xs.map(x => x.rank < 2 ? reshape(x, [x.size, 1]) : x), 1)

/** yᵢ = entry i along an axis,   x̄ = the ȳᵢ side by side: written at once, where each entry would pad its own to all of x */
export const unbindRow = /* @__PURE__ */ defineComposite({
  name: 'unbind', arity: 1,
  decompose: ([x], { axis }: { readonly axis: number }) => Array.from({ length: x.shape[axis]! }, (_, i) => reshape(narrow(x, axis, i, 1), x.shape.toSpliced(axis, 1))),
  vjp: (cts, _xs, _ys, { axis }) => [stack(cts, axis)],
})

/**
 * The entries of an axis, without that axis.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { unbind } from '@bp/ops'
 * unbind(tensor([[1, 2], [3, 4]]), 1) // => [tensor([1, 3], float32), tensor([2, 4], float32)]
 * ```
 */
export function unbind(x: Tensor, axis = 0): Tensor[] {
  const at = normaliseAxis('unbind', axis, x.rank)
  return x.shape[at] === 0 ? [] : bindMany(unbindRow, [x], { axis: at })
}

/**
 * At most `chunks` parts of one size, the last one smaller where it does not come out even.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { chunk } from '@bp/ops'
 * chunk(tensor([1, 2, 3, 4, 5]), 3) // => [tensor([1, 2], float32), tensor([3, 4], float32), tensor([5], float32)]
 * ```
 */
export function chunk(x: Tensor, chunks: number, axis = 0): Tensor[] {
  if (!Number.isInteger(chunks) || chunks < 1) fail('value', 'chunk', `needs at least one chunk, got ${chunks}`)
  const size = x.shape[normaliseAxis('chunk', axis, x.rank)]!
  return size === 0 ? Array.from({ length: chunks }, () => x) : split(x, Math.ceil(size / chunks), axis)
}

/**
 * An axis cut into `parts` nearly equal parts, or before each of the given places (negative ones count from the end).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { tensorSplit } from '@bp/ops'
 * tensorSplit(tensor([1, 2, 3, 4, 5]), 2) // => [tensor([1, 2, 3], float32), tensor([4, 5], float32)]
 * tensorSplit(tensor([1, 2, 3]), [1]) // => [tensor([1], float32), tensor([2, 3], float32)]
 * ```
 */
export function tensorSplit(x: Tensor, parts: number | readonly number[], axis = 0): Tensor[] {
  const at = normaliseAxis('tensorSplit', axis, x.rank)
  const size = x.shape[at]!
  if (typeof parts === 'number') {
    if (!Number.isInteger(parts) || parts < 1) fail('value', 'tensorSplit', `needs at least one part, got ${parts}`)
    return split(x, Array.from({ length: parts }, (_, i) => Math.floor(size / parts) + (i < size % parts ? 1 : 0)), at)
  }
  const cuts = [0, ...parts.map(cut => Math.max(0, Math.min(size, cut < 0 ? cut + size : cut))), size]
  return cuts.slice(1).map((to, i) => narrow(x, at, Math.min(cuts[i]!, size), Math.max(0, to - cuts[i]!)))
}

/**
 * {@link tensorSplit} along the second axis, or the only one.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { hsplit } from '@bp/ops'
 * hsplit(tensor([[1, 2], [3, 4]]), 2) // => [tensor([[1], [3]], float32), tensor([[2], [4]], float32)]
 * ```
 */
export const hsplit = (x: Tensor, parts: number | readonly number[]): Tensor[] => tensorSplit(x, parts, x.rank === 1 ? 0 : 1)

/**
 * {@link tensorSplit} along the first of at least two axes.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { vsplit } from '@bp/ops'
 * vsplit(tensor([[1, 2], [3, 4]]), 2) // => [tensor([[1, 2]], float32), tensor([[3, 4]], float32)]
 * ```
 */
export const vsplit = (x: Tensor, parts: number | readonly number[]): Tensor[] => tensorSplit(x, parts, 0)

/**
 * {@link tensorSplit} along the third axis.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { dsplit } from '@bp/ops'
 * dsplit(tensor([[[1, 2]]]), 2) // => [tensor([[[1]]], float32), tensor([[[2]]], float32)]
 * ```
 */
export const dsplit = (x: Tensor, parts: number | readonly number[]): Tensor[] => tensorSplit(x, parts, 2)

/**
 * The coordinates of a grid: each vector laid along its own axis and repeated along the others. `xy` swaps the first two.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { meshgrid } from '@bp/ops'
 * meshgrid([tensor([1, 2]), tensor([3, 4])])[1] // => tensor([[3, 4], [3, 4]], float32)
 * ```
 */
export function meshgrid(xs: readonly Tensor[], indexing: 'ij' | 'xy' = 'ij'): Tensor[] {
  const sizes = xs.map(x => x.rank > 1 ? fail('shape', 'meshgrid', `needs vectors, got ${describe(x)}. Use ravel`) : x.size)
  const axisOf = (i: number): number => indexing === 'xy' && xs.length > 1 && i < 2 ? 1 - i : i
  const shape = sizes.map((_, i) => sizes[axisOf(i)]!)
  return xs.map((x, i) => broadcastTo(reshape(x, shape.map((_, axis) => axis === axisOf(i) ? x.size : 1)), shape))
}

/**
 * Every choice of one element from each vector, a row each: [n₁·n₂·…, k]. One vector is given back as it is.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cartesianProd } from '@bp/ops'
 * cartesianProd(tensor([1, 2]), tensor([3, 4])) // => tensor([[1, 3], [1, 4], [2, 3], [2, 4]], float32)
 * ```
 */
export function cartesianProd(...xs: readonly Tensor[]): Tensor {
  return xs.length === 1 ? xs[0]! : stack(meshgrid(xs).map(x => reshape(x, [x.size])), 1)
}

/**
 * Every choice of `r` elements of a vector, in order, a row each; an element more than once with `withReplacement`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { combinations } from '@bp/ops'
 * combinations(tensor([1, 2, 3])) // => tensor([[1, 2], [1, 3], [2, 3]], float32)
 * ```
 */
export function combinations(x: Tensor, r = 2, withReplacement = false): Tensor {
  if (x.rank !== 1) fail('shape', 'combinations', `needs a vector, got ${describe(x)}. Use ravel`)
  const rows: number[][] = []
  const choose = (row: number[], from: number): void => {
    if (row.length === r) rows.push(row)
    else for (let i = from; i < x.size; i++) choose([...row, i], withReplacement ? i : i + 1)
  }
  choose([], 0)
  return take(x, constant(rows.flat(), [rows.length, r], x))
}

/**
 * Matrices along the diagonal of one, zeros elsewhere; vectors count as rows.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { blockDiag } from '@bp/ops'
 * blockDiag(tensor([[1, 2]]), tensor([3])) // => tensor([[1, 2, 0], [0, 0, 3]], float32)
 * ```
 */
export function blockDiag(...xs: readonly Tensor[]): Tensor {
  const blocks = matricesOf(xs)
  const columns = blocks.reduce((sum, x) => sum + x.shape[1]!, 0)
  let before = 0
  return concat(blocks.map(x => {
    const padded = padInterior(x, [0, before], [0, columns - before - x.shape[1]!], [0, 0])
    before += x.shape[1]!
    return padded
  }), 0)
}

const matricesOf = (xs: readonly Tensor[]): Tensor[] => xs.map(x => x.rank > 2 ? fail('shape', 'blockDiag', `needs matrices, got ${describe(x)}. Flatten the axes of each into two`) : atLeast2d(x))
