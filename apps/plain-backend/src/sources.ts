// Tensors from nothing: one value, counted numbers, random bits.

import type { DType, Shape } from '@bp/core'
import { type FillParams, type Kernel, philox } from '@bp/core/extend'
import { dense, listOf, rounded, roundingOf, type View, zeros } from './view.ts'

/** One number, walked with steps of 0. */
export const fill: Kernel<View, FillParams> = (_xs, { value }, out) => ({ data: Float64Array.of(roundingOf(out.dtype)(value)), offset: 0, strides: out.shape.map(() => 0) })

/** 0, 1, … */
export const iota: Kernel<View, { readonly length: number; readonly dtype: DType }> = (_xs, { length }, out) => rounded(new Float64Array(length).map((_, i) => i), out)

/** The top 24 bits of Philox's first word for each counter: the same on every backend. */
export const randomBits: Kernel<View, { readonly shape: Shape }> = ([key], _p, out) => {
  const [k0, k1] = listOf(key!.storage, key!.shape)
  const words = new Int32Array(4)
  return dense(zeros(out.shape).map((_, i) => {
    words.set([i, 0, 0, 0])
    philox(words, k0!, k1!)
    return words[0]! >>> 8
  }), out.shape)
}
