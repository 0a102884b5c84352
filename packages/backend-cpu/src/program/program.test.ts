// Programs against ops one by one: every kind of loop, product and window, over random shapes.

import { autocast, broadcastTo, compile, full, grad, mul, sumTo, type Tensor, tensor, use, Variable, zeros } from '@bp/core'
import { trace } from '@bp/core/extend'
import { acos, add, asin, atan, cast, concat, convolve, cos, equal, erf, exp, expm1, Generator, layerNorm, less, lessEqual, linear, log, log1p, matmul, maxPool, pad, pow, relu, reshape, sigmoid, sin, softmax, split, sum, take, tan, tanh, transpose } from '@bp/ops'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backendOf } from '../backend.ts'
import { cpu } from '../index.ts'
import { kernels } from '../kernels.ts'

use(cpu())

const dtypes = ['float32', 'float64'] as const
const generator = new Generator(1)
const random = (shape: readonly number[], dtype: typeof dtypes[number]): Tensor => generator.normal(shape, { dtype })

const inTypeScript = backendOf(kernels)

/** The same tensor where no program runs. */
const there = (x: Tensor): Tensor => tensor(x.dataSync(), { shape: x.shape, dtype: x.dtype, backend: inTypeScript })

/** A function op by op in TypeScript and its compiled form agree, twice; nothing runs outside of WebAssembly. */
function same(f: (...xs: Tensor[]) => Tensor, xs: readonly Tensor[]): void {
  const want = f(...xs.map(there))
  const compiled = compile(f)
  const numbers = [...want.dataSync()].map(Number)
  const size = Math.max(1, ...numbers.map(Math.abs).filter(Number.isFinite))
  const tolerance = (want.dtype === 'float64' ? 1e-12 : 2e-5) * size
  const runs = [compiled(...xs), compiled(...xs)]
  expect(compiled.explain(...xs)).not.toContain('TypeScript')
  expect(runs[0]!.dataSync()).toEqual(runs[1]!.dataSync())
  runs[0]!.dataSync().forEach((value, i) => { expect(Math.abs(Number(value) - numbers[i]!), `element ${i}`).toBeLessThanOrEqual(tolerance) })
}

