// Modules as trees: names, modes, states, tied weights, replaced parameters, containers, residual branches, weight norm, low-rank updates.

import { cpu } from '@bp/backend-cpu'
import { add, compile, grad, gradcheck, ones, type Tensor, tensor, use, Variable, vmap } from '@bp/core'
import { Generator, mul, relu, sum } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { addLoRA, BatchNorm1d, Conv2d, Dropout, Embedding, functionalCall, Linear, LoRA, loraStateDict, manualSeed, mergeLoRA, Module, ModuleDict, ModuleList, mseLoss, MultiheadAttention, ReLU, Residual, Sequential, SGD, StochasticDepth, summary, TransformerEncoderLayer, WeightNorm } from './index.ts'

use(cpu())

const f64 = { dtype: 'float64' } as const
const values = (x: Tensor): number[] => Array.from(x.dataSync(), Number)
const expectClose = (a: Tensor, b: Tensor, digits = 5): void => {
  expect(a.shape).toEqual(b.shape)
  values(a).forEach((value, i) => { expect(value).toBeCloseTo(values(b)[i]!, digits) })
}

/** A language model's two ends share a table. */
class Tied extends Module {
  readonly embed = new Embedding(5, 3)
  readonly head = new Linear(3, 5, { bias: false })
  constructor() {
    super()
    this.head.weight = this.embed.weight
  }

  override forward(x: Tensor): Tensor {
    return this.head.forward(this.embed.forward(x))
  }
}

