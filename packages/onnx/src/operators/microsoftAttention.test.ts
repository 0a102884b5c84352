// Attention of onnxruntime's own domain against onnxruntime.

import { cpu } from '@bp/backend-cpu'
import { gradcheck, type Tensor, use } from '@bp/core'
import { Generator, narrow, reshape } from '@bp/ops'
import type { onnx } from 'onnx-proto'
import { expect, test } from 'vitest'
import { graphOf, modelBytes, nodeWith, type Setting, value } from '../../test/model.ts'
import { expectAsRuntime } from '../../test/runtime.ts'
import { importOnnx } from '../index.ts'

use(cpu())

interface Case {
  /** The inputs in order: the shape of floats, or whole numbers of int32 or, as bigints, int64. */
  readonly inputs: readonly (readonly [name: string, shape: readonly number[], whole?: readonly number[] | readonly bigint[]] | null)[]
  readonly outputs?: readonly string[]
  readonly settings: Readonly<Record<string, Setting>>
}

function modelOf(operator: string, { inputs, outputs = ['y'], settings }: Case, dtype: 'float32' | 'float64' = 'float32'): { readonly bytes: Uint8Array; readonly feeds: Readonly<Record<string, Tensor>> } {
  const generator = new Generator(6)
  const floats = inputs.filter(input => input !== null && input[2] === undefined).map(input => input!)
  const constants = inputs.filter(input => input?.[2] !== undefined).map((input): onnx.ITensorProto => {
    const [name, dims, list] = input as readonly [string, readonly number[], readonly (number | bigint)[]]
    return typeof list[0] === 'bigint' ? { name, dims: [...dims], dataType: 7, int64Data: list.map(Number) } : { name, dims: [...dims], dataType: 6, int32Data: list.map(Number) }
  })
  const feeds = Object.fromEntries(floats.map(([name, shape]) => [name, generator.uniform(shape, { low: -1, high: 1, dtype })]))
  const elemType = dtype === 'float32' ? 1 : 11
  const typed = floats.map(([name, shape]): onnx.IValueInfoProto => ({ name, type: { tensorType: { ...value(name, [...shape]).type!.tensorType!, elemType } } }))
  const only = { ...nodeWith(operator, inputs.map(input => input?.[0] ?? ''), [...outputs], settings), domain: 'com.microsoft' }
  const results = outputs.filter(name => name !== '').map((name): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType } } }))
  return { bytes: modelBytes(graphOf([only], typed, results, constants), 17, '', { 'com.microsoft': 1 }), feeds }
}

const qkv = [['q', [2, 3, 8]], ['k', [2, 4, 8]], ['v', [2, 4, 8]]] as const
const grouped = [['q', [1, 1, 32]], ['k', [1, 1, 16]], ['v', [1, 1, 16]]] as const
const wide = [['q', [1, 1, 64]], ['k', [1, 1, 32]], ['v', [1, 1, 32]], ['pk', [1, 2, 5, 16]], ['pv', [1, 2, 5, 16]]] as const
const long = [['c', [8, 8]], ['s', [8, 8]]] as const
const tables = [['c', [8, 4]], ['s', [8, 4]]] as const