describe.each(dtypes)('in %s', dtype => {
  it('loops over any broadcast, reduces over any axes', () => {
    const axis = fc.integer({ min: 1, max: 9 })
    fc.assert(fc.property(fc.array(axis, { minLength: 1, maxLength: 4 }), fc.nat(15), fc.nat(15), (shape, mask, reduced) => {
      const x = random(shape, dtype)
      const y = random(shape.map((n, i) => mask >> i & 1 ? 1 : n), dtype)
      const axes = shape.flatMap((_, i) => reduced >> i & 1 ? i : [])
      same((x, y) => add(mul(x, y), relu(x)), [x, y])
      same((x, y) => sum(mul(x, y), axes), [x, y])
      same((x, y) => mul(relu(mul(x, y)), sum(mul(x, x), axes, true)), [x, y])
      same(x => transpose(mul(x, x)), [x])
    }), { numRuns: 25 })
  })

  it('sums over axes of size 1 by dropping them: a bias’s gradient of one sample', () => {
    const x = random([1, 1, 40], dtype)
    same(x => add(sumTo(mul(x, x), [40]), 1), [x])
    same(x => sumTo(transpose(mul(x, x), [0, 2, 1]), [40, 1]), [x])
  })

  it('sums over axes of size 1, as the bias of a batch of one does', () => {
    const x = random([1, 5], dtype), b = random([5], dtype)
    same(grad((b: Tensor, x: Tensor) => sum(tanh(add(x, b)))), [b, x])
    same(x => sum(x, 0), [x])
  })

  it('makes rows in passes: softmax, layer normalisation and their gradients', () => {
    for (const shape of [[3, 5], [64, 100], [2, 3, 33]]) {
      const x = random(shape, dtype), w = random(shape.slice(-1), dtype)
      same(x => softmax(x), [x])
      same(x => broadcastTo(mul(sum(x, -1, true), 2), shape), [x])
      same(grad((x: Tensor) => sum(mul(softmax(x), x))), [x])
      same((x, w) => layerNorm(x, 1, w, w), [x, w])
      same(grad((x: Tensor, w: Tensor) => sum(mul(layerNorm(x, 1, w, w), x))), [x, w])
    }
  })

  it('multiplies matrices of any size, transposed or in stacks', () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 60, max: 140 }))
    fc.assert(fc.property(size, size, size, (m, n, k) => {
      same(matmul, [random([m, k], dtype), random([k, n], dtype)])
      same((a, b) => matmul(transpose(a), transpose(b)), [random([k, m], dtype), random([n, k], dtype)])
      same((a, b) => matmul(transpose(a, [0, 2, 1, 3]), transpose(b, [0, 2, 3, 1])), [random([2, m, 3, k], dtype), random([2, n, 3, k], dtype)])
    }), { numRuns: 8 })
  })

  it('runs the loop that follows a product or a convolution in its blocks', () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 60, max: 140 }))
    const follows = (f: (...xs: Tensor[]) => Tensor, xs: Tensor[]): void => {
      same(f, xs)
      expect(compile(f).explain(...xs)).toMatch(/[1-9]\d* of them with the loop that follows in their blocks/)
    }
    fc.assert(fc.property(size, size, size, fc.integer({ min: 1, max: 4 }), (m, n, k, stack) => {
      const a = random([m, k], dtype), b = random([k, n], dtype), bias = random([n], dtype), rest = random([m, n], dtype)
      follows((a, b, bias) => relu(add(matmul(a, b), bias)), [a, b, bias])
      follows((a, b) => add(matmul(a, b), matmul(b, a)), [random([m, m], dtype), random([m, m], dtype)])
      follows((a, b, rest) => sum(mul(matmul(a, b), rest), 0), [a, b, rest])
      follows((a, b, rest) => sum(mul(matmul(a, b), rest)), [a, b, rest])
      follows((a, b) => layerNorm(matmul(a, b), 1), [a, b])
      follows((a, b, bias) => relu(add(matmul(a, b), bias)), [random([stack, m, k], dtype), random([stack, k, n], dtype), bias])
    }), { numRuns: 6 })
    const image = random([2, 3, 9, 7], dtype), kernel = random([5, 3, 3, 3], dtype), bias = random([5, 1, 1], dtype)
    follows((x, w, bias) => relu(add(convolve(x, w, { padding: 1 }), bias)), [image, kernel, bias])
    follows((x, w, bias) => layerNorm(add(convolve(x, w), bias), 2), [image, kernel, bias])
  })

  it('updates a variable where it lies only if the product before does not read it', () => {
    const w = random([40, 40], dtype), x = random([40, 40], dtype)
    const twice = (f: (w: Tensor, x: Tensor) => Tensor): void => {
      const variable = new Variable(w)
      const step = compile((x: Tensor) => {
        variable.assign(f(variable, x))
        return [] as Tensor[]
      })
      step(x)
      step(x)
      const want = [...f(f(w, x), x).dataSync()].map(Number)
      variable.dataSync().forEach((value, i) => { expect(Math.abs(Number(value) - want[i]!)).toBeLessThan(1e-3 * (1 + Math.abs(want[i]!))) })
    }
    twice((w, x) => add(w, mul(0.01, matmul(transpose(x), x))))
    twice((w, x) => add(w, mul(0.01, matmul(w, x))))
    twice((w, x) => add(w, mul(0.01, matmul(x, transpose(w)))))
  })

  it('convolves with any geometry, in all three directions', () => {
    const few = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max })
    fc.assert(fc.property(few(3), few(2), few(3), few(6), few(3), few(3), few(2), fc.nat(3), fc.integer({ min: 1, max: 3 }), (axes, groups, inputs, outputs, kernel, stride, dilation, padding, images) => {
      const size = (kernel - 1) * dilation + 1 + stride + axes
      const spatial = new Array<number>(axes).fill(size)
      const x = random([images, inputs * groups, ...spatial], dtype), w = random([outputs * groups, inputs, ...new Array<number>(axes).fill(kernel)], dtype)
      const f = (x: Tensor, w: Tensor): Tensor => convolve(x, w, { stride, dilation, padding, groups })
      const ct = random(f(x, w).shape, dtype)
      same(f, [x, w])
      same(grad((x: Tensor, w: Tensor, ct: Tensor) => sum(mul(f(x, w), ct))), [x, w, ct])
      same(grad((x: Tensor, w: Tensor, ct: Tensor) => sum(mul(f(x, w), ct)), { argnum: 1 }), [x, w, ct])
    }), { numRuns: 25 })
  })

  it('pools, and takes the gradient to the places of the maxima', () => {
    for (const [shape, options] of [[[2, 3, 8, 12], { kernel: 2 }], [[2, 3, 9, 11], { kernel: 3, stride: 2, padding: 1 }], [[1, 2, 20], { kernel: 3, stride: 1, dilation: 2 }], [[1, 2, 5, 6, 9], { kernel: 2 }]] as const) {
      const x = random(shape, dtype)
      same(x => maxPool(x, options), [x])
      same(grad((x: Tensor) => sum(mul(maxPool(x, options), maxPool(x, options)))), [x])
    }
  })

  it('reads, adds, joins, pads and splits', () => {
    const index = tensor([3, 0, 2, -1, 3], { dtype: 'int32' })
    for (const axis of [0, 1]) {
      const x = random([4, 4, 37], dtype)
      same((x, i) => take(x, i, axis), [x, index])
      same(grad((x: Tensor, i: Tensor) => sum(mul(take(x, i, axis), take(x, i, axis)))), [x, index])
    }
    same((x, y) => concat([x, y, x], 1), [random([3, 4, 5], dtype), random([3, 2, 5], dtype)])
    same(x => pad(x, [[1, 2], [0, 3]]), [random([3, 4], dtype)])
    same(grad((x: Tensor) => {
      const [a, b] = split(x, 2, 1) as [Tensor, Tensor]
      return sum(mul(a, mul(a, b)))
    }), [random([3, 4, 5], dtype)])
  })
})