describe('a module', () => {
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

describe('the tree of modules', () => {
  test('is listed, applied to from the inside out, and printed', () => {
    const model = new Sequential({ body: new Sequential(new Linear(2, 3), new ReLU()), head: new Linear(3, 1, { bias: false }) })
    expect(model.namedChildren().map(([name]) => name)).toEqual(['body', 'head'])
    expect(model.modules()).toHaveLength(5)
    const seen: string[] = []
    model.apply(module => { seen.push(module.constructor.name) })
    expect(seen).toEqual(['Linear', 'ReLU', 'Sequential', 'Linear', 'Sequential'])
    expect(String(model)).toMatchInlineSnapshot(`
      "Sequential()
        body: Sequential()
          0: Linear(weight f32[3,2], bias f32[3])
          1: ReLU()
        head: Linear(weight f32[1,3])"
    `)
  })

  test('may hold a module that knows its parent', () => {
    class Child extends Module {
      readonly weight = new Linear(1, 1)
      readonly parent: Module
      constructor(parent: Module) {
        super()
        this.parent = parent
      }

      override forward(x: Tensor): Tensor {
        return this.weight.forward(x)
      }
    }
    class Parent extends Module {
      readonly child = new Child(this)
      override forward(x: Tensor): Tensor {
        return this.child.forward(x)
      }
    }
    expect([...new Parent().stateDict().keys()]).toEqual(['child.weight.weight', 'child.weight.bias'])
  })
})

describe('tied weights', () => {
  test('are one parameter under two names', () => {
    const model = new Tied()
    expect(model.parameters()).toHaveLength(1)
    expect([...model.stateDict().keys()]).toEqual(['embed.weight', 'head.weight'])
    sum(model.forward(tensor([1], { dtype: 'int32' }))).backward()
    expect(values(model.embed.weight.grad!).every(g => g !== 0)).toBe(true)
  })

  test('are loaded by either name, but not with two values', () => {
    const [model, other] = [new Tied(), new Tied()]
    const table = other.stateDict().get('embed.weight')!
    expect(model.loadStateDict(new Map([['head.weight', table]]))).toEqual({ missing: [], unexpected: [] })
    expectClose(model.embed.weight, table)
    model.loadStateDict(other.stateDict())
    expect(() => model.loadStateDict(new Map([['embed.weight', table], ['head.weight', ones([5, 3])]]))).toThrowErrorMatchingInlineSnapshot('[BpError: loadStateDict: different: head.weight (tied to embed.weight, which is given other values). Load into the same architecture, or pass { strict: false } to skip missing and unexpected names]')
  })

  test('without strict, the names that did not match are returned', () => {
    expect(new Linear(1, 1).loadStateDict(new Map([['weight', tensor([[1]])], ['other', tensor(1)]]), { strict: false })).toEqual({ missing: ['bias'], unexpected: ['other'] })
  })
})

describe('functionalCall', () => {
  const model = new Sequential(new Linear(2, 3, { generator: new Generator(1), ...f64 }), new ReLU(), new Linear(3, 1, { generator: new Generator(2), ...f64 }))
  const x = new Generator(3).normal([4, 2], f64)

  test('has the gradients of backward, also compiled', () => {
    const names = model.namedParameters().map(([name]) => name)
    const loss = (...given: Tensor[]): Tensor => sum(mul(functionalCall(model, Object.fromEntries(names.map((name, i) => [name, given[i]!])), x), 0.5))
    const weights = model.parameters()
    model.zeroGrad()
    sum(mul(model.forward(x), 0.5)).backward()
    weights.forEach((p, argnum) => {
      expectClose(grad(loss, { argnum })(...weights), p.grad!, 12)
      expectClose(compile(grad(loss, { argnum }))(...weights), p.grad!, 12)
    })
  })

  test('runs many sets of weights at once under vmap', () => {
    const many = new Generator(5).normal([6, 3, 2], f64)
    const all = vmap((weight: Tensor) => functionalCall(model.layers[0]!, { weight }, x))(many)
    expect(all.shape).toEqual([6, 4, 3])
  })

  test('leaves the module as it was, also after a throw', () => {
    const layer = new Linear(2, 1)
    const { weight } = layer
    expect(() => functionalCall(layer, { weight: ones([1, 2]) }, ones([1, 3]))).toThrow(/linear|matmul|dot/)
    expect(layer.weight).toBe(weight)
    expect(() => functionalCall(layer, { weights: ones([1, 2]) }, ones([1, 2]))).toThrowErrorMatchingInlineSnapshot('[BpError: functionalCall: the module has no parameter or buffer named weights; it has weight, bias. Use the names of namedParameters()]')
    expect(() => functionalCall(layer, { weight: ones([2, 1]) }, ones([1, 2]))).toThrowErrorMatchingInlineSnapshot('[BpError: functionalCall: weight is f32[1,2], its replacement f32[2,1]. Give a tensor of the same shape]')
  })

  test('replaces tied weights together', () => {
    const tied = new Tied()
    const table = ones([5, 3])
    expect(values(functionalCall(tied, { 'head.weight': table }, tensor([0], { dtype: 'int32' })))).toEqual([3, 3, 3, 3, 3])
  })
})

describe('containers', () => {
  test('by number and by name give their modules and refuse to be called', () => {
    const list = new ModuleList([new Linear(1, 1)]).append(new Linear(1, 2))
    expect([...list].map(layer => layer.weight.shape)).toEqual([[1, 1], [2, 1]])
    expect(() => list.at(2)).toThrowErrorMatchingInlineSnapshot('[BpError: ModuleList: there is no module 2, the list has 2]')
    expect(() => list.forward()).toThrow(/use Sequential/)
    const dict = new ModuleDict({ a: new Linear(1, 1) }).set('b', new Linear(1, 2))
    expect([...dict].map(([name]) => name)).toEqual(['a', 'b'])
    expect(dict.has('c')).toBe(false)
    expect(() => dict.get('c')).toThrowErrorMatchingInlineSnapshot(`[BpError: ModuleDict: there is no module 'c', only a, b]`)
    expect(() => dict.forward()).toThrow(/only holds/)
  })

  test('Sequential grows', () => {
    const model = new Sequential(new Linear(2, 2)).append(new Linear(2, 3))
    expect(model.forward(ones([1, 2])).shape).toEqual([1, 3])
    expect(model.namedChildren().map(([name]) => name)).toEqual(['0', '1'])
  })
})

describe('residual branches', () => {
  test('add to what they branch from', () => {
    const [branch, shortcut] = [new Linear(2, 3), new Linear(2, 3)]
    const x = new Generator(1).normal([2, 2])
    expectClose(new Residual(branch, { shortcut }).forward(x), add(branch.forward(x), shortcut.forward(x)))
    const square = new Linear(2, 2)
    expectClose(new Residual(square).forward(x), add(x, square.forward(x)))
  })

  test('are dropped row by row or all at once, keep their mean, and stay in evaluation', () => {
    const x = ones([4000, 2])
    const rows = new StochasticDepth(0.25, { generator: new Generator(2) }).forward(x)
    expect(new Set(values(rows))).toEqual(new Set([0, Math.fround(4 / 3)]))
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
    for (let i = 0; i < 3; i++) expectClose(run(ones([8, 2])), a.forward(ones([8, 2])), 6)
  })
})

describe('weight normalisation', () => {
  test.each([0, 1, null])('along axis %s computes as before, with the gradients of finite differences', async axis => {
    const inner = new Linear(3, 2, { generator: new Generator(4), ...f64 })
    const x = new Generator(5).normal([4, 3], f64)
    const before = inner.forward(x)
    const layer = new WeightNorm(inner, { axis })
    expectClose(layer.forward(x), before, 12)
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
    expectClose(plain.forward(x), after)
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
    expectClose(net.forward(x), before, 7)
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
    expectClose(net.forward(x), after)
  })

  test('is saved and loaded apart from its model', () => {
    const [a, b] = [model(), model()]
    for (const net of [a, b]) addLoRA(net, { rank: 2 }, name => name === '2')
    for (const [, p] of loraStateDict(a)) p.assign(ones(p.shape))
    expect(b.loadStateDict(loraStateDict(a), { strict: false }).missing).not.toContain('2.lora_A')
    expectClose(b.forward(x), a.forward(x))
  })

  test('wraps the layers within others, of a transformer too', () => {
    const model = new TransformerEncoderLayer(4, 2, { feedForward: 8, dropout: 0 })
    const x = new Generator(1).normal([1, 3, 4])
    const before = model.forward(x)
    addLoRA(model, { rank: 1 })
    expect([...loraStateDict(model).keys()]).toEqual(['self_attn.out_proj', 'linear1', 'linear2'].flatMap(name => [`${name}.lora_A`, `${name}.lora_B`]))
    expectClose(model.forward(x), before)
    expect(() => addLoRA(model)).toThrowErrorMatchingInlineSnapshot(`[BpError: addLoRA: the model has low-rank updates already. Take them into its weights with mergeLoRA first]`)
  })

  test('wraps embeddings and convolutions', () => {
    const cases: [Embedding | Conv2d, Tensor][] = [[new Embedding(4, 3), tensor([1, 3], { dtype: 'int32' })], [new Conv2d(2, 3, 3), ones([1, 2, 5, 5])]]
    for (const [layer, input] of cases) {
      const lora = new LoRA(layer, { rank: 2 })
      expectClose(lora.forward(input), layer.forward(input), 6)
      lora.lora_B.assign(ones(lora.lora_B.shape))
      sum(lora.forward(input)).backward()
      expect(layer.weight.grad).toBeNull()
      expect(values(lora.lora_A.grad!).some(g => g !== 0)).toBe(true)
      const after = lora.forward(input)
      expectClose(lora.merge().forward(input), after, 5)
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

describe('a summary', () => {
  test('lists layers as they run, counts shared ones once, and frozen parameters apart', () => {
    const shared = new Linear(4, 4)
    const model = new Sequential(shared, new ReLU(), shared, new Linear(4, 2))
    shared.requiresGrad(false)
    const text = summary(model, [8, 4])
    expect(text).toMatchObject({ totalParameters: 30, trainableParameters: 10, bytes: 120, flops: 8 * (2 * (4 * 4 * 2 + 4) + 4 + 4 * 2 * 2 + 2) })
    expect(String(text)).toMatchInlineSnapshot(`
      "layer  type    output      parameters
          0  Linear  [8, 4]              20
          1  ReLU    [8, 4]               0
          0  Linear  [8, 4]               0
          3  Linear  [8, 2]              10
                     total               30
                     trainable           10
                     frozen              20
                     bytes              120
                     operations         752"
    `)
  })

  test('counts parameters of modules with others below, and names layers that did not run', () => {
    class Net extends Module {
      readonly attention = new MultiheadAttention(4, 2, { batchFirst: true })
      readonly spare = new Linear(2, 2)
      override forward(x: Tensor): Tensor {
        return this.attention.forward(x)
      }
    }
    const { rows, totalParameters } = summary(new Net(), [1, 3, 4])
    expect(rows.map(({ name, outputShape, parameters }) => [name, outputShape, parameters])).toEqual([
      ['attention.out_proj', [1, 3, 4], 20], ['attention', [1, 3, 4], 60], ['spare', null, 6],
    ])
    expect(totalParameters).toBe(86)
  })
})

describe('a compiled function', () => {
  test('is made anew for another mode and for frozen parameters, and found again', () => {
    const model = new Sequential(new Linear(4, 4, { generator: new Generator(1) }), new Dropout(0.5, { generator: new Generator(2) }), new BatchNorm1d(4))
    const optimiser = new SGD(model.parameters(), { lr: 0.1 })
    const run = compile((x: Tensor) => model.forward(x))
    const step = compile((x: Tensor) => {
      optimiser.zeroGrad()
      const loss = sum(mul(model.forward(x), x))
      loss.backward()
      optimiser.step()
      return loss
    })
    const x = new Generator(3).normal([8, 4])
    const trained = values(run(x))
    model.eval()
    expectClose(run(x), model.forward(x))
    expect(values(run(x))).not.toEqual(trained)
    expect(run.size).toBe(2)
    model.train()
    expect(values(run(x)).filter(y => y === 0)).toEqual([])
    expect(run.size).toBe(2)

    step(x)
    const [weight] = model.parameters()
    model.layers[0]!.requiresGrad(false)
    const before = values(weight!)
    step(x)
    expect(values(weight!)).toEqual(before)
    model.layers[0]!.requiresGrad(true)
    step(x)
    expect(values(weight!)).not.toEqual(before)
    expect(step.size).toBe(2)
  })

  test('that sets the mode itself is made once', () => {
    const model = new Sequential(new Dropout(0.5))
    const run = compile((x: Tensor) => {
      const y = model.eval().forward(x)
      model.train()
      return y
    })
    expectClose(run(ones([3])), ones([3]))
    expectClose(run(ones([3])), ones([3]))
    expect(run.size).toBe(1)
  })

  test('forgets programs of modes too', () => {
    const model = new Sequential(new Dropout(0.5))
    const run = compile((x: Tensor) => model.forward(x), { cacheSize: 2 })
    for (const size of [2, 3, 4]) {
      for (const on of [true, false]) {
        model.train(on)
        run(ones([size]))
        expect(run.size).toBeLessThanOrEqual(2)
      }
    }
    run.clear()
    expect(run.size).toBe(0)
  })
})
