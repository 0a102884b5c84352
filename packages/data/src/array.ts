// Arrays on the JavaScript side: what samples are made of before a batch of them becomes a tensor.

import { type DType, Tensor, type TypedArray, type Shape } from '@bp/core'
import { allocate, checkShape, convert, dtypeOf, fail, sizeOf } from '@bp/core/extend'

/**
 * Elements in row-major order with a shape and an element type (float16 as bits). A plain object, so that it goes to and
 * from worker threads as it is. Datasets give these, transforms work on them, and a loader makes tensors of whole batches.
 */
export interface NdArray {
  readonly data: TypedArray
  readonly shape: Shape
  readonly dtype: DType
}

/** What can be read as an {@link NdArray}: one, a tensor, or a typed array as one axis. */
export type ArraySource = NdArray | Tensor | TypedArray | Uint8ClampedArray

/**
 * An array of `data`, which is kept where it is a typed array of the dtype, and converted otherwise: float32 for numbers, what
 * a typed array holds for itself. One axis unless `shape` is given.
 *
 * @example
 * ```ts
 * import { ndarray } from '@bp/data'
 * ndarray([1, 2, 3, 4], [2, 2]).dtype // => float32
 * ndarray(new Uint8Array(12), [2, 2, 3]).shape // => [2, 2, 3]
 * ```
 */
export function ndarray(data: TypedArray | Uint8ClampedArray | readonly number[], shape: Shape = [data.length], dtype?: DType): NdArray {
  if (sizeOf(checkShape('ndarray', shape)) !== data.length) fail('shape', 'ndarray', `${data.length} elements do not fill [${shape.join(',')}], which has ${sizeOf(shape)}. Give a shape with that many elements`)
  const type = dtype ?? (ArrayBuffer.isView(data) ? dtypeOf(data) : 'float32')
  const kept = ArrayBuffer.isView(data) && data.constructor === allocate(type, 0).constructor
  return { data: kept ? data as TypedArray : convert(data, type), shape, dtype: type }
}

/**
 * A class index as a sample holds it: an int32 without axes. A plain number would become float32 in a batch.
 *
 * @example
 * ```ts
 * import { classIndex, collate } from '@bp/data'
 * collate([[0.5, classIndex(2)], [0.25, classIndex(0)]]) // => [tensor([0.5, 0.25], float32), tensor([2, 0], int32)]
 * ```
 */
export const classIndex = (index: number): NdArray => ndarray(Int32Array.of(index), [])

/** Whether a value is an {@link NdArray}. */
export const isNdArray = (value: unknown): value is NdArray =>
  typeof value === 'object' && value !== null && 'data' in value && 'shape' in value && 'dtype' in value && ArrayBuffer.isView(value.data)

/** Whether a value is an {@link ArraySource}. */
export const isArraySource = (value: unknown): value is ArraySource => value instanceof Tensor || ArrayBuffer.isView(value) || isNdArray(value)

/** The array of a source; a tensor's elements are read, a typed array is one axis. */
export function asNdArray(source: ArraySource): NdArray {
  if (source instanceof Tensor) return { data: source.dataSync(), shape: source.shape, dtype: source.dtype }
  return ArrayBuffer.isView(source) ? ndarray(source) : source
}

/** Row `index` along axis 0, as a view. */
export function row(x: NdArray, index: number): NdArray {
  const size = sizeOf(x.shape) / x.shape[0]!
  return { data: x.data.subarray(index * size, (index + 1) * size), shape: x.shape.slice(1), dtype: x.dtype }
}

/** Rows along axis 0, copied one after another into a new array. */
export function gather(x: NdArray, indices: readonly number[]): NdArray {
  const shape = [indices.length, ...x.shape.slice(1)]
  const size = sizeOf(x.shape.slice(1))
  const out = allocate(x.dtype, indices.length * size)
  // element by element where a row is one: a view for each would take longer
  if (size === 1) for (let i = 0; i < indices.length; i++) out[i] = x.data[indices[i]!]!
  else for (let i = 0; i < indices.length; i++) copyInto(out, x.data.subarray(indices[i]! * size, (indices[i]! + 1) * size), i * size)
  return { data: out, shape, dtype: x.dtype }
}

/** `target.set`, for arrays that are known to be of one type. */
export const copyInto = (target: TypedArray, source: TypedArray, at: number): void => { (target as Float32Array).set(source as Float32Array, at) }