it('sums that go over several lines round little, where one long run of additions drifts', () => {
  for (const value of [0.1, 0.3, 1 / 3, 0.7]) {
    const total = compile((x: Tensor) => sum(x, [0, 2]))(full([64, 2, 256], value))
    for (const got of total.dataSync()) expect(Math.abs(Number(got) / (Math.fround(value) * 64 * 256) - 1)).toBeLessThan(1e-6)
  }
})

describe('functions of elements', () => {
  const numbers = [0, -0, 0.3, -0.7, 1, -1, 2.5, -40, 1e6, -3e8, 1e30, NaN, Infinity, -Infinity]

  it.each(dtypes)('give the special values that ops give, at the ends of loops too, in %s', dtype => {
    const x = tensor(numbers, { dtype }), y = tensor(numbers.toReversed(), { dtype })
    const close = (got: number, want: number): boolean => Object.is(got, want) || Math.abs(got - want) <= (dtype === 'float64' ? 1e-15 : 5e-7) * Math.abs(want)
    for (const f of [exp, expm1, log, log1p, tanh, sigmoid, erf, sin, cos, tan, asin, acos, atan, (x: Tensor): Tensor => pow(x, y)]) {
      const compiled = compile(f)
      const [got, want] = [compiled(x), f(x)].map(z => [...z.dataSync()].map(Number)) as [number[], number[]]
      expect(compiled.explain(x)).not.toContain('TypeScript')
      got.forEach((value, i) => { expect(close(value, want[i]!), `${f.name} of ${numbers[i]} gives ${value}, the op ${want[i]}`).toBe(true) })
    }
  })

  it('compares booleans, false before true', () => {
    const a = tensor([false, false, true, true]), b = tensor([false, true, false, true])
    for (const f of [equal, less, lessEqual]) same(f, [a, b])
  })
})

describe('variables', () => {
  it('live in the memory of programs, and read as they were when read', () => {
    const count = new Variable(tensor([1, 2]))
    const step = compile(() => {
      count.assign(mul(count, 2))
      return [] as Tensor[]
    })
    step()
    const kept = add(count, 0)
    const view = count.dataSync()
    const alias = reshape(count, [2, 1])
    step()
    expect([[...kept.dataSync()], [...view], [...alias.dataSync()], [...count.dataSync()]]).toEqual([[2, 4], [2, 4], [2, 4], [4, 8]])
    count.assign(tensor([10, 20]))
    step()
    expect([...count.dataSync()]).toEqual([20, 40])
  })

  it('are updated together: each sees the others as they were', () => {
    const a = new Variable(tensor([1, 2, 3])), b = new Variable(tensor([4, 5, 6]))
    const swap = compile(() => {
      const before = mul(a, 1)
      a.assign(mul(b, 1))
      b.assign(before)
      return [] as Tensor[]
    })
    swap()
    expect([[...a.dataSync()], [...b.dataSync()]]).toEqual([[4, 5, 6], [1, 2, 3]])
    swap()
    expect([...a.dataSync()]).toEqual([1, 2, 3])
  })

  it('may be shared by several programs', () => {
    const w = new Variable(zeros([3]))
    const up = compile((x: Tensor) => {
      w.assign(add(w, x))
      return [] as Tensor[]
    }), read = compile((x: Tensor) => mul(w, x))
    up(tensor([1, 2, 3]))
    expect([...read(tensor([2, 2, 2])).dataSync()]).toEqual([2, 4, 6])
    up(tensor([1, 2, 3]))
    expect([...read(tensor([2, 2, 2])).dataSync()]).toEqual([4, 8, 12])
  })
})

