// Custom rules: straight-through and stabler gradients, in reverse and forward mode, at every order, in every nesting.

import { cpu } from '@bp/backend-cpu'
import { abs, cast, cos, div, exp, less, lessEqual, log1p, round, sin } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { runGraph, trace } from './extend.ts'
import { add, backward, checkpoint, customFunction, customJvp, customVjp, grad, gradients, jvp, mul, type Tensor, tensor, use, vjp, zerosLike } from './index.ts'

use(cpu())

const f64 = (value: number | number[]): Tensor => tensor(value, { dtype: 'float64' })

/** sin, but with twice its derivative, by either rule. */
const twice = {
  vjp: customVjp({ forward: (x: Tensor) => [sin(x), x] as const, backward: (x, ct) => [mul(ct, mul(2, cos(x)))] as const }),
  jvp: customJvp({ forward: (x: Tensor) => sin(x), pushforward: ([x], [t]) => mul(t, mul(2, cos(x))) }),
}

describe.each(Object.entries(twice))('a rule given as %s', (_name, f) => {
  const at = 0.3

  test('is the derivative in reverse and in forward mode', () => {
    expect(f(f64(at)).item()).toBe(Math.sin(at))
    expect(grad(f)(f64(at)).item()).toBeCloseTo(2 * Math.cos(at), 14)
    expect(jvp(f, [f64(at)], [f64(3)])[1].item()).toBeCloseTo(6 * Math.cos(at), 14)
  })

  test('is differentiated itself, in all four nestings', () => {
    const want = -2 * Math.sin(at)
    expect(grad(grad(f))(f64(at)).item()).toBeCloseTo(want, 14)
    expect(jvp(grad(f), [f64(at)], [f64(1)])[1].item()).toBeCloseTo(want, 14)
    const forward = (x: Tensor): Tensor => jvp(f, [x], [f64(1)])[1]
    expect(grad(forward)(f64(at)).item()).toBeCloseTo(want, 14)
    expect(jvp(forward, [f64(at)], [f64(1)])[1].item()).toBeCloseTo(want, 14)
    expect(grad(grad(grad(f)))(f64(at)).item()).toBeCloseTo(-2 * Math.cos(at), 14)
  })

  test('is found by backward, checkpoint and trace', () => {
    const x = tensor(at, { dtype: 'float64', requiresGrad: true })
    backward(mul(checkpoint(f, x), 5))
    expect(x.grad!.item()).toBeCloseTo(10 * Math.cos(at), 14)
    const [dx] = gradients(f(x), [x], { createGraph: true })
    expect(gradients(dx!, [x])[0]!.item()).toBeCloseTo(-2 * Math.sin(at), 14)
    expect(runGraph(trace(grad(f), [{ shape: [], dtype: 'float64' }]), [f64(at)])[0]!.item()).toBeCloseTo(2 * Math.cos(at), 14)
  })
})

test('log(1 + eˣ) with a gradient that does not overflow', () => {
  const naive = (x: Tensor): Tensor => log1p(exp(x))
  const stable = customVjp({
    forward: (x: Tensor) => {
      const e = exp(x)
      return [log1p(e), e] as const
    },
    backward: (e, ct) => [mul(ct, add(1, mul(-1, div(1, add(e, 1)))))] as const,
  })
  expect(grad(naive)(f64(800)).item()).toBeNaN()
  expect(grad(stable)(f64(800)).item()).toBe(1)
  expect(grad(grad(stable))(f64(0)).item()).toBeCloseTo(0.25, 14)
})

test('trees of arguments, results and residuals', () => {
  const f = customVjp({
    forward: ({ a, b }: { a: Tensor; b: Tensor }, c: Tensor) => [[mul(a, b), mul(b, c)], { a, b, c }] as const,
    backward: ({ a, b, c }, [y, z]) => [{ a: mul(y, b), b: add(mul(y, a), mul(z, c)) }, zerosLike(c)] as const,
  })
  const [, pullback] = vjp(f, [{ a: f64(2), b: f64(3) }, f64(5)])
  const [{ a, b }, c] = pullback([f64(1), f64(10)])
  expect([a.item(), b.item(), c.item()]).toEqual([3, 52, 0])
})

test('a straight-through estimator in the manner of PyTorch', () => {
  const step = customFunction({
    name: 'step',
    forward: (ctx, x: Tensor) => {
      ctx.saveForBackward(x)
      return cast(less(0, x), x.dtype)
    },
    backward: (ctx, grad) => mul(grad, cast(lessEqual(abs(ctx.savedTensors[0]!), 1), grad.dtype)),
  })
  const x = tensor([-2, -0.5, 0.5, 2], { requiresGrad: true })
  const y = step(x)
  backward(y, { gradient: tensor([1, 2, 3, 4]) })
  expect([y.toArray(), x.grad!.toArray()]).toEqual([[0, 0, 1, 1], [0, 2, 3, 0]])
})

test('a function is told which inputs want gradients, and may leave some out', () => {
  const asked: (readonly boolean[])[] = []
  const product = customFunction({
    forward: (ctx, a: Tensor, b: Tensor) => {
      ctx.saveForBackward(a, b)
      return mul(a, b)
    },
    backward: (ctx, grad) => {
      asked.push(ctx.needsInputGrad)
      const [a, b] = ctx.savedTensors
      return [ctx.needsInputGrad[0] ? mul(grad, b!) : null, ctx.needsInputGrad[1] ? mul(grad, a!) : null]
    },
  })
  const a = tensor(3, { requiresGrad: true })
  backward(product(a, tensor(5)))
  expect([a.grad!.item(), asked]).toEqual([5, [[true, false]]])
})

test('rules that return what does not fit are refused', () => {
  const x = tensor(2)
  const wrong = customVjp({ name: 'wrong', forward: (z: Tensor) => [round(z), z] as const, backward: () => [tensor([1, 2])] as const })
  expect(() => grad(wrong)(x)).toThrowErrorMatchingInlineSnapshot(`[BpError: wrong: a cotangent that backward returned is f32[2], its argument f32[]. They must be alike]`)
  const few = customVjp({ name: 'few', forward: (z: Tensor, _w: Tensor) => [round(z), z] as const, backward: (_r, ct) => [ct] as unknown as [Tensor, Tensor] })
  expect(() => grad(few)(x, x)).toThrowErrorMatchingInlineSnapshot(`[BpError: few: backward returned 1 cotangents for 2 arguments. Return one for each, zerosLike(x) where there is none]`)
  const tangent = customJvp({ name: 'tangent', forward: (z: Tensor) => round(z), pushforward: () => tensor([1, 2]) })
  expect(() => jvp(tangent, [x], [x])).toThrowErrorMatchingInlineSnapshot(`[BpError: tangent: a tangent that pushforward returned is f32[2], its result f32[]. They must be alike]`)
  const many = customFunction({ name: 'many', forward: (_ctx, z: Tensor) => round(z), backward: (_ctx, g) => [g, g] })
  expect(() => grad(many)(x)).toThrowErrorMatchingInlineSnapshot(`[BpError: many: backward returned 2 gradients for 1 inputs. Return one for each, null where there is none]`)
})
