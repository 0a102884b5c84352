// Operators of onnxruntime's own domain against onnxruntime, and the gradients that pass through them.

import { cpu } from '@bp/backend-cpu'
import { gradcheck, grad, type Tensor, tensor, use } from '@bp/core'
import { Generator, square, sum } from '@bp/ops'
import proto, { type onnx } from 'onnx-proto'
import { describe, expect, test } from 'vitest'
import { graphOf, initialiser, modelBytes, node, nodeWith, type Setting, value } from '../../test/model.ts'
import { expectAsRuntime } from '../../test/runtime.ts'
import { importOnnx } from '../index.ts'

use(cpu())

const untyped = (name: string, elemType = 1): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType } } })
const generator = new Generator(4)
const random = (...shape: number[]): Tensor => generator.uniform(shape, { low: -2, high: 2 })

/** A node of the domain; lists of fractions are allowed too. */
const own = (opType: string, inputs: readonly string[], outputs: readonly string[], settings: Readonly<Record<string, Setting>> = {}, floats: Readonly<Record<string, readonly number[]>> = {}): onnx.INodeProto => {
  const made = nodeWith(opType, [...inputs], [...outputs], settings)
  const lists = Object.entries(floats).map(([name, list]) => ({ name, type: proto.onnx.AttributeProto.AttributeType.FLOATS, floats: [...list] }))
  return { ...made, domain: 'com.microsoft', attribute: [...made.attribute ?? [], ...lists] }
}

/** A model of nodes on the tensors that it is fed with. */
const modelOf = (nodes: onnx.INodeProto[], feeds: Readonly<Record<string, Tensor>>, outputs: readonly string[], constants: onnx.ITensorProto[] = []): Uint8Array =>
  modelBytes(graphOf(nodes, Object.entries(feeds).map(([name, x]) => value(name, [...x.shape])), outputs.map(name => untyped(name)), constants), 17, '', { 'com.microsoft': 1 })

interface Case {
  readonly operator: string
  readonly shapes: Readonly<Record<string, readonly number[]>>
  readonly inputs?: readonly string[]
  readonly outputs?: readonly string[]
  readonly settings?: Readonly<Record<string, Setting>>
  readonly floats?: Readonly<Record<string, readonly number[]>>
}

const cases: readonly Case[] = [
  { operator: 'Gelu', shapes: { x: [2, 3] } }, { operator: 'BiasGelu', shapes: { x: [2, 3], b: [3] } }, { operator: 'FastGelu', shapes: { x: [2, 3], b: [3] } }, { operator: 'QuickGelu', shapes: { x: [2, 3] } },
  { operator: 'FusedMatMul', shapes: { a: [2, 4, 3], b: [2, 4, 5] }, settings: { transA: 1, alpha: 0.5 } }, { operator: 'FusedMatMul', shapes: { a: [2, 4, 3], b: [5, 3] }, settings: { transB: 1 } },
  { operator: 'FusedGemm', shapes: { a: [2, 3], b: [4, 3], c: [4] }, settings: { transB: 1, activation: 'Relu' } }, { operator: 'FusedGemm', shapes: { a: [2, 3], b: [3, 4] }, settings: { activation: 'LeakyRelu', activation_alpha: 0.3 } },
  { operator: 'FusedConv', shapes: { x: [1, 2, 4, 4], w: [3, 2, 3, 3], b: [3] }, settings: { pads: [1, 1, 1, 1], activation: 'HardSigmoid' }, floats: { activation_params: [0.3, 0.4] } },
  { operator: 'FusedConv', shapes: { x: [1, 2, 4, 4], w: [3, 2, 1, 1], b: [3], z: [1, 3, 4, 4] }, settings: { activation: 'Relu' } },
  { operator: 'FusedConv', shapes: { x: [1, 2, 4, 4], w: [3, 2, 1, 1] }, settings: { activation: 'Clip' }, floats: { activation_params: [-0.5, 1.5] } },
  { operator: 'SkipLayerNormalization', shapes: { x: [2, 3, 4], skip: [2, 3, 4], scale: [4], shift: [4], bias: [4] }, outputs: ['y', '', '', 'sum'], settings: { epsilon: 0.1 } },
  { operator: 'SkipSimplifiedLayerNormalization', shapes: { x: [2, 3, 4], skip: [2, 3, 4], scale: [4] }, outputs: ['y', '', '', 'sum'], settings: { epsilon: 0.1 } },
]

describe('equal to onnxruntime', () => {
  test.each(cases.map((wanted, i) => [`${wanted.operator} (${i})`, wanted] as const))('%s', async (_name, { operator, shapes, outputs = ['y'], settings = {}, floats = {} }) => {
    const feeds = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, random(...shape)]))
    await expectAsRuntime(modelOf([own(operator, Object.keys(feeds), outputs, settings, floats)], feeds, outputs.filter(name => name !== '')), feeds)
  })

  test('SimplifiedLayerNormalization, which stands in the default domain', async () => {
    const feeds = { x: random(2, 4), scale: random(4) }
    await expectAsRuntime(modelOf([nodeWith('SimplifiedLayerNormalization', ['x', 'scale'], ['y'], { axis: -1, epsilon: 0.1 })], feeds, ['y']), feeds)
  })
})

const scales = [initialiser('s', [], [0.02]), initialiser('t', [], [0.03]), initialiser('r', [], [0.05])]
const zeros = [100, 90, 80].map((n, i): onnx.ITensorProto => ({ name: ['sz', 'tz', 'rz'][i]!, dims: [], dataType: 2, int32Data: [n] }))

