// Quantised models against onnxruntime, and the gradients of quantisation against PyTorch's fake_quantize.

import { cpu } from '@bp/backend-cpu'
import { compile, grad, jvp, mul, type Tensor, tensor, use, vmap } from '@bp/core'
import { Adam } from '@bp/nn'
import { Generator, mean, square, sub, sum } from '@bp/ops'
import type { onnx } from 'onnx-proto'
import { describe, expect, test } from 'vitest'
import { graphOf, initialiser, modelBytes, node, nodeWith, type Setting, value } from '../../test/model.ts'
import { expectAsRuntime } from '../../test/runtime.ts'
import { importOnnx } from '../index.ts'

use(cpu())

const untyped = (name: string, elemType = 1): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType } } })
const generator = new Generator(11)
const random = (...shape: number[]): Tensor => generator.uniform(shape, { low: -2, high: 2 })

const numberOf = { uint8: 2, int8: 3, uint16: 4, int16: 5, int32: 6, uint4: 21, int4: 22, float8e4m3fn: 17 } as const
type Code = keyof typeof numberOf

/** Whole numbers of a type. */
const codes = (name: string, type: Code, dims: number[], numbers: readonly number[]): onnx.ITensorProto => ({ name, dims, dataType: numberOf[type], int32Data: [...numbers] })

/** Quantises x and takes it back; `zero` is the zero point, `null` for none. */
function pair(shape: readonly number[], scale: onnx.ITensorProto, zero: onnx.ITensorProto | null, settings: Readonly<Record<string, Setting>> = {}, opset = 21): Uint8Array {
  const { output_dtype: outputType, ...shared } = settings
  const operands = [scale.name!, ...zero ? [zero.name!] : []]
  return modelBytes(graphOf([
    nodeWith('QuantizeLinear', ['x', ...operands], ['q'], { ...shared, ...outputType !== undefined && { output_dtype: outputType } }), nodeWith('DequantizeLinear', ['q', ...operands], ['y'], shared),
  ], [value('x', [...shape])], [untyped('y')], [scale, ...zero ? [zero] : []]), opset)
}

describe('equal to onnxruntime', () => {
  const x = random(3, 5)
  test.each<[string, Uint8Array]>([
    ['uint8', pair([3, 5], initialiser('s', [], [0.02]), codes('z', 'uint8', [], [100]), {}, 13)],
    ['int8', pair([3, 5], initialiser('s', [], [0.01]), codes('z', 'int8', [], [-3]), {}, 13)],
    ['int8 for each row', pair([3, 5], initialiser('s', [3], [0.01, 0.02, 0.5]), codes('z', 'int8', [3], [0, 5, -7]), { axis: 0 }, 13)],
    ['uint16', pair([3, 5], initialiser('s', [], [0.001]), codes('z', 'uint16', [], [2000]))],
    ['int16', pair([3, 5], initialiser('s', [], [0.0001]), codes('z', 'int16', [], [-5]))],
    ['int4 in blocks', pair([3, 5], initialiser('s', [3, 3], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]), codes('z', 'int4', [3, 3], [0x10, 0x02, 0xff, 0x31, 0x00]), { axis: 1, block_size: 2 })],
    ['a type by an attribute', pair([3, 5], initialiser('s', [], [0.02]), null, { output_dtype: numberOf.int8 })],
    ['an 8-bit float', pair([3, 5], initialiser('s', [], [0.3]), null, { output_dtype: numberOf.float8e4m3fn })],
  ])('%s', async (_name, bytes) => {
    await expectAsRuntime(bytes, { x })
  })

  test('a layer whose inputs are quantised by what they are', async () => {
    const bytes = modelBytes(graphOf([
      node('DynamicQuantizeLinear', ['x'], ['q', 's', 'z']), node('MatMulInteger', ['q', 'w', 'z', 'wz'], ['sums']), nodeWith('Cast', ['sums'], ['floats'], { to: 1 }), node('Mul', ['floats', 's'], ['y']),
    ], [value('x', [3, 5])], [untyped('y')], [codes('w', 'int8', [5, 2], [1, -2, 3, 127, -128, 6, 7, -8, 9, 10]), codes('wz', 'int8', [], [1])]))
    await expectAsRuntime(bytes, { x })
  })

  test('products and convolutions of codes', async () => {
    const quantised = (from: string, to: string, s: string, z: string): onnx.INodeProto => node('QuantizeLinear', [from, s, z], [to])
    const constants = [initialiser('s', [], [0.02]), codes('z', 'uint8', [], [100]), initialiser('t', [], [0.05]), codes('u', 'uint8', [], [90])]
    const product = modelBytes(graphOf([quantised('x', 'q', 's', 'z'), node('QLinearMatMul', ['q', 's', 'z', 'w', 'ws', 'wz', 't', 'u'], ['c']), node('DequantizeLinear', ['c', 't', 'u'], ['y'])],
      [value('x', [3, 5])], [untyped('y')], [...constants, codes('w', 'int8', [5, 2], [1, -2, 3, 127, -128, 6, 7, -8, 9, 10]), initialiser('ws', [2], [0.01, 0.02]), codes('wz', 'int8', [2], [0, 0])]))
    await expectAsRuntime(product, { x })
    const image = random(1, 2, 4, 4)
    const weights = Array.from({ length: 3 * 2 * 3 * 3 }, (_, i) => (i * 37) % 255 - 127)
    const settings = { pads: [1, 1, 1, 1], strides: [2, 2] }
    const convolution = modelBytes(graphOf([quantised('x', 'q', 's', 'z'), nodeWith('QLinearConv', ['q', 's', 'z', 'w', 'ws', 'wz', 't', 'u', 'b'], ['c'], settings), node('DequantizeLinear', ['c', 't', 'u'], ['y'])],
      [value('x', [1, 2, 4, 4])], [untyped('y')], [...constants, codes('w', 'int8', [3, 2, 3, 3], weights), initialiser('ws', [3], [0.01, 0.02, 0.005]), codes('wz', 'int8', [3], [0, 0, 0]), codes('b', 'int32', [3], [500, -700, 30])]))
    await expectAsRuntime(convolution, { x: image })
    const integers = modelBytes(graphOf([quantised('x', 'q', 's', 'z'), nodeWith('ConvInteger', ['q', 'w', 'z'], ['sums'], settings), nodeWith('Cast', ['sums'], ['y'], { to: 1 })],
      [value('x', [1, 2, 4, 4])], [untyped('y')], [...constants, codes('w', 'uint8', [3, 2, 3, 3], weights.map(n => n + 127))]))
    await expectAsRuntime(integers, { x: image })
  })
})

