// vmap: in every nesting with itself and the other transforms, and its errors.

import { cpu } from '@bp/backend-cpu'
import { cast, concat, cos, Generator, matmul, mean, randomBits, relu, round, sin, softmaxCrossEntropy, sub, sum, take, tanh } from '@bp/ops'
import { primitives } from '@bp/ops/extend'
import { describe, expect, test } from 'vitest'
import { batchRule } from './batchRules.ts'
import { type AnyRow, bind, defineOp, runGraph, trace } from './extend.ts'
import { add, backward, checkpoint, customJvp, customVjp, grad, gradients, hessian, hvp, jacfwd, jacobian, jacrev, jvp, linearize, mul, type Tensor, tensor, use, Variable, vjp, vmap } from './index.ts'

use(cpu())

const random = new Generator(11)
const randn = (...shape: number[]): Tensor => random.normal(shape, { dtype: 'float64' })
const numbers = (x: Tensor): number[] => Array.from(x.dataSync() as Float64Array)
const close = (got: Tensor, want: Tensor): void => {
  expect(got.shape).toEqual(want.shape)
  numbers(got).forEach((value, i) => { expect(value).toBeCloseTo(numbers(want)[i]!, 11) })
}
const row = (x: Tensor, i: number): Tensor => take(x, tensor(i, { dtype: 'int32' }), 0)
/** What vmap must give: the function on each entry, side by side. */
const each = (f: (...xs: Tensor[]) => Tensor, ...xs: Tensor[]): Tensor => {
  const ys = Array.from({ length: xs[0]!.shape[0]! }, (_, i) => f(...xs.map(x => row(x, i))))
  return concat(ys.map(y => tensor(y.dataSync(), { shape: [1, ...y.shape] })), 0)
}

describe('nesting', () => {
  const W = randn(3, 4)
  const f = (x: Tensor): Tensor => sum(tanh(matmul(W, x)))
  const xs = randn(5, 4)

  test('vmap of grad, and grad of vmap', () => {
    close(vmap(grad(f))(xs), each(grad(f), xs))
    close(grad((z: Tensor) => sum(vmap(f)(z)))(xs), each(grad(f), xs))
  })

  test('vmap of jvp, and jvp of vmap', () => {
    const ts = randn(5, 4)
    const push = (x: Tensor, t: Tensor): Tensor => jvp(f, [x], [t])[1]
    close(vmap(push)(xs, ts), each(push, xs, ts))
    close(jvp(vmap(f), [xs], [ts])[1], each(push, xs, ts))
  })

  test('vmap of vmap, along other axes', () => {
    const x = randn(2, 5, 3)
    const g = (v: Tensor): Tensor => sum(mul(v, v))
    close(vmap(vmap(g))(x), sum(mul(x, x), 2))
    // over axis 1, then over what was axis 2: the sums are along axis 0
    close(vmap(vmap(g, { inAxes: 1 }), { inAxes: 1 })(x), sum(mul(x, x), 0))
  })

  test('second order inside, outside and across', () => {
    const t = randn(4)
    const hvp = (x: Tensor): Tensor => jvp(grad(f), [x], [t])[1]
    close(vmap(hvp)(xs), each(hvp, xs))
    const twice = (x: Tensor): Tensor => sum(grad((z: Tensor) => sum(mul(grad(f)(z), t)))(x))
    close(vmap(twice)(xs), each(twice, xs))
    close(grad((z: Tensor) => sum(vmap(grad(f))(z)))(xs), each(grad((x: Tensor) => sum(grad(f)(x))), xs))
  })

  test('d/dx[x · d/dy(x + y)] = 1 for each entry', () => {
    const g = (x: Tensor): Tensor => mul(x, grad((y: Tensor) => add(x, y))(tensor(1, { dtype: 'float64' })))
    expect(numbers(vmap(grad(g))(randn(3)))).toEqual([1, 1, 1])
  })

  test('backward through vmap, and gradients inside it', () => {
    const x = tensor(numbers(xs), { shape: [5, 4], dtype: 'float64', requiresGrad: true })
    backward(sum(vmap(f)(x)))
    close(x.grad!, each(grad(f), xs))
    const inside = (z: Tensor): Tensor => {
      const leaf = mul(z, 1)
      leaf.requiresGrad = true
      return gradients(f(leaf), [leaf])[0]!
    }
    close(vmap(inside)(xs), each(grad(f), xs))
  })

  test('trace of vmap, and vmap of checkpoint', () => {
    const graph = trace(vmap(grad(f)), [{ shape: [5, 4], dtype: 'float64' }])
    close(runGraph(graph, [xs])[0]!, each(grad(f), xs))
    close(vmap(grad((x: Tensor) => checkpoint(f, x)))(xs), each(grad(f), xs))
  })
})

