// TFRecord framing: each record between its length and checksums (https://www.tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format details").

import { crc32c } from '@bp/nn'

/** Added to the rotated checksum, so that the sum of data that hold sums is not their own; from the format's description. */
const maskDelta = 0xa282ead8

/** A CRC-32C as records hold it. */
export function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + maskDelta) >>> 0
}

/**
 * A record: u64 length, u32 masked CRC of the length, the data, u32 masked CRC of the data, lowest bytes first.
 *
 * @example
 * ```ts
 * import { tfRecord } from '@bp/train'
 * tfRecord(new Uint8Array(10)).length // => 26
 * ```
 */
export function tfRecord(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length + 16)
  const view = new DataView(out.buffer)
  view.setBigUint64(0, BigInt(data.length), true)
  view.setUint32(8, maskedCrc(out.subarray(0, 8)), true)
  out.set(data, 12)
  view.setUint32(12 + data.length, maskedCrc(data), true)
  return out
}
