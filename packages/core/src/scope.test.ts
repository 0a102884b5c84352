// Scopes: what is made in one is freed at its end, what lives on can be used, and loops are flat to the handle.

import { cpu } from '@bp/backend-cpu'
import { compile, grad, mul, scope, type Tensor, tensor, use, Variable } from '@bp/core'
import { outside } from '@bp/core/extend'
import { Adam, type AnyOptimizer, CrossEntropyLoss, Linear, ReLU, Sequential, SGD } from '@bp/nn'
import { detach, exp, Generator, relu, reshape, sum } from '@bp/ops'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { counting } from '../test/counting.ts'
import { message } from '../test/message.ts'

const backend = counting(cpu())
const { more } = backend
beforeAll(() => { use(backend) })
afterAll(() => { use(cpu()) })

const leaf = (...values: number[]): Tensor => tensor(values, { requiresGrad: true })

type Step = (step: () => Tensor) => () => Tensor

function training(optimiser: (model: Sequential) => AnyOptimizer, wrap: Step): { readonly step: () => Tensor; readonly model: Sequential } {
  const generator = new Generator(1)
  const model = new Sequential(new Linear(4, 8, { generator }), new ReLU(), new Linear(8, 3, { generator }))
  const optim = optimiser(model)
  const loss = new CrossEntropyLoss()
  const x = tensor([[1, 2, 3, 4], [0.5, -1, 2, 0], [1, 1, -1, -1]]), y = tensor([0, 2, 1], { dtype: 'int32' })
  const step = wrap(() => {
    optim.zeroGrad()
    const l = loss.forward(model.forward(x), y)
    l.backward()
    optim.step()
    return l
  })
  return { step, model }
}

const optimisers: [string, (model: Sequential) => AnyOptimizer][] = [
  ['SGD', model => new SGD(model.parameters(), { lr: 0.1, momentum: 0.9 })],
  ['Adam', model => new Adam(model.parameters(), { lr: 0.01 })],
]

describe.each(optimisers)('training with %s', (_, optimiser) => {
  const forms: [string, Step][] = [['eager', step => step], ['compiled', step => compile(step)]]

  test.each(forms)('%s: steps in scopes are flat to the handle, and give the same losses', (_, wrap) => {
    const [scoped, plain] = [training(optimiser, wrap), training(optimiser, wrap)]
    const expected = Array.from({ length: 50 }, () => plain.step().item())
    const counts: number[] = []
    expected.forEach(loss => {
      expect(scope(() => scoped.step().item())).toBe(loss)
      counts.push(backend.live.size)
    })
    expect(counts.slice(1)).toEqual(counts.slice(1).fill(counts[1]!))
  })

  test.each(forms)('%s: a loss that is kept is one handle', (_, wrap) => {
    const { step } = training(optimiser, wrap)
    scope(() => step().item())
    let loss: Tensor | null = null
    expect(more(() => { loss = scope(step) })).toBe(1)
    expect(loss!.item()).toBeGreaterThan(0)
  })
})

test('what is not kept is freed, what is kept can be pulled back later', () => {
  const x = leaf(1, 2)
  let y: Tensor | null = null
  let lost: Tensor | null = null
  // y, exp(x) twice for mul saves its operands
  expect(more(() => {
    using s = scope()
    lost = mul(x, 3)
    y = s.keep(sum(mul(exp(x), exp(x))))
  })).toBe(3)
  expect(() => lost!.toArray()).toThrow('freed')
  y!.backward()
  expect((x.grad!.toArray() as number[]).map(v => Math.round(v * 1000))).toEqual([14778, 109196])
})

test('keep takes trees, maps and other things, and returns its argument', () => {
  const tree = { a: [tensor(1)], b: new Map([['c', tensor(2)]]), n: 3, f: () => 4, none: null }
  const made = scope(() => ({ a: [tensor(1)], b: new Map([['c', tensor(2)]]), n: 3, none: null }))
  expect(made.a[0]!.item()).toBe(1)
  expect(made.b.get('c')!.item()).toBe(2)
  using s = scope()
  expect(s.keep(tree)).toBe(tree)
})

test('what an inner scope keeps, the outer one frees', () => {
  const [outer, inner] = scope(() => {
    const y = tensor(1)
    const z = scope(() => mul(y, 2))
    expect(z.item()).toBe(2)
    const before = backend.live.size
    scope(() => { mul(z, z) })
    expect(backend.live.size).toBe(before)
    return [() => y.item(), () => z.item()] as const
  })
  expect(outer).toThrow('freed')
  expect(inner).toThrow('freed')
})

test('an exception ends a scope, and those in it', () => {
  expect(more(() => {
    expect(() => scope(() => {
      using _ = scope()
      exp(leaf(1))
      throw new Error('stop')
    })).toThrow('stop')
  })).toBe(0)
  expect(more(() => { scope(() => { tensor(1) }) })).toBe(0)
})

test('an exception in a backward pass leaves what was made to the scope', () => {
  const x = leaf(1, 2)
  expect(more(() => {
    expect(() => { scope(() => { mul(x, x).backward() }) }).toThrow('scalar')
  })).toBe(0)
})

