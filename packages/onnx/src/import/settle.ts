// Gives results the element type that their operator's schema says, where operands were of a type that is no dtype.

import { Tensor } from '@bp/core'
import { Carried, Known, type Value } from './value.ts'

/** The operators whose results, by their places, do not have the type of the first operand, and the operand whose type they have: `null` for a type of their own. */
const sources: Readonly<Record<string, readonly (number | null)[]>> = {
  Shape: [null], Size: [null], ArgMax: [null], ArgMin: [null], NonZero: [null], TopK: [0, null], MaxPool: [0, null], Unique: [0, null, null, null],
  Cast: [null], CastLike: [null], Where: [1], OneHot: [2], EyeLike: [null], ConstantOfShape: [null],
  Attention: [0, 1, 2, 0], LinearAttention: [0, 3], RMSNormalization: [1], LayerNormalization: [0, null, null],
  QuantizeLinear: [null], DequantizeLinear: [null], QLinearMatMul: [null], QLinearConv: [null], MatMulInteger: [null], ConvInteger: [null],
}

/**
 * The results of an operator that computed on carriers. A result in the carrier's dtype has the element type of the operand that the
 * operator's schema names for it, the first unless the table says otherwise; operators that state a type themselves return a
 * {@link Carried}, which is left as it is.
 */
export function settle(operator: string, inputs: readonly (Value | undefined)[], results: readonly (Value | undefined)[]): readonly (Value | undefined)[] {
  if (!inputs.some(value => value instanceof Carried)) return results
  return results.map((result, i) => {
    const source = sources[operator]?.[i] === null ? undefined : inputs[sources[operator]?.[i] ?? 0]
    if (!(source instanceof Carried) || !(result instanceof Tensor || result instanceof Known) || result.dtype !== source.dtype) return result
    return new Carried(source.type, result)
  })
}

