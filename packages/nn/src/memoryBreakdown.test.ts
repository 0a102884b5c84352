// memoryBreakdown: what is predicted from shapes is what is allocated, and nothing is left changed.

import { cpu } from '@bp/backend-cpu'
import { checkpoint, ones, type Tensor, tensor, use } from '@bp/core'
import { Generator, mean } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { Adam, type AnyOptimizer, BatchNorm2d, Conv2d, crossEntropy, Dropout, Flatten, GELU, Linear, MaxPool2d, memoryBreakdown, type MemoryOptions, Module, ReLU, RMSprop, Sequential, SGD, TransformerEncoderLayer } from './index.ts'

use(cpu())

const random = new Generator(1)
const classes = tensor(Array.from({ length: 16 }, (_, i) => i % 10), { dtype: 'int32' })
const mlp = (activation: () => Module, width: number): Sequential => new Sequential(...Array.from({ length: 8 }, () => [new Linear(width, width), activation()]).flat())
const generator = new Generator(9)
const cnn = new Sequential(new Conv2d(1, 8, 3, { padding: 1 }), new BatchNorm2d(8), new ReLU(), new MaxPool2d(2), new Flatten(), new Dropout(0.1, { generator }), new Linear(8 * 14 * 14, 10))

class Checkpointed extends Module {
  readonly parts = [mlp(() => new ReLU(), 32), mlp(() => new ReLU(), 32)]

  override forward(x: Tensor): Tensor {
    return this.parts.reduce((y, part) => checkpoint(z => part.forward(z), y), x)
  }
}

describe('predicted from shapes as measured', () => {
  test.each<[name: string, Module, input: Tensor, MemoryOptions?]>([
    ['a perceptron', mlp(() => new ReLU(), 32), random.normal([16, 32])],
    ['activations of several ops, too small to be fused', mlp(() => new GELU(), 16), random.normal([4, 16])],
    ['activations of several ops, fused', mlp(() => new GELU(), 128), random.normal([64, 128])],
    ['a convolutional network', cnn, random.normal([16, 1, 28, 28]), { loss: y => crossEntropy(y, classes) }],
    ['an encoder layer', new TransformerEncoderLayer(16, 2, { feedForward: 32, dropout: 0, batchFirst: true }), random.normal([2, 5, 16])],
    ['a model that checkpoints', new Checkpointed(), random.normal([16, 32])],
    ['a frozen first half', new Sequential(mlp(() => new ReLU(), 8).requiresGrad(false), mlp(() => new ReLU(), 8)), random.normal([4, 8])],
  ])('%s', (_name, model, input, options) => {
    const { rows, savings, layers } = memoryBreakdown(model, new Adam(model.parameters()), input, options)
    for (const { what, predictedBytes, measuredBytes } of [...rows, ...savings]) if (measuredBytes !== null) expect([what, predictedBytes]).toEqual([what, measuredBytes])
    expect(rows.map(({ what }) => what)).toEqual(['parameters', 'gradients', 'optimiser states', 'activations', 'input', 'total'])
    expect(layers.reduce((n, { bytes }) => n + bytes, 0)).toBe(rows[3]!.predictedBytes)
  })
})

test.each<[string, (model: Module) => AnyOptimizer, formula: string]>([
  ['SGD', model => new SGD(model.parameters()), '0'],
  ['SGD with momentum', model => new SGD(model.parameters(), { momentum: 0.9 }), '1·P'],
  ['RMSprop', model => new RMSprop(model.parameters(), { centered: true, momentum: 0.9 }), '3·P'],
  ['Adam', model => new Adam(model.parameters()), '2·P'],
])('the states of %s before its first step', (_name, make, formula) => {
  const model = mlp(() => new ReLU(), 4)
  const { rows: [parameters, , states] } = memoryBreakdown(model, make(model), ones([2, 4]))
  expect(states!.formula).toBe(formula)
  expect(states!.measuredBytes).toBe(Number(formula.split('·')[0]) * parameters!.measuredBytes!)
})

test('checkpoints and micro-batches save what theory says, autocast half of the products’ operands', () => {
  const model = mlp(() => new ReLU(), 64)
  const { rows, savings: [half, checkpointed, parts] } = memoryBreakdown(model, new SGD(model.parameters()), random.normal([64, 64]))
  const unit = 64 * 64 * 4
  // the loss keeps a number or two
  const units = (bytes: number): number => Math.round(100 * bytes / unit) / 100
  expect(units(rows[3]!.predictedBytes)).toBe(8)
  // 8 results of relu, the input, and the weights of all layers but the first, whose input needs no gradient, in 2 bytes
  expect(units(half!.predictedBytes)).toBe((8 + 1 + 7) / 2)
  // 16 layers in 4 parts of 2 units each: the inputs of three, and what the last one keeps
  expect(units(checkpointed!.predictedBytes)).toBe(2 + 3)
  expect(units(parts!.predictedBytes)).toBe(2)
})

describe('nothing is changed', () => {
  const x = random.normal([16, 1, 28, 28])

  test('of the model, its gradients, generators, and an optimiser that has taken steps', () => {
    const optimiser = new Adam(cnn.parameters())
    crossEntropy(cnn.forward(x), classes).backward()
    optimiser.step()
    const all = (): unknown[] => [[...cnn.stateDict().values(), ...optimiser.stateVariables()].map(v => [v.version, v.dataSync()]), generator.state(), optimiser.stateDict().steps]
    const before = all()
    const grads = cnn.parameters().map(p => p.grad)
    memoryBreakdown(cnn, optimiser, x)
    expect(all()).toEqual(before)
    cnn.parameters().forEach((p, i) => { expect(p.grad).toBe(grads[i]) })
  })

  test('of what an optimiser will do that has taken none', () => {
    const [one, other] = [false, true].map(asked => {
      const model = new Sequential(new Linear(4, 4, { generator: new Generator(3) }), new ReLU())
      const optimiser = new Adam(model.parameters(), { lr: 0.1 })
      const z = new Generator(4).normal([8, 4])
      if (asked) memoryBreakdown(model, optimiser, z)
      expect(optimiser.stateDict().steps).toEqual([0, 0])
      for (let i = 0; i < 2; i++) {
        optimiser.zeroGrad()
        mean(model.forward(z)).backward()
        optimiser.step()
      }
      return model.parameters().map(p => p.dataSync())
    })
    expect(other).toEqual(one)
  })
})

test('a table', () => {
  const model = new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 2))
  expect(String(memoryBreakdown(model, new Adam(model.parameters()), ones([1024, 4])))).toMatchInlineSnapshot(`
    "memory                formula              predicted  measured
              parameters  P                        232 B     232 B
    gradients             P                        232 B     232 B
    optimiser states      2·P                      464 B     464 B
    activations           m·L·d                 32,776 B  32,776 B
    input                 m·n                   16,384 B  16,384 B
    total                                       50,088 B  50,088 B
    activations left
      under autocast      products in 2 bytes   24,616 B  24,616 B
      in 4 micro-batches  m·L·d/4                8,200 B   8,200 B"
  `)
})