test('matrices, products and linear maps of each entry', () => {
  const W = randn(3, 4)
  const f = (x: Tensor): Tensor => tanh(matmul(W, x))
  const g = (x: Tensor): Tensor => sum(mul(f(x), f(x)))
  const [xs, ts] = [randn(5, 4), randn(5, 4)]
  for (const mode of [jacrev, jacfwd, jacobian]) close(vmap(mode(f))(xs), each(mode(f), xs))
  close(vmap(hessian(g))(xs), each(hessian(g), xs))
  close(vmap((x: Tensor, t: Tensor) => hvp(g, [x], [t])[0])(xs, ts), each((x, t) => hvp(g, [x], [t])[0], xs, ts))
  const pushed = (x: Tensor, t: Tensor): Tensor => linearize(f, [x])[1](t)
  close(vmap(pushed)(xs, ts), each((x, t) => jvp(f, [x], [t])[1], xs, ts))
  const [, push] = linearize(f, [row(xs, 0)])
  close(vmap(push)(ts), each(t => jvp(f, [row(xs, 0)], [t])[1], ts))
})

test('random numbers are one draw for all entries, or one for each key', () => {
  const key = tensor([1, 2], { dtype: 'int32' })
  const noise = vmap((x: Tensor) => add(x, cast(randomBits(key, [3]), 'float64')))(tensor([[0, 0, 0], [0, 0, 0]], { dtype: 'float64' }))
  close(row(noise, 0), row(noise, 1))
  const keys = tensor([[1, 2], [3, 4]], { dtype: 'int32' })
  const bits = vmap((k: Tensor) => randomBits(k, [3]))(keys)
  expect(bits.toArray()).toEqual([randomBits(row(keys, 0), [3]).toArray(), randomBits(row(keys, 1), [3]).toArray()])
})

test('per-sample gradients of a classifier sum to the gradient of the batch', () => {
  const params = { w1: randn(6, 8), w2: randn(8, 3) }
  const [xs, ys] = [randn(7, 6), tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]], { dtype: 'float64' })]
  const loss = (p: typeof params, x: Tensor, y: Tensor): Tensor => mean(softmaxCrossEntropy(matmul(relu(matmul(x, p.w1)), p.w2), y))
  const samples = vmap(grad(loss), { inAxes: [null, 0, 0] })(params, xs, ys)
  expect(samples.w1.shape).toEqual([7, 6, 8])
  const batch = grad(loss)(params, xs, ys)
  close(mean(samples.w1, 0), batch.w1)
  close(mean(samples.w2, 0), batch.w2)
})

test('shared arguments, other axes, trees', () => {
  const f = ({ a, b }: { a: Tensor; b: Tensor }, c: Tensor): { y: Tensor; z: Tensor } => ({ y: mul(a, c), z: sum(b) })
  const [a, b, c] = [randn(3, 2), randn(3, 4), randn(2)]
  const { y, z } = vmap(f, { inAxes: [0, null] })({ a, b }, c)
  close(y, mul(a, c))
  close(z, sum(b, 1))
  const last = vmap((x: Tensor) => mul(x, 2), { inAxes: -1, outAxes: 1 })(randn(2, 3))
  expect(last.shape).toEqual([2, 3])
  expect(vmap((x: Tensor) => [x, c] as const, { inAxes: 0 })(a)[1].shape).toEqual([3, 2])
})

