// What of a file is learned: weights inside nodes, and what is none: literals, settings and constants of formulas.

import { compile, grad, tensor, type Tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { decodeSafetensors, encodeSafetensors, SGD } from '@bp/nn'
import { sum } from '@bp/ops'
import type { onnx } from 'onnx-proto'
import { expect, test } from 'vitest'
import { constantNode, graphOf, initialiser, modelBytes, node, nodeWith, value, whole } from '../../test/model.ts'
import { exportOnnx, importOnnx } from '../index.ts'

use(cpu())

const untyped = (name: string, elemType = 1): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType } } })
const flag = (name: string, on = 1): onnx.ITensorProto => ({ name, dims: [], dataType: 9, int32Data: [on] })
const names = (bytes: Uint8Array): string[] => importOnnx(bytes).namedParameters().map(([name]) => name)

/** x·w or x·w + b, by the sum of x; the weights stand in the branches, one as an initialiser, the rest as Constant nodes. */
function branches(producer = ''): Uint8Array {
  const then = graphOf([node('MatMul', ['x', 'w'], ['a'])], [], [untyped('a')], [initialiser('w', [2, 1], [1, 2]), initialiser('half', [], [0.5])])
  const otherwise = graphOf([
    constantNode('w', [2, 1], [3, 4]), constantNode('b', [1], [5]), constantNode('/Constant_output_0', [1], [1]), node('MatMul', ['x', 'w'], ['p']), node('Add', ['p', 'b'], ['q']), node('Mul', ['q', '/Constant_output_0'], ['a']),
  ], [], [untyped('a')])
  const choose = { ...nodeWith('If', ['positive'], ['y'], { then_branch: then, else_branch: otherwise }), name: 'choose' }
  return modelBytes(graphOf([nodeWith('ReduceSum', ['x'], ['total'], { keepdims: 0 }), node('Greater', ['total', 'zero'], ['positive']), choose], [value('x', [1, 2])], [untyped('y')], [initialiser('zero', [], [0])]), 17, producer)
}

/** x·w³: the weight stands in the body of a Loop. */
function cubed(): Uint8Array {
  const body = graphOf([node('Mul', ['before', 'w'], ['after']), node('Identity', ['going'], ['again'])], [untyped('i', 7), untyped('going', 9), untyped('before')], [untyped('again', 9), untyped('after')], [initialiser('w', [2], [2, 3])])
  return modelBytes(graphOf([nodeWith('Loop', ['count', '', 'x'], ['y'], { body })], [value('x', [2])], [value('y', [2])], [whole('count', [3], [])]))
}

test('weights in the branches of an If are parameters; names that clash are told apart by the node', () => {
  expect(names(branches())).toEqual(['choose.then_branch.w', 'choose.else_branch.w', 'b'])
  const model = importOnnx(branches())
  const run = (x: number[]): Tensor => sum(model.forward(tensor([x])) as Tensor)
  run([1, 1]).backward()
  run([-1, -1]).backward()
  const grads = model.namedParameters().map(([name, p]) => [name, p.grad?.toArray() ?? null])
  expect(grads).toEqual([['choose.then_branch.w', [[1], [1]]], ['choose.else_branch.w', [[-1], [-1]]], ['b', [1]]])
  new SGD(model.parameters(), { lr: 1 }).step()
  expect([run([1, 1]).item(), run([-1, -1]).item()]).toEqual([1, -5])
  const again = importOnnx(branches())
  again.loadStateDict(decodeSafetensors(encodeSafetensors(model.stateDict())).tensors)
  expect(String(again.forward(tensor([[-1, -1]])))).toBe(String(model.forward(tensor([[-1, -1]]))))
})

test('in bodies of PyTorch\'s files only what stands where an operator keeps weights is learned', () => {
  expect(names(branches('pytorch'))).toEqual(['choose.then_branch.w', 'choose.else_branch.w'])
})

test('a weight in the body of a Loop learns from every step, compiles, and is exported', () => {
  const model = importOnnx(cubed())
  expect(names(cubed())).toEqual(['w'])
  const x = tensor([1, 1])
  const step = (): Tensor[] => {
    const y = sum(model.forward(x) as Tensor)
    y.backward()
    return [y, model.parameters()[0]!.grad!]
  }
  expect(compile(step)().map(y => y.toArray())).toEqual([35, [12, 27]])
  const again = importOnnx(exportOnnx(model, [{ name: 'x', shape: [2] }]))
  expect(again.namedParameters().map(([name]) => name)).toEqual(['w'])
  expect((again.forward(x) as Tensor).toArray()).toEqual([8, 27])
})

test('running statistics in a body are buffers that train() moves', () => {
  const norm = graphOf([node('BatchNormalization', ['x', 's', 'b', 'm', 'v'], ['a'])], [], [untyped('a')], [initialiser('s', [1], [1]), initialiser('b', [1], [0]), initialiser('m', [1], [0]), initialiser('v', [1], [1])])
  const model = importOnnx(modelBytes(graphOf([nodeWith('If', ['yes'], ['y'], { then_branch: norm, else_branch: norm })], [value('x', [2, 1])], [value('y', [2, 1])], [flag('yes')])))
  expect(model.namedBuffers().map(([name]) => name)).toEqual(['y.then_branch.m', 'y.then_branch.v', 'y.else_branch.m', 'y.else_branch.v'])
  model.train().forward(tensor([[1], [3]]))
  expect(model.buffers().map(b => b.item())).toEqual([expect.closeTo(0.2, 6), expect.closeTo(1, 6), 0, 1])
})

test('limits, exponents and ε are constants, learned scalars are not', () => {
  const bytes = modelBytes(graphOf([
    node('Clip', ['x', 'low', 'high'], ['a']), node('Pow', ['a', 'two'], ['b']), node('Add', ['b', 'eps'], ['c']), node('Mul', ['c', 'scale'], ['d']), node('Add', ['d', 'bias'], ['y']),
  ], [value('x', [2])], [value('y', [2])], [['low', 0], ['high', 6], ['two', 2], ['eps', 1e-5], ['scale', 1e-4], ['bias', 0.5]].map(([name, n]) => initialiser(name as string, [], [n as number]))))
  expect(names(bytes)).toEqual(['scale', 'bias'])
  expect(grad((x: Tensor) => sum(importOnnx(bytes).forward(x) as Tensor))(tensor([1, 7])).toArray()).toEqual([expect.closeTo(2e-4, 9), 0])
})

test('tables of positions and masks that PyTorch has computed before are no parameters; elsewhere such names mean nothing', () => {
  const file = (producer: string): Uint8Array => modelBytes(graphOf([
    node('Mul', ['x', 'cos'], ['a']), node('Add', ['a', 'triu_1'], ['b']), node('Mul', ['b', 'cosine'], ['y']),
  ], [value('x', [2])], [value('y', [2])], [initialiser('cos', [2], [1, 0.5]), initialiser('triu_1', [2], [0, -Infinity]), initialiser('cosine', [2], [2, 3])]), 18, producer)
  expect(names(file('pytorch'))).toEqual(['cosine'])
  expect(names(file('other'))).toEqual(['cos', 'triu_1', 'cosine'])
})
