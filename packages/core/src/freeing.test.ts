// What the tape frees by itself: a backward pass leaves the gradients that it was asked for, and nothing else, also where no scope is open.

import { cpu } from '@bp/backend-cpu'
import { add, autocast, backward, checkpoint, compile, customFunction, customVjp, detectAnomaly, grad, gradFn, gradients, GradientTape, hessian, jvp, mul, registerHook, retainGrad, savedTensorsHooks, scope, type Tensor, tensor, use, valueAndGrad, Variable, vjp, vmap } from '@bp/core'
import { bind, defineComposite } from '@bp/core/extend'
import { cos, exp, matmul, sin, softmax, sub, sum, tanh } from '@bp/ops'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { counting } from '../test/counting.ts'

const backend = counting(cpu())
const { more } = backend
beforeAll(() => { use(backend) })
afterAll(() => { use(cpu()) })

const leaf = (...values: number[]): Tensor => tensor(values, { requiresGrad: true })

/** A function in which values are used several times, also as cotangents of several operands. */
function net(x: Tensor, w: Tensor): Tensor {
  const h = tanh(mul(add(x, w), w))
  return sum(add(mul(softmax(h), h), add(h, add(x, x))))
}

/** The same by ops on a plain backend. */
function expected(): { readonly x: unknown; readonly w: unknown } {
  const on = { backend: cpu(), requiresGrad: true }
  const [x, w] = [tensor([1, 2], on), tensor([0.5, -1], on)]
  net(x, w).backward()
  return { x: x.grad!.toArray(), w: w.grad!.toArray() }
}

describe('without a scope', () => {
  test('backward leaves gradients only', () => {
    const [x, w] = [leaf(1, 2), leaf(0.5, -1)]
    const y = net(x, w)
    expect(more(() => { y.backward() })).toBe(2)
    expect({ x: x.grad!.toArray(), w: w.grad!.toArray() }).toEqual(expected())
    // accumulated, each sum takes the place of what the engine collects
    const z = net(x, w)
    expect(more(() => { z.backward() })).toBe(2)
  })

  test('retainGraph lets the graph be used again', () => {
    const [x, w] = [leaf(1, 2), leaf(0.5, -1)]
    const y = net(x, w)
    y.backward({ retainGraph: true })
    x.grad = w.grad = null
    expect(more(() => { y.backward() })).toBe(2)
    expect({ x: x.grad!.toArray(), w: w.grad!.toArray() }).toEqual(expected())
  })

  test('a gradient that is given, or shared by leaves, stays as it is', () => {
    const [x, y] = [leaf(1, 2), leaf(3, 4)]
    const gradient = tensor([5, 6])
    expect(more(() => { backward(x, { gradient }) })).toBe(0)
    const z = add(x, y)
    x.grad = null
    expect(more(() => { backward(z, { gradient }) })).toBe(0)
    const twice = add(mul(x, 2), y)
    x.grad = y.grad = null
    backward(twice, { gradient })
    expect([gradient, x.grad!, y.grad!].map(g => g.toArray())).toEqual([[5, 6], [10, 12], [5, 6]])
  })

  test('gradients, tapes, pullbacks and grad leave what they return', () => {
    const [x, w] = [leaf(1, 2), leaf(0.5, -1)]
    const y = net(x, w)
    expect(more(() => gradients(y, [x], { retainGraph: true }))).toBe(1)
    expect(more(() => gradients(y, [x, w]))).toBe(2)
    const v = new Variable(tensor([1, 2]))
    const tape = new GradientTape({ persistent: true })
    const z = tape.record(() => net(v, v))
    expect(more(() => tape.gradient(z, [v]))).toBe(1)
    expect(more(() => tape.gradient(z, v))).toBe(1)
    const ct = tensor(1)
    const [, pullback] = vjp(net, [tensor([1, 2]), tensor([0.5, -1])])
    expect(more(() => pullback(ct))).toBe(2)
    expect(pullback(ct).map(g => g.toArray())).toEqual(Object.values(expected()))
  })

  test('createGraph keeps what the graph of the gradient needs', () => {
    const x = leaf(1, 2)
    const [dx] = gradients(sum(mul(exp(x), x)), [x], { createGraph: true })
    sum(dx!).backward()
    expect((x.grad!.toArray() as number[]).map(v => v.toFixed(3))).toEqual(['8.155', '29.556'])
    expect(hessian((y: Tensor) => sum(mul(y, mul(y, y))))(tensor([1, 2])).toArray()).toEqual([[6, 0], [0, 12]])
  })

  test('a composite frees what it is made of', () => {
    const made = (decompose: (x: Tensor) => Tensor): ((x: Tensor) => Tensor) => {
      const row = defineComposite({ name: 'made', arity: 1, infer: ([x]) => x.aval, decompose: ([x]) => decompose(x), vjp: ([ct]) => [ct!] })
      return x => bind(row, [x], undefined)
    }
    const twice = made(x => tanh(tanh(exp(x))))
    const x = tensor([1, 2])
    expect(more(() => twice(x))).toBe(1)
    expect(made(x => x)(x).storage).not.toBe(x.storage)
  })
})