test('functions with rules of their own keep them, in all nestings', () => {
  const through = customVjp({ forward: (x: Tensor) => [round(x), x] as const, backward: (x, ct) => [mul(ct, x)] as const })
  const twice = customJvp({ forward: (x: Tensor) => sin(x), pushforward: ([x], [t]) => mul(t, mul(2, cos(x))) })
  const shared = customVjp({ forward: (x: Tensor, w: Tensor) => [mul(round(x), w), { x, w }] as const, backward: ({ x, w }, ct) => [mul(ct, w), mul(ct, x)] as const })
  const xs = randn(4)
  for (const f of [through, twice]) {
    close(vmap(f)(xs), each(f, xs))
    close(vmap(grad(f))(xs), each(grad(f), xs))
    close(grad((z: Tensor) => sum(vmap(f)(z)))(xs), each(grad(f), xs))
    close(jvp(vmap(f), [xs], [mul(xs, xs)])[1], each(x => jvp(f, [x], [mul(x, x)])[1], xs))
    close(vmap((x: Tensor) => jvp(f, [x], [mul(x, x)])[1])(xs), each(x => jvp(f, [x], [mul(x, x)])[1], xs))
  }
  const w = tensor(3, { dtype: 'float64' })
  const byW = grad((v: Tensor) => sum(vmap(shared, { inAxes: [0, null] })(xs, v)))(w)
  close(byW, sum(xs))
})

test('every primitive has a batching rule but random bits, whose key is one', () => {
  const without = (Object.values(primitives) as AnyRow[]).filter(r => r.arity !== 0 && batchRule(r) === null)
  expect(without.map(({ name }) => name)).toEqual(['randomBits'])
})

test('an op without a rule runs entry by entry, and differentiates', () => {
  const odd = defineOp({
    name: 'test/odd', arity: 1, fuse: 'opaque', saves: 'x', infer: ([x]) => x.aval,
    diff: { kind: 'custom', why: 'a test', vjp: ([ct], [x]) => [mul(ct!, mul(2, x))] },
    decompose: ([x]) => mul(x, x),
  })
  const f = (x: Tensor): Tensor => bind(odd, [x], undefined)
  const xs = randn(3, 2)
  close(vmap(f)(xs), mul(xs, xs))
  close(vmap(grad((x: Tensor) => sum(f(x))))(xs), mul(2, xs))
  close(grad((x: Tensor) => sum(vmap(f)(x)))(xs), mul(2, xs))
  close(jvp(vmap(f), [xs], [xs])[1], mul(2, mul(xs, xs)))
  expect(() => vmap(f)(tensor([], { shape: [0, 2], dtype: 'float64' }))).toThrowErrorMatchingInlineSnapshot(`[BpError: vmap: test/odd has no batching rule, and an empty batch no entry to run it on. Give the row a batch rule]`)
})

test('an empty batch gives an empty result', () => {
  expect(vmap((x: Tensor) => sum(tanh(x)))(tensor([], { shape: [0, 2] })).shape).toEqual([0])
})

test('the pullback of vjp can be batched', () => {
  const x = randn(3)
  const [, pullback] = vjp((z: Tensor) => mul(z, z), [x])
  const cts = randn(5, 3)
  close(vmap((ct: Tensor) => pullback(ct)[0])(cts), mul(cts, mul(2, x)))
})

test('errors say what does not fit', () => {
  const f = (a: Tensor, b: Tensor): Tensor => add(a, b)
  expect(() => vmap(f)(randn(2, 3), randn(4, 3))).toThrowErrorMatchingInlineSnapshot(`[BpError: vmap: batch sizes differ: f64[2,3] has 2 entries along axis 0, f64[4,3] has 4 along axis 0. Use null in inAxes for what is not batched]`)
  expect(() => vmap(f, { inAxes: [0] })(randn(2), randn(2))).toThrowErrorMatchingInlineSnapshot(`[BpError: vmap: got 2 arguments and 1 inAxes. Give one for each, null where all entries share it]`)
  expect(() => vmap(f, { inAxes: [null, null] })(randn(2), randn(2))).toThrowErrorMatchingInlineSnapshot(`[BpError: vmap: nothing is batched. Give at least one argument an axis in inAxes]`)
  expect(() => vmap(f)(randn(2), tensor(1))).toThrowErrorMatchingInlineSnapshot(`[BpError: vmap: axis 0 is out of range for rank 0: a scalar has no axes]`)
  const v = new Variable(tensor(1, { dtype: 'float64' }))
  expect(() => vmap((x: Tensor) => {
    v.assign(x)
    return sub(x, v)
  })(randn(2))).toThrowErrorMatchingInlineSnapshot(`[BpError: vmap: a variable f64[] was assigned a value that differs from entry to entry. Return the value instead, and assign it outside]`)
})
