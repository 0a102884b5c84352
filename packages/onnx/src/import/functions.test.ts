// Functions of a model's own: computed as onnxruntime computes them, differentiated, trained through, bounded, and refused where they are damaged.

import { cpu } from '@bp/backend-cpu'
import { compile, grad, tensor, type Tensor, use } from '@bp/core'
import { mul, sum } from '@bp/ops'
import type { onnx } from 'onnx-proto'
import * as runtime from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { attribute, graphOf, initialiser, node, nodeWith, value } from '../../test/model.ts'
import { encoded, encodedAttribute, encodedEntry, encodedFunction, encodedGraph, encodedNode, field, functionOf, join, reference } from '../../test/wire.ts'
import { importOnnx } from '../index.ts'

use(cpu())

const acme = (opType: string, input: string[], output: string[], settings: Parameters<typeof nodeWith>[3] = {}): onnx.INodeProto => ({ ...nodeWith(opType, input, output, settings), domain: 'acme' })

/** x·alpha, where alpha is an attribute of the call. */
const scaled = functionOf('Scaled', ['X'], ['Y'], [{ ...node('Constant', [], ['a']), attribute: [reference('value_float', 'alpha')] }, node('Mul', ['X', 'a'], ['Y'])], ['alpha'])

/** x·beta by another function where the sum of x is large enough, else x + 1; the branches read values of the function. */
const choose = functionOf('Choose', ['X'], ['Y'], [
  nodeWith('ReduceSum', ['X'], ['s'], { keepdims: 0 }), nodeWith('Constant', [], ['z'], { value_float: 0.25 }), node('Greater', ['s', 'z'], ['positive']),
  nodeWith('If', ['positive'], ['Y'], {
    then_branch: graphOf([{ ...node('Scaled', ['X'], ['a']), domain: 'acme', attribute: [reference('alpha', 'beta')] }], [], [{ name: 'a' }]),
    else_branch: graphOf([nodeWith('Constant', [], ['one'], { value_int: 1 }), nodeWith('Cast', ['one'], ['unit'], { to: 1 }), node('Add', ['X', 'unit'], ['b'])], [], [{ name: 'b' }]),
  }),
], ['beta'])

const imports = [{ domain: '', version: 17 }, { domain: 'acme', version: 1 }]
const model = (nodes: onnx.INodeProto[], functions: onnx.IFunctionProto[], initialisers: onnx.ITensorProto[] = []): Uint8Array =>
  encoded({ irVersion: 8, opsetImport: imports, graph: graphOf(nodes, [value('x', [2])], [value('y', [2])], initialisers), functions })

const chosen = model([acme('Choose', ['x'], ['a'], { beta: 1.5 }), acme('Scaled', ['a'], ['b'], { alpha: 0.5 }), node('Mul', ['b', 'w'], ['y'])], [choose, scaled], [initialiser('w', [2], [1, 2])])

