// TensorProto in all its encodings: typed lists, raw bytes at any offset, every dtype there and back.

import { tensor, use } from '@bp/core'
import { dtypes } from '@bp/core/extend'
import { cpu } from '@bp/backend-cpu'
import { cast } from '@bp/ops'
import proto, { type onnx } from 'onnx-proto'
import { expect, test } from 'vitest'
import { decodeTensorProto, encodeTensorProto } from '../index.ts'

use(cpu())

const encode = (message: onnx.ITensorProto): Uint8Array => proto.onnx.TensorProto.encode(message).finish()

test.each(dtypes)('%s there and back', dtype => {
  const x = dtype === 'int64' ? tensor([2n ** 62n + 1n, 0n, -(2n ** 63n)]) : cast(tensor([[1.5, 0, 3]]), dtype)
  const back = decodeTensorProto(encodeTensorProto(x))
  expect([back.dtype, back.shape]).toEqual([x.dtype, x.shape])
  expect(back.dataSync()).toEqual(x.dataSync())
})

test('typed lists', () => {
  expect(String(decodeTensorProto(encode({ dims: [2], dataType: 1, floatData: [1.5, -2] })))).toBe('tensor([1.5, -2], float32)')
  expect(String(decodeTensorProto(encode({ dims: [2], dataType: 11, doubleData: [1.5, -2] })))).toBe('tensor([1.5, -2], float64)')
  expect(String(decodeTensorProto(encode({ dims: [2], dataType: 7, int64Data: [5, -3] })))).toBe('tensor([5, -3], int64)')
  expect(String(decodeTensorProto(encode({ dims: [2], dataType: 6, int32Data: [5, -3] })))).toBe('tensor([5, -3], int32)')
  expect(String(decodeTensorProto(encode({ dims: [2], dataType: 2, int32Data: [5, 250] })))).toBe('tensor([5, 250], uint8)')
  expect(String(decodeTensorProto(encode({ dims: [], dataType: 9, int32Data: [1] })))).toBe('tensor(true, bool)')
  expect(String(decodeTensorProto(encode({ dims: [0, 2], dataType: 1 })).shape)).toBe('0,2')
})

test('raw bytes at odd offsets', () => {
  for (const name of ['', 'a', 'ab', 'abc']) {
    expect(String(decodeTensorProto(encode({ dims: [2], dataType: 1, name, rawData: new Uint8Array(Float32Array.of(1, 2).buffer) })))).toBe('tensor([1, 2], float32)')
  }
})
