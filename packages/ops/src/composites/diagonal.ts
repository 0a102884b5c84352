// Diagonals: read, written, and made into matrices.

import { type Tensor } from '@bp/core'
import { describe, fail, normaliseAxis } from '@bp/core/extend'
import { scatterAdd, take } from '../rows/indexing.ts'
import { sum } from '../rows/reduce.ts'
import { reshape } from '../rows/view.ts'
import { constant, placesOf, replaceAt } from './places.ts'
import { moveAxis, ravel } from './shapes.ts'

/** Options of {@link diagonal} and its kin. */
export interface DiagonalOptions {
  /** How far right of the main diagonal; negative is below. */
  readonly offset?: number
  /** The two axes of the matrices; for {@link diagonal} the first two, for {@link diagEmbed} the last two unless given. */
  readonly axes?: readonly [number, number]
}

/** Where a diagonal lies in a matrix of rows × columns that is flattened. */
function onDiagonal(rows: number, columns: number, offset: number): number[] {
  const [row, column] = [Math.max(0, -offset), Math.max(0, offset)]
  const length = Math.max(0, Math.min(rows - row, columns - column))
  return Array.from({ length }, (_, i) => (row + i) * columns + column + i)
}

function checkAxes(op: string, axes: readonly [number, number], rank: number, x: Tensor): [number, number] {
  const [a, b] = axes.map(axis => normaliseAxis(op, axis, rank)) as [number, number]
  if (a === b) fail('axis', op, `needs two different axes of ${describe(x)}, got ${axes[0]} and ${axes[1]}`)
  return [a, b]
}

/**
 * A diagonal of each matrix, as a new last axis.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { diagonal } from '@bp/ops'
 * diagonal(tensor([[1, 2, 3], [4, 5, 6]]), { offset: 1 }) // => tensor([2, 6], float32)
 * ```
 */
export function diagonal(x: Tensor, { offset = 0, axes = [0, 1] }: DiagonalOptions = {}): Tensor {
  const [a, b] = checkAxes('diagonal', axes, x.rank, x)
  const last = moveAxis(x, [a, b], [-2, -1])
  const [rows, columns] = last.shape.slice(-2) as [number, number]
  const places = onDiagonal(rows, columns, offset)
  return take(reshape(last, [...last.shape.slice(0, -2), rows * columns]), constant(places, [places.length], x), -1)
}

/** Square matrices with the last axis of `x` on a diagonal and zeros elsewhere. */
export function diagEmbed(x: Tensor, { offset = 0, axes = [-2, -1] }: DiagonalOptions = {}): Tensor {
  const [a, b] = checkAxes('diagEmbed', axes, x.rank + 1, x)
  const length = x.shape[x.rank - 1] ?? fail('shape', 'diagEmbed', `needs at least one axis, got ${describe(x)}`)
  const n = length + Math.abs(offset)
  const flat = scatterAdd(x, constant(onDiagonal(n, n, offset), [length], x), n * n, x.rank - 1)
  const square = reshape(flat, [...x.shape.slice(0, -1), n, n])
  // axes in falling order mean the transposed matrices
  return moveAxis(square, [-2, -1], [a, b])
}

/** A vector as a diagonal matrix, or the diagonal of a matrix. */
export function diag(x: Tensor, offset = 0): Tensor {
  if (x.rank === 1) return diagEmbed(x, { offset })
  return x.rank === 2 ? diagonal(x, { offset }) : fail('shape', 'diag', `needs a vector or a matrix, got ${describe(x)}. Use diagonal or diagEmbed for stacks`)
}

/** All elements as the diagonal of a matrix. */
export const diagflat = (x: Tensor, offset = 0): Tensor => diagEmbed(ravel(x), { offset })

/** `x` with `values` in place of a diagonal. */
export const diagonalScatter = (x: Tensor, values: Tensor, options: DiagonalOptions = {}): Tensor => replaceAt(x, diagonal(placesOf(x), options), values)

/** The sum of a matrix's diagonal. */
export function trace(x: Tensor): Tensor {
  if (x.rank !== 2) fail('shape', 'trace', `needs a matrix, got ${describe(x)}. Use sum(diagonal(x, { axes: [-2, -1] }), -1) for a stack`)
  return sum(diagonal(x))
}