/** Σ i·yᵢ from i = 1 on, so that gradients differ. */
const weighted = (y: Tensor): Tensor => sum(mul(y, tensor(Array.from({ length: y.size }, (_, i) => i + 1), { shape: y.shape, dtype: 'float32' })))

const rounded = (x: Tensor): number[] => Array.from(x.dataSync() as Float32Array, n => Number(n.toFixed(4)))

/* torch.fake_quantize_per_tensor_affine and per_channel_affine of PyTorch 2.15, and backward of the sum of the results times 1, 2, 3, … */
test.each<[string, Uint8Array, Tensor, readonly number[], readonly number[]]>([
  ['uint8', pair([9], initialiser('s', [], [0.1]), codes('z', 'uint8', [], [10])), tensor([-5, -1.27, -0.31, 0.04, 0.05, 0.15, 0.9, 1.4, 3]),
    [-1, -1, -0.3, 0, 0, 0.2, 0.9, 1.4, 3], [0, 0, 3, 4, 5, 6, 7, 8, 9]],
  ['int8', pair([9], initialiser('s', [], [0.01]), codes('z', 'int8', [], [0])), tensor([-5, -1.27, -0.31, 0.04, 0.05, 0.15, 0.9, 1.4, 3]),
    [-1.28, -1.27, -0.31, 0.04, 0.05, 0.15, 0.9, 1.27, 1.27], [0, 2, 3, 4, 5, 6, 7, 0, 0]],
  ['int8 for each row', pair([2, 3], initialiser('s', [2], [0.01, 0.05]), codes('z', 'int8', [2], [0, 0]), { axis: 0 }), tensor([[1, -2, 0.26], [0.5, 9, -7]]),
    [1, -1.28, 0.26, 0.5, 6.35, -6.4], [1, 0, 3, 4, 0, 0]],
])('gradients pass straight through %s within its range, as in fake_quantize', (_name, bytes, x, y, slope) => {
  const model = importOnnx(bytes)
  expect([...model.parameters()]).toEqual([])
  const f = (z: Tensor): Tensor => model.run({ x: z }).y!
  expect(rounded(f(x))).toEqual(y)
  expect(rounded(grad((z: Tensor) => weighted(f(z)))(x))).toEqual(slope)
  expect(rounded(compile(f)(x))).toEqual(y)
  expect(rounded(compile(grad((z: Tensor) => weighted(f(z))))(x))).toEqual(slope)
})

test('the way through is the same forwards, in batches, and again differentiated', () => {
  const model = importOnnx(pair([3], initialiser('s', [], [0.1]), codes('z', 'uint8', [], [10])))
  const f = (z: Tensor): Tensor => model.run({ x: z }).y!
  const x = tensor([0.33, -5, 1.27])
  expect(jvp(f, [x], [tensor([1, 2, 3])]).map(rounded)).toEqual([[0.3, -1, 1.3], [1, 0, 3]])
  expect(rounded(vmap(f)(tensor([[0.33, -5, 1.27], [1, 2, 3]])))).toEqual([0.3, -1, 1.3, 1, 2, 3])
  // of Σ y²·x, where y′ = 1 within the range: 2y·x + y², and of the sum of its squares 2(2y·x + y²)(2x + 4y)
  const first = grad((z: Tensor) => sum(mul(square(f(z)), z)))
  expect(rounded(first(x))).toEqual([0.288, 1, 4.992])
  expect(rounded(grad((z: Tensor) => sum(square(first(z))))(x))).toEqual([1.0714, 0, 77.2762])
})

