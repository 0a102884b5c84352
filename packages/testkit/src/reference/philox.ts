// Philox-4×32-10, the counter-based generator behind randomBits, in whole-number arithmetic that is slow and plain.

const mask = 0xffffffffn

/** Word 0 of the block with counter (i, 0, 0, 0) and key (k0, k1) (Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405). */
export function philox(i: number, k0: number, k1: number): number {
  let [a, b, c, d] = [BigInt(i), 0n, 0n, 0n]
  let [p, q] = [BigInt(k0 >>> 0), BigInt(k1 >>> 0)]
  for (let round = 0; round < 10; round++) {
    const left = 0xd2511f53n * a
    const right = 0xcd9e8d57n * c;
    [a, b, c, d] = [(right >> 32n) ^ b ^ p, right & mask, (left >> 32n) ^ d ^ q, left & mask]
    p = (p + 0x9e3779b9n) & mask
    q = (q + 0xbb67ae85n) & mask
  }
  return Number(a)
}
