// Element types that are no dtypes in running models: rounded after every operator, differentiated, compiled, exported, fed and given out.

import { autocast, compile, grad, type Tensor, tensor, use } from '@bp/core'
import { trace } from '@bp/core/extend'
import { cpu } from '@bp/backend-cpu'
import { SGD } from '@bp/nn'
import { exp, mul, sum } from '@bp/ops'
import type { onnx } from 'onnx-proto'
import * as runtime from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { graphOf, modelBytes, node, nodeWith, value } from '../../test/model.ts'
import { show } from '../../test/show.ts'
import { exportOnnx, importOnnx, type OnnxModule, StringTensor, UnsupportedError } from '../index.ts'
import { codeOf, type ElementType } from '../proto/elementType.ts'

use(cpu())

/** An input or output of an element type; without sizes of any rank. */
const typed = (name: string, type: ElementType, sizes?: number[]): onnx.IValueInfoProto =>
  ({ name, type: { tensorType: { elemType: codeOf(type), ...sizes && { shape: { dim: sizes.map(dimValue => ({ dimValue })) } } } } })

/** A model of one operator on operands of one type. */
const of = (operator: string, type: ElementType, operands = 2, result = type, settings = {}): OnnxModule => {
  const names = ['a', 'b', 'c'].slice(0, operands)
  return importOnnx(modelBytes(graphOf([nodeWith(operator, names, ['y'], settings)], names.map(name => typed(name, type)), [typed('y', result)]), 26))
}

const whole = (...numbers: number[]): Tensor => tensor(numbers, { dtype: 'int32' })
const long = (...numbers: (number | bigint)[]): Tensor => tensor(numbers.map(BigInt))

describe('whole numbers', () => {
  test.each<[string, ElementType, Tensor, Tensor, string]>([
    ['Add', 'int8', whole(127, -128), whole(1, -1), '[-128, 127]'],
    ['Sub', 'uint16', whole(3, 0), whole(5, 1), '[65534, 65535]'],
    ['Mul', 'uint16', whole(65535), whole(65535), '[1]'],
    ['Mul', 'int16', whole(300), whole(300), '[24464]'],
    ['Div', 'int8', whole(-128, -7), whole(-1, 2), '[-128, -3]'],
    ['Mod', 'int8', whole(-7, 7), whole(3, -3), '[2, -2]'],
    ['Sub', 'uint32', long(3), long(5), '[4294967294]'],
    ['Mul', 'uint32', long(4294967295), long(4294967295), '[1]'],
    ['Max', 'uint16', whole(65535), whole(1), '[65535]'],
    ['Pow', 'int64', long(3, -2), long(39, 63), '[4052555153018976267, -9223372036854775808]'],
    ['Pow', 'int32', whole(2, -3, 7), whole(30, 3, -1), '[1073741824, -27, 0]'],
  ])('%s of %s wraps around', (operator, type, a, b, want) => {
    expect(String(of(operator, type).run({ a, b }).y)).toContain(`(${want}, `)
  })

  test('known before any tensor is made, they wrap around too', () => {
    const constant = (name: string, n: number): onnx.ITensorProto => ({ name, dims: [1], dataType: codeOf('int8'), int32Data: [n] })
    const bytes = modelBytes(graphOf([node('Add', ['a', 'b'], ['y'])], [], [typed('y', 'int8', [1])], [constant('a', 100), constant('b', 100)]))
    expect(String(importOnnx(bytes).run({}).y)).toBe('tensor([-56], int32)')
  })

  test('uint64 above 2⁶³ is added, moved and compared for equality, and refused where its size matters', () => {
    const y = of('Sub', 'uint64').run({ a: long(1), b: long(3) }).y!
    expect(String(y)).toBe('tensor([-2], int64)')
    expect(String(of('Equal', 'uint64', 2, 'bool').run({ a: y, b: y }).y)).toBe('tensor([true], bool)')
    expect(() => of('Less', 'uint64', 2, 'bool').run({ a: y, b: y })).toThrow(UnsupportedError)
    expect(() => of('Less', 'uint64', 2, 'bool').run({ a: y, b: y })).toThrowErrorMatchingInlineSnapshot('[UnsupportedError: OnnxModule: node "y" (Less): importOnnx: the number 18446744073709551614 of uint64 is 2⁶³ or more, which is only added, multiplied, moved, and compared for equality. Use int64, or smaller numbers]')
    expect(String(of('Less', 'uint64', 2, 'bool').run({ a: long(1), b: long(3) }).y)).toBe('tensor([true], bool)')
  })

  test('cubic resizing stays within the type', () => {
    const bytes = modelBytes(graphOf([nodeWith('Resize', ['x', '', 's'], ['y'], { mode: 'cubic' })], [typed('x', 'int8', [4])], [typed('y', 'int8')], [{ name: 's', dims: [1], dataType: 1, floatData: [2] }]))
    const y = importOnnx(bytes).run({ x: whole(-128, 127, 127, -128) }).y!
    expect(Math.max(...y.dataSync() as Int32Array)).toBe(127)
  })
})

