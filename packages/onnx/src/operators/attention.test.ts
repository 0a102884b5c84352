// Attention of imported models against onnxruntime, its gradients against differences, and what stands around it.

import { cpu } from '@bp/backend-cpu'
import { compile, grad, gradcheck, type Tensor, tensor, use } from '@bp/core'
import { Generator, mul, scaledDotProductAttention, sub, sum } from '@bp/ops'
import type { onnx } from 'onnx-proto'
import { describe, expect, test } from 'vitest'
import { graphOf, initialiser, modelBytes, nodeWith, type Setting, value, whole } from '../../test/model.ts'
import { expectAsRuntime } from '../../test/runtime.ts'
import { importOnnx } from '../index.ts'

use(cpu())

const generator = new Generator(3)
const random = (...shape: number[]): Tensor => generator.uniform(shape, { low: -1, high: 1 })
const codes: Readonly<Record<string, number>> = { float32: 1, float64: 11, int64: 7, bool: 9 }

/** The model of one node on inputs of the dtypes and shapes of tensors; `''` leaves one out. */
function single(operator: string, feeds: Readonly<Record<string, Tensor>>, inputs: readonly string[], outputs: readonly string[], settings: Readonly<Record<string, Setting>> = {}, { opset = 24, constants = [] as onnx.ITensorProto[] } = {}): Uint8Array {
  const typed = (name: string, x: Tensor): onnx.IValueInfoProto => ({ name, type: { tensorType: { ...value(name, [...x.shape]).type!.tensorType!, elemType: codes[x.dtype]! } } })
  const elemType = codes[Object.values(feeds)[0]!.dtype]!
  return modelBytes(graphOf([nodeWith(operator, [...inputs], [...outputs], settings)], Object.entries(feeds).map(([name, x]) => typed(name, x)), outputs.filter(name => name !== '').map(name => ({ name, type: { tensorType: { elemType } } })), constants), opset)
}

const bools = (rows: readonly (readonly number[])[]): Tensor => tensor(rows.map(row => row.map(n => n !== 0)))

interface Case {
  readonly feeds: Readonly<Record<string, Tensor>>
  readonly settings?: Readonly<Record<string, Setting>>
  readonly inputs?: readonly string[]
  readonly outputs?: readonly string[]
  readonly opset?: number
}

const plain = { q: random(2, 4, 3, 4), k: random(2, 4, 5, 4), v: random(2, 4, 5, 6) }
const packed = { q: random(2, 3, 16), k: random(2, 5, 8), v: random(2, 5, 12) }
const cached = { q: random(2, 4, 3, 4), k: random(2, 4, 3, 4), v: random(2, 4, 3, 4), pk: random(2, 4, 2, 4), pv: random(2, 4, 2, 4) }
const all = ['q', 'k', 'v', 'mask', 'pk', 'pv']

const cases: readonly (readonly [string, Case])[] = [
  ['four axes', { feeds: plain }],
  ['a scale of its own', { feeds: plain, settings: { scale: 0.3 } }],
  ['capped scores', { feeds: plain, settings: { softcap: 0.5 } }],
  ['packed heads that share keys', { feeds: packed, settings: { q_num_heads: 4, kv_num_heads: 2 } }],
  ['one head for all', { feeds: { q: random(1, 4, 3, 4), k: random(1, 1, 3, 4), v: random(1, 1, 3, 4) }, settings: { is_causal: 1 } }],
  ['no later keys', { feeds: { q: random(1, 2, 4, 4), k: random(1, 2, 4, 4), v: random(1, 2, 4, 4) }, settings: { is_causal: 1 } }],
  ['a mask of bools', { feeds: { ...plain, mask: bools([[1, 0, 1, 1, 0], [0, 0, 0, 1, 1], [1, 1, 1, 1, 1]]) }, inputs: all }],
  ['a mask of numbers', { feeds: { ...plain, mask: random(2, 1, 3, 5) }, inputs: all }],
  ['a cache', { feeds: cached, inputs: ['q', 'k', 'v', '', 'pk', 'pv'], outputs: ['y', 'keys', 'values'] }],
  ['a cache, with the scores', { feeds: cached, inputs: ['q', 'k', 'v', '', 'pk', 'pv'], outputs: ['y', 'keys', 'values', 'scores'] }],
]

