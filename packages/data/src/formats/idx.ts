// IDX files: arrays as the MNIST database has them (LeCun, Cortes & Burges, "The MNIST database", section FILE FORMATS).

import { gunzipSync } from 'fflate'
import { fail, sizeOf } from '@bp/core/extend'
import type { NdArray } from '../array.ts'
import { readElements, widthOf } from './elements.ts'

/** The third byte, and the kind of element that it means. */
const kinds: Readonly<Record<number, string>> = { 0x08: 'u1', 0x09: 'i1', 0x0b: 'i2', 0x0c: 'i4', 0x0d: 'f4', 0x0e: 'f8' }

/**
 * Reads an IDX file, also one that is gzipped. Numbers of 8 and 16 bits with a sign become int32. Throws where it is truncated
 * or damaged.
 *
 * @example
 * ```ts
 * import { decodeIdx } from '@bp/data'
 * decodeIdx(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 7, 9)).data // => 7,9
 * ```
 */
export function decodeIdx(bytes: Uint8Array): NdArray {
  const file = gunzipped(bytes)
  const [zero, nought, type, rank] = file
  const kind = kinds[type ?? -1]
  if (zero !== 0 || nought !== 0 || kind === undefined || rank === undefined) return fail('data', 'idx', 'it does not begin as an IDX file does. It is another file, or damaged')
  const start = 4 + 4 * rank
  if (file.length < start) return fail('data', 'idx', `it has ${file.length} bytes, and its header ${start}. The file is truncated`)
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis))
  const size = sizeOf(shape) * widthOf(kind)
  if (file.length - start !== size) return fail('data', 'idx', `${kind} of shape [${shape.join(',')}] takes ${size} bytes, and ${file.length - start} follow the header. The file is ${file.length - start < size ? 'truncated' : 'damaged'}`)
  return { ...readElements('idx', file.subarray(start), kind, true), shape }
}

function gunzipped(bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  try {
    return gunzipSync(bytes)
  } catch (error) {
    return fail('data', 'idx', `it could not be unzipped: ${(error as Error).message}. The file is truncated or damaged`, { cause: error })
  }
}
