// Tensors that a file stores by the places and values of what is not zero, made dense.

import { allocate, bytesPerElement, fail, sizeOf, stridesOf } from '@bp/core/extend'
import { type Int64, type SparseTensorProto, toNumber } from '../proto/proto.ts'
import { type Literal, readStored, type Stored } from '../proto/tensor.ts'
import type { Allowance } from './limits.ts'
import { StringTensor } from './value.ts'

/**
 * Makes a sparse tensor dense. Its n values are a vector; their places are int64[n], counted through the tensor in row-major order,
 * or int64[n, rank], one index for each axis; either in ascending order. The bytes of the result are taken from `bytes` before anything of
 * its size is made. Throws a `data` error for places that are outside, out of order or of another shape.
 */
export function readSparse(op: string, t: SparseTensorProto, where: string, bytes: Allowance, read: (message: NonNullable<SparseTensorProto['values']>, where: string) => Stored = (message, what) => readStored(op, message, what)): Literal {
  const shape = ((t.dims ?? []) as Int64[]).map(toNumber)
  const size = sizeOf(shape)
  if (shape.some(n => !Number.isSafeInteger(n) || n < 0) || !Number.isSafeInteger(size)) fail('data', op, `${where} has the impossible shape [${shape.join(',')}]. The file is damaged`)
  if (!t.values || !t.indices) return fail('data', op, `${where} is sparse, but has no ${t.values ? 'indices' : 'values'}. The file is damaged`)
  const values = read(t.values, `the values of ${where}`)
  const indices = read(t.indices, `the indices of ${where}`)
  if (values instanceof StringTensor || indices instanceof StringTensor) return fail('data', op, `${where} is sparse and holds strings, where numbers are needed. The file is damaged`)
  const count = values.data.length
  const byAxis = indices.shape.length === 2
  const fits = values.shape.length === 1 && indices.shape[0] === count && (byAxis ? indices.shape[1] === shape.length : indices.shape.length === 1)
  if (!fits || indices.dtype !== 'int64') fail('data', op, `${where} is sparse with ${values.dtype}[${values.shape.join(',')}] values at ${indices.dtype}[${indices.shape.join(',')}] places; n values need int64[n] or int64[n,${shape.length}]. The file is damaged`)
  bytes.take(size * bytesPerElement(values.dtype))
  const data = allocate(values.dtype, size)
  const strides = byAxis ? stridesOf(shape) : [1]
  const sizes = byAxis ? shape : [size]
  let before = -1
  for (let i = 0; i < count; i++) {
    let place = 0
    for (let axis = 0; axis < strides.length; axis++) {
      const index = Number(indices.data[i * strides.length + axis])
      if (!(index >= 0 && index < sizes[axis]!)) fail('data', op, `${where} has a value at ${index} of an axis of ${sizes[axis]!}. The file is damaged`)
      place += index * strides[axis]!
    }
    if (place <= before) fail('data', op, `the places of the values of ${where} are not in ascending order. The file is damaged or was written wrongly`)
    data[place] = values.data[i]!
    before = place
  }
  return { ...values, shape, data }
}