describe('equal to onnxruntime', () => {
  test.each<readonly [string, Case]>(cases)('%s', async (_name, { feeds, settings = {}, inputs = ['q', 'k', 'v'], outputs = ['y'], opset = 23 }) => {
    await expectAsRuntime(single('Attention', feeds, inputs.map(name => name in feeds ? name : ''), outputs, settings, { opset }), feeds)
  })

  test('rotary positions, by halves and by pairs, of all features and of some', async () => {
    const x = random(2, 3, 4, 8)
    const tables = { c: random(6, 4), s: random(6, 4) }
    const positions = tensor([[0, 1, 2, 5], [3, 4, 0, 1]], { dtype: 'int64' })
    for (const interleaved of [0, 1]) {
      const feeds = { x, ...tables, positions }
      await expectAsRuntime(single('RotaryEmbedding', feeds, ['x', 'c', 's', 'positions'], ['y'], { interleaved }), feeds)
      const some = { x: random(2, 4, 24), c: random(2, 4, 2), s: random(2, 4, 2) }
      await expectAsRuntime(single('RotaryEmbedding', some, ['x', 'c', 's'], ['y'], { interleaved, num_heads: 3, rotary_embedding_dim: 4 }), some)
    }
  })
})

test('is scaledDotProductAttention, and compiles', () => {
  const model = importOnnx(single('Attention', plain, ['q', 'k', 'v'], ['y'], {}, { opset: 23 }))
  const want = scaledDotProductAttention(plain.q, plain.k, plain.v)
  for (const y of [model.run(plain).y!, compile((q: Tensor, k: Tensor, v: Tensor) => model.run({ q, k, v }).y!)(plain.q, plain.k, plain.v)]) expect(sum(mul(sub(y, want), sub(y, want))).item()).toBeLessThan(1e-10)
})

test('keys beyond the filled part of a cache, and outside of a window, are not seen', () => {
  const q = random(2, 1, 2, 4)
  const [k, v] = [random(2, 1, 6, 4), random(2, 1, 6, 4)]
  const filled = tensor([4, 6], { dtype: 'int64' })
  const of = (settings: Readonly<Record<string, Setting>>, feeds: Readonly<Record<string, Tensor>>, opset = 25): Tensor =>
    importOnnx(single('Attention', feeds, ['q', 'k', 'v', 'mask' in feeds ? 'mask' : '', '', '', 'filled' in feeds ? 'filled' : ''], ['y'], settings, { opset })).run(feeds).y!
  // the first has 4 keys, so that its queries stand at places 2 and 3; the second has 6
  const rows = [[[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 0, 0]], [[1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]]]
  const mask = (lookback: number): Tensor => tensor(rows.map(entry => [entry.map(row => row.map((open, j) => open === 1 && j >= row.lastIndexOf(1) - lookback))]))
  const near = (a: Tensor, b: Tensor): void => { expect(sum(mul(sub(a, b), sub(a, b))).item()).toBeLessThan(1e-10) }
  near(of({ is_causal: 1 }, { q, k, v, filled }), of({}, { q, k, v, mask: mask(9) }))
  near(of({ is_causal: 1, left_window_size: 1 }, { q, k, v, filled }), of({}, { q, k, v, mask: mask(1) }))
  near(of({ right_window_size: 0, left_window_size: 2 }, { q, k, v, filled }), of({}, { q, k, v, mask: mask(2) }))
})