describe('what users are given is theirs', () => {
  test('hooks', () => {
    const x = leaf(1, 2)
    const seen: Tensor[] = []
    const h = mul(x, 2)
    registerHook(h, g => { seen.push(g); return mul(g, 10) })
    registerHook(x, g => { seen.push(g) })
    const y = exp(h)
    gradFn(y)!.registerHook((out, cts) => { for (const g of [...out, ...cts]) if (g) seen.push(g) })
    sum(y).backward()
    for (const g of seen) expect(g.toArray()).toHaveLength(2)
    expect(x.grad!.toArray()).toEqual(seen.at(-1)!.toArray())
  })

  test('retained gradients', () => {
    const x = leaf(1, 2)
    const h = mul(x, 2)
    retainGrad(h)
    const y = sum(exp(h))
    scope(() => { y.backward({ retainGraph: true }) })
    const once = h.grad!.toArray() as number[]
    scope(() => { y.backward() })
    expect(h.grad!.toArray()).toEqual(once.map(v => 2 * v))
    const inner = scope(() => {
      const z = mul(x, 2)
      retainGrad(z)
      sum(exp(z)).backward()
      return z
    })
    expect(inner.grad!.toArray()).toEqual(once)
  })

  test('custom functions', () => {
    const seen: Tensor[] = []
    const f = customFunction({
      forward: (ctx, x: Tensor) => { ctx.saveForBackward(exp(x)); return exp(x) },
      backward: (ctx, g) => { const [y] = ctx.savedTensors; const made = mul(g, y!); seen.push(g, y!, made); return made },
    })
    const through = customVjp({ forward: (x: Tensor) => [sin(x), [] as const], backward: (_: readonly [], ct: Tensor) => [ct] })
    const x = leaf(1, 2)
    sum(f(through(mul(f(x), 2)))).backward()
    for (const g of seen) expect(g.toArray()).toHaveLength(2)
    expect(x.grad!.toArray()).toHaveLength(2)
  })

  test('saved tensors that hooks packed, also in trees', () => {
    const cache: Tensor[] = []
    const f = (x: Tensor): Tensor => savedTensorsHooks(x => ({ half: mul(x, 0.5), at: cache.length }), ({ half }) => { const y = mul(half, 2); cache.push(y); return y }, () => sum(mul(exp(x), exp(x))))
    const x = leaf(1, 2)
    const y = scope(() => f(x))
    y.backward()
    expect((x.grad!.toArray() as number[]).map(v => v.toFixed(2))).toEqual(['14.78', '109.20'])
    for (const each of cache) expect(each.toArray()).toHaveLength(2)
  })

  test('what detectAnomaly looks at', () => {
    const [x, w] = [leaf(1, 2), leaf(0.5, -1)]
    detectAnomaly(() => { net(x, w).backward() })
    expect({ x: x.grad!.toArray(), w: w.grad!.toArray() }).toEqual(expected())
  })
})

