// Gradients through gradients on real networks: MAML, Hessian–vector products of a CNN, implicit differentiation.

import { cpu } from '@bp/backend-cpu'
import { add, customVjp, grad, gradients, jvp, mul, type Tensor, tensor, use, valueAndGrad, vjp, zerosLike } from '@bp/core'
import { BatchNorm2d, Conv2d, crossEntropy, Flatten, Linear, manualSeed, MaxPool2d, ReLU, Sequential, Tanh } from '@bp/nn'
import { convolve, detach, div, Generator, matmul, maxPool, mean, oneHot, relu, reshape, softmaxCrossEntropy, standardise, sub, sum, tanh } from '@bp/ops'
import { describe, expect, test } from 'vitest'

use(cpu())

type Params = Readonly<Record<string, Tensor>>

const normal = (random: Generator, shape: number[], std = 1): Tensor => random.normal(shape, { dtype: 'float64', std })
const map = (f: (a: Tensor, b: Tensor) => Tensor, a: Params, b: Params): Params => Object.fromEntries(Object.entries(a).map(([key, x]) => [key, f(x, b[key]!)]))
const inner = (a: Params, b: Params): number => Object.entries(a).reduce((s, [key, x]) => s + sum(mul(x, b[key]!)).item(), 0)

describe('a CNN: convolution, batch normalisation, pooling, dense', () => {
  const random = new Generator(3)
  const x = normal(random, [4, 1, 8, 8])
  const y = oneHot(tensor([0, 2, 1, 2], { dtype: 'int32' }), 3, 'float64')
  const params: Params = {
    c1: normal(random, [4, 1, 3, 3], 0.5), g1: normal(random, [1, 4, 1, 1]), b1: normal(random, [1, 4, 1, 1]),
    c2: normal(random, [5, 4, 3, 3], 0.3), w: normal(random, [20, 3], 0.4), b: normal(random, [3]),
  }
  const loss = ({ c1, g1, b1, c2, w, b }: Params): Tensor => {
    const z1 = add(mul(standardise(convolve(x, c1!, { padding: 1 }), [0, 2, 3]), g1!), b1!)
    const h1 = maxPool(relu(z1), { kernel: 2 })
    const h2 = maxPool(tanh(convolve(h1, c2!, { padding: 1 })), { kernel: 2 })
    return mean(softmaxCrossEntropy(add(matmul(reshape(h2, [4, 20]), w!), b!), y))
  }
  const direction = Object.fromEntries(Object.entries(params).map(([key, p]) => [key, normal(random, [...p.shape])]))

  const products: Readonly<Record<string, () => Params>> = {
    'forward over reverse': () => jvp(grad(loss), [params], [direction])[1],
    'reverse over reverse': () => vjp(grad(loss), [params])[1](direction)[0],
    'reverse over forward': () => grad((p: Params) => jvp(loss, [p], [direction])[1])(params),
  }

  test.each(Object.keys(products))('the Hessian–vector product by %s is the difference of gradients', name => {
    const product = products[name]!()
    const h = 1e-5
    const at = (step: number): Params => grad(loss)(map((p, d) => add(p, mul(d, step)), params, direction))
    const expected = map((a, b) => div(sub(a, b), 2 * h), at(h), at(-h))
    for (const [key, p] of Object.entries(product)) {
      const scale = Math.max(...(expected[key]!.dataSync() as Float64Array).map(Math.abs))
      const error = Math.max(...(sub(p, expected[key]!).dataSync() as Float64Array).map(Math.abs))
      expect(error, key).toBeLessThan(1e-6 * Math.max(1, scale))
    }
  })

  test('the Hessian is symmetric: ⟨u, Hv⟩ = ⟨v, Hu⟩', () => {
    const other = Object.fromEntries(Object.entries(params).map(([key, p]) => [key, normal(random, [...p.shape])]))
    const hvp = (d: Params): Params => jvp(grad(loss), [params], [d])[1]
    expect(inner(other, hvp(direction))).toBeCloseTo(inner(direction, hvp(other)), 9)
  })

  test('a MAML step: the gradient through an inner step of gradient descent is that of differences', () => {
    const rate = 0.1
    const meta = (p: Params): Tensor => loss(map((q, g) => sub(q, mul(g, rate)), p, grad(loss)(p)))
    const [value, gradient] = valueAndGrad(meta)(params)
    expect(value.item()).toBeLessThan(loss(params).item())
    const h = 1e-5
    const slope = (meta(map((p, d) => add(p, mul(d, h)), params, direction)).item() - meta(map((p, d) => sub(p, mul(d, h)), params, direction)).item()) / (2 * h)
    expect(inner(gradient, direction)).toBeCloseTo(slope, 6)
  })

  test('the same by PyTorch’s surface: gradients with createGraph, then backward', () => {
    const rate = 0.1
    const leaves = Object.fromEntries(Object.entries(params).map(([key, p]) => [key, tensor(p.dataSync(), { shape: p.shape, requiresGrad: true })]))
    const names = Object.keys(leaves)
    const first = gradients(loss(leaves), Object.values(leaves), { createGraph: true })
    loss(Object.fromEntries(names.map((key, i) => [key, sub(leaves[key]!, mul(first[i]!, rate))]))).backward()
    const wanted = grad((p: Params) => loss(map((q, g) => sub(q, mul(g, rate)), p, grad(loss)(p))))(params)
    for (const key of names) expect(Math.max(...(sub(leaves[key]!.grad!, wanted[key]!).dataSync() as Float64Array).map(Math.abs))).toBeLessThan(1e-12)
  })
})