describe('bfloat16', () => {
  const weight: onnx.ITensorProto = { name: 'w', dims: [2], dataType: codeOf('bfloat16'), int32Data: [0x3f80, 0x4049] }
  const bytes = modelBytes(graphOf([node('Mul', ['x', 'w'], ['p']), node('Exp', ['p'], ['y'])], [typed('x', 'bfloat16', [2])], [typed('y', 'bfloat16', [2])], [weight]), 21)
  const x = tensor([1.0078125, 0.33])

  test('is rounded after every operator, inputs and weights too', () => {
    // 0.33 becomes 0.330078125; times 3.140625 it is 1.0366…, in bfloat16 1.0390625; e to that is 2.8265…, in bfloat16 2.828125
    expect([...importOnnx(bytes).run({ x }).y!.dataSync() as Float32Array]).toEqual([2.734375, 2.828125])
  })

  test('weights are parameters of float32, whose small steps add up though each use is rounded', () => {
    const model = importOnnx(bytes)
    expect(model.namedParameters().map(([name, w]) => [name, w.dtype])).toEqual([['w', 'float32']])
    const before = String(model.run({ x }).y)
    const optimiser = new SGD(model.parameters(), { lr: 1e-4 })
    const step = (): void => {
      model.zeroGrad()
      sum(model.forward(x) as Tensor).backward()
      optimiser.step()
    }
    step()
    expect(String(model.run({ x }).y)).toBe(before)
    for (let i = 0; i < 20; i++) step()
    expect(String(model.run({ x }).y)).not.toBe(before)
  })

  test('its derivative passes straight through, to every order, and compiled', () => {
    const model = importOnnx(bytes)
    const loss = (z: Tensor): Tensor => sum(model.forward(z) as Tensor)
    const y = exp(tensor([1.0078125, 1.0390625]))
    const w = tensor([1, 3.140625])
    expect(String(grad(loss)(x))).toBe(String(mul(y, w)))
    expect(String(grad((z: Tensor) => sum(grad(loss)(z)))(x))).toBe(String(mul(mul(y, w), w)))
    expect(String(compile(loss)(x))).toBe(String(loss(x)))
    expect(String(compile(grad(loss))(x))).toBe(String(grad(loss)(x)))
  })

  test('what only moves elements is not rounded again', () => {
    const turned = importOnnx(modelBytes(graphOf([node('Transpose', ['x'], ['t']), node('Identity', ['t'], ['y'])], [typed('x', 'bfloat16', [2, 3])], [typed('y', 'bfloat16', [3, 2])])))
    expect(trace(z => turned.forward(z), [{ shape: [2, 3], dtype: 'float32' }]).nodes.map(({ row }) => row.name)).toEqual(['onnx/narrow', 'transpose'])
  })

  test('is exported as casts there and back, and onnxruntime rounds as often', async () => {
    const model = importOnnx(bytes)
    const file = exportOnnx(model, [{ name: 'x', shape: [2] }], { opset: 21, outputs: ['y'] })
    const session = await runtime.InferenceSession.create(file)
    const { y } = await session.run({ x: new runtime.Tensor('float32', x.dataSync() as Float32Array, [2]) })
    expect([...y!.data as Float32Array]).toEqual([...(model.forward(x) as Tensor).dataSync() as Float32Array])
    expect(String(importOnnx(file).forward(x))).toBe(String(model.forward(x)))
  })

  test('8-bit floats are not exported to an operator set without them', () => {
    const model = of('Identity', 'float8e5m2', 1)
    expect(() => exportOnnx(model, [{ name: 'a', shape: [2] }])).toThrowErrorMatchingInlineSnapshot('[BpError: exportOnnx: onnx/narrow (op 1 of 1) rounds to float8e5m2, which operator set 17 has not. Export with opset 19 or later]')
  })
})

