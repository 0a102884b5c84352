// Matrices of derivatives: Jacobians in both modes and layouts, Hessians, products with them, linear maps, dual numbers.

import { cpu } from '@bp/backend-cpu'
import { cos, exp, Generator, logSumExp, matmul, mean, reshape, sin, softmax, sub, sum, tanh, transpose } from '@bp/ops'
import { describe, expect, test } from 'vitest'
import { add, derivative, dual, gaussNewtonProduct, grad, hessian, hvp, jacfwd, jacobian, jacrev, jvp, linearize, mul, type Tensor, tensor, use, vhp } from './index.ts'

use(cpu())

const random = new Generator(12)
const randn = (...shape: number[]): Tensor => random.normal(shape, { dtype: 'float64' })
const numbers = (x: Tensor): number[] => Array.from(x.dataSync() as Float64Array)
const close = (got: Tensor, want: Tensor, digits = 11): void => {
  expect(got.shape).toEqual(want.shape)
  numbers(got).forEach((value, i) => { expect(value).toBeCloseTo(numbers(want)[i]!, digits) })
}
const diagonal = (x: Tensor): Tensor => tensor(numbers(x).flatMap((v, i, all) => all.map((_, j) => i === j ? v : 0)), { shape: [x.size, x.size], dtype: 'float64' })

describe('Jacobians', () => {
  const [W, V] = [randn(5, 4), randn(3, 5)]
  const mlp = (x: Tensor): Tensor => matmul(V, tanh(matmul(W, x)))
  const x = randn(4)

  test('both modes, and the chosen one, agree with the chain rule', () => {
    const h = tanh(matmul(W, x))
    const want = matmul(V, matmul(diagonal(sub(1, mul(h, h))), W))
    for (const mode of [jacrev, jacfwd, jacobian]) close(mode(mlp)(x), want)
    close(jacobian((z: Tensor) => matmul(transpose(W), matmul(W, z)))(x), matmul(transpose(W), W))
  })

  test('the numerator layout is [...y, ...x], the denominator layout its transpose', () => {
    for (const mode of [jacrev, jacfwd, jacobian]) close(mode(mlp, { layout: 'denominator' })(x), transpose(mode(mlp)(x)))
    expect(jacobian((z: Tensor) => reshape(z, [2, 2]))(x).shape).toEqual([2, 2, 4])
    expect(jacobian((z: Tensor) => reshape(z, [2, 2]), { layout: 'denominator' })(x).shape).toEqual([4, 2, 2])
    // of a scalar: a row to Bishop, a column to Goodfellow, and here a vector to both
    close(jacobian((z: Tensor) => sum(mul(z, z)))(x), mul(2, x))
  })

  test('the softmax Jacobian is diag(y) − yyᵀ', () => {
    const y = softmax(x)
    close(jacrev((z: Tensor) => softmax(z))(x), sub(diagonal(y), matmul(reshape(y, [4, 1]), reshape(y, [1, 4]))))
  })

  test('by another argument, and by a tree', () => {
    const f = (a: Tensor, p: { w: Tensor; b: Tensor }): Tensor => add(matmul(p.w, a), p.b)
    const p = { w: randn(2, 4), b: randn(2) }
    for (const mode of [jacrev, jacfwd, jacobian]) {
      const j = mode(f, { argnum: 1 })(x, p)
      expect(j.w.shape).toEqual([2, 2, 4])
      close(j.b, diagonal(tensor([1, 1], { dtype: 'float64' })))
      close(reshape(j.w, [2, 8]), tensor([...numbers(x), 0, 0, 0, 0, 0, 0, 0, 0, ...numbers(x)], { shape: [2, 8], dtype: 'float64' }))
    }
  })

  test('they differentiate themselves, and are constants where nothing asks', () => {
    const f = (z: Tensor): Tensor => sum(mul(jacrev(mlp)(z), jacfwd(mlp)(z)))
    const h = 1e-6
    const t = randn(4)
    const slope = (f(add(x, mul(t, h))).item() - f(sub(x, mul(t, h))).item()) / (2 * h)
    expect(sum(mul(grad(f)(x), t)).item()).toBeCloseTo(slope, 6)
    expect(jvp(f, [x], [t])[1].item()).toBeCloseTo(slope, 6)
    expect([jacrev(mlp)(x).requiresGrad, jacfwd(mlp)(x).requiresGrad]).toEqual([false, false])
  })
})

