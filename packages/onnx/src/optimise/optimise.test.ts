// Rewritten models compute what they did before, in our importer and in ONNX Runtime, with fewer nodes.

import { type Tensor, tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { Generator } from '@bp/ops'
import proto, { type onnx } from 'onnx-proto'
import * as runtime from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { importOnnx, optimiseOnnx, type OptimiseOptions } from '../index.ts'
import { graphOf, initialiser, modelBytes, node, nodeWith, value, whole } from '../../test/model.ts'
import { encodedAttribute, encodedEntry, encodedFunction, encodedGraph, encodedNode, field, functionOf, join, reference, encoded } from '../../test/wire.ts'

use(cpu())

const generator = new Generator(5)
const random = (...shape: number[]): Tensor => generator.uniform(shape, { low: -1, high: 1 })
const weights = (name: string, ...shape: number[]): onnx.ITensorProto => initialiser(name, shape, [...random(...shape).dataSync() as Float32Array])
/** Numbers in [1, 3), as variances and divisors are. */
const positive = (name: string, ...shape: number[]): onnx.ITensorProto => initialiser(name, shape, [...random(...shape).dataSync() as Float32Array].map(x => x + 2))
const number = (name: string, x: number): onnx.ITensorProto => initialiser(name, [], [x])

const operatorsOf = (bytes: Uint8Array): string[] => (proto.onnx.ModelProto.decode(bytes).graph!.node ?? []).map(({ opType }) => opType ?? '')

async function inRuntime(bytes: Uint8Array, x: Tensor): Promise<Float32Array> {
  const session = await runtime.InferenceSession.create(bytes)
  const results = await session.run({ x: new runtime.Tensor('float32', x.dataSync() as Float32Array, [...x.shape]) })
  return results[session.outputNames[0]!]!.data as Float32Array
}

interface Case {
  readonly nodes: onnx.INodeProto[]
  readonly input: number[]
  readonly initialisers?: onnx.ITensorProto[]
  readonly opset?: number
  readonly left: string[]
}

const bn = (x: string, y: string): onnx.INodeProto => nodeWith('BatchNormalization', [x, 'gamma', 'beta', 'mean', 'variance'], [y], { epsilon: 0.001 })
const statistics = (channels: number): onnx.ITensorProto[] => [weights('gamma', channels), weights('beta', channels), weights('mean', channels), positive('variance', channels)]

const cases: Record<string, Case> = {
  'a normalisation into a convolution': { input: [2, 3, 5, 5], nodes: [node('Conv', ['x', 'w'], ['a']), bn('a', 'y')], initialisers: [weights('w', 4, 3, 3, 3), ...statistics(4)], left: ['Conv'] },
  'a normalisation into a convolution with groups and a bias': { input: [2, 4, 5, 5], nodes: [nodeWith('Conv', ['x', 'w', 'b'], ['a'], { group: 2 }), bn('a', 'y')], initialisers: [weights('w', 6, 2, 3, 3), weights('b', 6), ...statistics(6)], left: ['Conv'] },
  'a normalisation into a transposed convolution with groups': { input: [2, 4, 3, 3], nodes: [nodeWith('ConvTranspose', ['x', 'w'], ['a'], { group: 2 }), bn('a', 'y')], initialisers: [weights('w', 4, 3, 2, 2), ...statistics(6)], left: ['ConvTranspose'] },
  'a normalisation into a Gemm': { input: [2, 3], nodes: [nodeWith('Gemm', ['x', 'w', 'b'], ['a'], { transB: 1 }), bn('a', 'y')], initialisers: [weights('w', 4, 3), weights('b', 4), ...statistics(4)], left: ['Gemm'] },
  'a sum and a quotient into a convolution': { input: [1, 3, 4, 4], nodes: [node('Conv', ['x', 'w'], ['a']), node('Add', ['c', 'a'], ['d']), node('Div', ['d', 'e'], ['y'])], initialisers: [weights('w', 2, 3, 1, 1), weights('c', 1, 2, 1, 1), positive('e', 2, 1, 1)], left: ['Conv'] },
  'a constant that does not go by channel stays': { input: [1, 3, 4, 4], nodes: [node('Conv', ['x', 'w'], ['a']), node('Add', ['a', 'c'], ['y'])], initialisers: [weights('w', 4, 3, 1, 1), weights('c', 4)], left: ['Conv', 'Add'] },
  'a result with two readers stays': { input: [1, 3, 4, 4], nodes: [node('Conv', ['x', 'w'], ['a']), bn('a', 'c'), node('Add', ['a', 'c'], ['y'])], initialisers: [weights('w', 4, 3, 1, 1), ...statistics(4)], left: ['Conv', 'BatchNormalization', 'Add'] },
  'a bias into a product': { input: [2, 3], nodes: [node('MatMul', ['x', 'w'], ['a']), node('Add', ['a', 'b'], ['y'])], initialisers: [weights('w', 3, 4), weights('b', 4)], left: ['Gemm'] },
  'a bias into a product whose axes are inferred': { input: [2, 3], nodes: [node('Exp', ['x'], ['e']), node('MatMul', ['e', 'w'], ['a']), node('Add', ['a', 'b'], ['y'])], initialisers: [weights('w', 3, 4), weights('b', 4)], left: ['Exp', 'Gemm'] },
  'shapes that are fixed': { input: [2, 3, 4], nodes: [node('Exp', ['x'], ['e']), node('Shape', ['e'], ['s']), node('Slice', ['s', 'one', 'two'], ['t']), nodeWith('Concat', ['rest', 't'], ['u'], { axis: 0 }), node('Reshape', ['e', 'u'], ['y'])], initialisers: [whole('one', [1]), whole('two', [2]), whole('rest', [-1])], left: ['Exp', 'Reshape'] },
  'a cast to the type that is there': { input: [2, 3], nodes: [node('Exp', ['x'], ['e']), nodeWith('Cast', ['e'], ['f'], { to: 1 }), node('Neg', ['f'], ['y'])], left: ['Exp', 'Neg'] },
  'a product of stacks stays': { input: [2, 2, 3], nodes: [node('MatMul', ['x', 'w'], ['a']), node('Add', ['a', 'b'], ['y'])], initialisers: [weights('w', 3, 4), weights('b', 4)], left: ['MatMul', 'Add'] },
  'zeros around an image into a convolution': { input: [1, 2, 4, 4], nodes: [node('Pad', ['x', 'p'], ['a']), nodeWith('Conv', ['a', 'w'], ['y'], { pads: [0, 1, 0, 1] })], initialisers: [whole('p', [0, 0, 1, 0, 0, 0, 2, 1]), weights('w', 2, 2, 3, 3)], left: ['Conv'] },
  'layer normalisation': {
    input: [2, 3, 4], opset: 17, left: ['LayerNormalization'], initialisers: [weights('gamma', 4), weights('beta', 4), number('two', 2), number('eps', 1e-3)],
    nodes: [nodeWith('ReduceMean', ['x'], ['m'], { axes: [-1] }), node('Sub', ['x', 'm'], ['d']), node('Pow', ['d', 'two'], ['q']), nodeWith('ReduceMean', ['q'], ['v'], { axes: [-1] }), node('Add', ['v', 'eps'], ['s']),
      node('Sqrt', ['s'], ['r']), node('Div', ['d', 'r'], ['n']), node('Mul', ['n', 'gamma'], ['g']), node('Add', ['g', 'beta'], ['y'])],
  },
  'GELU': { input: [9], opset: 20, left: ['Gelu'], initialisers: [number('root', Math.SQRT2), number('one', 1), number('half', 0.5)], nodes: [node('Div', ['x', 'root'], ['a']), node('Erf', ['a'], ['b']), node('Add', ['b', 'one'], ['c']), node('Mul', ['x', 'c'], ['d']), node('Mul', ['d', 'half'], ['y'])] },
  'GELU in another order': { input: [9], opset: 20, left: ['Gelu'], initialisers: [number('root', Math.SQRT1_2), number('one', 1), number('half', 0.5)], nodes: [node('Mul', ['x', 'half'], ['h']), node('Mul', ['x', 'root'], ['a']), node('Erf', ['a'], ['b']), node('Add', ['b', 'one'], ['c']), node('Mul', ['h', 'c'], ['y'])] },
  'HardSwish': { input: [9], left: ['HardSwish'], nodes: [nodeWith('HardSigmoid', ['x'], ['a'], { alpha: 1 / 6, beta: 0.5 }), node('Mul', ['x', 'a'], ['y'])] },
  'nodes without effect': { input: [2, 3], left: ['Relu'], initialisers: [number('zero', 0), number('one', 1)], nodes: [node('Identity', ['x'], ['a']), node('Dropout', ['a'], ['b']), node('Add', ['b', 'zero'], ['c']), node('Mul', ['c', 'one'], ['d']), nodeWith('Transpose', ['d'], ['e'], { perm: [0, 1] }), node('Relu', ['e'], ['y'])] },
  'transpositions that undo each other': { input: [2, 3, 4], left: ['Relu'], nodes: [nodeWith('Transpose', ['x'], ['a'], { perm: [1, 2, 0] }), nodeWith('Transpose', ['a'], ['b'], { perm: [2, 0, 1] }), node('Relu', ['b'], ['y'])] },
  'two reshapes': { input: [2, 3, 4], left: ['Reshape'], initialisers: [whole('s', [6, 4]), whole('t', [4, -1])], nodes: [node('Reshape', ['x', 's'], ['a']), node('Reshape', ['a', 't'], ['y'])] },
  'repeated nodes': { input: [2, 3], left: ['Exp', 'Add'], nodes: [node('Exp', ['x'], ['a']), node('Exp', ['x'], ['b']), node('Add', ['a', 'b'], ['y'])] },
  'unused nodes': { input: [2, 3], left: ['Exp'], nodes: [node('Sin', ['x'], ['a']), node('Cos', ['a'], ['b']), node('Exp', ['x'], ['y'])] },
  'what constants decide': { input: [2, 3], left: ['MatMul'], initialisers: [weights('w', 4, 3)], nodes: [nodeWith('Transpose', ['w'], ['a'], { perm: [1, 0] }), node('Exp', ['a'], ['b']), node('MatMul', ['x', 'b'], ['y'])] },
}

describe('rewritings keep what a model computes', () => {
  test.each(Object.keys(cases))('%s', async name => {
    const { nodes, input, initialisers = [], opset = 17, left } = cases[name]!
    const graph = graphOf(nodes, [value('x', input)], [{ name: 'y', type: { tensorType: { elemType: 1 } } }], initialisers)
    const bytes = modelBytes(graph, opset)
    const { bytes: made } = optimiseOnnx(bytes)
    expect(operatorsOf(made)).toEqual(left)
    const x = random(...input)
    const want = await inRuntime(bytes, x)
    const ours = (importOnnx(made).forward(x) as Tensor).dataSync() as Float32Array
    const theirs = await inRuntime(made, x)
    const scale = Math.max(...want.map(Math.abs))
    want.forEach((y, i) => {
      expect(Math.abs(ours[i]! - y)).toBeLessThanOrEqual(1e-5 * scale)
      expect(Math.abs(theirs[i]! - y)).toBeLessThanOrEqual(1e-5 * scale)
    })
  })
})

test('results that are larger than what they come from are left to be computed', () => {
  const bytes = modelBytes(graphOf([node('Expand', ['c', 's'], ['a']), node('Add', ['x', 'a'], ['y'])], [value('x', [400, 400])], [value('y', [400, 400])], [number('c', 2), whole('s', [400, 400])]))
  expect(operatorsOf(optimiseOnnx(bytes).bytes)).toEqual(['Expand', 'Add'])
})

test('a model that is still to be trained keeps its parameters', () => {
  const bytes = modelBytes(graphOf([nodeWith('Transpose', ['w'], ['a'], { perm: [1, 0] }), node('Identity', ['x'], ['i']), node('MatMul', ['i', 'a'], ['b']), node('Add', ['b', 'c'], ['y'])],
    [value('x', [2, 3])], [value('y', [2, 4])], [weights('w', 4, 3), weights('c', 4)]))
  const namesOf = (options?: OptimiseOptions): string[] => importOnnx(optimiseOnnx(bytes, options).bytes).namedParameters().map(([name]) => name)
  expect(namesOf({ trainable: true })).toEqual(['w', 'c'])
  expect(namesOf()).toEqual(['c', 'a'])
})

test('an initialiser that callers may override, and results that the model gives away, stay under their names', () => {
  const graph = graphOf([node('Identity', ['w'], ['copy']), node('Add', ['x', 'copy'], ['y'])], [value('x', [2]), value('w', [2])], [value('y', [2]), value('copy', [2])], [initialiser('w', [2], [1, 2])])
  const { graph: made } = proto.onnx.ModelProto.decode(optimiseOnnx(modelBytes(graph)).bytes)
  expect(made!.initializer!.map(({ name }) => name)).toEqual(['w'])
  expect(made!.output!.map(({ name }) => name)).toEqual(['y', 'copy'])
  expect(String(importOnnx(optimiseOnnx(modelBytes(graph)).bytes).run({ x: tensor([1, 1]) }).y)).toBe('tensor([2, 3], float32)')
})

test('bytes that are no model', () => {
  expect(() => optimiseOnnx(new Uint8Array())).toThrowErrorMatchingInlineSnapshot('[BpError: optimiseOnnx: the file holds no graph. Is it an ONNX model?]')
})

const type = (elemType: number): onnx.ITypeProto => ({ tensorType: { elemType } })

test('constants that come to gigabytes, that fail and that are lists stay to be computed; others keep their element type', () => {
  const graph = graphOf([
    node('ConstantOfShape', ['huge'], ['a']), node('ReduceMax', ['a'], ['b']), node('Reshape', ['c', 'five'], ['d']), node('SequenceConstruct', ['c', 'c'], ['list']), nodeWith('ConcatFromSequence', ['list'], ['joined'], { axis: 0 }),
    node('Mul', ['half', 'half'], ['quarter']), nodeWith('Cast', ['quarter'], ['wide'], { to: 1 }), node('Sum', ['x', 'b', 'd', 'joined', 'wide'], ['y']), node('Identity', ['names'], ['texts']),
  ], [value('x', [4])], [value('y', [4]), { name: 'texts', type: type(8) }, { name: 'quarter', type: type(16) }], [
    whole('huge', [100_000, 100_000]), whole('five', [5]), initialiser('c', [2], [1, 2]), { name: 'half', dims: [], dataType: 16, rawData: Uint8Array.of(0, 63) }, { name: 'names', dims: [1], dataType: 8, stringData: [Uint8Array.of(97)] },
  ])
  const { bytes } = optimiseOnnx(modelBytes(graph))
  expect(operatorsOf(bytes)).toEqual(['ConstantOfShape', 'ReduceMax', 'Reshape', 'Mul', 'Sum', 'Identity'])
  expect(optimiseOnnx(bytes).bytes).toEqual(bytes)
})

test('what newer formats hold stays in the file: defaults and overloads of functions, metadata of graphs', () => {
  const scaled = encodedFunction(functionOf('Scaled', ['X'], ['Y'], [{ ...node('Constant', [], ['a']), attribute: [reference('value_float', 'alpha')] }, node('Mul', ['X', 'a'], ['Y'])]))
  const other = encodedFunction(functionOf('Scaled', ['X'], ['Y'], [node('Neg', ['X'], ['Y'])]))
  const graph = graphOf([{ ...node('Scaled', ['x'], ['a']), domain: 'acme' }, node('Identity', ['a'], ['b'])], [value('x', [2])], [value('y', [2])])
  const call = join(encodedNode({ ...node('Scaled', ['b'], ['y']), domain: 'acme' }), field(8, 'turned'))
  const bytes = join(encoded({ irVersion: 10, opsetImport: [{ domain: '', version: 17 }, { domain: 'acme', version: 1 }] }),
    field(7, join(encodedGraph(graph), field(1, call), field(16, encodedEntry('key', 'kept')))),
    field(25, join(scaled, field(11, encodedAttribute({ name: 'alpha', type: proto.onnx.AttributeProto.AttributeType.FLOAT, f: 3 })))), field(25, join(other, field(13, 'turned'))))
  const { bytes: made } = optimiseOnnx(bytes)
  expect(operatorsOf(made)).toEqual(['Scaled', 'Scaled'])
  expect(String(importOnnx(made).forward(tensor([1, 2])))).toBe('tensor([-3, -6], float32)')
  expect(new TextDecoder().decode(made)).toContain('kept')
})

test('a shape that follows the input stays to be computed', () => {
  const bytes = modelBytes(graphOf([node('Exp', ['x'], ['e']), node('Shape', ['e'], ['s']), node('Reshape', ['x', 's'], ['y'])], [value('x', ['n', 3])], [value('y', ['n', 3])]))
  expect(operatorsOf(optimiseOnnx(bytes).bytes)).toEqual(['Exp', 'Shape', 'Reshape'])
})
