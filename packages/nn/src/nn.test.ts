// Modules, losses, optimisers and normalisation against formulas and finite differences.

import { cpu } from '@bp/backend-cpu'
import { grad, mul, noGrad, type Tensor, tensor, use, Variable } from '@bp/core'
import { Generator, relu, square, sum } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { Adam, AdamW, BatchNorm, bceWithLogits, clipGradNorm, clipGradValue, Conv2d, crossEntropy, Dropout, Embedding, Flatten, huberLoss, LayerNorm, Linear, manualSeed, MaxPool2d, Module, MultiheadAttention, nllLoss, Parameter, ReLU, SGD, Sequential, TransformerEncoderLayer } from './index.ts'

use(cpu())

const f64 = { dtype: 'float64' } as const
const close = (got: Tensor, want: readonly number[], digits = 6): void => {
  const data = Array.from(got.dataSync(), Number)
  expect(data).toHaveLength(want.length)
  data.forEach((value, i) => { expect(value).toBeCloseTo(want[i]!, digits) })
}

/** The gradients of a module's parameters by a scalar loss, against central differences. */
function checkParameters(model: Module<never>, loss: () => Tensor): void {
  model.zeroGrad()
  loss().backward()
  for (const [name, parameter] of model.namedParameters()) {
    const got = parameter.grad!.dataSync() as Float64Array
    const start = parameter.dataSync() as Float64Array
    for (let i = 0; i < start.length; i += Math.ceil(start.length / 7)) {
      const at = (step: number): number => noGrad(() => {
        parameter.assign(tensor(start.with(i, start[i]! + step), { shape: parameter.shape }))
        return loss().item()
      })
      const want = (at(1e-5) - at(-1e-5)) / 2e-5
      parameter.assign(tensor(start, { shape: parameter.shape }))
      expect(Math.abs(got[i]! - want), `${name}[${i}]: ${got[i]} against ${want}`).toBeLessThan(1e-6 * Math.max(1, Math.abs(want)))
    }
  }
}

describe('Module', () => {
  class Block extends Module {
    readonly layers = [new Linear(2, 2), new Linear(2, 2)]
    readonly byName = { last: new Linear(2, 1, { bias: false }) }
    readonly steps = new Variable(tensor(0))
    readonly tied = this.layers[0]!
    override forward(x: Tensor): Tensor {
      return this.byName.last.forward(relu(this.layers.reduce((y, layer) => layer.forward(y), x)))
    }
  }

  test('names parameters by their fields, shared ones once, and keeps buffers apart', () => {
    const block = new Block()
    expect(block.namedParameters().map(([name]) => name)).toEqual(['layers.0.weight', 'layers.0.bias', 'layers.1.weight', 'layers.1.bias', 'byName.last.weight'])
    expect(block.namedBuffers().map(([name]) => name)).toEqual(['steps'])
    expect([...block.stateDict().keys()]).toEqual(['layers.0.weight', 'layers.0.bias', 'layers.1.weight', 'layers.1.bias', 'byName.last.weight', 'steps', 'tied.weight', 'tied.bias'])
  })

  test('train and eval reach every submodule', () => {
    const model = new Sequential(new Linear(1, 1), new Sequential(new Dropout()))
    model.eval()
    expect(model.namedModules().map(([, module]) => module.training)).toEqual([false, false, false, false])
  })

  test('loadStateDict lists everything that does not fit, and then changes nothing', () => {
    const model = new Linear(2, 1, { generator: new Generator(1) })
    const before = String(model.weight)
    const state = new Map([['weight', tensor([[1, 2, 3]])], ['extra', tensor(1)]])
    expect(() => { model.loadStateDict(state) }).toThrowErrorMatchingInlineSnapshot('[BpError: loadStateDict: missing: bias; unexpected: extra; different: weight (f32[1,3], the module has f32[1,2]). Load into the same architecture, or pass { strict: false } to skip missing and unexpected names]')
    expect(String(model.weight)).toBe(before)
    model.loadStateDict(new Map([['bias', tensor([5])]]), { strict: false })
    expect(model.bias!.item()).toBe(5)
  })

  test('frozen parameters get no gradient', () => {
    const model = new Sequential(new Linear(1, 1), new Linear(1, 1))
    model.layers[0]!.requiresGrad(false)
    sum(model.forward(tensor([[1]]))).backward()
    expect(model.parameters().map(p => p.grad !== null)).toEqual([false, false, true, true])
  })
})

