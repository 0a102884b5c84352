// Recurrent operators of imported models against onnxruntime in every mode, and their gradients against differences.

import { cpu } from '@bp/backend-cpu'
import { gradcheck, type Tensor, use } from '@bp/core'
import { Generator, transpose } from '@bp/ops'
import proto, { type onnx } from 'onnx-proto'
import * as runtime from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { graphOf, modelBytes, node, value } from '../../test/model.ts'
import { importOnnx } from '../index.ts'

use(cpu())

const kinds = proto.onnx.AttributeProto.AttributeType

type Setting = string | number | readonly number[] | readonly string[]

/** Lists are of floats or strings; a number is an INT, but for `clip`. */
function attribute(name: string, setting: Setting): onnx.IAttributeProto {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
  if (typeof setting === 'string') return { name, type: kinds.STRING, s: bytes(setting) }
  if (typeof setting === 'number') return name === 'clip' ? { name, type: kinds.FLOAT, f: setting } : { name, type: kinds.INT, i: setting }
  return typeof setting[0] === 'string' ? { name, type: kinds.STRINGS, strings: (setting as readonly string[]).map(bytes) } : { name, type: kinds.FLOATS, floats: [...setting as readonly number[]] }
}

interface Case {
  readonly operator: 'RNN' | 'LSTM' | 'GRU'
  readonly settings?: Readonly<Record<string, Setting>>
  /** Inputs to leave out. */
  readonly without?: readonly string[]
  readonly lengths?: readonly number[]
}

const [steps, n, features, hidden] = [4, 3, 2, 3]
const gates = { RNN: 1, LSTM: 4, GRU: 3 }
const order = ['X', 'W', 'R', 'B', 'lengths', 'h0', 'c0', 'P']

/** The model of one node, and what to feed it. */
function modelOf({ operator, settings = {}, without = [], lengths }: Case, dtype: 'float32' | 'float64'): { readonly bytes: Uint8Array; readonly feeds: Readonly<Record<string, Tensor>> } {
  const directions = settings.direction === 'bidirectional' ? 2 : 1
  const first = settings.layout === 1
  const rows = gates[operator] * hidden
  const state = first ? [n, directions, hidden] : [directions, n, hidden]
  const shapes: Readonly<Record<string, readonly number[]>> = {
    X: first ? [n, steps, features] : [steps, n, features], W: [directions, rows, features], R: [directions, rows, hidden], B: [directions, 2 * rows],
    h0: state, ...operator === 'LSTM' && { c0: state, P: [directions, 3 * hidden] },
  }
  const generator = new Generator(7)
  const feeds = Object.fromEntries(order.flatMap(name => without.includes(name) || !shapes[name] ? [] : [[name, generator.uniform(shapes[name], { low: -1, high: 1, dtype })]]))
  const inputs = order.slice(0, operator === 'LSTM' ? 8 : 6).map(name => name === 'lengths' ? lengths ? name : '' : name in feeds ? name : '')
  const outputs = ['Y', 'Y_h', ...operator === 'LSTM' ? ['Y_c'] : []]
  const elemType = dtype === 'float32' ? 1 : 11
  const only: onnx.INodeProto = { ...node(operator, inputs, outputs), attribute: Object.entries({ hidden_size: hidden, ...settings }).map(([name, setting]) => attribute(name, setting)) }
  const typed = (name: string, shape: readonly number[]): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType, shape: value(name, [...shape]).type!.tensorType!.shape! } } })
  const counts = lengths ? [{ name: 'lengths', dims: [n], dataType: 6, int32Data: [...lengths] }] : []
  return { bytes: modelBytes(graphOf([only], Object.entries(feeds).map(([name, x]) => typed(name, x.shape)), outputs.map(name => ({ name, type: { tensorType: { elemType } } })), counts), 14), feeds }
}

const cases: readonly (readonly [string, Case])[] = (['RNN', 'LSTM', 'GRU'] as const).flatMap((operator): (readonly [string, Case])[] => [
  [operator, { operator }],
  [`${operator} without biases or states`, { operator, without: ['B', 'h0', 'c0', 'P'] }],
  [`${operator} in reverse, with lengths`, { operator, settings: { direction: 'reverse' }, lengths: [2, 4, 1] }],
  [`${operator} in both directions, with lengths`, { operator, settings: { direction: 'bidirectional' }, lengths: [4, 1, 3] }],
  [`${operator} with clipped gates`, { operator, settings: { clip: 0.3 } }],
])