test.each<[string, string, Case]>([
  ['heads', 'MultiHeadAttention', { inputs: qkv, settings: { num_heads: 2 } }],
  ['heads with biases of their projections', 'MultiHeadAttention', { inputs: [...qkv, ['b', [24]]], settings: { num_heads: 2 } }],
  ['heads whose keys are masked', 'MultiHeadAttention', { inputs: [...qkv, null, ['mask', [2, 4], [1, 1, 0, 1, 1, 0, 0, 1]]], settings: { num_heads: 2 } }],
  ['heads with numbers added to scores', 'MultiHeadAttention', { inputs: [...qkv, null, null, ['extra', [1, 2, 3, 4]]], settings: { num_heads: 2 } }],
  ['heads that look back, with a cache', 'MultiHeadAttention', { inputs: [['q', [1, 2, 8]], ['k', [1, 2, 8]], ['v', [1, 2, 8]], null, null, null, ['pk', [1, 2, 3, 4]], ['pv', [1, 2, 3, 4]]], outputs: ['y', 'keys', 'values'], settings: { num_heads: 2, unidirectional: 1 } }],
  ['keys and values of heads that are apart already', 'MultiHeadAttention', { inputs: [['q', [1, 3, 8]], ['k', [1, 2, 4, 4]], ['v', [1, 2, 4, 4]]], settings: { num_heads: 2 } }],
  ['a whole layer', 'Attention', { inputs: [['x', [2, 3, 6]], ['w', [6, 24]], ['b', [24]]], settings: { num_heads: 2 } }],
  ['a whole layer with lengths', 'Attention', { inputs: [['x', [2, 3, 6]], ['w', [6, 24]], ['b', [24]], ['mask', [2], [2, 3]]], settings: { num_heads: 2 } }],
  ['a whole layer that looks back, with a cache', 'Attention', { inputs: [['x', [2, 3, 6]], ['w', [6, 24]], ['b', [24]], null, ['past', [2, 2, 2, 1, 4]]], outputs: ['y', 'present'], settings: { num_heads: 2, unidirectional: 1 } }],
  ['shared keys, at first', 'GroupQueryAttention', { inputs: [['q', [2, 3, 32]], ['k', [2, 3, 16]], ['v', [2, 3, 16]], null, null, ['counts', [2], [2, 2]], ['total', [1], [3]]], outputs: ['y', 'keys', 'values'], settings: { num_heads: 4, kv_num_heads: 2 } }],
  ['shared keys, a step later', 'GroupQueryAttention', { inputs: [...grouped, ['pk', [1, 2, 3, 8]], ['pv', [1, 2, 3, 8]], ['counts', [1], [3]], ['total', [1], [4]]], outputs: ['y', 'keys', 'values'], settings: { num_heads: 4, kv_num_heads: 2 } }],
  ['shared keys in a window, turned', 'GroupQueryAttention', { inputs: [...wide, ['counts', [1], [5]], ['total', [1], [6]], ...long], outputs: ['y', 'keys', 'values'], settings: { num_heads: 4, kv_num_heads: 2, do_rotary: 1, local_window_size: 3 } }],
  ['shared keys beside their queries, turned by pairs, capped', 'GroupQueryAttention', { inputs: [['q', [1, 3, 128]], null, null, null, null, ['counts', [1], [2]], ['total', [1], [3]], ...long], outputs: ['y', 'keys', 'values'], settings: { num_heads: 4, kv_num_heads: 2, do_rotary: 1, rotary_interleaved: 1, softcap: 1.5 } }],
  ['rotary positions looked up', 'RotaryEmbedding', { inputs: [['x', [2, 3, 16]], ['at', [2, 3], [0n, 1n, 2n, 5n, 6n, 7n]], ...tables], settings: {} }],
  ['rotary positions from one on, by pairs', 'RotaryEmbedding', { inputs: [['x', [2, 2, 3, 8]], ['at', [1], [4n]], ...tables], settings: { interleaved: 1 } }],
])('%s, as in onnxruntime', async (_name, operator, wanted) => {
  const { bytes, feeds } = modelOf(operator, wanted)
  await expectAsRuntime(bytes, feeds)
})

test.each<[string, Case]>([
  ['MultiHeadAttention', { inputs: [['q', [1, 2, 4]], ['k', [1, 3, 4]], ['v', [1, 3, 4]], ['b', [12]], ['mask', [1, 3], [1, 0, 1]]], settings: { num_heads: 2 } }],
  ['GroupQueryAttention', { inputs: [['q', [1, 2, 8]], ['k', [1, 2, 4]], ['v', [1, 2, 4]], null, null, ['counts', [1], [1]], ['total', [1], [2]], ['c', [4, 2]], ['s', [4, 2]]], outputs: ['y', 'keys', 'values'], settings: { num_heads: 2, kv_num_heads: 1, do_rotary: 1 } }],
])('%s has the gradients of differences', async (operator, wanted) => {
  const { bytes, feeds } = modelOf(operator, wanted, 'float64')
  const report = await gradcheck((...xs: Tensor[]) => importOnnx(bytes).forward(...xs), Object.values(feeds), { modes: ['reverse'] })
  expect(report.worst).toBeLessThanOrEqual(1)
})

test('queries, keys and values that stand beside each other are those apart, which onnxruntime runs on GPUs alone', () => {
  const [beside, apart] = [modelOf('MultiHeadAttention', { inputs: [['q', [1, 3, 2, 3, 4]]], settings: { num_heads: 2 } }), modelOf('MultiHeadAttention', { inputs: [['q', [1, 3, 8]], ['k', [1, 3, 8]], ['v', [1, 3, 8]]], settings: { num_heads: 2 } })]
  const { q } = beside.feeds
  const part = (i: number): Tensor => reshape(narrow(q!, 3, i, 1), [1, 3, 8])
  expect(String(importOnnx(beside.bytes).forward(q!))).toBe(String(importOnnx(apart.bytes).forward(part(0), part(1), part(2))))
})

test('what is not computed is refused', () => {
  const { bytes, feeds } = modelOf('GroupQueryAttention', { inputs: [...grouped, null, null, ['counts', [1], [0]], ['total', [1], [1]]], settings: { num_heads: 4, kv_num_heads: 2, smooth_softmax: 1 } })
  expect(() => importOnnx(bytes).run(feeds)).toThrowErrorMatchingInlineSnapshot(`[UnsupportedOperatorError: OnnxModule: node "y" (com.microsoft:GroupQueryAttention): com.microsoft:GroupQueryAttention: smooth_softmax 1 is unsupported. Export the model without it, or pass an implementation in importOnnx(bytes, { operators: { com.microsoft:GroupQueryAttention: … } })]`)
})
