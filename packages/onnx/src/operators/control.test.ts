// Control flow and sequences of imported models: against onnxruntime, differentiated, compiled, and refused.

import { cpu } from '@bp/backend-cpu'
import { compile, grad, type Tensor, tensor, use } from '@bp/core'
import { sum } from '@bp/ops'
import type { onnx } from 'onnx-proto'
import * as runtime from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { graphOf, initialiser, modelBytes, node, nodeWith, value, whole } from '../../test/model.ts'
import { importOnnx } from '../index.ts'

use(cpu())

const untyped = (name: string, elemType = 1): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType } } })
const scalar = (name: string, elemType: number): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType, shape: {} } } })
const flag = (name: string): onnx.ITensorProto => ({ name, dims: [], dataType: 9, int32Data: [1] })

/** Sums the rows of a table from each offset to the next: PyTorch's EmbeddingBag as its exporter writes it, a Loop that collects. */
function bags(): Uint8Array {
  const body = graphOf([
    node('Gather', ['starts', 'i'], ['start']), node('Gather', ['ends', 'i'], ['end']),
    node('Unsqueeze', ['start', 'zero'], ['from']), node('Unsqueeze', ['end', 'zero'], ['to']),
    node('Slice', ['index', 'from', 'to'], ['own']), node('Gather', ['weight', 'own'], ['rows']),
    nodeWith('ReduceSum', ['rows', 'zero'], ['total'], { keepdims: 0 }), node('Identity', ['going'], ['again']),
  ], [scalar('i', 7), scalar('going', 9)], [untyped('again', 9), untyped('total')])
  const loop = nodeWith('Loop', ['count', 'yes'], ['y'], { body })
  return modelBytes(graphOf([loop], [], [untyped('y')], [
    initialiser('weight', [3, 2], [1, 2, 3, 4, 5, 6]), whole('index', [0, 2, 1, 1]), whole('starts', [0, 1]), whole('ends', [1, 4]), whole('count', [2], []), whole('zero', [0]), flag('yes'),
  ]))
}

/** Doubles what it carries until its sum passes 20, at most ten times. */
function doubling(): Uint8Array {
  const body = graphOf([
    node('Add', ['before', 'before'], ['after']), nodeWith('ReduceSum', ['after'], ['total'], { keepdims: 0 }), node('Less', ['total', 'most'], ['again']),
  ], [scalar('i', 7), scalar('going', 9), value('before', [2])], [untyped('again', 9), untyped('after')])
  return modelBytes(graphOf([nodeWith('Loop', ['count', '', 'x'], ['y'], { body })], [value('x', [2])], [value('y', [2])], [whole('count', [10], []), { ...initialiser('most', [], [20]) }]))
}

/** √x where the sum is positive, else 3x; both branches read x from outside. */
function choice(): Uint8Array {
  const [then, otherwise] = [graphOf([node('Sqrt', ['x'], ['a'])], [], [untyped('a')]), graphOf([node('Mul', ['x', 'three'], ['b'])], [], [untyped('b')], [initialiser('three', [], [3])])]
  return modelBytes(graphOf([
    nodeWith('ReduceSum', ['x'], ['total'], { keepdims: 0 }), node('Greater', ['total', 'nothing'], ['positive']),
    nodeWith('If', ['positive'], ['y'], { then_branch: then, else_branch: otherwise }),
  ], [value('x', [2])], [value('y', [2])], [initialiser('nothing', [], [0])]))
}

/** The parts of x, the second put before the first. */
function swapped(): Uint8Array {
  return modelBytes(graphOf([
    nodeWith('SplitToSequence', ['x', 'sizes'], ['parts'], { axis: 0 }), node('SequenceAt', ['parts', 'last'], ['second']), node('SequenceErase', ['parts'], ['first']),
    node('SequenceInsert', ['first', 'second', 'zero'], ['turned']), node('SequenceLength', ['turned'], ['count']), nodeWith('ConcatFromSequence', ['turned'], ['z'], { axis: 0 }),
    nodeWith('Cast', ['count'], ['n'], { to: 1 }), node('Mul', ['z', 'n'], ['y']),
  ], [value('x', [5])], [value('y', [5])], [whole('sizes', [3, 2]), whole('last', [-1], []), whole('zero', [0], [])]))
}

describe('equal to onnxruntime', () => {
  test.each<[string, Uint8Array, readonly number[] | null]>([
    ['a loop that collects', bags(), null], ['a loop that ends by what it carries', doubling(), [1, 2]],
    ['one branch', choice(), [4, 9]], ['the other branch', choice(), [-4, -9]], ['sequences', swapped(), [1, 2, 3, 4, 5]],
  ])('%s', async (_name, bytes, x) => {
    const session = await runtime.InferenceSession.create(bytes, { logSeverityLevel: 4 })
    const theirs = (await session.run(x ? { x: new runtime.Tensor('float32', Float32Array.from(x), [x.length]) } : {})).y!
    const y = importOnnx(bytes).run(x ? { x: tensor(x) } : {}).y!
    expect(y.shape).toEqual(theirs.dims)
    expect([...y.dataSync()]).toEqual([...theirs.data as Float32Array])
  })
})