test('gradients pass through products of codes as through the same product of floats', () => {
  const constants = [initialiser('s', [], [0.02]), codes('z', 'uint8', [], [100]), initialiser('t', [], [0.05]), codes('u', 'uint8', [], [90]), codes('w', 'int8', [3, 2], [5, -7, 100, -128, 30, 1]), initialiser('ws', [2], [0.01, 0.02]), codes('wz', 'int8', [2], [0, 0])]
  const model = (nodes: onnx.INodeProto[]): Uint8Array => modelBytes(graphOf([node('QuantizeLinear', ['x', 's', 'z'], ['q']), ...nodes, node('DequantizeLinear', ['c', 't', 'u'], ['y'])], [value('x', [2, 3])], [untyped('y')], constants), 13)
  const codesIn = model([node('QLinearMatMul', ['q', 's', 'z', 'w', 'ws', 'wz', 't', 'u'], ['c'])])
  const floatsIn = model([node('DequantizeLinear', ['q', 's', 'z'], ['a']), nodeWith('DequantizeLinear', ['w', 'ws', 'wz'], ['b'], { axis: 1 }), node('MatMul', ['a', 'b'], ['m']), node('QuantizeLinear', ['m', 't', 'u'], ['c'])])
  const x = tensor([[0.5, -1.2, 0.9], [9, 0.1, -0.4]])
  const slope = (bytes: Uint8Array): number[] => rounded(grad((z: Tensor) => weighted(importOnnx(bytes).run({ x: z }).y!))(x))
  expect(rounded(importOnnx(codesIn).run({ x }).y!)).toEqual(rounded(importOnnx(floatsIn).run({ x }).y!))
  expect(slope(codesIn)).toEqual(slope(floatsIn))
  expect(slope(codesIn)[0]).not.toBe(0)
})

test('a quantised model is fine-tuned: weights move by what they were before they were rounded', () => {
  const scale = initialiser('s', [], [0.05])
  const bytes = modelBytes(graphOf([
    node('QuantizeLinear', ['x', 's', 'z'], ['xq']), node('DequantizeLinear', ['xq', 's', 'z'], ['xf']), node('QuantizeLinear', ['w', 's', 'z'], ['wq']), node('DequantizeLinear', ['wq', 's', 'z'], ['wf']),
    node('MatMul', ['xf', 'wf'], ['y']),
  ], [value('x', [8, 3])], [untyped('y')], [scale, codes('z', 'int8', [], [0]), initialiser('w', [3, 1], [0.1, 0.1, 0.1])]), 13)
  const model = importOnnx(bytes)
  expect([...model.namedParameters()].map(([name]) => name)).toEqual(['w'])
  const x = random(8, 3)
  const want = tensor((x.toArray() as number[][]).map(([a, b, c]) => [a! - 2 * b! + 0.5 * c!]))
  const optimiser = new Adam(model.parameters(), { lr: 0.05 })
  const loss = (): Tensor => mean(square(sub(model.forward(x) as Tensor, want)))
  const before = loss().item()
  for (let i = 0; i < 80; i++) {
    optimiser.zeroGrad()
    loss().backward()
    optimiser.step()
  }
  expect(loss().item()).toBeLessThan(before / 500)
})

test('the scale has the gradient of learned step sizes', () => {
  const both = modelBytes(graphOf([node('QuantizeLinear', ['x', 's', 'z'], ['q']), node('DequantizeLinear', ['q', 's', 'z'], ['y'])], [value('x', [4]), value('s', [])], [untyped('y')], [codes('z', 'int8', [], [0])]))
  const x = tensor([-5, -1.273, 0.314, 3])
  const slope = grad((s: Tensor) => sum(importOnnx(both).run({ x, s }).y!))(tensor(0.01))
  // the end of the range where a number lies outside, else what rounding has moved it: −127 + 127.3 and 31 − 31.4
  expect(slope.item()).toBeCloseTo(-128 + 0.3 - 0.4 + 127, 3)
})

test('shapes and types that do not fit are named', () => {
  expect(() => importOnnx(pair([3, 5], initialiser('s', [2], [1, 1]), codes('z', 'int8', [2], [0, 0]), { axis: 0 })).run({ x: random(3, 5) })).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "q" (QuantizeLinear): QuantizeLinear: scales and zero points of f32[3,5] along axis 0 have the shape [3], got f32[2]. The file does not fit its input]`)
  expect(() => importOnnx(pair([3, 5], initialiser('s', [], [1]), null, { output_dtype: 7 })).run({ x: random(3, 5) })).toThrowErrorMatchingInlineSnapshot(`[UnsupportedOperatorError: OnnxModule: node "q" (QuantizeLinear): QuantizeLinear: quantisation to "int64" is unsupported. Export the model without it, or pass an implementation in importOnnx(bytes, { operators: { QuantizeLinear: … } })]`)
})
