// CRC-32C, by which a damaged file is told from a whole one.

/** x³² + x²⁸ + … + 1 with its bits reversed (Castagnoli, Bräuer & Herrmann 1993; RFC 3720, appendix B.4). */
const polynomial = 0x82f63b78

let table: Uint32Array | undefined

/** What each byte adds to the remainder. */
function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? polynomial : 0)
    return rest
  })
}

/**
 * The CRC-32C of some bytes, an unsigned 32-bit number. Pass the sum of what came before to go on from there.
 *
 * @example
 * ```ts
 * import { crc32c } from '@bp/nn'
 * crc32c(new TextEncoder().encode('123456789')).toString(16) // => e3069283
 * ```
 */
export function crc32c(bytes: Uint8Array, before = 0): number {
  const step = table ??= makeTable()
  let rest = ~before
  for (let i = 0; i < bytes.length; i++) rest = (rest >>> 8) ^ step[(rest ^ bytes[i]!) & 255]!
  return ~rest >>> 0
}
