// Tensors from nothing: fill, iota, and random bits by Philox.

import type { DType, Shape } from '@bp/core'
import { convert, type FillParams, philox } from '@bp/core/extend'
import { asBigInt, asNumbers, type CpuKernel, create, isBigInt } from './storage.ts'

/** One value everywhere, converted to the dtype as `cast` does. */
export const fill: CpuKernel<FillParams> = (_xs, p, out) => {
  const o = create(out)
  if (Object.is(p.value, 0)) return o
  if (isBigInt(out.dtype)) return asBigInt(o).fill(convert([p.value], 'int64')[0] as bigint)
  return asNumbers(o).fill(out.dtype === 'bool' ? Number(p.value !== 0) : p.value)
}

/** 0, 1, … in order. */
export const iota: CpuKernel<{ readonly length: number; readonly dtype: DType }> = (_xs, _p, out) => {
  const o = create(out)
  if (out.dtype === 'bool') return asNumbers(o).fill(1, 1)
  for (let i = 0; i < o.length; i++) {
    if (isBigInt(out.dtype)) asBigInt(o)[i] = BigInt(i)
    else asNumbers(o)[i] = i
  }
  return o
}

/** The top 24 bits of word 0 for counters (i, 0, 0, 0). */
export const randomBits: CpuKernel<{ readonly shape: Shape }> = ([key], _p, out) => {
  const o = create(out)
  const [k0, k1] = key!.storage as Int32Array
  const words = new Int32Array(4)
  for (let i = 0; i < o.length; i++) {
    words[0] = i
    words[1] = words[2] = words[3] = 0
    philox(words, k0!, k1!)
    o[i] = words[0] >>> 8
  }
  return o
}
