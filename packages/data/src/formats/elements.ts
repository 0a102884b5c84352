// Elements as files hold them: of any width and byte order, read into the element types that tensors have.

import type { DType, TypedArray } from '@bp/core'
import { fail } from '@bp/core/extend'

interface ElementKind {
  readonly array: new (buffer: ArrayBuffer) => TypedArray | Int8Array | Int16Array | Uint32Array | BigUint64Array
  /** The narrowest type of ours that holds every value. */
  readonly dtype: DType
}

/** Kinds of elements by the letter and width that NumPy gives them; u8 is the one that int64 holds in part. */
const kinds: Readonly<Record<string, ElementKind>> = {
  f8: { array: Float64Array, dtype: 'float64' },
  f4: { array: Float32Array, dtype: 'float32' },
  f2: { array: Uint16Array, dtype: 'float16' },
  i8: { array: BigInt64Array, dtype: 'int64' },
  i4: { array: Int32Array, dtype: 'int32' },
  i2: { array: Int16Array, dtype: 'int32' },
  i1: { array: Int8Array, dtype: 'int32' },
  u8: { array: BigUint64Array, dtype: 'int64' },
  u4: { array: Uint32Array, dtype: 'int64' },
  u2: { array: Uint16Array, dtype: 'int32' },
  u1: { array: Uint8Array, dtype: 'uint8' },
  b1: { array: Uint8Array, dtype: 'bool' },
}

/** Names of the kinds that can be read. */
export const kindNames = (): string => Object.keys(kinds).join(', ')

/** Whether a kind can be read. */
export const isKind = (kind: string): boolean => Object.hasOwn(kinds, kind)

/** Bytes an element of a kind. */
export const widthOf = (kind: string): number => Number(kind.slice(1))

/** The kind of an element type, for writing. */
export const kindOf = (dtype: DType): string => Object.keys(kinds).find(kind => kinds[kind]!.dtype === dtype && (dtype !== 'int32' && dtype !== 'int64' || kind.startsWith('i')))!

/** Elements copied out of a file, which may lie at any alignment. `op` is who refuses what int64 cannot hold. */
export function readElements(op: string, bytes: Uint8Array, kind: string, bigEndian: boolean): { readonly data: TypedArray; readonly dtype: DType } {
  const { array, dtype } = kinds[kind]!
  const copy = Uint8Array.from(bytes)
  if (bigEndian) swap(copy, widthOf(kind))
  const values = new array(copy.buffer)
  if (dtype === 'bool') return { data: (values as Uint8Array).map(value => value === 0 ? 0 : 1), dtype }
  if (values instanceof BigUint64Array) {
    const large = values.find(value => value >= 2n ** 63n)
    if (large !== undefined) fail('dtype', op, `it holds ${String(large)}, which int64 does not. Convert it to float64 before saving`)
    return { data: new BigInt64Array(values.buffer), dtype }
  }
  if (values instanceof Uint32Array) return { data: BigInt64Array.from(values, BigInt), dtype }
  return { data: dtype === 'int32' && !(values instanceof Int32Array) ? Int32Array.from(values as Int16Array) : values as TypedArray, dtype }
}

function swap(bytes: Uint8Array, width: number): void {
  for (let at = 0; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse()
}