test('a Hessian–vector product of a model of layers: convolution, batch normalisation, pooling, by PyTorch’s surface', () => {
  manualSeed(5)
  const f64 = { dtype: 'float64' } as const
  const model = new Sequential(new Conv2d(1, 4, 3, { padding: 1, ...f64 }), new BatchNorm2d(4, f64), new ReLU(), new MaxPool2d(2), new Conv2d(4, 4, 3, f64), new Tanh(), new Flatten(), new Linear(16, 3, f64))
  const random = new Generator(6)
  const x = normal(random, [6, 1, 8, 8])
  const y = tensor([0, 1, 2, 0, 1, 2], { dtype: 'int32' })
  const params = model.parameters()
  const loss = (): Tensor => crossEntropy(model.forward(x), y)
  const directions = params.map(p => normal(random, [...p.shape]))
  const first = gradients(loss(), params, { createGraph: true })
  const product = gradients(first.map((g, i) => sum(mul(g!, directions[i]!))).reduce((a, b) => add(a, b)), params)
  const start = params.map(p => detach(p))
  const h = 1e-5
  const at = (step: number): Tensor[] => {
    params.forEach((p, i) => { p.assign(add(start[i]!, mul(directions[i]!, step))) })
    return gradients(loss(), params) as Tensor[]
  }
  const [high, low] = [at(h), at(-h)]
  product.forEach((hv, i) => {
    const expected = div(sub(high[i]!, low[i]!), 2 * h).dataSync() as Float64Array
    const scale = Math.max(1, ...expected.map(Math.abs))
    ;(hv!.dataSync() as Float64Array).forEach((value, j) => { expect(Math.abs(value - expected[j]!), `parameter ${i}`).toBeLessThan(1e-5 * scale) })
  })
})

test('implicit differentiation of a fixed point is the derivative of the iteration unrolled', () => {
  // z* = tanh(W·z* + x); dz*/dθ = (I − ∂f/∂z)⁻¹ ∂f/∂θ, by the implicit function theorem
  const random = new Generator(5)
  const f = (z: Tensor, W: Tensor, x: Tensor): Tensor => tanh(add(matmul(W, z), x))
  const solve = (g: (z: Tensor) => Tensor, start: Tensor): Tensor => {
    let z = start
    for (let i = 0; i < 80; i++) z = g(z)
    return z
  }
  const implicit = customVjp({
    name: 'fixedPoint',
    forward: (W: Tensor, x: Tensor) => {
      const z = solve(w => f(w, W, x), zerosLike(x))
      return [z, { z, W, x }] as const
    },
    backward: ({ z, W, x }, ct) => {
      // u = ct + (∂f/∂z)ᵀ·u, another fixed point
      const byZ = vjp((w: Tensor) => f(w, W, x), [z])[1]
      const u = solve(v => add(ct, byZ(v)[0]), ct)
      return vjp((V: Tensor, y: Tensor) => f(z, V, y), [W, x])[1](u)
    },
  })
  const unrolled = (W: Tensor, x: Tensor): Tensor => solve(w => f(w, W, x), zerosLike(x))
  const [W, x, c] = [normal(random, [4, 4], 0.2), normal(random, [4]), normal(random, [4])]
  const gradientOf = (g: typeof unrolled): Tensor[] => vjp((V: Tensor, y: Tensor) => sum(mul(c, g(V, y))), [W, x])[1](tensor(1, { dtype: 'float64' }))
  const [got, want] = [gradientOf(implicit), gradientOf(unrolled)]
  got.forEach((g, i) => { expect(Math.max(...(sub(g, want[i]!).dataSync() as Float64Array).map(Math.abs))).toBeLessThan(1e-12) })
})
