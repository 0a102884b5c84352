// Elements as bytes: little-endian as they stand in files, types of less than a byte packed, and the carrier's numbers.

import type { DType, TypedArray } from '@bp/core'
import { allocate } from '@bp/core/extend'
import { bitsOf, carrierOf, isNarrow, type NarrowType, wholeOf } from './elementType.ts'
import { decodeShort, encodeShort, isShortFloat } from './shortFloat.ts'

type Codes = Uint8Array | Uint16Array | Uint32Array | BigUint64Array

const codeArrays = { 8: Uint8Array, 16: Uint16Array, 32: Uint32Array, 64: BigUint64Array } as const

/** How many bytes so many elements take. */
export const bytesOf = (type: DType | NarrowType, count: number): number => Math.ceil(count * bitsOf(type) / 8)

const littleEndian = /* @__PURE__ */ isLittleEndian()

function isLittleEndian(): boolean {
  return new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
}

/** Copies bytes, which may lie at any offset, into the order of this machine, or from it. */
function copy(from: Uint8Array, to: Uint8Array, width: number): void {
  to.set(from)
  if (!littleEndian) for (let i = 0; i < to.length; i += width) to.subarray(i, i + width).reverse()
}

const asBytes = (data: TypedArray | Codes): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

/** Bytes to so many elements, of a narrow type in its carrier. */
export function fromBytes(type: DType | NarrowType, count: number, bytes: Uint8Array): TypedArray {
  const bits = bitsOf(type)
  if (!isNarrow(type)) {
    const out = allocate(type, count)
    copy(bytes, asBytes(out), bits / 8)
    if (type === 'bool') for (let i = 0; i < count; i++) out[i] = out[i] ? 1 : 0
    return out
  }
  const codes = new codeArrays[Math.max(8, bits) as 8 | 16 | 32 | 64](count)
  if (bits < 8) {
    const each = 8 / bits
    for (let i = 0; i < count; i++) codes[i] = bytes[Math.floor(i / each)]! >> bits * (i % each) & (1 << bits) - 1
  } else copy(bytes, asBytes(codes), bits / 8)
  return fromCodes(type, codes)
}

/** The carrier's elements of codes: two's complement of whole numbers, bits of floats. */
export function fromCodes(type: NarrowType, codes: ArrayLike<number | bigint>): TypedArray {
  const out = allocate(carrierOf(type), codes.length)
  const whole = wholeOf(type)
  if (isShortFloat(type)) for (let i = 0; i < codes.length; i++) out[i] = decodeShort(type, Number(codes[i]))
  else if (out instanceof BigInt64Array) for (let i = 0; i < codes.length; i++) out[i] = BigInt(codes[i]!)
  else {
    const unused = 32 - whole!.bits
    for (let i = 0; i < codes.length; i++) out[i] = whole!.signed ? Number(codes[i]) << unused >> unused : Number(codes[i]) << unused >>> unused
  }
  return out
}

/** Elements to bytes; the inverse of {@link fromBytes}. */
export function toBytes(type: DType | NarrowType, data: TypedArray): Uint8Array {
  const bits = bitsOf(type)
  const codes = isNarrow(type) ? toCodes(type, data) : data
  if (bits >= 8) {
    const out = new Uint8Array(codes.byteLength)
    copy(asBytes(codes), out, bits / 8)
    return out
  }
  const out = new Uint8Array(bytesOf(type, data.length))
  const each = 8 / bits
  for (let i = 0; i < codes.length; i++) out[Math.floor(i / each)]! |= Number(codes[i]) << bits * (i % each)
  return out
}

function toCodes(type: NarrowType, data: TypedArray): Codes {
  const bits = bitsOf(type)
  const out = new codeArrays[Math.max(8, bits) as 8 | 16 | 32 | 64](data.length)
  if (isShortFloat(type)) for (let i = 0; i < data.length; i++) out[i] = encodeShort(type, Number(data[i]))
  else if (out instanceof BigUint64Array) for (let i = 0; i < data.length; i++) out[i] = data[i] as bigint
  else {
    // a Uint32Array keeps what a number has in its low 32 bits
    const mask = 2 ** Math.min(bits, 31) - 1
    for (let i = 0; i < data.length; i++) out[i] = bits === 32 ? Number(data[i]) : Number(data[i]) & mask
  }
  return out
}