describe('equal to onnxruntime', () => {
  test.each<readonly [string, Case]>([
    ...cases,
    ['RNN with numbers for both directions', { operator: 'RNN', settings: { direction: 'bidirectional', activations: ['ScaledTanh', 'Affine'], activation_alpha: [0.5, 0.7], activation_beta: [1.5, 0.1] } }],
    ['RNN with a leaky relu and an Elu', { operator: 'RNN', settings: { direction: 'bidirectional', activations: ['LeakyRelu', 'Elu'], activation_alpha: [0.3, 0.8] } }],
    ['RNN with a relu and a threshold', { operator: 'RNN', settings: { direction: 'bidirectional', activations: ['Relu', 'ThresholdedRelu'], activation_alpha: [0.2] } }],
    ['LSTM with other activations', { operator: 'LSTM', settings: { activations: ['HardSigmoid', 'Softsign', 'Relu'], activation_alpha: [0.25], activation_beta: [0.4] } }],
    ['LSTM that couples its gates', { operator: 'LSTM', settings: { input_forget: 1 }, without: ['P'] }],
    ['GRU that resets after the product', { operator: 'GRU', settings: { linear_before_reset: 1 } }],
    ['GRU that resets after the product, clipped, in both directions', { operator: 'GRU', settings: { linear_before_reset: 1, clip: 0.4, direction: 'bidirectional' }, lengths: [2, 3, 4] }],
    ['GRU with other activations', { operator: 'GRU', settings: { activations: ['HardSigmoid', 'Softplus'], activation_alpha: [0.3], activation_beta: [0.5] } }],
  ])('%s', async (_name, wanted) => {
    const { bytes, feeds } = modelOf(wanted, 'float32')
    const session = await runtime.InferenceSession.create(bytes, { logSeverityLevel: 4 })
    const theirs = await session.run(Object.fromEntries(Object.entries(feeds).map(([name, x]) => [name, new runtime.Tensor('float32', x.dataSync() as Float32Array, x.shape)])))
    for (const [name, y] of Object.entries(importOnnx(bytes).run(feeds))) {
      expect(y.shape, name).toEqual(theirs[name]!.dims)
      const want = theirs[name]!.data as Float32Array
      y.dataSync().forEach((got: number | bigint, i: number) => { expect(Math.abs(Number(got) - want[i]!), `${name}[${i}]: ${got} and ${want[i]}`).toBeLessThan(2e-6) })
    }
  })
})

test.each<readonly [string, Case]>([
  ['RNN', { operator: 'RNN', settings: { direction: 'bidirectional' } }],
  ['LSTM with lengths', { operator: 'LSTM', lengths: [2, 4, 1] }],
  ['GRU', { operator: 'GRU' }],
  ['GRU that resets after the product', { operator: 'GRU', settings: { linear_before_reset: 1, layout: 1 } }],
])('%s has the gradients of differences, by every input', async (_name, wanted) => {
  const { bytes, feeds } = modelOf(wanted, 'float64')
  const model = importOnnx(bytes)
  const names = Object.keys(feeds)
  const report = await gradcheck((...xs: Tensor[]) => Object.values(model.run(Object.fromEntries(names.map((name, i) => [name, xs[i]!])))), Object.values(feeds), { modes: ['reverse'] })
  expect(report.worst).toBeLessThanOrEqual(1)
})

test('the batch may come first, which onnxruntime does not run', () => {
  for (const operator of ['RNN', 'LSTM', 'GRU'] as const) {
    const of = (layout: number): ReturnType<typeof modelOf> => modelOf({ operator, settings: { layout, direction: 'bidirectional' }, lengths: [2, 4, 3] }, 'float64')
    const [plain, first] = [of(0), of(1)]
    const swapped = Object.fromEntries(Object.entries(plain.feeds).map(([name, x]) => [name, ['X', 'h0', 'c0'].includes(name) ? transpose(x, [1, 0, 2]) : x]))
    const [want, got] = [importOnnx(plain.bytes).run(plain.feeds), importOnnx(first.bytes).run(swapped)]
    expect(String(got.Y)).toBe(String(transpose(want.Y!, [2, 0, 1, 3])))
    expect(String(got.Y_h)).toBe(String(transpose(want.Y_h!, [1, 0, 2])))
  }
})

test('what does not fit, or is not known, is refused', () => {
  const { bytes, feeds } = modelOf({ operator: 'LSTM', settings: { activations: ['Sigmoid', 'Tanh', 'Swirl'] } }, 'float32')
  expect(() => importOnnx(bytes).run(feeds)).toThrowErrorMatchingInlineSnapshot(`[UnsupportedOperatorError: OnnxModule: node "Y" (LSTM): LSTM: the activation "Swirl" is unsupported. Export the model without it, or pass an implementation in importOnnx(bytes, { operators: { LSTM: … } })]`)
  const short = modelOf({ operator: 'LSTM', settings: { activations: ['Sigmoid', 'Tanh'] } }, 'float32')
  expect(() => importOnnx(short.bytes).run(short.feeds)).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "Y" (LSTM): LSTM: activations lists 2 functions where 3 are needed. The file is damaged]`)
  const other = modelOf({ operator: 'GRU', settings: { direction: 'sideways' } }, 'float32')
  expect(() => importOnnx(other.bytes).run(other.feeds)).toThrowErrorMatchingInlineSnapshot(`[UnsupportedOperatorError: OnnxModule: node "Y" (GRU): GRU: direction "sideways" is unsupported. Export the model without it, or pass an implementation in importOnnx(bytes, { operators: { GRU: … } })]`)
})
