// Element types that meet: converting between them, and the table of which one they meet in.

import { Aval } from './aval.ts'
import { type DType, isFloat } from './dtype.ts'
import { bind } from './interpreter.ts'
import { defineOp } from './row.ts'
import type { Tensor } from './tensor.ts'

/** y = x in another dtype,   x̄ = ȳ in x's */
export const castRow = /* @__PURE__ */ defineOp({
  name: 'cast', arity: 1, fuse: 'map', infer: ([x], p: { readonly dtype: DType }) => new Aval(x.shape, p.dtype),
  diff: { kind: 'linear', transpose: [(ct, [x]) => cast(ct, x.dtype)] },
})

/**
 * x in another dtype: floats to whole numbers towards zero, anything to bool as x ≠ 0. Gradients come back in x's own dtype.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cast } from '@bp/ops'
 * cast(tensor([1.7, -1.7]), 'int32') // => tensor([1, -1], int32)
 * ```
 */
export const cast = (x: Tensor, dtype: DType): Tensor => x.dtype === dtype ? x : bind(castRow, [x], { dtype })

/** From what can hold least to what can hold most; a floating-point type before a whole one, however wide. */
const order: readonly DType[] = ['bool', 'uint8', 'int32', 'int64', 'float16', 'float32', 'float64']

/**
 * The dtype in which two meet: the later of bool < uint8 < int32 < int64 < float16 < float32 < float64. Shapes and values do
 * not matter, only types; JavaScript numbers take the tensor's type, but a fraction makes a whole-number tensor float32.
 *
 * @example
 * ```ts
 * import { add, promoteTypes, tensor } from '@bp/core'
 * promoteTypes('int64', 'float16') // => float16
 * add(tensor([1, 2], { dtype: 'int32' }), tensor([0.5, 0.5])).dtype // => float32
 * add(tensor([1, 2], { dtype: 'int32' }), 1).dtype // => int32
 * add(tensor([1, 2], { dtype: 'int32' }), 0.5).dtype // => float32
 * ```
 */
export const promoteTypes = (a: DType, b: DType): DType => order.indexOf(a) < order.indexOf(b) ? b : a

/** Tensors converted to the dtype in which all of them meet. */
export function promote(xs: readonly Tensor[]): Tensor[] {
  const dtype = xs.reduce<DType>((all, x) => promoteTypes(all, x.dtype), xs[0]?.dtype ?? 'float32')
  return xs.map(x => cast(x, dtype))
}

/** A tensor as it is where it is floating-point, else as float32: what functions of real numbers are taken of. */
export const toFloat = (x: Tensor): Tensor => isFloat(x.dtype) ? x : cast(x, 'float32')
