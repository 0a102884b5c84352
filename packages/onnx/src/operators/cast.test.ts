// Cast, CastLike and BitCast: between all kinds of types, texts included, by every version's rules.

import { tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import type { onnx } from 'onnx-proto'
import { describe, expect, test } from 'vitest'
import { graphOf, modelBytes, node, nodeWith } from '../../test/model.ts'
import { show } from '../../test/show.ts'
import { importOnnx, type OnnxValue, StringTensor } from '../index.ts'
import { codeOf, type ElementType } from '../proto/elementType.ts'

use(cpu())

const typed = (name: string, type: ElementType): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType: codeOf(type) } } })

function convert(from: ElementType, to: ElementType, x: OnnxValue, settings: Record<string, number | string> = {}, operator = 'Cast'): OnnxValue {
  const cast = nodeWith(operator, ['x'], ['y'], { to: codeOf(to), ...settings })
  return importOnnx(modelBytes(graphOf([cast], [typed('x', from)], [typed('y', to)]), 26)).runValues({ x }).y!
}

const whole = (...numbers: number[]): OnnxValue => tensor(numbers, { dtype: 'int32' })
const texts = (...data: string[]): StringTensor => new StringTensor([data.length], data)

describe('numbers to numbers', () => {
  test.each<[ElementType, ElementType, OnnxValue, string]>([
    ['int16', 'int8', whole(200, -129), 'tensor([-56, 127], int32)'],
    ['float32', 'int4', tensor([-7.9, 3.2]), 'tensor([-7, 3], int32)'],
    ['int32', 'uint32', whole(-1), 'tensor([4294967295], int64)'],
    ['int8', 'uint64', whole(-1), 'tensor([-1], int64)'],
    ['int4', 'float16', whole(-8), 'tensor([-8], float16)'],
    ['float32', 'bfloat16', tensor([1.00390625, 1.01171875]), 'tensor([1, 1.01563], float32)'],
    ['float32', 'float8e4m3fn', tensor([1e6, -Infinity, 17]), 'tensor([448, -448, 16], float32)'],
    ['float32', 'float4e2m1', tensor([100, 2.5, -0.3]), 'tensor([6, 2, -0.5], float32)'],
    ['bfloat16', 'bool', tensor([0.5, 0]), 'tensor([true, false], bool)'],
  ])('%s to %s', (from, to, x, want) => {
    expect(show(convert(from, to, x))).toBe(want)
  })

  test('what 8-bit floats do with too large numbers', () => {
    expect(show(convert('float32', 'float8e5m2', tensor([1e6, -1e6]), { saturate: 0 }))).toBe('tensor([Infinity, -Infinity], float32)')
    expect(show(convert('float32', 'float8e4m3fn', tensor([1e6]), { saturate: 0 }))).toBe('tensor([NaN], float32)')
  })

  test('powers of two are rounded as the node says', () => {
    expect(['up', 'down', 'nearest'].map(round => show(convert('float32', 'float8e8m0', tensor([5]), { round_mode: round })))).toEqual(['tensor([8], float32)', 'tensor([4], float32)', 'tensor([4], float32)'])
    expect(() => convert('float32', 'float8e8m0', tensor([5]), { round_mode: 'odd' })).toThrow('round_mode "odd" is unsupported')
  })

  test('CastLike takes the type of its second operand', () => {
    const model = importOnnx(modelBytes(graphOf([node('CastLike', ['x', 'z'], ['y'])], [typed('x', 'float32'), typed('z', 'int8')], [typed('y', 'int8')]), 19))
    expect(String(model.run({ x: tensor([300, -1.5]), z: tensor([0], { dtype: 'int32' }) }).y)).toBe('tensor([44, -1], int32)')
  })
})

// str(numpy.float32(x)) and so on, NumPy 1.26; newer ones write more of them with a power of ten, where Cast asks for plain numbers
describe('numbers as texts', () => {
  test.each<[ElementType, OnnxValue, string[]]>([
    ['float32', tensor([0.1, 1, -0, 1e16, 12345678, 1e-5, 0.0001, NaN, -Infinity, 3.4028235e38]), ['0.1', '1.0', '-0.0', '1e+16', '12345678.0', '1e-05', '0.0001', 'nan', '-inf', '3.4028235e+38']],
    ['float64', tensor([0.1, 1 / 3, 1e22], { dtype: 'float64' }), ['0.1', '0.3333333333333333', '1e+22']],
    ['float16', tensor([0.1, 65504, 0.0078125], { dtype: 'float16' }), ['0.1', '65500.0', '0.007812']],
    ['bfloat16', tensor([0.1]), ['0.1']],
    ['int64', tensor([2n ** 62n + 1n]), ['4611686018427387905']],
    ['int8', whole(-128), ['-128']],
    ['bool', tensor([true, false]), ['True', 'False']],
  ])('%s', (type, x, want) => {
    expect((convert(type, 'string', x) as StringTensor).data).toEqual(want)
  })
})

describe('texts as numbers', () => {
  test.each<[ElementType, string[], string]>([
    ['float32', ['3.14', '1e-5', '1E8', '+INF', 'inf', '-Inf', 'NaN', ' 2 '], 'tensor([3.14, 0.00001, 100000000, Infinity, Infinity, -Infinity, NaN, 2], float32)'],
    ['int64', ['4611686018427387905', '-1', '+2'], 'tensor([4611686018427387905, -1, 2], int64)'],
    ['int32', ['100.5'], 'tensor([100], int32)'],
    ['uint16', ['65535'], 'tensor([65535], int32)'],
    ['bool', ['1', '0', 'True'], 'tensor([true, false, true], bool)'],
  ])('%s', (type, data, want) => {
    expect(show(convert('string', type, texts(...data)))).toBe(want)
  })

  test('a text that is no number is an error', () => {
    expect(() => convert('string', 'float32', texts('Hello'))).toThrowErrorMatchingInlineSnapshot('[BpError: OnnxModule: node "y" (Cast): Cast: "Hello" is no number]')
  })
})

describe('BitCast', () => {
  test.each<[ElementType, ElementType, OnnxValue, string]>([
    ['float32', 'int32', tensor([1, -0]), 'tensor([1065353216, -2147483648], int32)'],
    ['bfloat16', 'uint16', tensor([1.5]), 'tensor([16320], int32)'],
    ['int4', 'uint4', whole(-1, 7, -8), 'tensor([15, 7, 8], int32)'],
    ['uint8', 'float8e4m3fn', tensor([0x38], { dtype: 'uint8' }), 'tensor([1], float32)'],
    ['int64', 'uint64', tensor([-1n]), 'tensor([-1], int64)'],
  ])('%s as %s', (from, to, x, want) => {
    expect(show(convert(from, to, x, {}, 'BitCast'))).toBe(want)
  })

  test('of another width is refused', () => {
    expect(() => convert('float32', 'int64', tensor([1]), {}, 'BitCast')).toThrowErrorMatchingInlineSnapshot('[BpError: OnnxModule: node "y" (BitCast): BitCast: float32 and int64 have not the same number of bits. The file is damaged]')
  })
})
