// Shapes told without running: in terms of open sizes, past choices that depend on data, within bounds, and contradictions named.

import { tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, TransformerEncoderLayer } from '@bp/nn'
import { reshape } from '@bp/ops'
import type { onnx } from 'onnx-proto'
import { describe, expect, test } from 'vitest'
import { graphOf, initialiser, modelBytes, node, nodeWith, value, whole } from '../../test/model.ts'
import { exportOnnx, importOnnx, inferShapes, type InferOptions } from '../index.ts'
import { familiesOf, formula } from './sizes.ts'

use(cpu())

const untyped = (name: string, elemType = 1): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType } } })
const scalar = (name: string, elemType: number): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType, shape: {} } } })
const shapesOf = (bytes: Uint8Array, options?: InferOptions): Record<string, string> =>
  Object.fromEntries([...inferShapes(importOnnx(bytes), options).values].map(([name, { type, shape }]) => [name, `${type} ${shape ? `[${shape.join()}]` : '?'}`]))

/** Images of any size through a convolution and a pool, then flattened; and what a program computes of shapes. */
const images = (): Uint8Array => modelBytes(graphOf([
  nodeWith('Conv', ['x', 'w'], ['c'], { strides: [2, 2], pads: [1, 1, 1, 1] }), nodeWith('MaxPool', ['c'], ['p'], { kernel_shape: [2, 2], strides: [2, 2] }),
  node('Shape', ['p'], ['s']), node('Gather', ['s', 'first'], ['n']), node('Concat', ['n', 'rest'], ['target']), node('Reshape', ['p', 'target'], ['flat']), node('Concat', ['x', 'x'], ['twice']), nodeWith('Transpose', ['p'], ['y'], { perm: [0, 2, 3, 1] }),
].map(n => n.opType === 'Concat' ? { ...n, ...nodeWith('Concat', n.input!, n.output!, { axis: n.output![0] === 'twice' ? 2 : 0 }) } : n), [value('x', ['batch', 3, 'height', 'width'])], [untyped('y'), untyped('flat'), untyped('twice')],
[initialiser('w', [4, 3, 3, 3], new Array<number>(108).fill(0.1)), whole('first', [0]), whole('rest', [-1])]))

