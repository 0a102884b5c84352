// The element types: their names, sizes and the typed arrays that hold them.

import { fail } from './errors.ts'
import { toHalf } from './half.ts'

/** An element type. `bool` is stored one byte an element, `int64` as `BigInt64Array`, `float16` as its bits in a `Uint16Array`. */
export type DType = 'float64' | 'float32' | 'float16' | 'int64' | 'int32' | 'uint8' | 'bool'

/** The typed arrays that hold tensor data on the JavaScript side. */
export type TypedArray = Float64Array | Float32Array | BigInt64Array | Int32Array | Uint16Array | Uint8Array

interface DTypeInfo {
  readonly bytes: number
  readonly short: string
  readonly float: boolean
  readonly array: new (length: number) => TypedArray
}

const table: Readonly<Record<DType, DTypeInfo>> = {
  float64: { bytes: 8, short: 'f64', float: true, array: Float64Array },
  float32: { bytes: 4, short: 'f32', float: true, array: Float32Array },
  float16: { bytes: 2, short: 'f16', float: true, array: Uint16Array },
  int64: { bytes: 8, short: 'i64', float: false, array: BigInt64Array },
  int32: { bytes: 4, short: 'i32', float: false, array: Int32Array },
  uint8: { bytes: 1, short: 'u8', float: false, array: Uint8Array },
  bool: { bytes: 1, short: 'bool', float: false, array: Uint8Array },
}

/** All element types. */
export const dtypes: readonly DType[] = Object.keys(table) as DType[]

/** Bytes per element. */
export const bytesPerElement = (dtype: DType): number => table[dtype].bytes

/** The short name that errors print, `f32` for `float32`. */
export const shortName = (dtype: DType): string => table[dtype].short

/** Whether tensors of this type are differentiable. */
export const isFloat = (dtype: DType): boolean => table[dtype].float

/** A zeroed typed array of `length` elements. */
export const allocate = (dtype: DType, length: number): TypedArray => new table[dtype].array(length)

/** The element type that a typed array holds (`uint8` for a `Uint8Array`, never `bool`). */
export function dtypeOf(data: ArrayBufferView): DType {
  // engines that have it know the type by itself; this one's types do not
  if (data.constructor.name === 'Float16Array') return 'float16'
  if (data instanceof Float32Array) return 'float32'
  if (data instanceof Float64Array) return 'float64'
  if (data instanceof Int32Array) return 'int32'
  if (data instanceof BigInt64Array) return 'int64'
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return 'uint8'
  return fail('dtype', 'tensor', `no element type holds a ${data.constructor.name}. Convert it to a Float32Array or Int32Array first${data instanceof Uint16Array ? ", or give { dtype: 'float16' } where it holds their bits" : ''}`)
}

/** Copies `data` element by element into a typed array of another type, as a C cast would. */
export function convert(data: ArrayLike<number | bigint | boolean>, dtype: DType): TypedArray {
  const out = allocate(dtype, data.length)
  if (out instanceof BigInt64Array) {
    for (let i = 0; i < data.length; i++) out[i] = toBigInt(data[i]!)
  } else if (dtype === 'float16') {
    for (let i = 0; i < data.length; i++) out[i] = toHalf(Number(data[i]))
  } else if (dtype === 'bool') {
    for (let i = 0; i < data.length; i++) out[i] = Number(Number(data[i]) !== 0)
  } else {
    const low = !isFloat(dtype)
    for (let i = 0; i < data.length; i++) {
      const value = data[i]!
      out[i] = Number(low && typeof value === 'bigint' ? BigInt.asIntN(32, value) : value)
    }
  }
  return out
}

function toBigInt(value: number | bigint | boolean): bigint {
  if (typeof value !== 'number') return BigInt(value)
  return Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n
}
