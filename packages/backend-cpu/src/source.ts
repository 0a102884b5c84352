// Tensors from nothing: fill, iota, and random bits by Philox.

import type { DType, Shape } from '@bp/core'
import type { FillParams } from '@bp/core/extend'
import { asBigInt, asNumbers, type CpuKernel, create, isBigInt } from './storage.ts'

export const fill: CpuKernel<FillParams> = (_xs, p, out) => {
  const o = create(out)
  if (p.value === 0) return o
  return isBigInt(out.dtype) ? asBigInt(o).fill(BigInt(p.value)) : asNumbers(o).fill(p.value)
}

export const iota: CpuKernel<{ readonly length: number; readonly dtype: DType }> = (_xs, _p, out) => {
  const o = create(out)
  for (let i = 0; i < o.length; i++) {
    if (isBigInt(out.dtype)) asBigInt(o)[i] = BigInt(i)
    else asNumbers(o)[i] = i
  }
  return o
}

/** High 32 bits of the product of two unsigned 32-bit numbers, by halves. */
function mulHigh(a: number, b: number): number {
  const al = a & 0xffff, ah = a >>> 16, bl = b & 0xffff, bh = b >>> 16
  const low = al * bl
  const middle = ah * bl + (low >>> 16)
  const carry = al * bh + (middle & 0xffff)
  return (ah * bh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) >>> 0
}

/**
 * Philox-4×32-10: ten rounds on a counter of four words by a key of two (Salmon et al. 2011, "Parallel Random Numbers: As
 * Easy as 1, 2, 3", §3.3; the multipliers and Weyl constants are theirs).
 */
export function philox(counter: readonly [number, number, number, number], key: readonly [number, number]): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter
  let [k0, k1] = key
  for (let round = 0; round < 10; round++) {
    const h0 = mulHigh(0xd2511f53, c0), l0 = Math.imul(0xd2511f53, c0)
    const h1 = mulHigh(0xcd9e8d57, c2), l1 = Math.imul(0xcd9e8d57, c2)
    c0 = (h1 ^ c1 ^ k0) >>> 0
    c1 = l1 >>> 0
    c2 = (h0 ^ c3 ^ k1) >>> 0
    c3 = l0 >>> 0
    k0 = (k0 + 0x9e3779b9) >>> 0
    k1 = (k1 + 0xbb67ae85) >>> 0
  }
  return [c0, c1, c2, c3]
}

export const randomBits: CpuKernel<{ readonly shape: Shape }> = ([key], _p, out) => {
  const o = create(out)
  const words = key!.storage as Int32Array
  const pair = [words[0]! >>> 0, words[1]! >>> 0] as const
  for (let i = 0; i < o.length; i++) o[i] = philox([i, 0, 0, 0], pair)[0] >>> 8
  return o
}
