// How tensors print: nested arrays, few digits, long axes shortened.

import type { DType, TypedArray } from './dtype.ts'
import { fromHalf } from './half.ts'
import { type Shape, sizeOf } from './shape.ts'

/** Nested arrays of elements, as `toArray` gives them. */
export type Nested = number | bigint | boolean | Nested[]

/** Arranges flat data as nested arrays. */
export function nest(data: TypedArray, shape: Shape, dtype: DType): Nested {
  const element = (i: number): Nested => dtype === 'bool' ? data[i] !== 0 : dtype === 'float16' ? fromHalf(data[i] as number) : data[i]!
  const build = (axis: number, start: number, stride: number): Nested => {
    if (axis === shape.length) return element(start)
    const step = stride / shape[axis]!
    return Array.from({ length: shape[axis]! }, (_, i) => build(axis + 1, start + i * step, step))
  }
  return build(0, 0, sizeOf(shape))
}

/** Elements shown at each end of an axis of a large tensor. */
const edge = 3
/** Tensors with more elements than this are shortened. */
const limit = 200
/** Significant digits shown: what the type can hold, less the digits where rounding shows. */
const digits: Partial<Record<DType, number>> = { float16: 4, float32: 6, float64: 12 }

/** `tensor([[1, 2], [3, 4]], float32)`. */
export function format(data: TypedArray, shape: Shape, dtype: DType): string {
  const shorten = data.length > limit
  const build = (axis: number, start: number, stride: number): string => {
    if (axis === shape.length) return number(data[start]!, dtype)
    const size = shape[axis]!
    const step = stride / size
    const part = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => build(axis + 1, start + (from + i) * step, step))
    const items = shorten && size > 2 * edge ? [...part(0, edge), '…', ...part(size - edge, size)] : part(0, size)
    return `[${items.join(', ')}]`
  }
  return `tensor(${build(0, 0, sizeOf(shape))}, ${dtype})`
}

function number(value: number | bigint, dtype: DType): string {
  if (dtype === 'bool') return value ? 'true' : 'false'
  const precision = digits[dtype]
  return precision === undefined ? String(value) : String(Number((dtype === 'float16' ? fromHalf(value as number) : Number(value)).toPrecision(precision)))
}
