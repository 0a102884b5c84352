// Modules around others: residual branches, weight normalisation, low-rank updates.

import { cpu } from '@bp/backend-cpu'
import { add, compile, gradcheck, ones, type Tensor, tensor, use } from '@bp/core'
import { Generator, sum } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { numbers, sameNumbers } from '../test/golden.ts'
import { addLoRA, Conv2d, Embedding, functionalCall, Linear, LoRA, loraStateDict, manualSeed, mergeLoRA, Module, mseLoss, ReLU, Residual, Sequential, SGD, StochasticDepth, TransformerEncoderLayer, WeightNorm } from './index.ts'

use(cpu())

const f64 = { dtype: 'float64' } as const

describe('residual branches', () => {
  test('add to what they branch from', () => {
    const [branch, shortcut] = [new Linear(2, 3), new Linear(2, 3)]
    const x = new Generator(1).normal([2, 2])
    sameNumbers(new Residual(branch, { shortcut }).forward(x), add(branch.forward(x), shortcut.forward(x)))
    const square = new Linear(2, 2)
    sameNumbers(new Residual(square).forward(x), add(x, square.forward(x)))
  })

  test('are dropped row by row or all at once, keep their mean, and stay in evaluation', () => {
    const x = ones([4000, 2])
    const rows = new StochasticDepth(0.25, { generator: new Generator(2) }).forward(x)
    expect(new Set(numbers(rows))).toEqual(new Set([0, Math.fround(4 / 3)]))
    expect(sum(rows).item() / 8000).toBeCloseTo(1, 1)
    const batch = new StochasticDepth(0.5, { mode: 'batch', generator: new Generator(2) })
    const sums = Array.from({ length: 20 }, () => sum(batch.forward(x)).item())
    expect(new Set(sums)).toEqual(new Set([0, 16000]))
    expect(new StochasticDepth(0.5).eval().forward(x)).toBe(x)
    expect(sum(new StochasticDepth(1).forward(x)).item()).toBe(0)
    expect(() => new StochasticDepth(2)).toThrow(/between 0 and 1/)
  })

  test('drop the same rows in a compiled function', () => {
    const [a, b] = [1, 1].map(seed => new Residual(new Linear(2, 2, { generator: new Generator(9) }), { drop: 0.5, generator: new Generator(seed) })) as [Residual, Residual]
    const run = compile((x: Tensor) => b.forward(x))
    for (let i = 0; i < 3; i++) sameNumbers(run(ones([8, 2])), a.forward(ones([8, 2])), 6)
  })
})

describe('weight normalisation', () => {
  test.each([0, 1, null])('along axis %s computes as before, with the gradients of finite differences', async axis => {
    const inner = new Linear(3, 2, { generator: new Generator(4), ...f64 })
    const x = new Generator(5).normal([4, 3], f64)
    const before = inner.forward(x)
    const layer = new WeightNorm(inner, { axis })
    sameNumbers(layer.forward(x), before, 12)
    const [g, v] = layer.parameters()
    expect(g!.shape).toEqual(axis === null ? [1, 1] : axis === 0 ? [2, 1] : [1, 3])
    await gradcheck((weight_g: Tensor, weight_v: Tensor) => sum(functionalCall(layer, { weight_g, weight_v }, x)), [g!, v!])
  })

  test('trains, and can be removed', () => {
    const layer = new WeightNorm(new Conv2d(1, 2, 3, { generator: new Generator(4) }))
    const x = new Generator(5).normal([2, 1, 5, 5])
    const optimiser = new SGD(layer.parameters(), { lr: 0.1 })
    sum(layer.forward(x)).backward()
    optimiser.step()
    const after = layer.forward(x)
    const plain = layer.remove()
    expect(plain.namedParameters().map(([name]) => name)).toEqual(['weight', 'bias'])
    sameNumbers(plain.forward(x), after)
    expect(() => new WeightNorm(new ReLU())).toThrowErrorMatchingInlineSnapshot('[BpError: WeightNorm: ReLU has no parameter weight with axes; it has none. Give { name }]')
  })
})

