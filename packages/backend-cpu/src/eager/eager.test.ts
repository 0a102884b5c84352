// Eager mode in WebAssembly: every law holds where programs run at any size, the same call gives the same bits, and memory stays flat.

import { type Backend, grad, gradients, mul, noGrad, ones, type Tensor, tapeMemory, tensor, use } from '@bp/core'
import { convolve, crossEntropy, elu, exp, gelu, Generator, layerNorm, linear, logSoftmax, matmul, maxPool, mish, relu, sigmoid, silu, softmax, softplus, sum, take, tanh } from '@bp/ops'
import { allLaws, suite } from '@bp/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, it, test } from 'vitest'
import { backendOf } from '../backend.ts'
import { sharedEngine } from '../engine.ts'
import { cpu } from '../index.ts'
import { kernels } from '../kernels.ts'
import { programs, withWebAssembly } from './backend.ts'

const plain = backendOf(kernels) as Backend
const always = withWebAssembly(kernels, { nanoseconds: 1, chunks: [1, 64], fused: 1 }) as Backend

describe('programs at any size', () => {
  beforeAll(() => { use(always) })
  afterAll(() => { use(cpu()) })
  suite(test, allLaws({ only: ['shapes', 'values', 'adjoint', 'difference', 'second-order adjoint', 'saves', 'decomposition'] }))
})

/** Runs `f` on a backend, with inputs made by one seed; the numbers of its result. */
function on(backend: Backend, shapes: readonly (readonly number[])[], f: (...xs: Tensor[]) => Tensor): number[] {
  use(backend)
  const generator = new Generator(5)
  return [...f(...shapes.map(shape => generator.normal(shape))).dataSync()].map(Number)
}

function close(got: readonly number[], want: readonly number[]): void {
  expect(got.length).toBe(want.length)
  const size = Math.max(1, ...want.map(Math.abs))
  got.forEach((value, i) => { expect(Math.abs(value - want[i]!), `element ${i}`).toBeLessThanOrEqual(2e-5 * size) })
}

const pullback = (f: (...xs: Tensor[]) => Tensor, argnum = 0) => grad((...xs: Tensor[]) => sum(mul(f(...xs), f(...xs))), { argnum })

describe('large tensors', () => {
  afterEach(() => { use(cpu()) })

  const cases: readonly (readonly [string, readonly (readonly number[])[], (...xs: Tensor[]) => Tensor])[] = [
    ['matmul', [[70, 80], [80, 90]], matmul],
    ['matmul in stacks', [[3, 70, 80], [3, 80, 90]], matmul],
    ['convolve', [[2, 4, 20, 20], [6, 4, 3, 3]], (x, w) => convolve(x, w, { padding: 1 })],
    ['maxPool', [[2, 8, 40, 40]], x => maxPool(x, { kernel: 2 })],
    ...([exp, tanh, sigmoid, relu, gelu, silu, softplus, elu, mish, softmax, logSoftmax] as const).map((f): [string, number[][], (x: Tensor) => Tensor] => [f.name, [[130, 140]], x => f(x)]),
    ['layerNorm', [[130, 140], [140], [140]], (x, w, b) => layerNorm(x, 1, w, b)],
    ['linear', [[130, 140], [120, 140], [120]], (x, w, b) => linear(x, w, b)],
    ['mul by rows', [[130, 140], [140]], mul],
  ]
  it.each(cases)('%s and its derivatives are those of TypeScript', (_name, shapes, f) => {
    const backend = cpu() as Backend
    close(on(backend, shapes, f), on(plain, shapes, f))
    for (let i = 0; i < shapes.length; i++) close(on(backend, shapes, pullback(f, i)), on(plain, shapes, pullback(f, i)))
    // a program that was there before gives the same bits as one that was made for the call
    expect(on(backend, shapes, pullback(f))).toEqual(on(backend, shapes, pullback(f)))
  })

  it('derivatives of higher order run op by op, and are the same', () => {
    const f = grad((x: Tensor) => sum(mul(grad((x: Tensor) => sum(gelu(mul(x, x))))(x), x)))
    close(on(cpu(), [[130, 140]], f), on(plain, [[130, 140]], f))
  })

  it('an index out of range is the error of small tensors', () => {
    use(cpu())
    const x = new Generator(1).normal([100, 200])
    const index = tensor(Int32Array.from({ length: 1000 }, (_, i) => i === 999 ? 100 : i % 100))
    expect(() => take(x, index)).toThrowErrorMatchingInlineSnapshot(`[BpError: gather: index 100 is out of range for axis 0 of size 100. Use -100 to 99]`)
    expect(take(x, tensor(Int32Array.from({ length: 1000 }, (_, i) => -1 - i % 100))).shape).toEqual([1000, 200])
  })

  it('sums of many numbers are taken in double precision', () => {
    use(cpu())
    const x = tensor(new Float32Array(300_000).fill(0.1), { shape: [100_000, 3] })
    expect(sum(x, 0).toArray()).toEqual(new Array(3).fill(Math.fround(100_000 * Math.fround(0.1))))
  })
})

