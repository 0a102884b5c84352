// The vector-space ops, the only ones that core knows: fill, add, mul, broadcastTo and its transpose sumTo.

import { type Abstract, Aval, withShape } from './aval.ts'
import type { Backend } from './backend.ts'
import { cast, promote } from './cast.ts'
import { type DType, isFloat } from './dtype.ts'
import { fail } from './errors.ts'
import { bind } from './interpreter.ts'
import { defineOp, type Row } from './row.ts'
import { broadcastShapes, broadcastsTo, checkShape, describe, sameShape, type Shape } from './shape.ts'
import type { Tensor } from './tensor.ts'

/** A tensor, or a number that becomes a scalar of the other operand's dtype. */
export type TensorLike = Tensor | number

/** The parameters of {@link fillRow}. */
export interface FillParams {
  readonly value: number
  readonly shape: Shape
  readonly dtype: DType
  /** Where to make it; the default backend unless given. */
  readonly backend?: Backend
}

/**
 * The shape and dtype of an elementwise op on operands that broadcast: equal dtypes, none of them `bool` unless allowed.
 */
export function inferElementwise(op: string, a: Abstract, b: Abstract): Aval {
  if (a.aval === b.aval) return a.aval
  if (a.dtype !== b.dtype) {
    fail('dtype', op, `operands must have one dtype, got ${describe(a)} and ${describe(b)}. Convert one with cast(x, '${isFloat(b.dtype) ? b.dtype : a.dtype}')`)
  }
  const shape = broadcastShapes(op, a.shape, b.shape)
  if (sameShape(shape, a.shape)) return a.aval
  return withShape(b, shape)
}

function inferNumeric(op: string, a: Abstract, b: Abstract): Aval {
  if (a.dtype === 'bool' && b.dtype === 'bool') fail('dtype', op, `bool tensors have no arithmetic, got ${describe(a)} and ${describe(b)}. Use logicalAnd, logicalOr, or cast(x, 'int32')`)
  return inferElementwise(op, a, b)
}

/** y = value everywhere */
export const fillRow = /* @__PURE__ */ defineOp({
  name: 'fill', arity: 0, fuse: 'source',
  infer: (_xs: [], p: FillParams) => new Aval(p.shape, p.dtype),
  diff: { kind: 'zero' },
})

/** y = a + b,   ā = b̄ = ȳ */
export const addRow = /* @__PURE__ */ defineOp({
  name: 'add', arity: 2, fuse: 'map',
  infer: ([a, b]) => inferNumeric('add', a, b),
  diff: { kind: 'linear', transpose: [ct => ct, ct => ct] },
})

/** y = a·b,   ā = ȳ·b,   b̄ = ȳ·a */
export const mulRow = /* @__PURE__ */ defineOp({
  name: 'mul', arity: 2, fuse: 'map',
  infer: ([a, b]) => inferNumeric('mul', a, b),
  diff: { kind: 'multilinear', transpose: [(ct, [, b]) => mul(ct, b), (ct, [a]) => mul(ct, a)] },
})

/** yᵢⱼ = xⱼ,   x̄ = Σᵢ ȳᵢⱼ */
export const broadcastToRow = /* @__PURE__ */ defineOp({
  name: 'broadcastTo', arity: 1, fuse: 'view',
  infer: ([x], p: { readonly shape: Shape }) => {
    checkShape('broadcastTo', p.shape)
    if (!broadcastsTo(x.shape, p.shape)) {
      fail('shape', 'broadcastTo', `${describe(x)} does not broadcast to [${p.shape.join(',')}]: aligned at the last axis, each axis must be equal or 1. Reshape x first`)
    }
    return withShape(x, p.shape)
  },
  diff: { kind: 'linear', transpose: [(ct, [x]) => sumTo(ct, x.shape)] },
})

/** yⱼ = Σᵢ xᵢⱼ,   x̄ᵢⱼ = ȳⱼ */
export const sumToRow = /* @__PURE__ */ defineOp({
  name: 'sumTo', arity: 1, fuse: 'reduce', precision: 'full',
  infer: ([x], p: { readonly shape: Shape }) => {
    if (!broadcastsTo(p.shape, x.shape)) {
      fail('shape', 'sumTo', `[${p.shape.join(',')}] does not broadcast to ${describe(x)}, so x cannot be summed to it. Use sum(x, axes) to reduce chosen axes`)
    }
    return withShape(x, p.shape)
  },
  diff: { kind: 'linear', transpose: [(ct, [x]) => broadcastTo(ct, x.shape)] },
})

const scalarShape: Shape = []

