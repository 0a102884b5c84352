// Philox: random bits as a function of a counter and a key, for kernels and for streams outside of tensors.

/** High 32 bits of the product of two unsigned 32-bit numbers, by halves; no partial sum exceeds 32 bits. */
function mulHigh(a: number, b: number): number {
  const al = a & 0xffff, ah = a >>> 16, bl = b & 0xffff, bh = b >>> 16
  const middle = Math.imul(ah, bl) + (Math.imul(al, bl) >>> 16) | 0
  const carry = Math.imul(al, bh) + (middle & 0xffff) | 0
  return Math.imul(ah, bh) + (middle >>> 16) + (carry >>> 16) | 0
}

/**
 * Philox-4×32-10: puts a counter of four words through ten rounds by a key of two, in place, in signed 32-bit arithmetic that
 * engines keep in registers (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3", §3.3; the multipliers and
 * Weyl constants are theirs).
 *
 * @example
 * ```ts
 * import { philox } from '@bp/core/extend'
 * const words = new Int32Array(4)
 * philox(words, 0, 0)
 * words[0]! >>> 0 // => 1713891541
 * ```
 */
export function philox(words: Int32Array, key0: number, key1: number): void {
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