describe('layers', () => {
  test('a small convolutional network has the gradients of finite differences', () => {
    const generator = new Generator(3)
    const model = new Sequential(new Conv2d(1, 2, 3, { padding: 1, generator, ...f64 }), new ReLU(), new MaxPool2d(2), new Flatten(), new Linear(8, 3, { generator, ...f64 }))
    const x = generator.normal([2, 1, 4, 4], f64)
    const y = tensor([2, 0], { dtype: 'int32' })
    checkParameters(model, () => crossEntropy(model.forward(x), y))
  })

  test('a transformer layer has the gradients of finite differences', () => {
    const generator = new Generator(4)
    for (const normFirst of [false, true]) {
      const model = new TransformerEncoderLayer(4, 2, { feedForward: 6, activation: 'gelu', normFirst, dropout: 0, batchFirst: true, generator, ...f64 })
      const x = generator.normal([2, 3, 4], f64)
      checkParameters(model, () => sum(square(model.forward(x, { causal: true }))))
    }
  })

  test('attention that is causal does not see what comes after', () => {
    const attention = new MultiheadAttention(4, 2, { batchFirst: true, generator: new Generator(5) })
    const x = new Generator(6).normal([1, 3, 4])
    const changed = tensor((x.dataSync() as Float32Array).map((value, i) => i >= 8 ? value + 1 : value), { shape: [1, 3, 4] })
    const first = (y: Tensor): number[] => Array.from(y.dataSync() as Float32Array).slice(0, 8)
    expect(first(attention.forward(x, { causal: true }))).toEqual(first(attention.forward(changed, { causal: true })))
    expect(first(attention.forward(x))).not.toEqual(first(attention.forward(changed)))
  })

  test('batch normalisation follows the batch in training and its running statistics after', () => {
    const norm = new BatchNorm(2, { momentum: 0.5, eps: 0 })
    norm.forward(tensor([[1, 10], [3, 30]]))
    close(norm.running_mean!, [1, 10])
    close(norm.running_var!, [0.5 + 1, 0.5 + 100])
    expect(norm.num_batches_tracked!.item()).toBe(1)
    close(norm.eval().forward(tensor([[1, 10]])), [0, 0])
    expect(() => norm.train().forward(tensor([[1, 1]]))).toThrow(/larger batch, or .* eval\(\)/)
  })

  test('layer normalisation gives rows of mean 0 and variance 1', () => {
    close(new LayerNorm(2, { eps: 0 }).forward(tensor([[1, 3], [10, 30]])), [-1, 1, -1, 1])
  })

  test('an embedding adds up the gradients of a row that is looked up twice', () => {
    const table = new Embedding(3, 2)
    sum(table.forward(tensor([1, 1, 2], { dtype: 'int32' }))).backward()
    close(table.weight.grad!, [0, 0, 2, 2, 1, 1])
  })

  test('dropout keeps the mean, repeats with its seed, and does nothing in evaluation', () => {
    const x = tensor(new Float32Array(10_000).fill(1))
    const once = new Dropout(0.3, { generator: new Generator(1) }).forward(x)
    expect(String(new Dropout(0.3, { generator: new Generator(1) }).forward(x))).toBe(String(once))
    expect(sum(once).item() / 10_000).toBeCloseTo(1, 1)
    expect(new Set(once.dataSync() as Float32Array)).toEqual(new Set([0, Math.fround(1 / 0.7)]))
    expect(new Dropout(0.3).eval().forward(x)).toBe(x)
  })

  test('a seed gives the same layers again', () => {
    manualSeed(9)
    const a = String(new Linear(3, 3).weight)
    manualSeed(9)
    expect(String(new Linear(3, 3).weight)).toBe(a)
  })
})

