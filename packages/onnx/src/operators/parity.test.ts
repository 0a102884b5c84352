// Operators as PyTorch's exporter uses them: values and gradients are PyTorch 2.15's, where it has them.

import { cpu } from '@bp/backend-cpu'
import { compile, grad, type Tensor, tensor, use } from '@bp/core'
import { sum } from '@bp/ops'
import type { onnx } from 'onnx-proto'
import { expect, test } from 'vitest'
import { graphOf, initialiser, modelBytes, node, nodeWith, type Setting, value, whole } from '../../test/model.ts'
import { importOnnx } from '../index.ts'

use(cpu())

const result = (name: string, elemType = 1): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType } } })

interface Call {
  readonly settings?: Readonly<Record<string, Setting>>
  readonly constants?: readonly onnx.ITensorProto[]
  readonly outputs?: readonly onnx.IValueInfoProto[]
  readonly producer?: string
  readonly opset?: number
}

/** A function of x that runs one node of it and constants. */
function calling(operator: string, x: Tensor, { settings = {}, constants = [], outputs = [result('y')], producer = '', opset = 18 }: Call = {}): (x: Tensor) => Record<string, Tensor> {
  const only = nodeWith(operator, ['x', ...constants.map(({ name }) => name ?? '')], outputs.map(({ name }) => name ?? ''), settings)
  const model = importOnnx(modelBytes(graphOf([only], [value('x', [...x.shape])], [...outputs], constants.filter(constant => constant !== none)), opset, producer))
  return z => model.run({ x: z })
}

const numbers = (x: Tensor): number[] => Array.from<number | bigint, number>(x.dataSync(), v => Number(Number(v).toFixed(4)))

/** An input left out. */
const none: onnx.ITensorProto = { name: '' }

const grid = tensor([[1, -2, 3], [-4, 5, -6]])

test('Einsum takes diagonals', () => {
  const square = tensor([[1, 2], [3, 4]])
  for (const [equation, y, slope] of [['ii->i', [1, 4], [1, 0, 0, 1]], ['ii->', [5], [1, 0, 0, 1]], ['ij->ji', [1, 3, 2, 4], [1, 1, 1, 1]]] as const) {
    const f = (x: Tensor): Tensor => calling('Einsum', square, { settings: { equation } })(x).y!
    expect(numbers(f(square)), equation).toEqual(y)
    expect(numbers(grad((x: Tensor) => sum(f(x)))(square)), equation).toEqual(slope)
  }
})

test('Det, ReduceL2 at zero, and Mod with the sign of the dividend have PyTorch\'s gradients', () => {
  const square = tensor([[2, 1], [1, 3]])
  expect(numbers(calling('Det', square)(square).y!)).toEqual([5])
  expect(numbers(grad((x: Tensor) => calling('Det', square)(x).y!)(square))).toEqual([3, -1, -1, 2])
  const rows = tensor([[0, 0], [3, 4]])
  const norm = (x: Tensor): Tensor => sum(calling('ReduceL2', rows, { settings: { keepdims: 0 }, constants: [whole('axes', [1])] })(x).y!)
  expect(numbers(grad(norm)(rows))).toEqual([0, 0, 0.6, 0.8])
  const rest = (x: Tensor): Tensor => calling('Mod', grid, { settings: { fmod: 1 }, constants: [initialiser('m', [], [1.5])] })(x).y!
  expect(numbers(rest(grid))).toEqual([1, -0.5, 0, -1, 0.5, 0])
  expect(numbers(grad((x: Tensor) => sum(rest(x)))(grid))).toEqual([1, 1, 1, 1, 1, 1])
})

test('CumProd, either way and without the last, with gradients at zeros', () => {
  const x = tensor([2, 0, 3, 4])
  const f = (settings: Readonly<Record<string, Setting>>) => (z: Tensor): Tensor => calling('CumProd', x, { settings, constants: [whole('axis', [0], [])], opset: 26 })(z).y!
  expect(numbers(f({})(x))).toEqual([2, 0, 0, 0])
  expect(numbers(f({ reverse: 1, exclusive: 1 })(x))).toEqual([0, 12, 4, 1])
  expect(numbers(grad((z: Tensor) => sum(f({})(z)))(x))).toEqual([1, 32, 0, 0])
})

test('LayerNormalization of a layer without weights', () => {
  const f = (x: Tensor): Tensor => calling('LayerNormalization', grid, { settings: { axis: -1 } })(x).y!
  expect(numbers(f(grid))).toEqual([0.1622, -1.2978, 1.1355, -0.4877, 1.3935, -0.9058])
})

test('NonZero gives a column for each element; its use is differentiable, and refuses to be compiled', () => {
  const places = (x: Tensor): Tensor => calling('NonZero', grid, { outputs: [result('y', 7)] })(x).y!
  expect(places(tensor([[0, 7, 0], [8, 0, 9]])).toArray()).toEqual([[0n, 1n, 1n], [1n, 0n, 2n]])
  expect(() => compile(places)(grid)).toThrow(/the values of f32\[2,3\] decide a shape/)
  // x[x > 0] as PyTorch writes it
  const bytes = modelBytes(graphOf([
    node('Greater', ['x', 'zero'], ['mask']), node('NonZero', ['mask'], ['columns']), node('Transpose', ['columns'], ['at']), node('GatherND', ['x', 'at'], ['y']),
  ], [value('x', [2, 3])], [result('y')], [initialiser('zero', [], [0])]))
  expect(importOnnx(bytes).run({ x: grid }).y!.toArray()).toEqual([1, 3, 5])
  expect(numbers(grad((x: Tensor) => sum(importOnnx(bytes).run({ x }).y!))(grid))).toEqual([1, 0, 1, 0, 1, 0])
})