describe('fences', () => {
  it('keep ops apart that would share a loop, and copies for them too', () => {
    const graph = trace(x => [exp(mul(x, 2)), reshape(transpose(x), [12]), exp(reshape(transpose(x), [12]))], [{ shape: [3, 4], dtype: 'float32' }])
    const groups = (fenceOf: (i: number) => number): number => {
      const fenced = { ...graph, nodes: graph.nodes.map((node, i) => ({ ...node, fence: fenceOf(i) })) }
      const { bytes, groups } = cpu().plan!(fenced)!
      const program = cpu().lower!(fenced)!
      expect(program.bytes).toBe(bytes)
      expect(program.run([new Float32Array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])], [])[1]).toEqual(new Float32Array([1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12]))
      return groups.length
    }
    const names = graph.nodes.map(({ row }) => row.name)
    expect(groups(i => i > names.indexOf('mul') ? 1 : 0)).toBe(groups(() => 0) + 1)
  })
})

describe('errors', () => {
  it('an index out of range is refused, and nothing is returned', () => {
    const f = compile((x: Tensor, i: Tensor) => take(x, i))
    expect(() => f(tensor([1, 2, 3]), tensor([3], { dtype: 'int32' }))).toThrow(/an index is out of range/)
    expect(String(f(tensor([1, 2, 3]), tensor([2], { dtype: 'int32' })))).toBe('tensor([3], float32)')
  })

  it('a budget that is too small is named with what is needed', () => {
    const f = compile((x: Tensor) => exp(sum(mul(exp(x), exp(mul(x, x))), 1)), { maxBytes: 100 })
    expect(() => f(zeros([100, 100]))).toThrow(/takes \d+ bytes for its values, more than maxBytes = 100; the least that recomputing reaches is \d+/)
  })
})

describe('in float16', () => {
  const x = random([40, 30], 'float32'), w = random([20, 30], 'float32'), b = random([20], 'float32')
  const f = (x: Tensor, w: Tensor, b: Tensor): Tensor => autocast(() => sum(mul(softmax(linear(relu(linear(x, w, b)), transpose(w), x)), x)))

  it('loops and kernels compute in float32 and round: nothing runs outside of WebAssembly', () => {
    const compiled = compile(grad(f))
    const want = grad(f)(x, w, b)
    const got = compiled(x, w, b)
    expect(compiled.explain(x, w, b)).not.toContain('TypeScript')
    expect(compiled.dump(x, w, b)).toContain('roundHalf')
    want.dataSync().forEach((value: number | bigint, i: number) => { expect(Math.abs(Number(got.dataSync()[i]) - Number(value))).toBeLessThanOrEqual(2e-3) })
  })

  it('inputs, constants, variables and results are converted at the ends', () => {
    const half = (values: number[]): Tensor => tensor(values, { dtype: 'float16' })
    const [v, c] = [new Variable(half([1, 2, 3])), half([0.1, 0.2, 0.3])]
    const step = compile((z: Tensor) => {
      v.assign(add(mul(v, 2), z))
      return [mul(z, c), cast(v, 'float32'), less(z, c)] as const
    })
    step(half([0.5, 0.25, 0]))
    const [product, now, smaller] = step(half([0.5, 0.25, 0]))
    expect([product.dtype, v.dtype]).toEqual(['float16', 'float16'])
    expect(product.toArray()).toEqual(mul(half([0.5, 0.25, 0]), c).toArray())
    expect([now.toArray(), v.toArray(), smaller.toArray()]).toEqual([[5.5, 8.75, 12], [5.5, 8.75, 12], [false, false, true]])
  })

  it('a budget of bytes is kept', () => {
    const compiled = compile(grad(f))
    const least = compiled.bytes(x, w, b)
    const tight = compile(grad(f), { maxBytes: least - 500 })
    expect(tight.bytes(x, w, b)).toBeLessThanOrEqual(least - 500)
    expect(tight(x, w, b).dataSync()).toEqual(compiled(x, w, b).dataSync())
  })
})