/** A number as a scalar tensor of `like`'s dtype and backend; a tensor as it is. */
export function toTensor(value: TensorLike, like: TensorLike): Tensor {
  if (typeof value !== 'number') return value
  if (typeof like === 'number') return bind(fillRow, [], { value, shape: scalarShape, dtype: 'float32' })
  const dtype = like.dtype
  if (!isFloat(dtype) && !Number.isInteger(value)) fail('dtype', 'scalar', `${value} is no ${dtype}. Cast the tensor to float32, or use a whole number`)
  return bind(fillRow, [], { value, shape: scalarShape, dtype, backend: like.backend })
}

/**
 * Applies an op of two operands in the dtype where they meet, see `promoteTypes`. One may be a number: it takes the other's
 * backend and, where that can hold it, dtype.
 */
export function bindPair(row: Row<string, 2, void>, a: TensorLike, b: TensorLike): Tensor {
  if (typeof a !== 'number' && typeof b !== 'number' && a.dtype === b.dtype) return bind(row, [a, b], undefined)
  return bind(row, pairOf(a, b), undefined)
}

/** Two operands as tensors of the dtype where they meet. */
export function pairOf(a: TensorLike, b: TensorLike): [Tensor, Tensor] {
  if (typeof a !== 'number' && typeof b !== 'number') return a.dtype === b.dtype ? [a, b] : promote([a, b]) as [Tensor, Tensor]
  const like = typeof a === 'number' ? b : a
  if (typeof like === 'number' || isFloat(like.dtype)) return both(a, b)
  const number = typeof a === 'number' ? a : b as number
  const roomy = Number.isInteger(number) ? (like.dtype === 'bool' ? cast(like, 'int32') : like) : cast(like, 'float32')
  return typeof a === 'number' ? both(a, roomy) : both(roomy, b)
}

function both(a: TensorLike, b: TensorLike): [Tensor, Tensor] {
  const x = toTensor(a, b)
  return [x, toTensor(b, x)]
}

/**
 * a + b, elementwise with broadcasting, in the dtype where both meet. Throws where shapes do not broadcast.
 *
 * @example
 * ```ts
 * import { tensor, add } from '@bp/core'
 * add(tensor([[1], [2]]), tensor([10, 20])) // => tensor([[11, 21], [12, 22]], float32)
 * ```
 */
export const add = (a: TensorLike, b: TensorLike): Tensor => bindPair(addRow, a, b)

/**
 * a · b, elementwise with broadcasting, in the dtype where both meet. Throws where shapes do not broadcast.
 *
 * @example
 * ```ts
 * import { tensor, mul } from '@bp/core'
 * mul(tensor([1, 2, 3]), 2) // => tensor([2, 4, 6], float32)
 * ```
 */
export const mul = (a: TensorLike, b: TensorLike): Tensor => bindPair(mulRow, a, b)

/**
 * Repeats axes of size 1, and adds leading ones, until `x` has `shape`. Throws where it cannot.
 *
 * @example
 * ```ts
 * import { tensor, broadcastTo } from '@bp/core'
 * broadcastTo(tensor([1, 2]), [2, 2]) // => tensor([[1, 2], [1, 2]], float32)
 * ```
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : bind(broadcastToRow, [x], { shape })
}

/**
 * Sums over the axes that `broadcastTo(y, x.shape)` would repeat: the transpose of {@link broadcastTo}.
 *
 * @example
 * ```ts
 * import { tensor, sumTo } from '@bp/core'
 * sumTo(tensor([[1, 2], [3, 4]]), [2]) // => tensor([4, 6], float32)
 * ```
 */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : bind(sumToRow, [x], { shape })
}

/**
 * A tensor of one value.
 *
 * @example
 * ```ts
 * import { full } from '@bp/core'
 * full([2], 7) // => tensor([7, 7], float32)
 * ```
 */
export function full(shape: Shape, value: number, dtype: DType = 'float32', backend?: Backend): Tensor {
  checkShape('full', shape)
  return bind(fillRow, [], backend ? { value, shape, dtype, backend } : { value, shape, dtype })
}

/** A tensor of zeros; `zeros([2, 3])` has shape [2, 3] and dtype float32. */
export const zeros = (shape: Shape, dtype?: DType): Tensor => full(shape, 0, dtype)

/** A tensor of ones. */
export const ones = (shape: Shape, dtype?: DType): Tensor => full(shape, 1, dtype)

/** Zeros of the shape, dtype and backend of `x`. */
export const zerosLike = (x: Tensor): Tensor => full(x.shape, 0, x.dtype, x.backend)

/** Ones of the shape, dtype and backend of `x`. */
export const onesLike = (x: Tensor): Tensor => full(x.shape, 1, x.dtype, x.backend)
