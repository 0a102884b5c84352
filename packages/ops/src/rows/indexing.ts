// Reading and writing by index: gather, its transpose scatterAdd, and the places of pooling maxima.

import type { Tensor } from '@bp/core'
import { type Abstract, Aval, bind, defineOp, describe, fail, normaliseAxis } from '@bp/core/extend'
import { convSize } from './contract.ts'
import { cast } from './compare.ts'

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
})

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
  return bind(gatherRow, [x, index.dtype === 'int64' ? cast(index, 'int32') : index], { axis: at })
}

/** Zeros of `size` along an axis, with the values added in at the indices: the transpose of {@link take}. */
export function scatterAdd(values: Tensor, index: Tensor, size: number, axis = 0): Tensor {
  return bind(scatterAddRow, [values, index.dtype === 'int64' ? cast(index, 'int32') : index], { axis, size })
}
