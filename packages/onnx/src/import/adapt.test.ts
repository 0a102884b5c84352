// Models taken apart: merged weights told apart, backbones cut out for another head, and a head alone.

import { tensor, type Tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { Adam, Linear, manualSeed, mseLoss, Sequential } from '@bp/nn'
import { sum } from '@bp/ops'
import { expect, test } from 'vitest'
import { graphOf, initialiser, modelBytes, node, nodeWith, value } from '../../test/model.ts'
import { exportOnnx, importOnnx, type ImportOptions } from '../index.ts'

use(cpu())

/** Two normalisations as PyTorch's older exporter writes them: the second has its weights from the first, for all are equal at first. */
const merged = (): Uint8Array => modelBytes(graphOf([
  node('Identity', ['n1.weight'], ['n2.weight']), node('Identity', ['n1.bias'], ['n2.bias']),
  nodeWith('LayerNormalization', ['x', 'n1.weight', 'n1.bias'], ['h'], { axis: -1 }), node('Relu', ['h'], ['r']), nodeWith('LayerNormalization', ['r', 'n2.weight', 'n2.bias'], ['y'], { axis: -1 }),
], [value('x', ['batch', 3])], [value('y', ['batch', 3])], [initialiser('n1.weight', [3], [1, 1, 1]), initialiser('n1.bias', [3], [0, 0, 0])]), 17, 'pytorch')

/** The same as the newer exporter writes it: without a trace of the second's names. */
const joined = (): Uint8Array => modelBytes(graphOf([
  { ...nodeWith('LayerNormalization', ['x', 'n1.weight', 'n1.bias'], ['h'], { axis: -1 }), name: 'first' }, node('Relu', ['h'], ['r']), { ...nodeWith('LayerNormalization', ['r', 'n1.weight', 'n1.bias'], ['y'], { axis: -1 }), name: 'second' },
], [value('x', ['batch', 3])], [value('y', ['batch', 3])], [initialiser('n1.weight', [3], [1, 1, 1]), initialiser('n1.bias', [3], [0, 0, 0])]), 20, 'pytorch')

const x = tensor([[1, 2, 4], [3, -1, 1]])

test('equal weights that an exporter merged stay tied, and become several on request', () => {
  const names = (bytes: Uint8Array, options?: ImportOptions): string[] => importOnnx(bytes, options).namedParameters().map(([name]) => name)
  expect(names(merged())).toEqual(['n1.weight', 'n1.bias'])
  expect(names(merged(), { untie: true })).toEqual(['n1.weight', 'n1.bias', 'n2.weight', 'n2.bias'])
  expect(names(joined(), { untie: ['n1.weight'] })).toEqual(['n1.weight', 'n1.bias', 'second.n1.weight'])
  const [tied, apart, listed] = [importOnnx(merged()), importOnnx(merged(), { untie: true }), importOnnx(joined(), { untie: ['n1.weight', 'n1.bias'] })]
  for (const model of [tied, apart, listed]) sum((model.forward(x) as Tensor)).backward()
  const biases = (model: typeof tied): unknown[] => model.namedParameters().filter(([name]) => name.endsWith('bias')).map(([, p]) => p.grad!.toArray())
  expect(biases(apart)[1]).toEqual([2, 2, 2])
  expect(biases(listed)).toEqual(biases(apart))
  expect(biases(tied)).not.toEqual(biases(apart).slice(0, 1))
  expect(String(apart.forward(x))).toBe(String(tied.forward(x)))
  expect(() => importOnnx(joined(), { untie: ['x'] })).toThrowErrorMatchingInlineSnapshot(`[BpError: importOnnx: untie names "x", which is no initialiser of floats. Use names of namedParameters(), or true for all that the exporter merged]`)
})

/** x·w1, then relu, then ·w2, then an operator that is not implemented. */
const net = (last = 'Sigmoid'): Uint8Array => modelBytes(graphOf([
  { ...node('MatMul', ['x', 'w1'], ['features']), name: 'body' }, node('Relu', ['features'], ['active']), { ...node('MatMul', ['active', 'w2'], ['logits']), name: 'head' }, node(last, ['logits'], ['y']),
], [value('x', ['batch', 3])], [value('y', ['batch', 1])], [initialiser('w1', [3, 2], [1, 0, 0, 1, 1, -1]), initialiser('w2', [2, 1], [1, 1])]))

test('a backbone is cut out, given a new head, trained, saved and exported', () => {
  manualSeed(1)
  const all = importOnnx(net())
  expect(all.valueNames()).toEqual(['x', 'w1', 'w2', 'features', 'active', 'logits', 'y'])
  expect(all.nodes.map(({ operator, name, inputs, outputs }) => [operator, name, inputs.join(), outputs.join()])).toEqual([['MatMul', 'body', 'x,w1', 'features'], ['Relu', 'active', 'features', 'active'], ['MatMul', 'head', 'active,w2', 'logits'], ['Sigmoid', 'y', 'logits', 'y']])
  const backbone = importOnnx(net('Swirl'), { outputs: ['active'] })
  expect(backbone.namedParameters().map(([name]) => name)).toEqual(['w1'])
  expect(backbone.outputs).toEqual([{ name: 'active', kind: 'tensor', type: 'float32', dtype: 'float32', shape: ['batch', 2] }])
  const model = new Sequential(backbone.asLayer(), new Linear(2, 2))
  expect(model.namedParameters().map(([name]) => name)).toEqual(['0.w1', '1.weight', '1.bias'])
  const optimiser = new Adam(model.parameters(), { lr: 0.1 })
  const losses = Array.from({ length: 30 }, () => {
    optimiser.zeroGrad()
    const loss = mseLoss(model.forward(x), tensor([[1, 0], [0, 1]]))
    loss.backward()
    optimiser.step()
    return loss.item()
  })
  expect(losses.at(-1)!).toBeLessThan(losses[0]! / 10)
  const again = importOnnx(exportOnnx(model, [{ name: 'x', shape: [1, 3], dynamicBatch: true }]))
  expect(again.namedParameters().map(([name]) => name).sort()).toEqual(['0.w1', '1.bias', '1.weight'])
  expect((again.forward(x) as Tensor).toArray()).toEqual(model.forward(x).toArray())
})

test('a head alone, several inner values, and an inner value as an input', () => {
  const features = tensor([[1, -2]])
  const head = importOnnx(net(), { inputs: ['features'] })
  expect(head.inputs).toEqual([{ name: 'features', kind: 'tensor', type: 'float32', dtype: 'float32', shape: ['batch', 2] }])
  expect(head.namedParameters().map(([name]) => name)).toEqual(['w2'])
  expect((importOnnx(net(), { inputs: ['features'], outputs: ['logits', 'active'] }).forward(features) as Tensor[]).map(y => y.toArray())).toEqual([[[1]], [[1, 0]]])
  expect(importOnnx(net(), { outputs: ['w1', 'x'] }).run({ x }).w1!.toArray()).toEqual([[1, 0], [0, 1], [1, -1]])
})

test('cuts that cannot be made say why', () => {
  expect(() => importOnnx(net(), { outputs: ['nowhere'] })).toThrowErrorMatchingInlineSnapshot(`[BpError: importOnnx: the model has no value named "nowhere"; it has x, w1, w2, features, active, logits, y]`)
  expect(() => importOnnx(net(), { inputs: ['logits'], outputs: ['active'] })).toThrowErrorMatchingInlineSnapshot(`[BpError: importOnnx: the outputs "active" also need the input "x". Name it among the inputs, or cut at other values]`)
  expect(() => importOnnx(net(), { outputs: ['active', 'logits'] }).asLayer()).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: a layer has one input and one output, the model has 1 (x) and 2 (active, logits). Choose one with importOnnx(bytes, { outputs: [name] })]`)
})
