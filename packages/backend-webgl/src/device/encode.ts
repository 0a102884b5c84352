// Numbers of each dtype as the floats that textures hold, and back.

import { decodeFloat16, type DType, encodeFloat16, type TypedArray } from '@bp/core'
import { convert } from '@bp/core/extend'
import { encodingOf, isWhole } from './storage.ts'

/** The floats that stand for numbers of a dtype. int32 keeps its bits: a view, nothing is copied. */
export function toFloats(data: TypedArray, dtype: DType): Float32Array {
  if (dtype === 'float32') return data as Float32Array
  if (dtype === 'float16') return decodeFloat16(data as Uint16Array)
  if (encodingOf(dtype) === 'int') return new Float32Array(data.buffer as ArrayBuffer, data.byteOffset, data.length)
  return Float32Array.from(data as Uint8Array)
}

/** One number as a uniform carries it: a whole one as it is, else the float that stands for it. */
export const toUniform = (data: TypedArray, dtype: DType): number => isWhole(dtype) ? Number(data[0]) : toFloats(data, dtype)[0]!

/** The numbers of a dtype that floats stand for. */
export function fromFloats(floats: Float32Array, dtype: DType): TypedArray {
  if (dtype === 'float32') return floats
  if (dtype === 'float16') return encodeFloat16(floats)
  if (encodingOf(dtype) === 'int') return new Int32Array(floats.buffer as ArrayBuffer, floats.byteOffset, floats.length)
  return convert(floats, dtype)
}
