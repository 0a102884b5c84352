// Reading and writing by index: gather, its transpose scatterAdd, and the places of pooling maxima.

import { add, broadcastTo, mul, type Tensor } from '@bp/core'
import { type Abstract, Aval, bind, defineOp, describe, fail, normaliseAxis, reshape, sizeOf, transpose } from '@bp/core/extend'
import { maximum, minimum, sub } from './arithmetic.ts'
import { cast, less, select } from './compare.ts'
import { convSize } from './contract.ts'
import { iota } from './source.ts'

function checkIndex(op: string, index: Abstract): void {
  if (index.dtype !== 'int32') fail('dtype', op, `indices must be int32, got ${describe(index)}. Convert them with cast(index, 'int32')`)
}

/** y = x[…, index, …] along an axis,   x̄ = scatterAdd(ȳ, index) */
export const gatherRow = /* @__PURE__ */ defineOp({
  name: 'gather', arity: 2, fuse: 'index', saves: 'x',
  infer: ([x, index], p: { readonly axis: number }) => {
    checkIndex('gather', index)
    return new Aval([...x.shape.slice(0, p.axis), ...index.shape, ...x.shape.slice(p.axis + 1)], x.dtype)
  },
  diff: { kind: 'linear', transpose: [(ct, [x, index], p) => scatterAdd(ct, index, x.shape[p.axis]!, p.axis), null] },
  batch: ([x, index], batched, size, p) => {
    if (!batched[1]) return take(x, index, p.axis + 1)
    if (!batched[0]) return moveTo(take(x, index, p.axis), [p.axis])
    // [b, pre, n, post] → [b·n, pre, post]: the rows of all entries in one axis
    const rows = x.shape[p.axis + 1]!
    const moved = moveTo(x, [0, p.axis + 1])
    const y = take(reshape(moved, [size * rows, ...moved.shape.slice(2)]), rowsOf(index, size, rows), 0)
    // [b, index, pre, post] → [b, pre, index, post]
    return moveTo(y, [0, ...span(index.rank, p.axis)])
  },
})

/** y = zeros; y[…, index, …] += x along an axis,   x̄ = gather(ȳ, index) */
export const scatterAddRow = /* @__PURE__ */ defineOp({
  name: 'scatterAdd', arity: 2, fuse: 'index', saves: 'x',
  infer: ([x, index], p: { readonly axis: number; readonly size: number }) => {
    checkIndex('scatterAdd', index)
    const inner = x.shape.slice(p.axis, p.axis + index.shape.length)
    if (inner.join() !== index.shape.join()) fail('shape', 'scatterAdd', `the values ${describe(x)} must hold the axes of the indices ${describe(index)} from axis ${p.axis} on`)
    return new Aval([...x.shape.slice(0, p.axis), p.size, ...x.shape.slice(p.axis + index.shape.length)], x.dtype)
  },
  diff: { kind: 'linear', transpose: [(ct, [, index], p) => take(ct, index, p.axis), null] },
  batch: ([x, index], batched, size, p) => {
    if (!batched[1]) return scatterAdd(x, index, p.size, p.axis + 1)
    const all = batched[0] ? x : broadcastTo(reshape(x, [1, ...x.shape]), [size, ...x.shape])
    // [b, pre, index, post] → [b, index, pre, post]
    const values = moveTo(all, [0, ...span(1 + p.axis, index.rank - 1)])
    const y = scatterAdd(values, rowsOf(index, size, p.size), size * p.size, 0)
    // [b, size, pre, post] → [b, pre, size, post]
    return moveTo(reshape(y, [size, p.size, ...y.shape.slice(1)]), [0, ...span(2, p.axis)])
  },
})

/** Where the rows of each entry begin, along the first axis of a batched index. */
const firstRows = (index: Tensor, size: number, rows: number): Tensor => reshape(mul(iota(size, 'int32', index.backend), rows), [size, ...new Array<number>(index.rank - 1).fill(1)])

/** Each entry's index into its own rows, as an index into the rows of all entries one after the other. */
const rowsOf = (index: Tensor, size: number, rows: number): Tensor => add(select(less(index, 0), add(index, rows), index), firstRows(index, size, rows))

/** count axes from the first one on */
const span = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i)

/** Some axes moved to the front, the others after them in their order. */
const moveTo = (x: Tensor, axes: readonly number[]): Tensor => transpose(x, [...axes, ...span(0, x.rank).filter(axis => !axes.includes(axis))])

const poolArgMax = (x: Tensor, p: PoolGeometry): Tensor => bind(poolArgMaxRow, [x], p)

/** The windows of a pooling op, one entry per spatial axis. */
export interface PoolGeometry {
  readonly kernel: readonly number[]
  readonly stride: readonly number[]
  readonly padding: readonly (readonly [number, number])[]
  readonly dilation: readonly number[]
}

/** y = for each window of x: [n, c, …] the flat index in x of its largest element, the first of several; padding never wins */
export const poolArgMaxRow = /* @__PURE__ */ defineOp({
  name: 'poolArgMax', arity: 1, fuse: 'reduce',
  infer: ([x], p: PoolGeometry) => {
    if (x.shape.length !== p.kernel.length + 2) fail('shape', 'maxPool', `needs [n, c, …] with ${p.kernel.length} spatial axes, got ${describe(x)}`)
    const spatial = x.shape.slice(2).map((size, i) => convSize(size, p.kernel[i]!, p.stride[i]!, p.padding[i]!, p.dilation[i]!))
    if (spatial.some(size => size < 1)) fail('shape', 'maxPool', `the window [${p.kernel.join(',')}] is larger than the padded input ${describe(x)}. Pad more, or use a smaller window`)
    return new Aval([...x.shape.slice(0, 2), ...spatial], 'int32')
  },
  diff: { kind: 'zero' },
  batch: ([x], _batched, size, p) => {
    const [n, ...rest] = x.shape.slice(1) as [number, ...number[]]
    const y = poolArgMax(reshape(x, [size * n, ...rest]), p)
    const apart = reshape(y, [size, n, ...y.shape.slice(1)])
    return sub(apart, firstRows(apart, size, sizeOf(x.shape) / size))
  },
})

/**
 * Entries of an axis by index: NumPy's `take`, PyTorch's `index_select` with an index of any shape; an embedding lookup.
 * Throws where an index is out of range; negative indices count from the end.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { take } from '@bp/ops'
 * take(tensor([10, 20, 30]), tensor([2, 0], { dtype: 'int32' })) // => tensor([30, 10], float32)
 * ```
 */
export function take(x: Tensor, index: Tensor, axis = 0): Tensor {
  const at = normaliseAxis('take', axis, x.rank)
  return bind(gatherRow, [x, asIndex('take', index)], { axis: at })
}

/** Zeros of `size` along an axis, with the values added in at the indices: the transpose of {@link take}. */
export function scatterAdd(values: Tensor, index: Tensor, size: number, axis = 0): Tensor {
  return bind(scatterAddRow, [values, asIndex('scatterAdd', index)], { axis, size })
}

/** An index of whole numbers as int32; what int32 cannot hold becomes the number nearest to it, which no axis reaches. */
export function asIndex(op: string, index: Tensor): Tensor {
  if (index.dtype === 'int64') return cast(minimum(maximum(index, -(2 ** 31)), 2 ** 31 - 1), 'int32')
  if (index.dtype === 'uint8') return cast(index, 'int32')
  checkIndex(op, index)
  return index
}