test('a query that sees no key gets zeros, and its gradient is no NaN', () => {
  const [q, k, v] = [random(1, 1, 2, 3), random(1, 1, 2, 3), random(1, 1, 2, 3)]
  const feeds = { q, k, v, mask: bools([[0, 0], [1, 0]]) }
  const model = importOnnx(single('Attention', feeds, ['q', 'k', 'v', 'mask'], ['y', '', '', 'p'], { qk_matmul_output_mode: 3 }))
  const { y, p } = model.run(feeds)
  expect((y!.toArray() as number[][][][])[0]![0]![0]).toEqual([0, 0, 0])
  expect(p!.toArray()).toEqual([[[[0, 0], [1, 0]]]])
  const slope = grad((x: Tensor) => sum(model.run({ ...feeds, k: x }).y!))(k)
  expect([...slope.dataSync()].every(n => n === 0)).toBe(true)
})

test.each<readonly [string, string, readonly string[], Readonly<Record<string, Setting>>, Readonly<Record<string, readonly number[]>>, number]>([
  ['attention with a cap and a mask', 'Attention', ['q', 'k', 'v', 'mask'], { softcap: 1.5, is_causal: 1, q_num_heads: 2, kv_num_heads: 1 }, { q: [1, 3, 4], k: [1, 3, 2], v: [1, 3, 2], mask: [3, 3] }, 23],
  ['linear attention by the gated delta rule', 'LinearAttention', ['q', 'k', 'v', 'state', 'decay', 'beta'], { q_num_heads: 2, kv_num_heads: 1 }, { q: [1, 3, 4], k: [1, 3, 2], v: [1, 3, 2], state: [1, 1, 2, 2], decay: [1, 3, 2], beta: [1, 3, 1] }, 27],
  ['the causal convolution', 'CausalConvWithState', ['q', 'w', 'b', 'state'], { activation: 'silu' }, { q: [1, 2, 4], w: [2, 1, 3], b: [2], state: [1, 2, 2] }, 27],
  ['a gate', 'SwiGLU', ['q', 'b'], { alpha: 1.5 }, { q: [2, 3], b: [2, 3] }, 28],
])('%s has the gradients of differences, by every input', async (_name, operator, inputs, settings, shapes, opset) => {
  const own = new Generator(5)
  const feeds = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, own.uniform(shape, { low: -1, high: 1, dtype: 'float64' })]))
  const model = importOnnx(single(operator, feeds, inputs, operator === 'LinearAttention' || operator === 'CausalConvWithState' ? ['y', 'after'] : ['y'], settings, { opset }))
  const report = await gradcheck((...xs: Tensor[]) => Object.values(model.run(Object.fromEntries(inputs.map((name, i) => [name, xs[i]!])))), inputs.map(name => feeds[name]!), { modes: ['reverse'] })
  expect(report.worst).toBeLessThanOrEqual(1)
})

test('linear attention in two parts is that of the whole', () => {
  const whole = { q: random(1, 4, 6), k: random(1, 4, 6), v: random(1, 4, 6), decay: random(1, 4, 2) }
  const settings = { q_num_heads: 2, kv_num_heads: 2, update_rule: 'gated' }
  const of = (feeds: Readonly<Record<string, Tensor>>): Record<string, Tensor> => importOnnx(single('LinearAttention', feeds, ['q', 'k', 'v', 'state' in feeds ? 'state' : '', 'decay'], ['y', 'after'], settings, { opset: 27 })).run(feeds)
  const part = (from: number): Record<string, Tensor> => Object.fromEntries(Object.entries(whole).map(([name, x]) => [name, tensor((x.toArray() as number[][][]).map(rows => rows.slice(from, from + 2)))]))
  const first = of(part(0))
  const second = of({ ...part(2), state: first.after! })
  const want = of(whole)
  expect((want.y!.toArray() as number[][][])[0]!.flat().map(n => n.toFixed(5))).toEqual([...first.y!.dataSync(), ...second.y!.dataSync()].map(n => Number(n).toFixed(5)))
  expect([...want.after!.dataSync()].map(n => Number(n).toFixed(5))).toEqual([...second.after!.dataSync()].map(n => Number(n).toFixed(5)))
})