describe('losses', () => {
  const logits = tensor([[1, 2, 0.5], [0, -1, 3]], f64)
  const classes = tensor([1, 2], { dtype: 'int32' })
  const logSoftmax = (row: readonly number[]): number[] => row.map(v => v - Math.log(row.reduce((s, u) => s + Math.exp(u), 0)))
  const rows = [logSoftmax([1, 2, 0.5]), logSoftmax([0, -1, 3])]

  test('cross-entropy by index, with smoothing, weights and ignored targets', () => {
    expect(crossEntropy(logits, classes).item()).toBeCloseTo(-(rows[0]![1]! + rows[1]![2]!) / 2, 12)
    const smooth = rows.map((row, i) => -0.9 * row[i + 1]! - 0.1 / 3 * row.reduce((a, b) => a + b, 0))
    expect(crossEntropy(logits, classes, { labelSmoothing: 0.1 }).item()).toBeCloseTo((smooth[0]! + smooth[1]!) / 2, 12)
    const weight = tensor([1, 2, 5], f64)
    expect(crossEntropy(logits, classes, { weight }).item()).toBeCloseTo(-(2 * rows[0]![1]! + 5 * rows[1]![2]!) / 7, 12)
    expect(crossEntropy(logits, tensor([-100, 2], { dtype: 'int32' })).item()).toBeCloseTo(-rows[1]![2]!, 12)
    expect(() => crossEntropy(logits, tensor([1, 3], { dtype: 'int32' }))).toThrow(/class 3 is outside 0 … 2/)
  })

  test('its gradient by the logits is ŷ − y, also at logits of ±1e4', () => {
    const extreme = tensor([[1e4, -1e4]], f64)
    close(grad((x: Tensor) => crossEntropy(x, tensor([1], { dtype: 'int32' })))(extreme), [1, -1], 12)
    close(grad((x: Tensor) => bceWithLogits(x, tensor([0, 1], f64), { reduction: 'sum' }))(tensor([1e4, -1e4], f64)), [1, -1], 12)
  })

  test('nll of log-probabilities equals cross-entropy', () => {
    expect(nllLoss(tensor(rows, f64), classes).item()).toBeCloseTo(crossEntropy(logits, classes).item(), 12)
  })

  test('Huber is quadratic inside delta and linear outside', () => {
    close(huberLoss(tensor([0.5, 3], f64), tensor([0, 0], f64), { delta: 2, reduction: 'none' }), [0.125, 4], 12)
  })
})

describe('optimisers', () => {
  const step = (make: (p: Parameter) => { step(): void }, grads: readonly number[]): number => {
    const p = new Parameter(tensor(1, f64))
    const optimiser = make(p)
    for (const g of grads) {
      p.grad = tensor(g, f64)
      optimiser.step()
    }
    return p.item()
  }

  test('SGD with momentum, dampening, Nesterov and decay', () => {
    expect(step(p => new SGD([p], { lr: 0.1 }), [2])).toBeCloseTo(0.8, 12)
    expect(step(p => new SGD([p], { lr: 0.1, momentum: 0.9, dampening: 0.5 }), [2, 4])).toBeCloseTo(1 - 0.1 * 2 - 0.1 * (0.9 * 2 + 0.5 * 4), 12)
    expect(step(p => new SGD([p], { lr: 0.1, momentum: 0.9, nesterov: true }), [2])).toBeCloseTo(1 - 0.1 * (2 + 0.9 * 2), 12)
    expect(step(p => new SGD([p], { lr: 0.1, weightDecay: 0.5 }), [2])).toBeCloseTo(1 - 0.1 * 2.5, 12)
  })

  test('Adam moves by the rate at first, and AdamW decays apart from the gradient', () => {
    expect(step(p => new Adam([p], { lr: 0.1, eps: 0 }), [123])).toBeCloseTo(0.9, 12)
    expect(step(p => new AdamW([p], { lr: 0.1, eps: 0, weightDecay: 0.5 }), [123])).toBeCloseTo(0.95 - 0.1, 12)
  })

  test('groups have rates of their own, and a wrong set-up is refused', () => {
    const [a, b] = [new Parameter(tensor(1)), new Parameter(tensor(1))]
    const optimiser = new SGD([{ params: [a], lr: 1 }, { params: [b] }], { lr: 0.5 })
    for (const p of [a, b]) p.grad = tensor(1)
    optimiser.step()
    expect([a.item(), b.item()]).toEqual([0, 0.5])
    expect(() => new SGD([])).toThrow(/got no parameters/)
    expect(() => new SGD([a, a])).toThrow(/twice/)
    expect(() => new SGD([a], { lr: NaN })).toThrow(/lr must be/)
  })

  test('clipping scales all gradients by one factor, or cuts each', () => {
    const [a, b] = [new Parameter(tensor([3])), new Parameter(tensor([4]))]
    const give = (): void => { [a.grad, b.grad] = [tensor([3]), tensor([4])] }
    give()
    expect(clipGradNorm([a, b], 1).item()).toBe(5)
    close(a.grad!, [0.6], 5)
    give()
    expect(clipGradNorm([a, b], 10, { normType: Infinity }).item()).toBe(4)
    close(b.grad!, [4])
    clipGradValue([a, b], 3.5)
    close(b.grad!, [3.5])
    b.grad = tensor([NaN])
    expect(() => clipGradNorm([a, b], 1, { errorIfNonfinite: true })).toThrow(/norm of the gradients is NaN/)
  })

  test('a variable assigned between forward and backward is noticed', () => {
    const p = new Parameter(tensor(2))
    const loss = mul(p, p)
    p.assign(tensor(3))
    expect(() => { loss.backward() }).toThrow(/assigned after the forward pass/)
  })
})
