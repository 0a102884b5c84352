// What operators do with types other than float32: edge cases of float16 and whole numbers, and of versions before 6.

import { grad, type Tensor, tensor, use, zeros } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { sum } from '@bp/ops'
import proto, { type onnx } from 'onnx-proto'
import { describe, expect, test } from 'vitest'
import { graphOf, modelBytes, node, nodeWith, type Setting } from '../../test/model.ts'
import { importOnnx, type OnnxModule } from '../index.ts'
import { codeOf, type ElementType } from '../proto/elementType.ts'

use(cpu())

const typed = (name: string, type: ElementType): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType: codeOf(type) } } })

const model = (operator: string, inputs: ElementType[], outputs: ElementType[], settings: Record<string, Setting> = {}, opset = 26): OnnxModule =>
  importOnnx(modelBytes(graphOf([nodeWith(operator, inputs.map((_, i) => `x${i}`), outputs.map((_, i) => `y${i}`), settings)], inputs.map((type, i) => typed(`x${i}`, type)), outputs.map((type, i) => typed(`y${i}`, type))), opset))

const run = (one: OnnxModule, ...xs: Tensor[]): string[] => [one.forward(...xs)].flat().map(String)

describe('Mod of floats', () => {
  const mod = model('Mod', ['float32', 'float32'], ['float32'])

  // numpy.mod
  test('has the sign of the divisor, a zero too', () => {
    const y = mod.forward(tensor([-7, 7, 4, -4, 0, 4, 1, -1]), tensor([2, -2, 2, 2, -3, -2, Infinity, Infinity])) as Tensor
    expect([...y.dataSync() as Float32Array]).toEqual([1, -1, 0, 0, -0, -0, 1, Infinity])
  })

  test('and the derivative 1 by the dividend, where nothing is left too', () => {
    expect(String(grad((x: Tensor) => sum(mod.forward(x, tensor([2, -2, 2])) as Tensor))(tensor([4, 4, 5])))).toBe('tensor([1, 1, 1], float32)')
  })
})

test('Range counts steps of float16 by its numbers, not its bits', () => {
  const constant = (name: string, bits: number): onnx.ITensorProto => ({ name, dims: [], dataType: codeOf('float16'), int32Data: [bits] })
  const bytes = modelBytes(graphOf([node('Range', ['a', 'b', 'c'], ['y'])], [], [typed('y', 'float16')], [constant('a', 0x3c00), constant('b', 0x4500), constant('c', 0x4000)]), 26)
  expect(String(importOnnx(bytes).run({}).y)).toBe('tensor([1, 3], float16)')
})

test('SpaceToDepth lays a block beside its channel in mode CRD', () => {
  const x = tensor([[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]])
  expect(run(model('SpaceToDepth', ['float32'], ['float32'], { blocksize: 2, mode: 'CRD' }), x)).toEqual(['tensor([[[[1]], [[2]], [[3]], [[4]], [[5]], [[6]], [[7]], [[8]]]], float32)'])
  expect(run(model('SpaceToDepth', ['float32'], ['float32'], { blocksize: 2 }), x)).toEqual(['tensor([[[[1]], [[5]], [[2]], [[6]], [[3]], [[7]], [[4]], [[8]]]], float32)'])
})

describe('MaxPool', () => {
  const x = tensor([[[[1, 2, 3], [9, 5, 6]]]])

  test('counts places along the first axis first where it is told to', () => {
    const settings = { kernel_shape: [2, 2] }
    expect(run(model('MaxPool', ['float32'], ['float32', 'int64'], settings), x)[1]).toBe('tensor([[[[3, 5]]]], int64)')
    expect(run(model('MaxPool', ['float32'], ['float32', 'int64'], { ...settings, storage_order: 1 }), x)[1]).toBe('tensor([[[[1, 5]]]], int64)')
  })

  test('takes int8, padded with less than any', () => {
    const y = run(model('MaxPool', ['int8'], ['int8', 'int64'], { kernel_shape: [2], pads: [1, 0] }), tensor([[[-128, 3]]], { dtype: 'int32' }))
    expect(y).toEqual(['tensor([[[-128, 3]]], int32)', 'tensor([[[0, 1]]], int64)'])
  })
})

test('the largest of no truths is false, the least true', () => {
  const nothing = tensor([], { dtype: 'bool' })
  expect(run(model('ReduceMax', ['bool'], ['bool'], { keepdims: 0 }), nothing)).toEqual(['tensor(false, bool)'])
  expect(run(model('ReduceMin', ['bool'], ['bool'], { keepdims: 0 }), nothing)).toEqual(['tensor(true, bool)'])
})

test('Shrink of whole numbers by a fraction stays whole', () => {
  expect(run(model('Shrink', ['int32'], ['int32'], { lambd: 1.5, bias: 0.5 }), tensor([-3, 1, 3], { dtype: 'int32' }))).toEqual(['tensor([-2, 0, 2], int32)'])
})

test('EyeLike and ConstantOfShape make the types that they are told', () => {
  expect(run(model('EyeLike', ['float32'], ['int8'], { dtype: codeOf('int8') }), zeros([2, 2]))).toEqual(['tensor([[1, 0], [0, 1]], int32)'])
  const filled = nodeWith('ConstantOfShape', ['s'], ['y'], {})
  filled.attribute!.push({ name: 'value', type: proto.onnx.AttributeProto.AttributeType.TENSOR, t: { dims: [1], dataType: codeOf('uint16'), int32Data: [65535] } })
  expect(String(importOnnx(modelBytes(graphOf([filled], [typed('s', 'int64')], [typed('y', 'uint16')]))).forward(tensor([2n])))).toBe('tensor([65535, 65535], int32)')
})

test('sums of known whole numbers are exact beyond 2⁵³', () => {
  const constant = (name: string, n: number): onnx.ITensorProto => ({ name, dims: [1], dataType: 7, int64Data: [n] })
  const bytes = modelBytes(graphOf([node('Mul', ['a', 'a'], ['b']), node('Add', ['b', 'one'], ['y'])], [], [typed('y', 'int64')], [constant('a', 2 ** 27), constant('one', 1)]))
  expect(String(importOnnx(bytes).run({}).y)).toBe('tensor([18014398509481985], int64)')
})

describe('operator sets before 6', () => {
  test('are read where 6 did not change an operator', () => {
    expect(run(model('Not', ['bool'], ['bool'], {}, 1), tensor([true, false]))).toEqual(['tensor([false, true], bool)'])
  })

  test('and refused elsewhere', () => {
    expect(() => model('Add', ['float32', 'float32'], ['float32'], {}, 5)).toThrowErrorMatchingInlineSnapshot('[UnsupportedError: importOnnx: the model is of operator set 5; 6 to 28 are supported. Convert it with onnx.version_converter]')
  })
})
