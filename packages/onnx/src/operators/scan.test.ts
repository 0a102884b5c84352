// Scan of imported models, and loops over nothing: against onnxruntime, differentiated, compiled, and refused.

import { cpu } from '@bp/backend-cpu'
import { compile, grad, type Tensor, tensor, use } from '@bp/core'
import { add, Generator, matmul, square, stack, sum, tanh, unbind } from '@bp/ops'
import type { onnx } from 'onnx-proto'
import { describe, expect, test } from 'vitest'
import { graphOf, initialiser, modelBytes, node, nodeWith, type Setting, value, whole } from '../../test/model.ts'
import { expectAsRuntime } from '../../test/runtime.ts'
import { importOnnx } from '../index.ts'

use(cpu())

const untyped = (name: string, elemType = 1): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType } } })
const scalar = (name: string, elemType: number): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType, shape: {} } } })
const random = (...shape: number[]): Tensor => new Generator(2).uniform(shape, { low: -1, high: 1 })

/** h ← tanh(h·w + x), collecting h and h². */
const cell = (): onnx.IGraphProto => graphOf([
  node('MatMul', ['h', 'w'], ['turned']), node('Add', ['turned', 'xt'], ['sum']), node('Tanh', ['sum'], ['after']), node('Identity', ['after'], ['seen']), node('Mul', ['after', 'after'], ['square']),
], [untyped('h'), untyped('xt')], [untyped('after'), untyped('seen'), untyped('square')])

const weights = initialiser('w', [2, 2], [0.5, -0.3, 0.2, 0.7])

/** A recurrent network as a Scan; before version 9 its first input holds the lengths of the sequences. */
const network = (x: readonly number[], h: readonly number[], settings: Readonly<Record<string, Setting>> = {}, opset = 17, lengths?: readonly number[]): Uint8Array => modelBytes(graphOf([
  nodeWith('Scan', [...opset < 9 ? [lengths ? 'lengths' : ''] : [], 'h0', 'x'], ['last', 'all', 'squares'], { num_scan_inputs: 1, body: cell(), ...settings }),
], [value('h0', [...h]), value('x', [...x])], [untyped('last'), untyped('all'), untyped('squares')], [weights, ...lengths ? [whole('lengths', lengths)] : []]), opset)

describe('equal to onnxruntime', () => {
  test.each<[string, readonly number[], Readonly<Record<string, Setting>>]>([
    ['forwards', [3, 1, 2], {}], ['backwards', [3, 1, 2], { scan_input_directions: [1] }], ['along another axis', [1, 3, 2], { scan_input_axes: [1] }],
    ['along the last axis, collected along others and the other way round', [1, 2, 3], { scan_input_axes: [-1], scan_output_axes: [1, -1], scan_output_directions: [0, 1] }],
  ])('%s', async (_name, shape, settings) => {
    await expectAsRuntime(network(shape, [1, 2], settings), { h0: random(1, 2), x: random(...shape) })
  })

  test('version 8, with sequences of different lengths', async () => {
    const feeds = { h0: random(2, 1, 2), x: random(2, 3, 1, 2) }
    await expectAsRuntime(network([2, 3, 1, 2], [2, 1, 2], {}, 8), feeds)
    await expectAsRuntime(network([2, 3, 1, 2], [2, 1, 2], {}, 8, [3, 2]), feeds)
  })
})

test('is differentiable and compiles, as the same loop written out is', () => {
  const model = importOnnx(network([3, 1, 2], [1, 2]))
  const [w, h0, x] = [tensor([[0.5, -0.3], [0.2, 0.7]]), random(1, 2), random(3, 1, 2)]
  const written = (h: Tensor, xs: Tensor): Tensor => {
    const rows = unbind(xs).map(row => h = tanh(add(matmul(h, w), row)))
    return add(sum(h), sum(square(stack(rows))))
  }
  const f = (h: Tensor, xs: Tensor): Tensor => {
    const { last, squares } = model.run({ h0: h, x: xs })
    return add(sum(last!), sum(squares!))
  }
  const numbers = (ys: readonly Tensor[]): number[] => ys.flatMap(y => Array.from(y.dataSync() as Float32Array, n => Number(n.toFixed(5))))
  const slopes = (g: typeof f): ((h: Tensor, xs: Tensor) => Tensor[]) => (h, xs) => [grad(g)(h, xs), grad(g, { argnum: 1 })(h, xs)]
  expect(numbers([f(h0, x), compile(f)(h0, x)])).toEqual(numbers([written(h0, x), written(h0, x)]))
  expect(numbers([...slopes(f)(h0, x), ...compile(slopes(f))(h0, x)])).toEqual(numbers([...slopes(written)(h0, x), ...slopes(written)(h0, x)]))
  f(h0, x).backward()
  expect([...model.namedParameters()].map(([name, { grad: slope }]) => [name, slope!.shape])).toEqual([['w', [2, 2]]])
})

