// TensorProto in all its encodings: typed lists, raw bytes at any offset, every dtype there and back.

import { tensor, use } from '@bp/core'
import { dtypes } from '@bp/core/extend'
import { cpu } from '@bp/backend-cpu'
import { cast } from '@bp/ops'
import proto, { type onnx } from 'onnx-proto'
import { describe, expect, test } from 'vitest'
import { decodeTensorProto, decodeValueProto, type ElementType, encodeTensorProto, StringTensor, UnsupportedError } from '../index.ts'
import { show } from '../../test/show.ts'
import { codeOf, type NarrowType } from './elementType.ts'

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

/** Numbers at the ends of a type and between, in the dtype that carries it. */
const narrow: [NarrowType, 'int32' | 'int64' | 'float32', number[]][] = [
  ['int2', 'int32', [-2, 1, 0, -1, 1]], ['uint2', 'int32', [3, 0, 1, 2, 3]], ['int4', 'int32', [-8, 7, -1]], ['uint4', 'int32', [15, 0, 9]], ['int8', 'int32', [-128, 127, -1]],
  ['int16', 'int32', [-32768, 32767, -1]], ['uint16', 'int32', [65535, 0, 40000]], ['uint32', 'int64', [4294967295, 0, 3e9]], ['uint64', 'int64', [2 ** 53, 0, 1]],
  ['bfloat16', 'float32', [1.5, -0.00390625, Infinity]], ['float8e4m3fn', 'float32', [448, -0.001953125, NaN]], ['float8e4m3fnuz', 'float32', [240, -1, NaN]],
  ['float8e5m2', 'float32', [57344, -Infinity, NaN]], ['float8e5m2fnuz', 'float32', [57344, -1, NaN]], ['float8e8m0', 'float32', [2, 2 ** -127, NaN]], ['float4e2m1', 'float32', [6, -0.5, 1.5]],
]

describe('element types that are no dtypes', () => {
  test.each(narrow)('%s there and back, in %s', (type, dtype, numbers) => {
    const x = tensor(numbers, { dtype })
    const bytes = encodeTensorProto(x, 'x', type)
    expect(proto.onnx.TensorProto.decode(bytes).dataType).toBe(codeOf(type))
    expect(decodeTensorProto(bytes).dataSync()).toEqual(x.dataSync())
    expect(decodeValueProto(bytes, 'tensor').type).toBe(type)
  })

  test('raw bytes are those of onnx.helper.make_tensor', () => {
    const raw = (type: NarrowType, dtype: 'int32' | 'int64' | 'float32', numbers: number[]): number[] => [...proto.onnx.TensorProto.decode(encodeTensorProto(tensor(numbers, { dtype }), '', type)).rawData]
    expect(raw('int4', 'int32', [-8, 7, -1])).toEqual([0x78, 0x0f])
    expect(raw('uint2', 'int32', [3, 0, 1, 2, 3])).toEqual([0x93, 0x03])
    expect(raw('float4e2m1', 'float32', [6, -0.5, 1.5])).toEqual([0x97, 0x03])
    expect(raw('bfloat16', 'float32', [1.5, -2])).toEqual([0xc0, 0x3f, 0x00, 0xc0])
    expect(raw('uint16', 'int32', [65535, 1])).toEqual([255, 255, 1, 0])
  })

  test('typed lists: codes in int32_data, packed below eight bits, the large ones in uint64_data', () => {
    const read = (type: ElementType, lists: onnx.ITensorProto, dims = [2]): string => String(decodeTensorProto(encode({ dims, dataType: codeOf(type), ...lists })))
    expect(read('int8', { int32Data: [-3, 5] })).toBe('tensor([-3, 5], int32)')
    expect(read('int4', { int32Data: [0x78, 0x0f] }, [3])).toBe('tensor([-8, 7, -1], int32)')
    expect(read('bfloat16', { int32Data: [0x3fc0, 0xc000] })).toBe('tensor([1.5, -2], float32)')
    expect(read('float8e4m3fn', { int32Data: [0x38, 0xb8] })).toBe('tensor([1, -1], float32)')
    expect(read('uint32', { uint64Data: [4294967295, 1] })).toBe('tensor([4294967295, 1], int64)')
    expect(() => read('int4', { int32Data: [1, 2] })).toThrowErrorMatchingInlineSnapshot('[BpError: decodeTensorProto: the tensor has shape [2], which needs 1 packed bytes, but holds 2. The file is damaged or was written wrongly; export the model again]')
  })

  test('complex numbers are refused, and a tensor that does not carry the type', () => {
    expect(() => decodeTensorProto(encode({ dims: [1], dataType: 14, floatData: [1, 2] }))).toThrow(UnsupportedError)
    expect(() => decodeTensorProto(encode({ dims: [1], dataType: 14, floatData: [1, 2] }))).toThrowErrorMatchingInlineSnapshot('[UnsupportedError: decodeTensorProto: the tensor has element type complex64, which is unsupported. Convert the model to real numbers of a type that ONNX names]')
    expect(() => encodeTensorProto(tensor([1]), '', 'int8')).toThrowErrorMatchingInlineSnapshot('[BpError: encodeTensorProto: float32 does not carry int8. Cast the tensor first]')
  })
})

describe('values that are no tensors of numbers', () => {
  const message = (field: number, content: Uint8Array): number[] => [field * 8 + 2, content.length, ...content]
  const ones = encodeTensorProto(tensor([1, 1]))
  const twos = encodeTensorProto(tensor([[2]]))

  test('strings', () => {
    const x = new StringTensor([2, 1], ['ä', ''])
    expect(decodeValueProto(encodeTensorProto(x, 'x'), 'tensor')).toEqual({ type: 'string', value: x })
    expect(() => decodeTensorProto(encodeTensorProto(x, 'x'))).toThrow('"x" holds strings where numbers are needed')
    expect(() => decodeValueProto(encode({ dims: [2], dataType: 8, stringData: [new Uint8Array()] }), 'tensor')).toThrow('needs 2 strings, but holds 1')
  })

  test('sequences and optionals', () => {
    const list = Uint8Array.from([16, 1, ...message(3, ones), ...message(3, twos)])
    const { type, value } = decodeValueProto(list, 'sequence')
    expect([type, show(value)]).toEqual(['float32', '[tensor([1, 1], float32); tensor([[2]], float32)]'])
    expect(decodeValueProto(Uint8Array.of(16, 0), 'optional')).toEqual({ type: null, value: null })
    expect(show(decodeValueProto(Uint8Array.from([16, 1, ...message(3, twos)]), 'optional').value)).toBe('tensor([[2]], float32)')
    expect(show(decodeValueProto(Uint8Array.from([16, 3, ...message(5, list)]), 'optional').value)).toBe('[tensor([1, 1], float32); tensor([[2]], float32)]')
  })

  test('maps are refused, damaged bytes too', () => {
    expect(() => decodeValueProto(Uint8Array.from(message(6, Uint8Array.of(16, 7))), 'sequence')).toThrowErrorMatchingInlineSnapshot('[UnsupportedError: decodeValueProto: the value holds a map, which is unsupported]')
    expect(() => decodeValueProto(Uint8Array.of(26, 9, 1), 'sequence')).toThrow('not valid protobuf')
  })
})
