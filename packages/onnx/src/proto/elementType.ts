// Every element type of ONNX: its number, and the dtype that carries it where the framework has none such.

import type { DType } from '@bp/core'
import { bytesPerElement } from '@bp/core/extend'

/**
 * Element types of ONNX that are no dtypes: tensors of them are computed in a wider dtype, their carrier, and brought back into
 * the range and precision of the type after every operator. 4-bit, 8-bit and 16-bit whole numbers ride on int32, unsigned ones of
 * 32 and 64 bits on int64, short floats on float32.
 */
export type NarrowType =
  | 'int2' | 'uint2' | 'int4' | 'uint4' | 'int8' | 'int16' | 'uint16' | 'uint32' | 'uint64'
  | 'bfloat16' | 'float8e4m3fn' | 'float8e4m3fnuz' | 'float8e5m2' | 'float8e5m2fnuz' | 'float8e8m0' | 'float4e2m1'

/** An element type of a tensor in a file. */
export type ElementType = DType | NarrowType | 'string' | 'complex64' | 'complex128'

/* TensorProto.DataType, https://github.com/onnx/onnx/blob/main/onnx/onnx.in.proto */
const codes: Readonly<Record<ElementType, number>> = {
  float32: 1, uint8: 2, int8: 3, uint16: 4, int16: 5, int32: 6, int64: 7, string: 8, bool: 9, float16: 10, float64: 11, uint32: 12, uint64: 13,
  complex64: 14, complex128: 15, bfloat16: 16, float8e4m3fn: 17, float8e4m3fnuz: 18, float8e5m2: 19, float8e5m2fnuz: 20, uint4: 21, int4: 22, float4e2m1: 23,
  float8e8m0: 24, uint2: 25, int2: 26,
}

const byCode = /* @__PURE__ */ new Map(Object.entries(codes).map(([type, code]) => [code, type as ElementType]))

/** ONNX's number for an element type. */
export const codeOf = (type: ElementType): number => codes[type]

/** The element type of ONNX's number for it, or `null` for a number that is none. */
export const elementType = (code: number): ElementType | null => byCode.get(code) ?? null

/** The dtypes in which narrow types are computed. */
const carriers: Readonly<Record<NarrowType, DType>> = {
  int2: 'int32', uint2: 'int32', int4: 'int32', uint4: 'int32', int8: 'int32', int16: 'int32', uint16: 'int32', uint32: 'int64', uint64: 'int64',
  bfloat16: 'float32', float8e4m3fn: 'float32', float8e4m3fnuz: 'float32', float8e5m2: 'float32', float8e5m2fnuz: 'float32', float8e8m0: 'float32', float4e2m1: 'float32',
}

/** Whether a type is one that the framework has not as a dtype, but can carry in one. */
export const isNarrow = (type: ElementType): type is NarrowType => Object.hasOwn(carriers, type)

/** The dtype in which tensors of an element type are computed. */
export const carrierOf = (type: DType | NarrowType): DType => isNarrow(type) ? carriers[type] : type

/** Narrow types of whole numbers by their bits; the sign says whether they hold negative numbers. */
const wholes: Readonly<Partial<Record<NarrowType, readonly [bits: number, signed: boolean]>>> = {
  int2: [2, true], uint2: [2, false], int4: [4, true], uint4: [4, false], int8: [8, true], int16: [16, true], uint16: [16, false], uint32: [32, false], uint64: [64, false],
}

/** Bits and sign of a narrow type of whole numbers; `null` of floats. */
export const wholeOf = (type: NarrowType): { readonly bits: number; readonly signed: boolean } | null => {
  const [bits, signed] = wholes[type] ?? [0, false]
  return bits === 0 ? null : { bits, signed }
}

const floatBits: Readonly<Partial<Record<NarrowType, number>>> = { bfloat16: 16, float4e2m1: 4 }

/** How many bits an element takes in a file; types of less than eight are packed, the first element in the lowest bits. */
export const bitsOf = (type: DType | NarrowType): number => isNarrow(type) ? wholes[type]?.[0] ?? floatBits[type] ?? 8 : 8 * bytesPerElement(type)

/** The least and the largest number of a type of whole numbers, as near as a JavaScript number comes. */
export function rangeOf(type: ElementType): [least: number, largest: number] {
  if (type === 'bool') return [0, 1]
  const { bits, signed } = isNarrow(type) ? wholeOf(type)! : { bits: bitsOf(type as DType), signed: type !== 'uint8' }
  return signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1]
}