test('what is collected over no steps is empty, in the shape that a step would have', () => {
  const none = network([0, 1, 2], [1, 2])
  const { last, all } = importOnnx(none).run({ h0: tensor([[1, 2]]), x: tensor([], { shape: [0, 1, 2] }) })
  expect([last!.toArray(), all!.shape]).toEqual([[[1, 2]], [0, 1, 2]])
  const body = graphOf([node('Add', ['before', 'x'], ['after']), node('Identity', ['after'], ['seen']), node('Identity', ['going'], ['again'])], [scalar('i', 7), scalar('going', 9), untyped('before')], [untyped('again', 9), untyped('after'), untyped('seen')])
  const loop = modelBytes(graphOf([nodeWith('Loop', ['count', '', 'x'], ['y', 'rows'], { body })], [value('x', [2])], [value('y', [2]), untyped('rows')], [whole('count', [0], [])]))
  const { y, rows } = importOnnx(loop).run({ x: tensor([1, 2]) })
  expect([y!.toArray(), rows!.shape, rows!.dtype]).toEqual([[1, 2], [0, 2], 'float32'])
})

test('whole numbers that a loop collects stay known, so that shapes may be made of them while a program is traced', () => {
  // sizes 2·1 and 2·2 collected, and a tensor reshaped by them
  const body = graphOf([
    node('Add', ['i', 'one'], ['place']), node('Mul', ['place', 'two'], ['size']), node('Identity', ['going'], ['again']),
  ], [scalar('i', 7), scalar('going', 9)], [untyped('again', 9), untyped('size', 7)], [whole('one', [1], []), whole('two', [2], [])])
  const bytes = modelBytes(graphOf([nodeWith('Loop', ['count', ''], ['sizes'], { body }), node('Reshape', ['x', 'sizes'], ['y'])], [value('x', [8])], [untyped('y')], [whole('count', [2], [])]))
  const f = (x: Tensor): Tensor => importOnnx(bytes).run({ x }).y!
  const x = tensor([1, 2, 3, 4, 5, 6, 7, 8])
  expect(compile(f)(x).toArray()).toEqual([[1, 2, 3, 4], [5, 6, 7, 8]])
  expect(grad((z: Tensor) => sum(f(z)))(x).toArray()).toEqual([1, 1, 1, 1, 1, 1, 1, 1])
})

test('a loop without a count or a condition ends by what its body says', async () => {
  const body = graphOf([node('Add', ['before', 'before'], ['after']), nodeWith('ReduceSum', ['after'], ['total'], { keepdims: 0 }), node('Less', ['total', 'most'], ['again'])], [scalar('i', 7), scalar('going', 9), value('before', [2])], [untyped('again', 9), untyped('after')], [initialiser('most', [], [20])])
  const bytes = modelBytes(graphOf([nodeWith('Loop', ['', '', 'x'], ['y'], { body })], [value('x', [2])], [value('y', [2])]))
  expect((await expectAsRuntime(bytes, { x: tensor([1, 2]) })).y!.toArray()).toEqual([8, 16])
})

test('a loop carries a sequence that grows', () => {
  const sequence = (name: string): onnx.IValueInfoProto => ({ name, type: { sequenceType: { elemType: { tensorType: { elemType: 1 } } } } })
  const body = graphOf([node('SequenceInsert', ['list', 'x'], ['longer']), node('Identity', ['going'], ['again'])], [scalar('i', 7), scalar('going', 9), sequence('list')], [untyped('again', 9), sequence('longer')])
  const bytes = modelBytes(graphOf([node('SequenceEmpty', [], ['none']), nodeWith('Loop', ['count', '', 'none'], ['list'], { body }), nodeWith('ConcatFromSequence', ['list'], ['y'], { axis: 0 })], [value('x', [2])], [untyped('y')], [whole('count', [3], [])]))
  expect(importOnnx(bytes).run({ x: tensor([1, 2]) }).y!.toArray()).toEqual([1, 2, 1, 2, 1, 2])
})

test('sequences of different lengths, and a length beyond its sequence, are named', () => {
  const two = graphOf([node('Add', ['a', 'b'], ['c'])], [untyped('a'), untyped('b')], [untyped('c')])
  const bytes = modelBytes(graphOf([nodeWith('Scan', ['x', 'z'], ['y'], { num_scan_inputs: 2, body: two })], [value('x', [2]), value('z', [3])], [untyped('y')]))
  expect(() => importOnnx(bytes).run({ x: tensor([1, 2]), z: tensor([1, 2, 3]) })).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y" (Scan): Scan: needs sequences of one length, got f32[2] along axis 0, f32[3] along axis 0]`)
  expect(() => importOnnx(network([2, 3, 1, 2], [2, 1, 2], {}, 8, [3, 4])).run({ h0: random(2, 1, 2), x: random(2, 3, 1, 2) })).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "last" (Scan): Scan: entry 1 has the length 4, of sequences of 3]`)
})
