// Diagonals and triangles: read, written, made into matrices; a diagonal is an even stride through the flattened matrix.

import { type Tensor, tensor } from '@bp/core'
import { describe, fail, normaliseAxis } from '@bp/core/extend'
import { sum } from '../rows/reduce.ts'
import { narrow, padInterior, reshape, slice } from '../rows/view.ts'
import { placesOf, replaceAt } from './places.ts'
import { moveAxis, ravel } from './shapes.ts'

/** Options of {@link diagonal} and its kin. */
export interface DiagonalOptions {
  /** How far right of the main diagonal; negative is below. */
  readonly offset?: number
  /** The two axes of the matrices; for {@link diagonal} the first two, for {@link diagEmbed} the last two unless given. */
  readonly axes?: readonly [number, number]
}

/** Where a diagonal begins in a flattened matrix of that many columns. */
const firstOn = (columns: number, offset: number): number => offset < 0 ? -offset * columns : offset

/** How many entries a diagonal has. */
const lengthOf = (rows: number, columns: number, offset: number): number => Math.max(0, Math.min(rows + Math.min(0, offset), columns - Math.max(0, offset)))

function checkAxes(op: string, axes: readonly [number, number], rank: number, offset: number, x: Tensor): [number, number] {
  if (!Number.isInteger(offset)) fail('value', op, `the offset must be a whole number, got ${offset}`)
  const [a, b] = axes.map(axis => normaliseAxis(op, axis, rank)) as [number, number]
  if (a === b) fail('axis', op, `needs two different axes of ${describe(x)}, got ${axes[0]} and ${axes[1]}`)
  return [a, b]
}

/**
 * A diagonal of each matrix, as a new last axis: [..., m, n] → [..., k].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { diagonal } from '@bp/ops'
 * diagonal(tensor([[1, 2, 3], [4, 5, 6]]), { offset: 1 }) // => tensor([2, 6], float32)
 * ```
 */
export function diagonal(x: Tensor, { offset = 0, axes = [0, 1] }: DiagonalOptions = {}): Tensor {
  const matrices = moveAxis(x, checkAxes('diagonal', axes, x.rank, offset, x), [-2, -1])
  const [rows, columns] = matrices.shape.slice(-2) as [number, number]
  const lead = matrices.shape.slice(0, -2)
  const flat = reshape(matrices, [...lead, rows * columns])
  const length = lengthOf(rows, columns, offset)
  if (length === 0) return narrow(flat, -1, 0, 0)
  const first = firstOn(columns, offset)
  const before = lead.map(() => 0)
  return slice(flat, [...before, first], [...lead, first + (length - 1) * (columns + 1) + 1], [...lead.map(() => 1), columns + 1])
}

/**
 * Square matrices with the last axis of `x` on a diagonal and zeros elsewhere: [..., k] → [..., n, n].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { diagEmbed } from '@bp/ops'
 * diagEmbed(tensor([1, 2])) // => tensor([[1, 0], [0, 2]], float32)
 * ```
 */
export function diagEmbed(x: Tensor, { offset = 0, axes = [-2, -1] }: DiagonalOptions = {}): Tensor {
  const to = checkAxes('diagEmbed', axes, x.rank + 1, offset, x)
  const length = x.shape.at(-1) ?? fail('shape', 'diagEmbed', `needs at least one axis, got ${describe(x)}. Use reshape(x, [1])`)
  const n = length + Math.abs(offset)
  const lead = x.shape.slice(0, -1)
  const none = lead.map(() => 0)
  const first = firstOn(n, offset)
  const rest = n * n - first - (length === 0 ? 0 : (length - 1) * (n + 1) + 1)
  const flat = padInterior(x, [...none, length === 0 ? 0 : first], [...none, length === 0 ? n * n : rest], [...none, n])
  return moveAxis(reshape(flat, [...lead, n, n]), [-2, -1], to)
}

/**
 * A vector as a diagonal matrix, or the diagonal of a matrix.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { diag } from '@bp/ops'
 * diag(tensor([1, 2]), 1) // => tensor([[0, 1, 0], [0, 0, 2], [0, 0, 0]], float32)
 * diag(tensor([[1, 2], [3, 4]])) // => tensor([1, 4], float32)
 * ```
 */
export function diag(x: Tensor, offset = 0): Tensor {
  if (x.rank === 1) return diagEmbed(x, { offset })
  return x.rank === 2 ? diagonal(x, { offset }) : fail('shape', 'diag', `needs a vector or a matrix, got ${describe(x)}. Use diagonal or diagEmbed for stacks`)
}

/**
 * All elements as the diagonal of a matrix.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { diagflat } from '@bp/ops'
 * diagflat(tensor([[1], [2]])) // => tensor([[1, 0], [0, 2]], float32)
 * ```
 */
export const diagflat = (x: Tensor, offset = 0): Tensor => diagEmbed(ravel(x), { offset })

/**
 * `x` with `values` in place of what `diagonal(x, options)` reads: PyTorch's `diagonal_scatter`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { diagonalScatter } from '@bp/ops'
 * diagonalScatter(tensor([[1, 2], [3, 4]]), tensor([8, 9])) // => tensor([[8, 2], [3, 9]], float32)
 * ```
 */
export const diagonalScatter = (x: Tensor, values: Tensor, options: DiagonalOptions = {}): Tensor => replaceAt('diagonalScatter', x, diagonal(placesOf(x), options), values)

/**
 * The sum of a matrix's diagonal.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { trace } from '@bp/ops'
 * trace(tensor([[1, 2], [3, 4]])) // => tensor(5, float32)
 * ```
 */
export function trace(x: Tensor): Tensor {
  if (x.rank !== 2) fail('shape', 'trace', `needs a matrix, got ${describe(x)}. Use sum(diagonal(x, { axes: [-2, -1] }), -1) for a stack`)
  return sum(diagonal(x))
}

/**
 * The rows and columns of the entries on and below a diagonal of a matrix, row by row: int32 [2, count].
 *
 * @example
 * ```ts
 * import { trilIndices } from '@bp/ops'
 * trilIndices(2, 2) // => tensor([[0, 1, 1], [0, 0, 1]], int32)
 * ```
 */
export const trilIndices = (rows: number, columns: number, offset = 0): Tensor => indicesWhere(rows, columns, (row, column) => column <= row + offset)

/**
 * The rows and columns of the entries on and above a diagonal of a matrix, row by row: int32 [2, count].
 *
 * @example
 * ```ts
 * import { triuIndices } from '@bp/ops'
 * triuIndices(2, 2) // => tensor([[0, 0, 1], [0, 1, 1]], int32)
 * ```
 */
export const triuIndices = (rows: number, columns: number, offset = 0): Tensor => indicesWhere(rows, columns, (row, column) => column >= row + offset)

function indicesWhere(rows: number, columns: number, keep: (row: number, column: number) => boolean): Tensor {
  const found: [number[], number[]] = [[], []]
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (!keep(row, column)) continue
      found[0].push(row)
      found[1].push(column)
    }
  }
  return tensor(Int32Array.from(found.flat()), { shape: [2, found[0].length] })
}