describe('inputs and outputs', () => {
  const sequence = (name: string, elemType: number): onnx.IValueInfoProto => ({ name, type: { sequenceType: { elemType: { tensorType: { elemType } } } } })
  const optional = (name: string, elemType: number): onnx.IValueInfoProto => ({ name, type: { optionalType: { elemType: { tensorType: { elemType } } } } })

  test('a shape that is left out allows any, one without axes a number alone', () => {
    expect(of('Neg', 'float32', 1).inputs[0]).toEqual({ name: 'a', kind: 'tensor', type: 'float32', dtype: 'float32', shape: null })
    expect(String(of('Neg', 'float32', 1).forward(tensor([[1]])))).toBe('tensor([[-1]], float32)')
    const scalar = importOnnx(modelBytes(graphOf([node('Neg', ['x'], ['y'])], [value('x', [])], [value('y', [])])))
    expect(scalar.inputs[0]!.shape).toEqual([])
    expect(() => scalar.forward(tensor([1]))).toThrowErrorMatchingInlineSnapshot('[BpError: OnnxModule: input x must be float32[], got f32[1]]')
  })

  test('a tensor of a type that is no dtype is fed in its carrier', () => {
    expect(of('Neg', 'int8', 1).inputs[0]).toMatchObject({ type: 'int8', dtype: 'int32' })
    expect(() => of('Neg', 'int8', 1).forward(tensor([1]))).toThrowErrorMatchingInlineSnapshot('[BpError: OnnxModule: input a must be int8, given as int32, got f32[1]]')
  })

  test('strings, sequences and optionals come and go by runValues alone', () => {
    const model = importOnnx(modelBytes(graphOf([node('StringConcat', ['a', 'a'], ['y'])], [typed('a', 'string')], [typed('y', 'string')]), 20))
    const a = new StringTensor([2], ['ab', ''])
    expect(model.runValues({ a })).toEqual({ y: new StringTensor([2], ['abab', '']) })
    expect(() => model.run({ a: tensor([1]) })).toThrowErrorMatchingInlineSnapshot('[BpError: OnnxModule: input a takes strings. Give new StringTensor(shape, texts) to runValues]')

    const listed = importOnnx(modelBytes(graphOf([node('SequenceInsert', ['s', 'x'], ['y'])], [sequence('s', 1), value('x', [1])], [sequence('y', 1)])))
    expect(listed.inputs[0]).toMatchObject({ kind: 'sequence', type: 'float32', shape: null })
    const x = tensor([1])
    expect(show(listed.runValues({ s: [x, x], x }).y)).toBe('[tensor([1], float32); tensor([1], float32); tensor([1], float32)]')
    expect(() => listed.run({ s: x, x })).toThrowErrorMatchingInlineSnapshot('[BpError: OnnxModule: input s is a sequence. Give a list of tensors to runValues]')

    const made = importOnnx(modelBytes(graphOf([node('SequenceConstruct', ['x', 'x'], ['y'])], [value('x', [1])], [sequence('y', 1)])))
    expect(() => made.forward(x)).toThrowErrorMatchingInlineSnapshot('[BpError: OnnxModule: the output y is of kind sequence of float32. Get it from runValues]')

    const maybe = importOnnx(modelBytes(graphOf([node('OptionalHasElement', ['o'], ['y']), node('Identity', ['o'], ['z'])], [optional('o', 1)], [typed('y', 'bool'), optional('z', 1)]), 18))
    expect(maybe.runValues({ o: null }).z).toBe(null)
    expect(show(maybe.runValues({ o: null }).y)).toBe('tensor(false, bool)')
    expect(show(maybe.runValues({ o: x }).y)).toBe('tensor(true, bool)')
    const got = importOnnx(modelBytes(graphOf([node('OptionalGetElement', ['o'], ['y'])], [optional('o', 1)], [value('y', [1])]), 18))
    expect(show(got.runValues({ o: x }).y)).toBe('tensor([1], float32)')
    expect(() => got.runValues({ o: null })).toThrowErrorMatchingInlineSnapshot('[BpError: OnnxModule: node "y" (OptionalGetElement): OptionalGetElement: the optional is empty. Ask OptionalHasElement first]')
  })

  test('a result of another type or kind than the file declares is an error', () => {
    expect(() => of('Neg', 'int8', 1, 'uint8').forward(whole(1))).toThrowErrorMatchingInlineSnapshot('[BpError: OnnxModule: the file declares the output y as a tensor of uint8, but its nodes make a tensor of int8. The file is damaged or was written wrongly; export the model again]')
    expect(autocast(() => of('MatMul', 'float32').run({ a: tensor([[1]]), b: tensor([[2]]) })).y!.dtype).toBe('float16')
    const list = importOnnx(modelBytes(graphOf([node('SequenceConstruct', ['x'], ['y'])], [value('x', [1])], [value('y', [1])])))
    expect(() => list.forward(tensor([1]))).toThrow('declares the output y as a tensor of float32, but its nodes make a sequence')
  })
})
