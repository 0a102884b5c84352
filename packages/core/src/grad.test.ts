// Functions of functions: grad, valueAndGrad, vjp, jvp, their nestings, and that levels are never confused.

import { cpu } from '@bp/backend-cpu'
import { add, grad, gradients, jvp, mul, noGrad, type Tensor, tensor, use, valueAndGrad, Variable, vjp } from '@bp/core'
import { exp, matmul, sin, square, sum, tanh } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { message } from '../test/message.ts'

use(cpu())

const f64 = (data: number | number[] | number[][]): Tensor => tensor(data, { dtype: 'float64' })

/** Derivatives of a scalar function of a scalar, in reverse and in forward mode. */
const reverse = (f: (x: Tensor) => Tensor) => (x: Tensor): Tensor => grad(f)(x)
const forward = (f: (x: Tensor) => Tensor) => (x: Tensor): Tensor => jvp(f, [x], [f64(1)])[1]
const modes = { reverse, forward }
const nestings = Object.keys(modes).flatMap(outer => Object.keys(modes).map(inner => [outer, inner])) as [keyof typeof modes, keyof typeof modes][]

describe('grad', () => {
  test('by the first argument, or another, or a tree', () => {
    const f = (a: Tensor, b: Tensor): Tensor => mul(a, mul(b, b))
    expect(grad(f)(f64(2), f64(3)).item()).toBe(9)
    expect(grad(f, { argnum: 1 })(f64(2), f64(3)).item()).toBe(12)
    const model = (p: { w: Tensor; layers: Tensor[] }, x: Tensor): Tensor => sum(mul(x, add(p.w, p.layers[0]!)))
    const d = grad(model)({ w: f64(1), layers: [f64(2), f64(3)] }, f64([4, 5]))
    expect([d.w.item(), d.layers.map(t => t.item())]).toEqual([9, [9, 0]])
  })

  test('with the value', () => {
    const [y, dy] = valueAndGrad((x: Tensor) => mul(x, x))(f64(3))
    expect([y.item(), dy.item(), y.requiresGrad, dy.requiresGrad]).toEqual([9, 6, false, false])
  })

  test('of a function that ignores its argument is zero, in its shape', () => {
    expect(grad((_x: Tensor) => f64(1))(f64([1, 2])).toArray()).toEqual([0, 0])
    expect(grad((x: Tensor) => sum(x))(f64([1, 2])).toArray()).toEqual([1, 1])
  })

  test('leaves the grad of what it closes over alone, but is connected to it', () => {
    const w = tensor(5, { dtype: 'float64', requiresGrad: true })
    const d = grad((x: Tensor) => mul(w, mul(x, x)))(f64(3)) // 2wx
    expect([w.grad, d.item()]).toEqual([null, 30])
    expect(gradients(d, [w])[0]!.item()).toBe(6)
  })

  test('inside noGrad, and noGrad inside', () => {
    const f = (x: Tensor): Tensor => mul(x, x)
    expect(noGrad(() => grad(f)(f64(3))).item()).toBe(6)
    expect(noGrad(() => grad(grad(f))(f64(3))).item()).toBe(2)
    expect(grad((x: Tensor) => mul(noGrad(() => mul(x, x)), x))(f64(3)).item()).toBe(9)
  })

  test('of functions that read variables', () => {
    const v = new Variable(f64(2))
    const d = grad((x: Tensor) => mul(v, mul(x, x)))
    expect(d(f64(3)).item()).toBe(12)
    v.assign(f64(10))
    expect(d(f64(3)).item()).toBe(60)
    expect(grad((w: Tensor) => mul(w, w))(v).item()).toBe(20)
  })

  test('errors', () => {
    expect([
      () => grad((x: Tensor) => mul(x, x))(f64([1, 2])),
      () => grad((x: Tensor) => x)(3 as unknown as Tensor),
      () => grad((p: { a: Tensor }) => p.a)({ a: 'no' as unknown as Tensor }),
      () => vjp((x: Tensor) => mul(x, x), [f64([1, 2])])[1](f64(1)),
      () => jvp((x: Tensor) => x, [f64([1, 2])], [f64(1)]),
    ].map(message)).toMatchInlineSnapshot(`
      [
        "grad | grad: the function must return a scalar, got f64[2]. Reduce it with sum or mean, or use vjp",
        "value | grad: the argument is of type number, not a tensor. Wrap it with tensor(), or close over it",
        "value | grad: .a is of type string, not a tensor. Wrap it with tensor(), or close over it",
        "shape | vjp: a cotangent is f64[], its result f64[2]. They must be alike",
        "shape | jvp: a tangent is f64[], its primal f64[2]. They must be alike",
      ]
    `)
  })

  test('a value that escaped its transform has no data and says so', () => {
    let escaped: Tensor | undefined
    jvp((x: Tensor) => { escaped = mul(x, x); return x }, [f64(1)], [f64(1)])
    expect(message(() => escaped!.item())).toMatchInlineSnapshot(`"data | dataSync: f64[] has no value: it is being traced, or belongs to a transform that has ended. Read results outside of grad, jvp, vmap, trace or compile, of what the function returns"`)
    expect(message(() => add(escaped!, 1))).toMatchInlineSnapshot(`"data | add: an operand f64[] has no value here: it belongs to a grad, jvp or trace that has ended. Return it from the transformed function instead of keeping it"`)
  })
})