/** Quantises a (and b), runs a node of the domain on the codes, and takes its result back. */
const around = (operator: string, inputs: readonly string[], feeds: Readonly<Record<string, Tensor>>, settings: Readonly<Record<string, Setting>> = {}): Uint8Array => modelOf([
  node('QuantizeLinear', ['a', 's', 'sz'], ['qa']), ...'b' in feeds ? [node('QuantizeLinear', ['b', 't', 'tz'], ['qb'])] : [], own(operator, inputs, ['q'], settings), node('DequantizeLinear', ['q', 'r', 'rz'], ['y']),
], feeds, ['y'], [...scales, ...zeros])

const one = ['qa', 's', 'sz', 'r', 'rz']
const two = ['qa', 's', 'sz', 'qb', 't', 'tz', 'r', 'rz']

describe('codes in and out, as in onnxruntime to one step of the scale', () => {
  test.each<[string, readonly string[], Readonly<Record<string, Tensor>>, Readonly<Record<string, Setting>>]>([
    ['QLinearAdd', two, { a: random(2, 3), b: random(3) }, {}], ['QLinearMul', two, { a: random(2, 3), b: random(3) }, {}],
    ['QLinearSigmoid', one, { a: random(2, 3) }, {}], ['QLinearLeakyRelu', one, { a: random(2, 3) }, { alpha: 0.3 }], ['QLinearSoftmax', one, { a: random(2, 3) }, { opset: 13 }],
    ['QLinearGlobalAveragePool', one, { a: random(1, 2, 3, 3) }, {}], ['QLinearGlobalAveragePool', one, { a: random(1, 3, 3, 2) }, { channels_last: 1 }],
    ['QLinearAveragePool', one, { a: random(1, 2, 4, 4) }, { kernel_shape: [2, 2], strides: [2, 2] }],
    ['QLinearConcat', ['r', 'rz', 'qa', 's', 'sz', 'qb', 't', 'tz'], { a: random(2, 3), b: random(1, 3) }, { axis: 0 }],
    ['QGemm', ['qa', 's', 'sz', 'qb', 't', 'tz', '', 'r', 'rz'], { a: random(2, 3), b: random(4, 3) }, { transB: 1 }],
  ])('%s', async (operator, inputs, feeds, settings) => {
    const bytes = around(operator, inputs, feeds, settings)
    const { y } = await expectAsRuntime(bytes, feeds, 0.05)
    expect(y!.size).toBeGreaterThan(0)
    const slope = grad((a: Tensor) => sum(square(importOnnx(bytes).run({ ...feeds, a }).y!)))(feeds.a!)
    expect([...slope.dataSync()].some(n => n !== 0)).toBe(true)
  })

  test('products of codes as floats, and of numbers quantised by what they are', async () => {
    const weights: onnx.ITensorProto = { name: 'w', dims: [3, 2], dataType: 3, int32Data: [5, -7, 100, -128, 30, 1] }
    const [a, bias] = [random(4, 3), initialiser('bias', [2], [0.5, -1])]
    const codes = modelOf([node('QuantizeLinear', ['a', 's', 'sz'], ['qa']), own('MatMulIntegerToFloat', ['qa', 'w', 's', 't', 'sz', '', 'bias'], ['y'])], { a }, ['y'], [...scales, ...zeros, weights, bias])
    await expectAsRuntime(codes, { a }, 1e-5)
    await expectAsRuntime(modelOf([own('DynamicQuantizeMatMul', ['a', 'w', 't', '', 'bias'], ['y'])], { a }, ['y'], [...scales, weights, bias]), { a }, 1e-5)
  })

  test.each<[number, boolean]>([[4, false], [4, true], [8, true], [2, true]])('weights of %i bits in blocks', async (bits, withZeros) => {
    const [n, k, block] = [3, 40, 16]
    const blocks = 3
    const bytes = (count: number, by: number): number[] => Array.from({ length: count }, (_, i) => i * by % 256)
    const raw = (name: string, dims: number[], list: readonly number[]): onnx.ITensorProto => ({ name, dims, dataType: 2, rawData: Uint8Array.from(list) })
    const perRow = Math.ceil(blocks * bits / 8)
    const constants = [raw('w', [n, blocks, block * bits / 8], bytes(n * blocks * block * bits / 8, 37)), initialiser('scale', [n * blocks], bytes(n * blocks, 11).map(v => v / 500)), ...withZeros ? [raw('zero', [n * perRow], bytes(n * perRow, 83))] : []]
    const a = random(2, k)
    await expectAsRuntime(modelOf([own('MatMulNBits', ['a', 'w', 'scale', ...withZeros ? ['zero'] : []], ['y'], { K: k, N: n, bits, block_size: block })], { a }, ['y'], constants), { a }, 1e-4)
  })
})

test('the gradients of differences pass through norms of sums', async () => {
  const feeds = { x: random(1, 2, 4), skip: random(1, 2, 4), scale: random(4), shift: random(4), bias: random(4) }
  const typed = modelBytes(graphOf([own('SkipLayerNormalization', Object.keys(feeds), ['y', '', '', 'sum'])], Object.entries(feeds).map(([name, x]) => ({ name, type: { tensorType: { ...value(name, [...x.shape]).type!.tensorType!, elemType: 11 } } })), ['y', 'sum'].map(name => untyped(name, 11))), 17, '', { 'com.microsoft': 1 })
  const doubles = Object.values(feeds).map(x => tensor(x.toArray(), { dtype: 'float64' }))
  const report = await gradcheck((...xs: Tensor[]) => importOnnx(typed).forward(...xs), doubles, { modes: ['reverse'] })
  expect(report.worst).toBeLessThanOrEqual(1)
})