test('gradients pass through the steps that were taken', () => {
  const of = (bytes: Uint8Array) => (x: Tensor): Tensor => sum(importOnnx(bytes).run({ x }).y!)
  expect(grad(of(doubling()))(tensor([1, 2])).toArray()).toEqual([8, 8])
  expect(grad(of(choice()))(tensor([4, 16])).toArray()).toEqual([0.25, 0.125])
  expect(grad(of(choice()))(tensor([-4, -16])).toArray()).toEqual([3, 3])
  const model = importOnnx(bags())
  sum(model.forward() as Tensor).backward()
  expect([...model.namedParameters()].map(([name, { grad: found }]) => [name, found!.toArray()])).toEqual([['weight', [[1, 1], [2, 2], [1, 1]]]])
})

test('what a loop and a sequence know of shapes can be compiled; what depends on values says so', () => {
  const model = importOnnx(bags())
  expect(compile(() => model.forward() as Tensor)().toArray()).toEqual([[1, 2], [11, 14]])
  expect(compile((x: Tensor) => importOnnx(swapped()).run({ x }).y!)(tensor([1, 2, 3, 4, 5])).toArray()).toEqual([8, 10, 2, 4, 6])
  expect(() => compile((x: Tensor) => importOnnx(choice()).run({ x }).y!)(tensor([1, 2]))).toThrowErrorMatchingInlineSnapshot(`[UnsupportedError: OnnxModule: node "y" (If): importOnnx: the values of bool[] decide a shape or a choice, and are not known while a program is traced. Run the model outside of compile, trace, jvp and vmap]`)
})

test('damage inside a graph, a place beyond a sequence and a tensor for a sequence are named', () => {
  const of = (nodes: onnx.INodeProto[], constants: onnx.ITensorProto[] = []): Uint8Array => modelBytes(graphOf(nodes, [value('x', [2])], [value('y', [2])], constants))
  const branches = { then_branch: graphOf([node('Sqrt', ['nowhere'], ['a'])], [], [untyped('a')]), else_branch: graphOf([node('Swirl', ['x'], ['b'])], [], [untyped('b')]) }
  expect(() => importOnnx(of([nodeWith('If', ['yes'], ['y'], branches)], [flag('yes')]))).toThrowErrorMatchingInlineSnapshot(`[BpError: importOnnx: node "a" (Sqrt) reads "nowhere", which nothing makes. The file is damaged; export the model again]`)
  expect(() => importOnnx(of([nodeWith('If', ['yes'], ['y'], { else_branch: branches.else_branch })], [flag('yes')]))).toThrowErrorMatchingInlineSnapshot(`[UnsupportedOperatorError: importOnnx: unsupported operators: Swirl (node "b", opset 17). Export the model without them, or pass implementations in importOnnx(bytes, { operators: { Swirl: … } })]`)
  expect(() => importOnnx(of([nodeWith('If', ['yes'], ['y'], {})], [flag('yes')])).run({ x: tensor([1, 2]) })).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y" (If): OnnxModule: it has no graph then_branch. The file is damaged]`)
  expect(() => importOnnx(of([node('SequenceConstruct', ['x'], ['s']), node('SequenceAt', ['s', 'two'], ['y'])], [whole('two', [2], [])])).run({ x: tensor([1, 2]) })).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y" (SequenceAt): SequenceAt: the position 2 is outside of a sequence of 1]`)
  expect(() => importOnnx(of([node('SequenceLength', ['x'], ['y'])])).run({ x: tensor([1, 2]) })).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y" (SequenceLength): SequenceLength: its first input is no sequence. The file is damaged]`)
  expect(() => importOnnx(of([node('SequenceConstruct', ['x'], ['s']), node('Sqrt', ['s'], ['y'])])).run({ x: tensor([1, 2]) })).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y" (Sqrt): importOnnx: got a sequence of 1 where a tensor of numbers is needed. The file is damaged]`)
})

test('a body runs for each entry of a sequence', () => {
  const body = graphOf([node('Mul', ['part', 'factor'], ['scaled'])], [untyped('part'), untyped('factor')], [untyped('scaled')])
  const bytes = modelBytes(graphOf([
    nodeWith('SplitToSequence', ['x'], ['parts'], { keepdims: 0 }), nodeWith('SequenceMap', ['parts', 'two'], ['more'], { body }), nodeWith('ConcatFromSequence', ['more'], ['y'], { axis: 0, new_axis: 1 }),
  ], [value('x', [3])], [value('y', [3])], [initialiser('two', [], [2])]))
  expect(importOnnx(bytes).run({ x: tensor([1, 2, 3]) }).y!.toArray()).toEqual([2, 4, 6])
})