describe('a call', () => {
  test.each([[[4, 9]], [[-4, -9]]])('of %j equals onnxruntime', async x => {
    const session = await runtime.InferenceSession.create(chosen, { logSeverityLevel: 4 })
    const theirs = (await session.run({ x: new runtime.Tensor('float32', Float32Array.from(x), [2]) })).y!
    expect(importOnnx(chosen).run({ x: tensor(x) }).y!.toArray()).toEqual([...theirs.data as Float32Array])
  })

  test('is differentiated, compiled, and trains what it is called with', () => {
    const imported = importOnnx(chosen)
    expect(imported.namedParameters().map(([name]) => name)).toEqual(['w'])
    expect(grad((x: Tensor) => sum(imported.forward(x) as Tensor))(tensor([4, 9])).toArray()).toEqual([0.75, 1.5])
    sum(imported.forward(tensor([4, 9])) as Tensor).backward()
    expect(imported.parameters()[0]!.grad!.toArray()).toEqual([3, 6.75])
    const twice = importOnnx(model([acme('Scaled', ['x'], ['a'], { alpha: 2.5 }), acme('Scaled', ['a'], ['y'], { alpha: -1.5 })], [scaled]))
    expect(compile((x: Tensor) => twice.forward(x) as Tensor)(tensor([1, 2])).toArray()).toEqual([-3.75, -7.5])
  })

  test('may leave out inputs and attributes; values of one call are none of another\'s', () => {
    const clip = functionOf('Between', ['X', 'low', 'high'], ['Y', 'Z'], [node('Clip', ['X', 'low', 'high'], ['Y']), nodeWith('LeakyRelu', ['X'], ['Z'], {})], ['slope'])
    clip.node![1]!.attribute = [reference('alpha', 'slope')]
    const bytes = model([acme('Between', ['x', '', 'two'], ['a']), acme('Between', ['a', 'two'], ['', 'b']), node('Add', ['a', 'b'], ['y'])], [clip], [initialiser('two', [], [2])])
    expect(importOnnx(bytes).forward(tensor([-100, 3]))).toEqual(expect.objectContaining({ shape: [2] }))
    expect((importOnnx(bytes).forward(tensor([-100, 3])) as Tensor).toArray()).toEqual([-101, 4])
  })

  test('has the defaults of the function and its overload, which the newer format tells', () => {
    const overload = (name: string, alpha: number): Uint8Array => field(25, join(encodedFunction({ ...scaled, attribute: [] }), field(11, encodedAttribute(attribute('alpha', alpha))), field(13, name)))
    const call = (input: string, output: string, name: string): Uint8Array => field(1, join(encodedNode(acme('Scaled', [input], [output])), field(8, name)))
    const graph = join(call('x', 'a', 'half'), call('a', 'y', 'quarter'), encodedGraph(graphOf([], [value('x', [2])], [value('y', [2])])), field(16, encodedEntry('stage', 'test')))
    const bytes = join(encoded({ irVersion: 10, opsetImport: imports }), field(7, graph), overload('half', 0.5), overload('quarter', 0.25))
    const imported = importOnnx(bytes)
    expect((imported.forward(tensor([8, 16])) as Tensor).toArray()).toEqual([1, 2])
    expect(imported.metadata.graphMetadata).toEqual({ stage: 'test' })
  })

  test('moves the running statistics that it is called with, in training', () => {
    const norm = functionOf('Norm', ['X', 's', 'b', 'm', 'v'], ['Y'], [node('BatchNormalization', ['X', 's', 'b', 'm', 'v'], ['Y'])])
    const bytes = encoded({ irVersion: 8, opsetImport: imports, functions: [norm], graph: graphOf([acme('Norm', ['x', 's', 'b', 'mean', 'variance'], ['y'])], [value('x', [2, 1])], [value('y', [2, 1])],
      [initialiser('s', [1], [1]), initialiser('b', [1], [0]), initialiser('mean', [1], [0]), initialiser('variance', [1], [1])]) })
    const imported = importOnnx(bytes)
    expect(imported.namedBuffers().map(([name]) => name)).toEqual(['mean', 'variance'])
    imported.train().forward(tensor([[1], [3]]))
    expect(imported.stateDict().get('mean')!.toArray()).not.toEqual([0])
  })

  test('gives way to an implementation of the user\'s, and of the framework', () => {
    expect((importOnnx(model([acme('Scaled', ['x'], ['y'], { alpha: 2.5 })], [scaled]), { operators: { 'acme:Scaled': ([x], attributes) => mul(x!, -attributes.float('alpha', 0)) } }).forward(tensor([1, 2])) as Tensor).toArray()).toEqual([-2.5, -5])
    const wrong = { ...functionOf('Relu', ['X'], ['Y'], [node('Neg', ['X'], ['Y'])]), domain: '' }
    expect((importOnnx(model([node('Relu', ['x'], ['y'])], [wrong])).forward(tensor([1, -2])) as Tensor).toArray()).toEqual([1, 0])
  })
})