describe('vjp and jvp', () => {
  test('a pullback can be used again', () => {
    const [y, pullback] = vjp((a: Tensor, b: Tensor) => mul(a, b), [f64([1, 2]), f64([3, 4])])
    expect(y.toArray()).toEqual([3, 8])
    for (const scale of [1, 10]) expect(pullback(f64([scale, 0])).map(d => d.toArray())).toEqual([[3 * scale, 0], [scale, 0]])
  })

  test('of trees', () => {
    const f = (p: { a: Tensor; b: Tensor }): { sum: Tensor; product: Tensor } => ({ sum: add(p.a, p.b), product: mul(p.a, p.b) })
    const [y, pullback] = vjp(f, [{ a: f64(2), b: f64(3) }])
    expect([y.sum.item(), y.product.item()]).toEqual([5, 6])
    const [d] = pullback({ sum: f64(1), product: f64(10) })
    expect([d.a.item(), d.b.item()]).toEqual([31, 21])
    const [z, t] = jvp(f, [{ a: f64(2), b: f64(3) }], [{ a: f64(1), b: f64(0) }])
    expect([z.product.item(), t.sum.item(), t.product.item()]).toEqual([6, 1, 3])
  })

  test('jvp of what does not depend on its input is zero', () => {
    expect(jvp((_x: Tensor) => f64([1, 2]), [f64(1)], [f64(1)])[1].toArray()).toEqual([0, 0])
  })
})

describe.each(nestings)('%s over %s', (outer, inner) => {
  const [D, d] = [modes[outer], modes[inner]]

  test('perturbations are not confused: d/dx[x · d/dy(x + y)] = 1', () => {
    expect(D(x => mul(x, d(y => add(x, y))(f64(1))))(f64(1)).item()).toBe(1)
    expect(D(x => mul(x, d(y => mul(x, y))(x)))(f64(3)).item()).toBe(6)
    expect(D(x => d(y => mul(y, mul(y, x)))(x))(f64(3)).item()).toBe(12) // d/dx 2x²
  })

  test('second and third derivatives', () => {
    const y = Math.tanh(0.4)
    expect(D(d(tanh))(f64(0.4)).item()).toBeCloseTo(-2 * y * (1 - y * y), 13)
    expect(D(D(d(tanh)))(f64(0.4)).item()).toBeCloseTo(-2 * (1 - y * y) * (1 - 3 * y * y), 13)
    expect(D(d(d(x => sin(exp(x)))))(f64(0.3)).item()).toBeCloseTo(thirdOfSinExp(0.3), 12)
  })
})

/** d³/dx³ sin eˣ = e·cos e − 3e²·sin e − e³·cos e, with e = eˣ */
const thirdOfSinExp = (x: number): number => {
  const e = Math.exp(x)
  return e * Math.cos(e) - 3 * e * e * Math.sin(e) - e ** 3 * Math.cos(e)
}

test('a Hessian times a vector is the same by all three roads', () => {
  const w = f64([[0.3, -1, 2], [0.5, 0.7, -0.2], [1, 0.1, 0.4]])
  const f = (x: Tensor): Tensor => sum(square(tanh(matmul(w, x))))
  const [x, v] = [f64([0.1, 0.2, -0.3]), f64([1, -2, 0.5])]
  const forwardOverReverse = jvp(grad(f), [x], [v])[1]
  const reverseOverReverse = grad((z: Tensor) => sum(mul(grad(f)(z), v)))(x)
  const reverseOverForward = grad((z: Tensor) => jvp(f, [z], [v])[1])(x)
  const step = 1e-5
  const [above, below] = [1, -1].map(s => grad(f)(add(x, mul(s * step, v))).dataSync() as Float64Array)
  for (const got of [forwardOverReverse, reverseOverReverse, reverseOverForward]) {
    (got.dataSync() as Float64Array).forEach((value, i) => {
      expect(value).toBeCloseTo((forwardOverReverse.dataSync() as Float64Array)[i]!, 12)
      expect(value).toBeCloseTo((above![i]! - below![i]!) / (2 * step), 7)
    })
  }
})
