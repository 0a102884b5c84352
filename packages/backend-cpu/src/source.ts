// Tensors from nothing: fill, iota, and random bits by Philox.

import type { DType, Shape } from '@bp/core'
import { convert, type FillParams } from '@bp/core/extend'
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

/** High 32 bits of the product of two unsigned 32-bit numbers, by halves; no partial sum exceeds 32 bits. */
function mulHigh(a: number, b: number): number {
  const al = a & 0xffff, ah = a >>> 16, bl = b & 0xffff, bh = b >>> 16
  const middle = Math.imul(ah, bl) + (Math.imul(al, bl) >>> 16) | 0
  const carry = Math.imul(al, bh) + (middle & 0xffff) | 0
  return Math.imul(ah, bh) + (middle >>> 16) + (carry >>> 16) | 0
}

/** The counter going into the rounds, and the four words that come out. */
const words = /* @__PURE__ */ new Int32Array(4)

/** Ten rounds on `words`, in signed 32-bit arithmetic that engines keep in registers. */
function rounds(key0: number, key1: number): void {
  let c0 = words[0]!, c1 = words[1]!, c2 = words[2]!, c3 = words[3]!
  let k0 = key0 | 0, k1 = key1 | 0
  for (let round = 0; round < 10; round++) {
    const h0 = mulHigh(0xd2511f53 | 0, c0), l0 = Math.imul(0xd2511f53, c0)
    const h1 = mulHigh(0xcd9e8d57 | 0, c2), l1 = Math.imul(0xcd9e8d57, c2)
    c0 = h1 ^ c1 ^ k0
    c1 = l1
    c2 = h0 ^ c3 ^ k1
    c3 = l0
    k0 = k0 + 0x9e3779b9 | 0
    k1 = k1 + 0xbb67ae85 | 0
  }
  words[0] = c0
  words[1] = c1
  words[2] = c2
  words[3] = c3
}

/**
 * Philox-4×32-10: ten rounds on a counter of four words by a key of two (Salmon et al. 2011, "Parallel Random Numbers: As
 * Easy as 1, 2, 3", §3.3; the multipliers and Weyl constants are theirs).
 */
export function philox(counter: readonly [number, number, number, number], key: readonly [number, number]): [number, number, number, number] {
  words.set(counter)
  rounds(key[0], key[1])
  return [words[0]! >>> 0, words[1]! >>> 0, words[2]! >>> 0, words[3]! >>> 0]
}

/** The top 24 bits of word 0 for counters (i, 0, 0, 0). */
export const randomBits: CpuKernel<{ readonly shape: Shape }> = ([key], _p, out) => {
  const o = create(out)
  const [k0, k1] = key!.storage as Int32Array
  for (let i = 0; i < o.length; i++) {
    words[0] = i
    words[1] = words[2] = words[3] = 0
    rounds(k0!, k1!)
    o[i] = words[0] >>> 8
  }
  return o
}
