// Rearranging axes: reshape and transpose, which change a tensor's form and none of its elements.

import { Aval, withShape } from './aval.ts'
import { fail } from './errors.ts'
import { bind } from './interpreter.ts'
import { defineOp } from './row.ts'
import { checkShape, describe, normaliseAxes, normaliseAxis, sameShape, type Shape, sizeOf } from './shape.ts'
import type { Tensor } from './tensor.ts'

/** y holds x's elements in the same order,   x̄ = ȳ in x's shape */
export const reshapeRow = /* @__PURE__ */ defineOp({
  name: 'reshape', arity: 1, fuse: 'view',
  infer: ([x], p: { readonly shape: Shape }) => {
    checkShape('reshape', p.shape)
    if (sizeOf(p.shape) !== sizeOf(x.shape)) {
      fail('shape', 'reshape', `${describe(x)} has ${sizeOf(x.shape)} elements, [${p.shape.join(',')}] needs ${sizeOf(p.shape)}. Use -1 for one axis to let it be found`)
    }
    return withShape(x, p.shape)
  },
  diff: { kind: 'linear', transpose: [(ct, [x]) => reshape(ct, x.shape)] },
  batch: ([x], _batched, size, p) => reshape(x, [size, ...p.shape]),
})

/** Axis i of y is axis perm[i] of x,   x̄ = ȳ by the inverse permutation */
export const transposeRow = /* @__PURE__ */ defineOp({
  name: 'transpose', arity: 1, fuse: 'view',
  infer: ([x], p: { readonly perm: readonly number[] }) => {
    const sorted = normaliseAxes('transpose', p.perm, x.shape.length)
    if (sorted.length !== x.shape.length) fail('axis', 'transpose', `needs each of the ${x.shape.length} axes of ${describe(x)} once, got [${p.perm.join(',')}]`)
    return new Aval(p.perm.map(axis => x.shape[axis]!), x.dtype)
  },
  diff: { kind: 'linear', transpose: [(ct, _xs, p) => transpose(ct, inverse(p.perm))] },
  batch: ([x], _batched, _size, p) => transpose(x, [0, ...p.perm.map(axis => axis + 1)]),
})

const inverse = (perm: readonly number[]): number[] => perm.map((_, i) => perm.indexOf(i))

/**
 * The same elements, row-major, in another shape; one axis may be −1 and is found. Throws where the counts differ.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { reshape } from '@bp/ops'
 * reshape(tensor([1, 2, 3, 4]), [2, -1]) // => tensor([[1, 2], [3, 4]], float32)
 * ```
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = !shape.includes(-1) ? shape : shape.map((size, i) => size === -1 && i === shape.indexOf(-1) ? x.size / sizeOf(shape.filter((_, j) => j !== i)) : size)
  return sameShape(x.shape, known) ? x : bind(reshapeRow, [x], { shape: known })
}

/**
 * Reorders axes; reverses them unless `perm` is given.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { transpose } from '@bp/ops'
 * transpose(tensor([[1, 2], [3, 4]])) // => tensor([[1, 3], [2, 4]], float32)
 * ```
 */
export function transpose(x: Tensor, perm?: readonly number[]): Tensor {
  const order = perm?.map(axis => normaliseAxis('transpose', axis, x.rank)) ?? x.shape.map((_, i) => x.rank - 1 - i)
  return order.every((axis, i) => axis === i) && order.length === x.rank ? x : bind(transposeRow, [x], { perm: order })
}