describe('Hessians', () => {
  const A = randn(4, 4)
  const x = randn(4)

  test('of xᵀAx it is A + Aᵀ', () => {
    close(hessian((z: Tensor) => sum(mul(z, matmul(A, z))))(x), add(A, transpose(A)))
  })

  test('products need no matrix: H·v forward over reverse, vᵀ·H reverse over reverse', () => {
    const f = (z: Tensor): Tensor => logSumExp(mul(sin(matmul(A, z)), z))
    const H = hessian(f)(x)
    close(H, transpose(H))
    const v = randn(4)
    close(hvp(f, [x], [v])[0], matmul(H, v))
    close(vhp(f, [x], [v])[0], matmul(H, v))
  })

  test('products over several arguments and trees', () => {
    const f = ({ a }: { a: Tensor }, b: Tensor): Tensor => sum(mul(mul(a, a), b))
    const [a, b, u, v] = [randn(3), randn(3), randn(3), randn(3)]
    const [{ a: ha }, hb] = hvp(f, [{ a }, b], [{ a: u }, v])
    close(ha, add(mul(mul(2, b), u), mul(mul(2, a), v)))
    close(hb, mul(mul(2, a), u))
  })

  test('what they cannot do is an error', () => {
    expect(() => hvp((z: Tensor) => mul(z, z), [x], [x])).toThrowErrorMatchingInlineSnapshot(`[BpError: hvp: the function must return a scalar, got f64[4]. Reduce it with sum or mean]`)
    expect(() => hessian(({ a }: { a: Tensor }) => sum(a))({ a: x })).toThrowErrorMatchingInlineSnapshot(`[BpError: hessian: needs a tensor to differentiate by. For a tree of parameters use hvp, or stack them in one tensor]`)
  })
})

test('the Gauss–Newton product is Jᵀ·H·J·v', () => {
  const [W, x, t] = [randn(3, 4), randn(4), randn(3)]
  const model = (w: Tensor): Tensor => tanh(matmul(w, x))
  const loss = (y: Tensor): Tensor => mean(mul(sub(y, t), exp(y)))
  const v = randn(3, 4)
  const J = reshape(jacrev(model)(W), [3, 12])
  const want = matmul(transpose(J), matmul(hessian(loss)(model(W)), matmul(J, reshape(v, [12]))))
  close(reshape(gaussNewtonProduct(model, loss, [W], [v])[0], [12]), want)
})

test('linearize evaluates the function once and applies its derivative often', () => {
  let runs = 0
  const f = (x: Tensor, y: Tensor): Tensor => {
    runs++
    return mul(sin(x), exp(y))
  }
  const [x, y] = [randn(3), randn(3)]
  const [value, push] = linearize(f, [x, y])
  close(value, mul(sin(x), exp(y)))
  for (let i = 0; i < 3; i++) {
    const [s, t] = [randn(3), randn(3)]
    close(push(s, t), jvp(f, [x, y], [s, t])[1])
  }
  expect(runs).toBe(1 + 3)
  // and it differentiates, by the point and by the tangent
  const t = randn(3)
  const along = (z: Tensor): Tensor => sum(linearize(sin, [z])[1](t))
  close(grad(along)(x), mul(mul(-1, sin(x)), t))
  close(jvp(along, [x], [t])[1], sum(mul(mul(-1, sin(x)), mul(t, t))))
  close(grad((z: Tensor) => sum(push(z, t)))(t), mul(cos(x), exp(y)))
  expect(() => push(tensor(1), tensor(1))).toThrowErrorMatchingInlineSnapshot(`[BpError: linearize: a tangent is f32[], its primal f64[3]. They must be alike]`)
})

test('dual numbers carry the derivative of every operation', () => {
  const x = 0.7
  const cases = {
    add: derivative(z => z.add(3).add(z), x) - 2,
    sub: derivative(z => z.sub(z.mul(3)), x) + 2,
    mul: derivative(z => z.mul(z).mul(2), x) - 4 * x,
    div: derivative(z => dual(1).div(z), x) + 1 / (x * x),
    neg: derivative(z => z.neg(), x) + 1,
    pow: derivative(z => z.pow(3), x) - 3 * x * x,
    exp: derivative(z => z.exp(), x) - Math.exp(x),
    log: derivative(z => z.log(), x) - 1 / x,
    sqrt: derivative(z => z.sqrt(), x) - 0.5 / Math.sqrt(x),
    sin: derivative(z => z.sin(), x) - Math.cos(x),
    cos: derivative(z => z.cos(), x) + Math.sin(x),
    tanh: derivative(z => z.tanh(), x) - (1 - Math.tanh(x) ** 2),
    constant: derivative(() => 5, x),
    chain: derivative(z => z.mul(z).sin(), x) - 2 * x * Math.cos(x * x),
  }
  for (const [name, error] of Object.entries(cases)) expect(error, name).toBeCloseTo(0, 14)
  expect([String(dual(3, 1)), String(dual(3, -1)), derivative(z => z.pow(0), 0)]).toEqual(['3 + 1ε', '3 - 1ε', 0])
})
