// Products that share a weight: their gradients as one product, and its panels packed once.

import { compile, grad, mul, type Tensor, use } from '@bp/core'
import { add, concat, Generator, lstm, matmul, narrow, relu, sub, sum, tanh, transpose } from '@bp/ops'
import { dot } from '@bp/ops/extend'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cpu } from '../index.ts'

use(cpu())

const dtypes = ['float32', 'float64'] as const
const generator = new Generator(1)

/** What a function gives compiled, twice the same bits, is what it gives op by op. */
function agrees(f: (...xs: Tensor[]) => Tensor, xs: readonly Tensor[]): void {
  const want = f(...xs)
  const compiled = compile(f)
  const got = compiled(...xs)
  expect(compiled(...xs).dataSync()).toEqual(got.dataSync())
  expect(got.shape).toEqual(want.shape)
  const wanted = [...want.dataSync()].map(Number)
  const tolerance = (want.dtype === 'float64' ? 1e-12 : 2e-5) * Math.max(1, ...wanted.map(Math.abs))
  got.dataSync().forEach((value, i) => { expect(Math.abs(Number(value) - wanted[i]!), `element ${i}`).toBeLessThanOrEqual(tolerance) })
}

/** The line of explain about sums of products, if there is one. */
const told = (f: (...xs: Tensor[]) => Tensor, ...xs: Tensor[]): string => compile(f).explain(...xs).split('\n').filter(line => line.includes('sums')).join()

describe.each(dtypes)('in %s', dtype => {
  const random = (...shape: number[]): Tensor => generator.normal(shape, { dtype })

  it('sums of products of any shapes, however their operands lie, are sums', () => {
    const size = fc.integer({ min: 1, max: 40 })
    fc.assert(fc.property(size, size, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 2, max: 6 }), fc.nat(3), (m, n, k, terms, how) => {
      const [ta, tb] = [how % 2 === 1, how > 1]
      const [as, bs] = [ta ? random(k * terms, m) : random(m, k * terms), tb ? random(n, k * terms) : random(k * terms, n)]
      // slices of one tensor, and every second one moved to lie by itself
      const part = (x: Tensor, axis: number, i: number): Tensor => i % 2 === 0 ? narrow(x, axis, i * k, k) : relu(narrow(x, axis, i * k, k))
      agrees((as, bs) => Array.from({ length: terms }, (_, i) => dot(part(as, ta ? 0 : 1, i), part(bs, tb ? 1 : 0, i), ta, tb)).reduce(add), [as, bs])
    }), { numRuns: 25 })
  })

  it('sums of products of several depths and of other things', () => {
    const [a, b, c, d, e] = [random(30, 3), random(3, 20), random(30, 5), random(5, 20), random(30, 20)]
    agrees((a, b, c, d, e) => add(add(add(matmul(a, b), e), add(matmul(c, d), tanh(e))), add(matmul(sub(a, 1), b), matmul(tanh(c), d))), [a, b, c, d, e])
  })

  it('few rows times one weight, step after step, and the gradient of the weight', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 40 }), fc.boolean(), (rows, size, transposed) => {
      const [x, w] = [random(rows, size), random(size, size)]
      const steps = (w: Tensor, x: Tensor): Tensor => Array.from({ length: 4 }).reduce<Tensor>(h => tanh(mul(0.5, matmul(h, transposed ? transpose(w) : w))), x)
      agrees(steps, [w, x])
      agrees(grad((w: Tensor, x: Tensor) => sum(mul(x, steps(w, x)))), [w, x])
    }), { numRuns: 15 })
  })

  it('the gradient of all weights of an LSTM', () => {
    const [x, ih, hh] = [random(9, 5, 3), random(80, 3), random(80, 20)]
    const loss = (...[ih, hh, x]: Tensor[]): Tensor => sum(mul(lstm(x!, [{ ih: ih!, hh: hh! }])[0], 0.1))
    for (const at of [0, 1]) agrees((...xs) => grad((w: Tensor) => loss(...xs.with(at, w)))(xs[at]!), [ih, hh, x])
  })
})

it('only sums that nobody reads in part, of products that are larger than their operands, are made one', () => {
  const [a, b] = [generator.normal([30, 3]), generator.normal([3, 20])]
  const twice = (a: Tensor, b: Tensor): Tensor => add(matmul(a, b), matmul(relu(a), b))
  expect(told(twice, a, b)).toMatchInlineSnapshot(`"2 products are computed as parts of others, which are their sums."`)
  expect(told((a, b) => concat([twice(a, b), matmul(a, b)]), a, b)).toBe('')
  expect(told(twice, generator.normal([30, 40]), generator.normal([40, 20]))).toBe('')
})

it('a weight that few rows are multiplied by several times is packed once, many rows by each product', () => {
  const packs = (rows: number): number => {
    const steps = (x: Tensor, w: Tensor): Tensor => Array.from({ length: 4 }).reduce<Tensor>(h => tanh(matmul(h, transpose(w))), x)
    return compile(steps).profile(generator.normal([rows, 96]), generator.normal([96, 96])).filter(({ name }) => name.includes('(pack)')).length
  }
  expect(packs(16)).toBe(1)
  // A and B of each
  expect(packs(100)).toBe(8)
})