test('MaxPool tells places over the whole tensor, also where a last window reaches over the end', () => {
  const x = tensor([[[1, 5, 2, 4, 3], [9, 6, 8, 7, 10]]])
  const { y, at } = calling('MaxPool', x, { settings: { kernel_shape: [2], strides: [2], ceil_mode: 1 }, outputs: [result('y'), result('at', 7)] })(x)
  expect([y!.toArray(), at!.toArray()]).toEqual([[[[5, 4, 3], [9, 8, 10]]], [[[1n, 3n, 4n], [5n, 7n, 9n]]]])
})

test.each([
  ['add', [6, 2, 4, 4]], ['mul', [5, 2, -6, 4]], ['max', [5, 2, 3, 4]], ['min', [1, 2, -1, 4]],
])('scatters reduce by %s', (reduction, want) => {
  const x = tensor([1, 2, 3, 4])
  const scattered = (operator: string, index: onnx.ITensorProto): number[] =>
    numbers(calling(operator, x, { settings: { reduction }, constants: [index, initialiser('updates', [3], [5, -1, 2])] })(x).y!)
  expect(scattered('ScatterElements', whole('index', [0, 2, 2]))).toEqual(want)
  expect(scattered('ScatterND', whole('index', [0, 2, 2], [3, 1]))).toEqual(want)
})

test('index_put that accumulates, which PyTorch writes as ScatterND onto zeros', () => {
  const zeros = tensor([0, 0, 0, 0])
  const put = calling('ScatterND', zeros, { constants: [whole('index', [0, 2, 2], [3, 1]), initialiser('updates', [3], [5, -1, 2])] })
  expect(numbers(put(zeros).y!)).toEqual([5, 0, 1, 0])
})

test('Pad wraps after it has cropped, as PyTorch\'s circular padding does', () => {
  const x = tensor([1, 2, 3, 4, 5])
  expect(numbers(calling('Pad', x, { settings: { mode: 'wrap' }, constants: [whole('pads', [2, -1])] })(x).y!)).toEqual([3, 4, 1, 2, 3, 4])
})

test('Resize means PyTorch\'s size where PyTorch wrote it, and multiplies in float32', () => {
  const x = tensor([[[0, 1, 2]]])
  const scales = initialiser('scales', [3], [1, 1, 1.5])
  const settings = { mode: 'linear', coordinate_transformation_mode: 'align_corners' }
  const f = (producer: string): number[] => numbers(calling('Resize', x, { settings, constants: [none, scales], producer })(x).y!)
  expect(f('pytorch')).toEqual([0, 0.6667, 1.3333, 2])
  expect(f('other')).toEqual([0, 0.5714, 1.1429, 1.7143])
  const ten = tensor([[[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]])
  expect(calling('Resize', ten, { settings: { mode: 'nearest' }, constants: [none, initialiser('scales', [3], [1, 1, 0.7])] })(ten).y!.shape).toEqual([1, 1, 7])
})

test('ReduceMin and ReduceMax of a known shape, as in PyTorch\'s detectors', () => {
  const x = tensor([[1, 2, 3], [4, 5, 6]])
  for (const [operator, size] of [['ReduceMin', 2], ['ReduceMax', 3]] as const) {
    const nodes = [node('Shape', ['x'], ['shape']), nodeWith(operator, ['shape'], ['y'], { keepdims: 0 })]
    const model = importOnnx(modelBytes(graphOf(nodes, [value('x', [2, 3])], [result('y', 7)])))
    expect(numbers(model.run({ x }).y!)).toEqual([size])
  }
})

test('AveragePool in ceil_mode drops the window that starts in the padding, though the file counts it', () => {
  const pool = nodeWith('AveragePool', ['x'], ['y'], { kernel_shape: [2], strides: [2], pads: [1, 1], ceil_mode: 1 })
  const x = tensor([[[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]])
  const model = importOnnx(modelBytes(graphOf([pool], [value('x', [1, 1, 10])], [value('y', [1, 1, 7])]), 17, 'pytorch'))
  expect(numbers(model.run({ x }).y!)).toEqual([1, 2.5, 4.5, 6.5, 8.5, 10])
})

test('a zero that something is compared with is no parameter, though it is added too', () => {
  const nodes = [node('Less', ['x', 'zero'], ['negative']), node('Add', ['x', 'zero'], ['sum']), node('Where', ['negative', 'sum', 'w'], ['y'])]
  const file = modelBytes(graphOf(nodes, [value('x', [2])], [result('y')], [initialiser('zero', [], [0]), initialiser('w', [2], [1, 2])]))
  expect(importOnnx(file).namedParameters().map(([name]) => name)).toEqual(['w'])
})