test('misuse is told', () => {
  const opened = scope()
  const inner = scope()
  const x = tensor(1)
  expect([
    message(() => { opened[Symbol.dispose]() }),
    message(() => { inner[Symbol.dispose](); inner[Symbol.dispose](); inner.keep(x) }),
    message(() => scope(() => Promise.resolve(1))),
  ]).toMatchInlineSnapshot(`
    [
      "memory | scope: a scope ended that is not the innermost: another was opened in it and has not ended, or an await let other code open one. End scopes in the opposite order, with \`using s = scope()\` or scope(f), and await outside",
      "memory | scope: keep was called after the scope had ended. Call it inside, before the end of the block",
      "value | scope: the function is async: what it makes after its first await would not be in the scope. Await first, then compute inside a plain function",
    ]
  `)
  expect(() => x.item()).toThrow('freed')
  expect(more(() => { scope(() => { tensor(1) }) })).toBe(0)
})

test('a scope that ended too early freed nothing', () => {
  const opened = scope()
  const x = tensor(1)
  const inner = scope()
  expect(() => { opened[Symbol.dispose]() }).toThrow('innermost')
  inner[Symbol.dispose]()
  expect(x.item()).toBe(1)
  expect(more(() => { scope(() => { tensor(1) }) })).toBe(0)
})

describe('variables', () => {
  test('own their handles, assigned or made in a scope', () => {
    const v = new Variable(tensor([1, 2]))
    expect(more(() => { scope(() => { v.assign(mul(v, 2)) }) })).toBe(0)
    expect(v.toArray()).toEqual([2, 4])
    const w = scope(() => {
      const made = new Variable(v)
      v.assign(tensor([0, 0]))
      return () => made
    })
    expect(w().toArray()).toEqual([2, 4])
  })

  test('let their old handle go at once', () => {
    const v = new Variable(tensor(1))
    const value = tensor(2)
    expect(more(() => { v.assign(value) })).toBe(0)
    expect(more(() => { v.assign(v) })).toBe(0)
    expect([v.item(), value.item()]).toEqual([2, 2])
  })

  test('what was taken of a parameter before a step holds the old value', () => {
    const { model, step } = training(optimisers[0]![1], step => step)
    const [p] = model.parameters()
    const before = p!.toArray()
    const taken = [detach(p!), reshape(p!, [-1]), ...model.stateDict().values()]
    const copy = new Map([...model.stateDict()].map(([name, value]) => [name, detach(value)]))
    scope(step)
    expect(taken[0]!.toArray()).toEqual(before)
    expect(taken[1]!.toArray()).toEqual((before as number[][]).flat())
    expect(copy.get('0.weight')!.toArray()).toEqual(before)
    expect(p!.toArray()).not.toEqual(before)
    model.loadStateDict(copy)
    expect(p!.toArray()).toEqual(before)
  })

  test('states made for good outlive the scope', () => {
    const made = scope(() => ({ x: outside(() => tensor(3)) }).x.item())
    expect(made).toBe(3)
    let x: Tensor | null = null
    scope(() => { x = outside(() => tensor(3)) })
    expect(x!.item()).toBe(3)
  })
})

describe('gradients', () => {
  test('live on in leaves until they are replaced, in a later scope', () => {
    const x = leaf(1, 2)
    const pass = (): void => { scope(() => { sum(mul(x, x)).backward() }) }
    expect(more(pass)).toBe(1)
    expect(more(pass)).toBe(0)
    expect(x.grad!.toArray()).toEqual([4, 8])
    expect(more(() => { scope(() => { x.grad = null }) })).toBe(-1)
    expect(more(pass)).toBe(1)
    expect(x.grad!.toArray()).toEqual([2, 4])
  })

  test('that inner scopes left are freed when they are replaced in the outer one', () => {
    const x = leaf(1, 2)
    expect(more(() => {
      scope(() => {
        for (let i = 0; i < 3; i++) scope(() => { sum(mul(x, x)).backward() })
        expect(x.grad!.toArray()).toEqual([6, 12])
      })
    })).toBe(1)
    expect(x.grad!.toArray()).toEqual([6, 12])
  })

  test('of leaves made in the scope go with them', () => {
    expect(more(() => { scope(() => {
      const x = leaf(1, 2)
      sum(mul(x, x)).backward()
    }) })).toBe(0)
    const x = scope(() => {
      const made = leaf(1, 2)
      sum(mul(made, made)).backward()
      return made
    })
    expect(x.grad!.toArray()).toEqual([2, 4])
  })

  test('shared by two leaves live until both have let them go', () => {
    const [x, y] = [leaf(1), leaf(2)]
    expect(more(() => { scope(() => { sum(relu(x)).backward(); y.grad = x.grad }) })).toBe(1)
    scope(() => { x.grad = null })
    expect(y.grad!.toArray()).toEqual([1])
    expect(more(() => { scope(() => { y.grad = null }) })).toBe(-1)
  })

  test('that were kept, or made outside of scopes, are not freed', () => {
    const x = leaf(1)
    const g = scope(() => { sum(relu(x)).backward(); return x.grad! })
    scope(() => { x.grad = null })
    expect(g.item()).toBe(1)
    const own = tensor([5])
    x.grad = own
    scope(() => { x.grad = null })
    expect(own.item()).toBe(5)
  })
})

test('transforms in a scope, and a scope in a transform', () => {
  const f = (x: Tensor): Tensor => scope(() => sum(mul(exp(x), x)))
  const x = tensor([1, 2])
  const expected = [2 * Math.E, 3 * Math.E ** 2].map(v => expect.closeTo(v, 4) as number)
  expect(more(() => { scope(() => { expect(grad(f)(x).toArray()).toEqual(expected) }) })).toBe(0)
  expect(grad(grad((y: Tensor) => f(mul(y, 1))))(tensor(1)).item()).toBeCloseTo(3 * Math.E, 4)
})