describe('what is recorded', () => {
  it('a composite of maps is one node that keeps its operand only, and recomputes the rest', () => {
    use(cpu())
    const nodes = (size: number): number => {
      const x = new Generator(2).normal([size])
      x.requiresGrad = true
      return tapeMemory(gelu(x), [x]).nodes
    }
    expect([nodes(20_000), nodes(10) > 4]).toEqual([2, true])
    const x = new Generator(2).normal([20_000])
    x.requiresGrad = true
    expect(tapeMemory(gelu(x), [x]).bytes).toBe(0)
  })

  it('what makes values that its derivative reads again is recorded op by op', () => {
    use(cpu())
    const x = new Generator(2).normal([4, 8, 40, 40])
    x.requiresGrad = true
    expect(tapeMemory(maxPool(x, { kernel: 2 })).nodes).toBeGreaterThan(2)
    expect(noGrad(() => maxPool(x, { kernel: 2 })).node).toBeNull()
  })

  it('a graph kept and pulled back twice gives the same gradients', () => {
    use(cpu())
    const x = new Generator(2).normal([20_000])
    x.requiresGrad = true
    const y = sum(gelu(x))
    const [first] = gradients(y, [x], { retainGraph: true })
    const [second] = gradients(y, [x])
    expect(second!.dataSync()).toEqual(first!.dataSync())
  })
})

describe('memory', () => {
  const bytes = (): number => process.memoryUsage().arrayBuffers + sharedEngine()!.heap.memory.buffer.byteLength

  it('stays flat in a loop that never yields, with nothing disposed of', () => {
    use(cpu())
    const generator = new Generator(3)
    const x = generator.normal([64, 256]), w = generator.normal([64, 256]), y = tensor(Int32Array.from({ length: 64 }, (_, i) => i))
    const step = grad((w: Tensor) => crossEntropy(linear(gelu(x), w), y))
    const most = (steps: number): number => {
      let top = 0
      for (let i = 0; i < steps; i++) {
        step(w)
        top = Math.max(top, bytes())
      }
      return top
    }
    const warm = most(400)
    // what the steps allocate is many times that
    expect(most(1600) - warm).toBeLessThan(1600 * 2 * 4 * x.size / 2)
  })

  it('does not grow with the number of shapes', () => {
    use(cpu())
    const run = (from: number): void => {
      for (let n = from; n < from + 300; n++) matmul(ones([n, 64]), ones([64, 1100 - n]))
    }
    run(100)
    const [size, memory] = [programs()!.size, sharedEngine()!.heap.memory.buffer.byteLength]
    run(400)
    expect(programs()!.size).toBeLessThanOrEqual(size)
    expect(sharedEngine()!.heap.memory.buffer.byteLength).toBeLessThanOrEqual(1.5 * memory)
  })
})