test('TensorScatter writes from a place of each entry on, around the end where it is circular', () => {
  const [past, update] = [tensor([[[1], [2], [3]], [[4], [5], [6]]]), tensor([[[70], [80]], [[90], [99]]])]
  const of = (mode: string, at: readonly number[]): unknown => importOnnx(single('TensorScatter', { past, update }, ['past', 'update', 'at'], ['y'], { mode }, { constants: [whole('at', at)] })).run({ past, update }).y!.toArray()
  expect(of('linear', [1, 0])).toEqual([[[1], [70], [80]], [[90], [99], [6]]])
  expect(of('circular', [2, 1])).toEqual([[[80], [2], [70]], [[4], [90], [99]]])
  expect(() => of('linear', [2, 0])).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y" (TensorScatter): TensorScatter: writes 2 entries beyond the 3 of f32[2,3,1]]`)
})

test('FlexAttention runs its graphs on scores and weights', () => {
  const feeds = { q: random(1, 2, 3, 4), k: random(1, 1, 3, 4), v: random(1, 1, 3, 4) }
  const untyped = (name: string): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType: 1 } } })
  const halved = graphOf([nodeWith('Mul', ['scores', 'half'], ['less'], {})], [untyped('scores')], [untyped('less')], [initialiser('half', [], [0.5])])
  const doubled = graphOf([nodeWith('Add', ['weights', 'weights'], ['more'], {})], [untyped('weights')], [untyped('more')])
  const bytes = modelBytes(graphOf([{ ...nodeWith('FlexAttention', ['q', 'k', 'v'], ['y'], { score_mod: halved, prob_mod: doubled }), domain: 'ai.onnx.preview' }],
    Object.entries(feeds).map(([name, x]) => value(name, [...x.shape])), [untyped('y')]), 26, '', { 'ai.onnx.preview': 1 })
  const want = mul(scaledDotProductAttention(feeds.q, feeds.k, feeds.v, { scale: 0.25 }), 2)
  const y = importOnnx(bytes).run(feeds).y!
  expect(sum(mul(sub(y, want), sub(y, want))).item()).toBeLessThan(1e-10)
})

test('what does not fit is named', () => {
  const bad = (operator: string, feeds: Readonly<Record<string, Tensor>>, settings: Readonly<Record<string, Setting>>, opset = 24): (() => unknown) => () => importOnnx(single(operator, feeds, Object.keys(feeds), operator === 'LinearAttention' ? ['y', 'after'] : ['y'], settings, { opset })).run(feeds)
  expect(bad('Attention', packed, {})).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y" (Attention): Attention: needs [n, heads, length, d] or [n, length, heads·d], got f32[2,3,16] of 0 head(s). The file does not fit its input]`)
  expect(bad('Attention', { q: random(1, 3, 2, 4), k: random(1, 2, 2, 4), v: random(1, 2, 2, 4) }, {})).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y" (Attention): Attention: 3 query heads do not divide among the 2 of f32[1,2,2,4]. The file does not fit its input]`)
  expect(bad('RotaryEmbedding', { x: random(1, 1, 2, 4), c: random(1, 2, 3), s: random(1, 2, 3) }, {})).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y" (RotaryEmbedding): RotaryEmbedding: turns 4 of 4 features, which takes tables of 2, got f32[1,2,3] and f32[1,2,3]. The file does not fit its input]`)
  expect(bad('LinearAttention', { q: random(1, 2, 4), k: random(1, 2, 4), v: random(1, 2, 4) }, { q_num_heads: 1, kv_num_heads: 1, update_rule: 'delta' }, 27)).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y" (LinearAttention): LinearAttention: update_rule "delta" goes with beta. The file is damaged]`)
})
