// Tensors from nothing: counting numbers and random bits.

import type { DType, Tensor } from '@bp/core'
import { Aval, bind, checkShape, defineOp, describe, fail, sameShape, sizeOf } from '@bp/core/extend'
import type { Backend, Shape } from '@bp/core'

/** yᵢ = i */
export const iotaRow = /* @__PURE__ */ defineOp({
  name: 'iota', arity: 0, fuse: 'source',
  infer: (_xs: [], p: { readonly length: number; readonly dtype: DType; readonly backend?: Backend }) => new Aval([p.length], p.dtype),
  diff: { kind: 'zero' },
})

/**
 * y = 24 random bits an element, as int32 in [0, 2²⁴): element i is the top 24 bits of word 0 of Philox-4×32-10 with
 * counter (i, 0, 0, 0) and key = the operand (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3").
 */
export const randomBitsRow = /* @__PURE__ */ defineOp({
  name: 'randomBits', arity: 1, fuse: 'source',
  infer: ([key], p: { readonly shape: Shape }) => {
    if (key.dtype !== 'int32' || !sameShape(key.shape, [2])) fail('shape', 'randomBits', `the key must be i32[2], got ${describe(key)}. Take it from a Generator`)
    return new Aval(checkShape('randomBits', p.shape), 'int32')
  },
  diff: { kind: 'zero' },
  // ten rounds of two products, high and low words, and four more operations
  flops: (_xs, [y]) => 80 * sizeOf(y!.shape),
})

/**
 * 0, 1, … length − 1 as one axis.
 *
 * @example
 * ```ts
 * import { iota } from '@bp/ops'
 * iota(3) // => tensor([0, 1, 2], int32)
 * ```
 */
export function iota(length: number, dtype: DType = 'int32', backend?: Backend): Tensor {
  checkShape('iota', [length])
  return bind(iotaRow, [], backend ? { length, dtype, backend } : { length, dtype })
}

/** Random whole numbers in [0, 2²⁴) from a key i32[2]: the same key, the same numbers, on every backend. */
export const randomBits = (key: Tensor, shape: Shape): Tensor => bind(randomBitsRow, [key], { shape })
