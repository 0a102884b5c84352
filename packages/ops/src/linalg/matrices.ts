// What the kernels of linear algebra share: matrices of doubles, stacks of them, and the checks of their shapes.

import { add, broadcastTo, mul, type Shape, type Tensor } from '@bp/core'
import { type Abstract, Aval, allocate, broadcastShapes, describe, fail, type HostOperand, isFloat, sizeOf } from '@bp/core/extend'
import { cast, equal, less, lessEqual, select } from '../rows/compare.ts'
import { amax, argMax, sum } from '../rows/reduce.ts'
import { iota } from '../rows/source.ts'
import { reshape, transpose } from '../rows/view.ts'

/** A matrix in row-major order. */
export interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array
}

/** A matrix of zeros. */
export const zeroMatrix = (rows: number, columns: number): Matrix => ({ rows, columns, data: new Float64Array(rows * columns) })

/** The identity matrix. */
export function identityMatrix(n: number): Matrix {
  const out = zeroMatrix(n, n)
  for (let i = 0; i < n; i++) out.data[i * n + i] = 1
  return out
}

/** How many matrices a stack holds. */
export const countOf = (x: Abstract): number => sizeOf(x.shape.slice(0, -2))

/** One matrix of a stack, copied to double precision. */
export function matrixAt(x: HostOperand, k: number): Matrix {
  const [rows, columns] = x.shape.slice(-2) as [number, number]
  return { rows, columns, data: Float64Array.from(x.data.subarray(k * rows * columns, (k + 1) * rows * columns) as Float64Array) }
}

/** The transposed matrix. */
export function transposed({ rows, columns, data }: Matrix): Matrix {
  const out = zeroMatrix(columns, rows)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out.data[j * rows + i] = data[i * columns + j]!
  return out
}

/** The arrays of a host kernel's results, filled matrix by matrix with what `f` makes of each. */
export function stacked(count: number, avals: readonly Aval[], f: (k: number) => readonly (Matrix | ArrayLike<number>)[]): Float64Array[] {
  const out = avals.map(aval => allocate(aval.dtype, sizeOf(aval.shape)) as Float64Array)
  for (let k = 0; k < count; k++) {
    f(k).forEach((part, i) => {
      const values = 'data' in part ? part.data : part
      out[i]!.set(values, k * values.length)
    })
  }
  return out
}

/** Throws where `x` is no matrix, or no stack of them, of floating-point numbers. */
export function checkMatrix(op: string, x: Abstract): void {
  if (x.shape.length < 2) fail('shape', op, `needs a matrix or a stack of them, got ${describe(x)}. Reshape it to [rows, columns]`)
  if (!isFloat(x.dtype)) fail('dtype', op, `needs floating-point numbers, got ${describe(x)}. Convert it with cast(x, 'float64')`)
}

/** The same, and where its matrices are not square. */
export function checkSquare(op: string, x: Abstract): number {
  checkMatrix(op, x)
  const [rows, columns] = x.shape.slice(-2) as [number, number]
  if (rows !== columns) fail('shape', op, `needs square matrices, got ${describe(x)}. Use lstsq or pinv for others`)
  return rows
}

/** The shape of the stack with matrices of another size. */
export const matricesLike = (x: Abstract, rows: number, columns: number): Aval => new Aval([...x.shape.slice(0, -2), rows, columns], x.dtype)

/** The shape of the stack with something else in the matrices' place. */
export const stackOf = (x: Abstract, shape: Shape, dtype = x.dtype): Aval => new Aval([...x.shape.slice(0, -2), ...shape], dtype)

/** Stacks broadcast to each other. */
export function alignStacks(op: string, a: Tensor, b: Tensor): [Tensor, Tensor] {
  const lead = broadcastShapes(op, a.shape.slice(0, -2), b.shape.slice(0, -2))
  return [broadcastTo(a, [...lead, ...a.shape.slice(-2)]), broadcastTo(b, [...lead, ...b.shape.slice(-2)])]
}

/** How `vmap` batches an op on stacks: the batch is one more leading axis. */
export const batchStacks = <X extends readonly Tensor[]>(apply: (xs: X) => Tensor | Tensor[]) => (xs: X, batched: readonly boolean[], size: number): Tensor | Tensor[] =>
  apply(xs.map((x, i) => batched[i] ? x : broadcastTo(reshape(x, [1, ...x.shape]), [size, ...x.shape])) as unknown as X)

/** Each matrix transposed. */
export const mT = (x: Tensor): Tensor => transpose(x, [...x.shape.slice(0, -2).map((_, i) => i), x.rank - 1, x.rank - 2])

const rowIndex = (x: Tensor): Tensor => reshape(iota(x.shape.at(-2)!, 'int32', x.backend), [x.shape.at(-2)!, 1])
const columnIndex = (x: Tensor): Tensor => reshape(iota(x.shape.at(-1)!, 'int32', x.backend), [1, x.shape.at(-1)!])

/** What lies below diagonal `k` or on it; zeros elsewhere. */
export const lower = (x: Tensor, k = 0): Tensor => select(broadcastTo(lessEqual(columnIndex(x), add(rowIndex(x), k)), x.shape), x, 0)

/** What lies above diagonal `k` or on it; zeros elsewhere. */
export const upper = (x: Tensor, k = 0): Tensor => select(broadcastTo(lessEqual(add(rowIndex(x), k), columnIndex(x)), x.shape), x, 0)

/** The strictly lower part and half of the diagonal. */
export const lowerHalf = (x: Tensor): Tensor => mul(x, add(cast(less(columnIndex(x), rowIndex(x)), x.dtype), mul(0.5, cast(equal(columnIndex(x), rowIndex(x)), x.dtype))))

/** Identity matrices of size `n` in the dtype and on the backend of `like`. */
export function eyeLike(like: Tensor, n: number): Tensor {
  const i = iota(n, 'int32', like.backend)
  return cast(equal(reshape(i, [n, 1]), reshape(i, [1, n])), like.dtype)
}

/** Each row times a factor of its own. */
export const scaleRows = (x: Tensor, factors: Tensor): Tensor => mul(x, reshape(factors, [...factors.shape, 1]))

/** Each column times a factor of its own. */
export const scaleColumns = (x: Tensor, factors: Tensor): Tensor => mul(x, reshape(factors, [...factors.shape.slice(0, -1), 1, factors.shape.at(-1)!]))

/** For each row of a mask, as int32, the place of the first that is true, counted from 1; 0 where none is. */
export function firstTrue(mask: Tensor): Tensor {
  const found = cast(mask, 'int32')
  return mask.shape.at(-1) === 0 ? sum(found, -1) : mul(add(argMax(found, -1), 1), amax(found, -1))
}