/** Functions of which each calls the one before twice: 2ⁿ nodes of a run, n in the file. */
function laughs(levels: number): onnx.IFunctionProto[] {
  return Array.from({ length: levels }, (_, i) => i === 0
    ? functionOf('F0', ['X'], ['Y'], [node('Neg', ['X'], ['Y'])])
    : functionOf(`F${i}`, ['X'], ['Y'], [acme(`F${i - 1}`, ['X'], ['a']), acme(`F${i - 1}`, ['a'], ['Y'])]))
}

/** Functions of which each calls the one before. */
const chain = (levels: number): onnx.IFunctionProto[] => Array.from({ length: levels }, (_, i) => functionOf(`F${i}`, ['X'], ['Y'], [i === 0 ? node('Neg', ['X'], ['Y']) : acme(`F${i - 1}`, ['X'], ['Y'])]))

describe('bounds and damage', () => {
  test('functions that double are prepared once and refused by what a run would come to', () => {
    expect((importOnnx(model([acme('F9', ['x'], ['y'])], laughs(10))).forward(tensor([1, -2])) as Tensor).toArray()).toEqual([1, -2])
    expect(() => importOnnx(model([acme('F10', ['x'], ['y'])], laughs(11)), { limits: { nodes: 1000 } })).toThrow('more than 1000 nodes')
    expect(() => importOnnx(model([acme('F59', ['x'], ['y'])], laughs(60)))).toThrowErrorMatchingInlineSnapshot(`[BpError: importOnnx: a run of the model would go through more than 1048576 nodes, those of its functions counted at each call. If the file is to be trusted, pass a higher { limits: { nodes } }]`)
    expect(() => importOnnx(model([acme('F999', ['x'], ['y'])], chain(1000)))).toThrowErrorMatchingInlineSnapshot(`[BpError: importOnnx: functions and graphs inside nodes stand in one another deeper than 64 levels. The file is damaged or was made to do harm]`)
  })

  const circle = [functionOf('A', ['X'], ['Y'], [acme('B', ['X'], ['Y'])]), functionOf('B', ['X'], ['Y'], [acme('A', ['X'], ['Y'])])]
  test.each<[string, Uint8Array, string]>([
    ['a circle', model([acme('A', ['x'], ['y'])], circle), 'functions call one another in a circle: acme:A → acme:B → acme:A'],
    ['two of one name', model([acme('Scaled', ['x'], ['y'])], [scaled, scaled]), 'the file holds the function "acme:Scaled" twice'],
    ['one without a name', model([node('Neg', ['x'], ['y'])], [functionOf('', [], [], [])]), 'a function has no name'],
    ['an output that nothing makes', model([node('Neg', ['x'], ['y'])], [functionOf('A', ['X'], ['Y'], [])]), 'the function "acme:A"\'s output "Y" is made by no node'],
    ['a value from outside', model([node('Neg', ['x'], ['y'])], [functionOf('A', ['X'], ['Y'], [node('Add', ['X', 'x'], ['Y'])])]), 'reads "x", which nothing makes'],
    ['too many inputs', model([acme('Scaled', ['x', 'x'], ['y'])], [scaled]), 'calls the function acme:Scaled with 2 inputs, but it has 1'],
    ['too many outputs', model([acme('Scaled', ['x'], ['y', 'z'])], [scaled]), 'calls the function acme:Scaled with 2 outputs, but it has 1'],
    ['a reference outside of functions', model([{ ...node('Elu', ['x'], ['y']), attribute: [reference('alpha', 'slope')] }], []), 'attribute alpha of node "y" (Elu) refers to an attribute of a function, but the node is in no function'],
    ['an operator that is missing inside', model([acme('A', ['x'], ['y'])], [functionOf('A', ['X'], ['Y'], [node('Frob', ['X'], ['Y'])])]), 'unsupported operators: Frob (node "Y", opset 17)'],
  ])('%s', (_name, bytes, message) => {
    expect(() => importOnnx(bytes)).toThrow(message)
  })

  test('a function that nothing calls may need operators that are missing', () => {
    expect((importOnnx(model([node('Neg', ['x'], ['y'])], [functionOf('A', ['X'], ['Y'], [node('Frob', ['X'], ['Y'])])])).forward(tensor([1, 2])) as Tensor).toArray()).toEqual([-1, -2])
  })
})