describe('in terms of the open sizes of the inputs', () => {
  test('an image network', () => {
    const shapes = shapesOf(images())
    expect(Object.fromEntries(['x', 'w', 'c', 'p', 'n', 'y', 'twice', 'flat'].map(name => [name, shapes[name]]))).toMatchInlineSnapshot(`
      {
        "c": "float32 [batch,4,ceil(height/2),ceil(width/2)]",
        "flat": "float32 [batch,?]",
        "n": "int64 [1]",
        "p": "float32 [batch,4,floor((height + 1)/4),floor((width + 1)/4)]",
        "twice": "float32 [batch,3,2*height,width]",
        "w": "float32 [4,3,3,3]",
        "x": "float32 [batch,3,height,width]",
        "y": "float32 [batch,floor((height + 1)/4),floor((width + 1)/4),4]",
      }
    `)
    expect(shapesOf(images(), { dims: { batch: 2, height: 8, width: 10 } })).toMatchObject({ flat: 'float32 [2,16]', y: 'float32 [2,2,2,4]' })
    const x = tensor(new Float32Array(2 * 3 * 9 * 11), { shape: [2, 3, 9, 11] })
    expect(importOnnx(images()).run({ x }).y!.shape).toEqual([2, Math.floor(10 / 4), Math.floor(12 / 4), 4])
  })

  test('a transformer of any batch, with its parameters, operations and bytes a node', () => {
    const layer = new TransformerEncoderLayer(16, 2, { feedForward: 32, dropout: 0, batchFirst: true })
    const model = importOnnx(exportOnnx(layer, [{ name: 'x', shape: [1, 5, 16], dynamicBatch: true }]))
    const { values, nodes, at } = inferShapes(model)
    expect(values.get('output')).toEqual({ type: 'float32', shape: ['batch', 5, 16] })
    expect(nodes.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(model.parameters().reduce((sum, p) => sum + p.size, 0))
    const product = nodes.find(({ node: { operator }, outputs: [y] }) => operator === 'Gemm' && y!.shape!.at(-1) === 32)!
    expect([product.flops, product.bytes]).toEqual([2 * at.batch! * 5 * 16 * 32, 4 * at.batch! * 5 * 32])
  })

  test('sizes that the file gives no common name, but must be equal', () => {
    const bytes = modelBytes(graphOf([nodeWith('Concat', ['a', 'b'], ['c'], { axis: 1 }), node('Add', ['c', 'w'], ['y'])], [value('a', ['n', 2]), value('b', ['m', 'k'])], [untyped('y')], [initialiser('w', [1], [1])]))
    const { values, equal } = inferShapes(importOnnx(bytes))
    expect([values.get('y')!.shape, equal]).toEqual([['n', 'k + 2'], [['m', 'n']]])
  })

  test('sums and products of several', () => {
    const [points] = familiesOf(['a', 'b']) as [ReturnType<typeof familiesOf>[number]]
    const of = (f: (a: number, b: number) => number): number | string => formula(points, points.map(({ a, b }) => f(a!, b!)))
    expect([of((a, b) => a + b), of((a, b) => 3 * a * b), of((a, b) => 2 * a + b + 1), of(a => Math.floor((a - 3) / 2) + 1), of((_, b) => b), of(() => 7), of((a, b) => a * a + b)])
      .toEqual(['a + b', '3*a*b', '2*a + b + 1', 'floor((a - 1)/2)', 'b', 7, '?'])
  })
})

describe('where data decides', () => {
  const choice = (other: onnx.INodeProto, extra: onnx.ITensorProto[] = []): Uint8Array => modelBytes(graphOf([
    nodeWith('If', ['c'], ['a'], { then_branch: graphOf([node('Relu', ['x'], ['p'])], [], [untyped('p')]), else_branch: graphOf([other], [], [untyped('q')]) }), node('Neg', ['a'], ['y']), node('NonZero', ['x'], ['z']), node('Cast', ['z'], ['f']),
  ].map(n => n.opType === 'Cast' ? nodeWith('Cast', ['z'], ['f'], { to: 1 }) : n), [value('x', [2, 3]), scalar('c', 9)], [untyped('y'), untyped('f')], extra))

  test('both branches are looked at, and what only one of them would be is unknown', () => {
    expect(shapesOf(choice(node('Neg', ['x'], ['q'])))).toMatchObject({ a: 'float32 [2,3]', y: 'float32 [2,3]', p: 'float32 [2,3]', z: 'int64 [2,?]', f: 'null ?' })
    expect(shapesOf(choice(nodeWith('Flatten', ['x'], ['q'], { axis: 2 })))).toMatchObject({ a: 'float32 [?,?]', y: 'null ?' })
  })

  test('a branch that cannot run on the shapes is not taken, and no contradiction', () => {
    const shapes = shapesOf(choice(node('Squeeze', ['x', 'axis'], ['q']), [whole('axis', [0])]))
    expect([shapes.q, shapes.a]).toEqual([undefined, 'float32 [2,3]'])
  })

  test('loops of known and unknown length, and of a length that nobody waits for', () => {
    const loop = (count: onnx.ITensorProto | null, grows = false): Uint8Array => {
      const body = graphOf([grows ? nodeWith('Concat', ['before', 'before'], ['after'], { axis: 0 }) : node('Neg', ['before'], ['after']), node('Identity', ['after'], ['each']), node('Identity', ['going'], ['again'])],
        [scalar('i', 7), scalar('going', 9), untyped('before')], [untyped('again', 9), untyped('after'), untyped('each')])
      return modelBytes(graphOf([nodeWith('Loop', ['count', '', 'x'], ['y', 'all'], { body })], [value('x', [2]), ...count ? [] : [scalar('count', 7)]], [untyped('y'), untyped('all')], count ? [count] : []))
    }
    expect(shapesOf(loop(whole('count', [3], [])))).toMatchObject({ y: 'float32 [2]', all: 'float32 [3,2]' })
    expect(shapesOf(loop(null))).toMatchObject({ y: 'float32 [2]', all: 'float32 [?,2]' })
    expect(shapesOf(loop(null, true))).toMatchObject({ after: 'null ?', y: 'null ?' })
    expect(shapesOf(loop(whole('count', [1_000_000_000], [])))).toMatchObject({ y: 'float32 [2]', all: 'float32 [?,2]' })
    expect(shapesOf(loop(whole('count', [60], []), true)).y).toBe('null ?')
  })

  test('constants that would not fit into memory cost nothing', () => {
    const huge = modelBytes(graphOf([node('ConstantOfShape', ['sizes'], ['a']), node('Expand', ['one', 'sizes'], ['b']), node('Add', ['x', 'one'], ['y'])], [value('x', [2])], [value('y', [2])], [whole('sizes', [100_000, 10_000]), initialiser('one', [1], [1])]))
    expect(shapesOf(huge)).toMatchObject({ a: 'float32 [100000,10000]', b: 'float32 [100000,10000]', y: 'float32 [2]' })
  })
})

describe('contradictions', () => {
  const product = (rows: number | string, output: (string | number)[] = ['n', 4], inner?: onnx.IValueInfoProto): Uint8Array => modelBytes({
    ...graphOf([{ ...node('MatMul', ['x', 'w'], ['h']), name: 'head' }, node('Relu', ['h'], ['y'])], [value('x', [rows, 3])], [value('y', output)], [initialiser('w', [5, 4], new Array<number>(20).fill(0))]), ...inner && { valueInfo: [inner] },
  })
  const fine = (output: (string | number)[], inner?: onnx.IValueInfoProto): Uint8Array => modelBytes({ ...graphOf([node('Relu', ['x'], ['h']), node('Neg', ['h'], ['y'])], [value('x', [2, 3])], [value('y', output)]), ...inner && { valueInfo: [inner] } })

  test('name the node when a model of fixed sizes is loaded, and when asked for of others', () => {
    expect(() => importOnnx(product(2))).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "head" (MatMul): matmul: inner axes must match, got f32[2,3] and f32[5,4] (3 ≠ 5). Transpose or reshape one of them]`)
    const open = importOnnx(product('n'))
    expect(() => inferShapes(open)).toThrowErrorMatchingInlineSnapshot(`[BpError: inferShapes: OnnxModule: node "head" (MatMul): matmul: inner axes must match, got f32[96,3] and f32[5,4] (3 ≠ 5). Transpose or reshape one of them, for n = 96 and for other sizes. If the model fits some sizes alone, give them as { dims }]`)
    expect(() => inferShapes(open, { dims: { n: 1 } })).toThrowErrorMatchingInlineSnapshot(`[BpError: inferShapes: OnnxModule: node "head" (MatMul): matmul: inner axes must match, got f32[1,3] and f32[5,4] (3 ≠ 5). Transpose or reshape one of them]`)
    expect(() => inferShapes(open, { dims: { batch: 1 } })).toThrowErrorMatchingInlineSnapshot(`[BpError: inferShapes: no input has an open size named batch; open are n. Use the names in the shapes of model.inputs]`)
  })

  test('with what the file says are listed: PyTorch errs in the sizes of pools, and runtimes go by what they compute', () => {
    const wrong = importOnnx(fine([2, 4]))
    expect(wrong.run({ x: tensor([[1, 2, 3], [4, 5, 6]]) }).y!.shape).toEqual([2, 3])
    expect(inferShapes(wrong).contradictions).toEqual(['"y" has the shape [2,3], the file says [2,4]'])
    expect(inferShapes(importOnnx(fine(['n', 3], value('h', [2, 7])))).contradictions).toMatchInlineSnapshot(`
      [
        ""h" has the shape [2,3], the file says [2,7]",
      ]
    `)
  })
})

test('a file with operators that are not implemented is told as far as it goes', () => {
  const bytes = modelBytes(graphOf([node('Relu', ['x'], ['a']), node('Swirl', ['a'], ['b']), node('Neg', ['b'], ['c']), node('Exp', ['a'], ['y'])], [value('x', ['n', 2])], [untyped('y'), untyped('c')]))
  expect([...inferShapes(bytes, { dims: { n: 3 } }).values].map(([name, { shape }]) => [name, shape])).toEqual([['x', [3, 2]], ['a', [3, 2]], ['b', null], ['c', null], ['y', [3, 2]]])
  expect(inferShapes(bytes, { operators: { Swirl: ([x]) => reshape(x!, [x!.size]) } }).values.get('c')!.shape).toEqual(['2*n'])
})

test('what is found is what running gives', () => {
  const net = new Sequential(new Conv2d(1, 2, 3), new ReLU(), new MaxPool2d(2), new Flatten(), new Linear(18, 3))
  const model = importOnnx(exportOnnx(net, [{ name: 'x', shape: [2, 1, 8, 8] }]))
  const { values } = inferShapes(model)
  for (const name of model.nodes.flatMap(({ outputs }) => outputs)) {
    const part = importOnnx(exportOnnx(net, [{ name: 'x', shape: [2, 1, 8, 8] }]), { outputs: [name] })
    const y = part.run({ x: tensor(new Float32Array(128), { shape: [2, 1, 8, 8] }) })[name]!
    expect([name, values.get(name)]).toEqual([name, { type: y.dtype, shape: y.shape }])
  }
})
