// What programs keep from run to run follows its variables: assigned from outside, or updated by another program.

import { add, compile, mul, noGrad, tensor, type Tensor, use, Variable } from '@bp/core'
import { convolve, convTranspose, Generator, matmul, relu, sqrt, sub } from '@bp/ops'
import { describe, expect, it } from 'vitest'
import { backendOf } from '../backend.ts'
import { cpu } from '../index.ts'
import { kernels } from '../kernels.ts'

use(cpu())

const inTypeScript = backendOf(kernels)
const there = (x: Tensor): Tensor => tensor(x.dataSync(), { shape: x.shape, backend: inTypeScript })

const generator = new Generator(11)
const random = (shape: number[]): Tensor => generator.uniform(shape, { low: -1, high: 1 })

function close(got: Tensor, want: Tensor): void {
  expect(got.shape).toEqual(want.shape)
  const numbers = want.dataSync() as Float32Array
  const size = numbers.reduce((most, value) => Math.max(most, Math.abs(value)), 1)
  const error = (got.dataSync() as Float32Array).reduce((most, value, i) => Math.max(most, Math.abs(value - numbers[i]!)), 0)
  expect(error).toBeLessThanOrEqual(2e-5 * size)
}

describe('what follows from variables alone', () => {
  const forms: Record<string, { shape: number[]; f: (x: Tensor, w: Tensor) => Tensor; x: number[] }> = {
    'a packed matrix': { shape: [96, 80], x: [40, 96], f: (x, w) => relu(matmul(x, w)) },
    'a packed left matrix': { shape: [64, 96], x: [96, 80], f: (x, w) => matmul(w, x) },
    'a matrix of two products': { shape: [96, 96], x: [20, 96], f: (x, w) => matmul(relu(matmul(x, w)), w) },
    'a kernel': { shape: [16, 8, 3, 3], x: [1, 8, 20, 24], f: (x, w) => convolve(x, w, { padding: 1 }) },
    'a pointwise kernel': { shape: [48, 32, 1, 1], x: [2, 32, 12, 20], f: (x, w) => relu(convolve(x, w)) },
    'factors': { shape: [8, 1, 1], x: [1, 8, 9, 9], f: (x, w) => mul(x, sqrt(add(mul(w, w), 1))) },
    'a kernel made of one': { shape: [8, 8, 3, 3], x: [1, 8, 16, 16], f: (x, w) => convolve(x, mul(w, 2), { padding: 1 }) },
  }

  it.each(Object.keys(forms))('%s', name => {
    const { shape, x: size, f } = forms[name]!
    const w = new Variable(random(shape))
    const x = random(size)
    const run = compile((x: Tensor) => f(x, w))
    const step = compile(() => {
      w.assign(sub(mul(w, 0.5), 0.1))
      return []
    })
    const check = (): void => { close(run(x), f(x, w)) }
    check()
    check()
    noGrad(() => { w.assign(random(shape)) })
    check()
    step()
    check()
    step()
    step()
    check()
    check()
  })
})

describe('convolutions of few images give what they give in TypeScript', () => {
  it.each<[string, (x: Tensor, w: Tensor) => Tensor, number[], number[]]>([
    ['pointwise', (x, w) => convolve(x, w), [3, 24, 5, 7], [40, 24, 1, 1]],
    ['pointwise, in groups', (x, w) => convolve(x, w, { groups: 4 }), [2, 24, 5, 7], [40, 6, 1, 1]],
    ['pointwise, of one place', (x, w) => relu(convolve(x, w)), [3, 40, 1, 1], [24, 40, 1, 1]],
    ['pointwise, the transpose', (y, w) => convTranspose(y, w), [2, 20, 9, 11], [20, 32, 1, 1]],
    ['pointwise, the transpose of one place', (y, w) => convTranspose(y, w), [5, 20, 1, 1], [20, 32, 1, 1]],
    ['of strides, padded once', (x, w) => convolve(x, w, { stride: 2, padding: 1 }), [1, 3, 65, 70], [20, 3, 3, 3]],
    ['of strides, padded unevenly', (x, w) => convolve(x, w, { stride: 3, padding: [[2, 0], [1, 3]] }), [1, 5, 40, 41], [24, 5, 4, 5]],
    ['of negative reach', (x, w) => convolve(x, w, { padding: 2 }), [1, 16, 3, 40], [24, 16, 3, 3]],
    ['the transpose of strides', (y, w) => convTranspose(y, w, { stride: [2, 3], padding: [[1, 1], [0, 1]] }), [1, 16, 16, 20], [16, 24, 3, 4]],
    ['one channel a group', (x, w) => convolve(x, w, { groups: 12, padding: 2 }), [1, 12, 10, 33], [12, 1, 5, 5]],
  ])('%s', (_name, f, x, w) => {
    const [a, b] = [random(x), random(w)]
    const want = f(there(a), there(b))
    const run = compile(f)
    close(run(a, b), want)
    close(run(a, b), want)
  })
})
