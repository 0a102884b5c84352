// Modules as trees: names, modes, states, tied weights, replaced parameters, containers, summaries.

import { cpu } from '@bp/backend-cpu'
import { compile, grad, ones, type Tensor, tensor, use, Variable, vmap } from '@bp/core'
import { Generator, mul, relu, sum } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { numbers, sameNumbers } from '../test/golden.ts'
import { Dropout, Embedding, functionalCall, Linear, Module, ModuleDict, ModuleList, MultiheadAttention, ReLU, Sequential, summary } from './index.ts'

use(cpu())

const f64 = { dtype: 'float64' } as const

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
    expect(numbers(model.embed.weight.grad!).every(g => g !== 0)).toBe(true)
  })

  test('are loaded by either name, but not with two values', () => {
    const [model, other] = [new Tied(), new Tied()]
    const table = other.stateDict().get('embed.weight')!
    expect(model.loadStateDict(new Map([['head.weight', table]]))).toEqual({ missing: [], unexpected: [] })
    sameNumbers(model.embed.weight, table)
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
      sameNumbers(grad(loss, { argnum })(...weights), p.grad!, 12)
      sameNumbers(compile(grad(loss, { argnum }))(...weights), p.grad!, 12)
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
    expect(numbers(functionalCall(tied, { 'head.weight': table }, tensor([0], { dtype: 'int32' })))).toEqual([3, 3, 3, 3, 3])
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