describe('low-rank adaptation', () => {
  const model = (): Sequential => {
    manualSeed(3)
    return new Sequential(new Linear(4, 6), new ReLU(), new Linear(6, 2))
  }
  const x = new Generator(6).normal([5, 4])
  const y = new Generator(7).normal([5, 2])

  test('changes nothing at first, trains only its matrices, and merges', () => {
    const net = model()
    const before = net.forward(x)
    const trained = addLoRA(net, { rank: 2, alpha: 4 })
    sameNumbers(net.forward(x), before, 7)
    expect(net.parameters().filter(p => p.requiresGrad)).toEqual(trained)
    const optimiser = new SGD(trained, { lr: 0.1 })
    const step = compile(() => {
      optimiser.zeroGrad()
      const loss = mseLoss(net.forward(x), y)
      loss.backward()
      optimiser.step()
      return loss
    })
    const losses = Array.from({ length: 20 }, () => step().item())
    expect(losses.at(-1)!).toBeLessThan(losses[0]! * 0.9)
    const after = net.forward(x)
    mergeLoRA(net)
    expect([...net.stateDict().keys()]).toEqual([...model().stateDict().keys()])
    expect(net.parameters().every(p => p.requiresGrad)).toBe(true)
    sameNumbers(net.forward(x), after)
  })

  test('is saved and loaded apart from its model', () => {
    const [a, b] = [model(), model()]
    for (const net of [a, b]) addLoRA(net, { rank: 2 }, name => name === '2')
    for (const [, p] of loraStateDict(a)) p.assign(ones(p.shape))
    expect(b.loadStateDict(loraStateDict(a), { strict: false }).missing).not.toContain('2.lora_A')
    sameNumbers(b.forward(x), a.forward(x))
  })

  test('wraps the layers within others, of a transformer too', () => {
    const model = new TransformerEncoderLayer(4, 2, { feedForward: 8, dropout: 0 })
    const x = new Generator(1).normal([1, 3, 4])
    const before = model.forward(x)
    addLoRA(model, { rank: 1 })
    expect([...loraStateDict(model).keys()]).toEqual(['self_attn.out_proj', 'linear1', 'linear2'].flatMap(name => [`${name}.lora_A`, `${name}.lora_B`]))
    sameNumbers(model.forward(x), before)
    expect(() => addLoRA(model)).toThrowErrorMatchingInlineSnapshot(`[BpError: addLoRA: the model has low-rank updates already. Take them into its weights with mergeLoRA first]`)
  })

  test('wraps embeddings and convolutions', () => {
    const cases: [Embedding | Conv2d, Tensor][] = [[new Embedding(4, 3), tensor([1, 3], { dtype: 'int32' })], [new Conv2d(2, 3, 3), ones([1, 2, 5, 5])]]
    for (const [layer, input] of cases) {
      const lora = new LoRA(layer, { rank: 2 })
      sameNumbers(lora.forward(input), layer.forward(input), 6)
      lora.lora_B.assign(ones(lora.lora_B.shape))
      sum(lora.forward(input)).backward()
      expect(layer.weight.grad).toBeNull()
      expect(numbers(lora.lora_A.grad!).some(g => g !== 0)).toBe(true)
      const after = lora.forward(input)
      sameNumbers(lora.merge().forward(input), after, 5)
    }
  })

  test('wraps a shared layer once, and says what cannot be wrapped', () => {
    class Twice extends Module {
      readonly first = new Linear(2, 2)
      readonly second = this.first
      override forward(t: Tensor): Tensor {
        return this.second.forward(this.first.forward(t))
      }
    }
    const twice = new Twice()
    expect(addLoRA(twice)).toHaveLength(2)
    expect(twice.second).toBe(twice.first)
    expect(() => addLoRA(model(), {}, () => false)).toThrowErrorMatchingInlineSnapshot('[BpError: addLoRA: no module was chosen of 0, 1, 2. Give targets by name or class]')
    expect(() => new LoRA(new ReLU())).toThrowErrorMatchingInlineSnapshot('[BpError: LoRA: needs a module with a weight of two axes or more, got ReLU. Wrap a linear, embedding or convolution layer]')
    expect(() => new LoRA(new Linear(2, 2), { rank: 0 })).toThrow(/whole number/)
    expect(() => new LoRA(new Embedding(2, 2), { dropout: 0.1 })).toThrow(/for linear layers/)
  })
})