describe('checkpoint', () => {
  const deep = (x: Tensor): Tensor => { const h = tanh(exp(x)); return mul(mul(h, h), add(h, x)) }
  const plain = (): unknown => {
    const x = tensor([0.1, 0.2], { requiresGrad: true, backend: cpu() })
    sum(deep(deep(x))).backward()
    return x.grad!.toArray()
  }

  test('frees what it computed again', () => {
    const x = leaf(0.1, 0.2)
    const y = sum(checkpoint(deep, checkpoint(deep, x)))
    expect(more(() => { y.backward() })).toBe(1)
    expect(x.grad!.toArray()).toEqual(plain())
  })

  test('nests, and its graph may be retained, used in part, and kept', () => {
    const x = leaf(0.1, 0.2)
    const y = scope(() => sum(checkpoint((z: Tensor) => deep(checkpoint(deep, z)), x)))
    const pass = (): void => { y.backward({ retainGraph: true }) }
    expect(more(pass)).toBe(1)
    expect(x.grad!.toArray()).toEqual(plain())
    x.grad = null
    expect(more(() => { scope(pass) })).toBe(1)
    expect(x.grad!.toArray()).toEqual(plain())
    expect(more(() => { gradients(y, [x], { retainGraph: true }) })).toBe(1)
    const [dx] = gradients(y, [x], { createGraph: true })
    expect(dx!.toArray()).toEqual(plain())
  })

  test('restores variables that it assigned', () => {
    const count = new Variable(tensor(0))
    const f = (x: Tensor): Tensor => { count.assign(add(count, 1)); return mul(exp(x), add(count, 1)) }
    const x = leaf(1, 2)
    const y = scope(() => sum(checkpoint(f, x)))
    count.assign(tensor(7))
    expect(more(() => { y.backward() })).toBe(1)
    expect(count.item()).toBe(7)
    expect((x.grad!.toArray() as number[]).map(v => v.toFixed(2))).toEqual(['5.44', '14.78'])
  })
})

describe('in a scope nothing is left of', () => {
  const f = (x: Tensor): Tensor => sum(sin(mul(x, cos(x))))
  const cases: Record<string, () => unknown> = {
    'createGraph': () => { const x = leaf(1, 2); const [dx] = gradients(f(x), [x], { createGraph: true }); sum(dx!).backward() },
    'grad of grad': () => grad((x: Tensor) => sum(grad(f)(x)))(tensor([1, 2])).toArray(),
    'valueAndGrad': () => valueAndGrad(f)(tensor([1, 2])).map(y => y.toArray()),
    'jvp': () => jvp(f, [tensor([1, 2])], [tensor([1, 1])])[1].item(),
    'vmap': () => vmap(grad(f))(tensor([[1, 2], [3, 4]])).toArray(),
    'hessian': () => hessian(f)(tensor([1, 2])).toArray(),
    'a persistent tape': () => {
      const tape = new GradientTape({ persistent: true })
      const v = tensor([1, 2])
      const y = tape.record(() => { tape.watch(v); return f(v) })
      return [tape.gradient(y, v), tape.gradient(y, v)]
    },
    'nested tapes': () => {
      const [outer, inner] = [new GradientTape(), new GradientTape()]
      const v = tensor([1, 2])
      const dy = outer.record(() => { outer.watch(v); const y = inner.record(() => { inner.watch(v); return f(v) }); return sum(inner.gradient(y, v)!) })
      return outer.gradient(dy, v)!.toArray()
    },
    'checkpoint': () => { const x = leaf(1, 2); sum(checkpoint(f, x)).backward() },
    'autocast': () => autocast(() => matmul(matmul(tensor([[0.5, -1], [1, 2]]), tensor([[1, 2], [3, 4]])), tensor([[1], [2]]))).toArray(),
    'a compiled gradient': () => compiled(tensor([1, 2])).toArray(),
  }
  const compiled = compile(grad(f))

  test.each(Object.keys(cases))('%s', name => {
    const run = cases[name]!
    scope(run)
    expect(more(() => { scope(() => { run() }) })).toBe(0)
  })
})

test('casts of parameters that autocast remembers are forgotten with their scope', () => {
  const w = new Variable(tensor([[0.5, -1], [1, 2]]))
  const x = tensor([[1, 2]])
  autocast(() => {
    const values = Array.from({ length: 2 }, () => scope(() => matmul(x, w)).toArray())
    expect(values[0]).toEqual(values[1])
  })
})

test('the peak of a backward pass is that of its live cotangents, not of all', () => {
  const x = leaf(1, 2)
  const y = Array.from({ length: 50 }).reduce<Tensor>(z => sub(tanh(z), 1), x)
  const gradient = tensor([1, 1])
  const start = backend.peak = backend.live.size
  y.backward({ gradient })
  expect(backend.peak - start).toBeGreaterThan(2)
  expect(backend.peak - start).toBeLessThan(8)
})
