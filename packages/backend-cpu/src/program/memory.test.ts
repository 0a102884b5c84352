// What programs keep in memory: results written over operands, values computed again or early, gradients freed by their updates.

import { compile, grad, mul, type Tensor, tensor, use, Variable } from '@bp/core'
import { add, exp, gelu, Generator, matmul, relu, sigmoid, softmax, sub, sum, tanh, transpose } from '@bp/ops'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cpu } from '../index.ts'

use(cpu())

const n = 64
const square = 4 * n * n
const generator = new Generator(1)
const random = (...shape: number[]): Tensor => generator.uniform(shape, { low: -1, high: 1 })

/** A function gives compiled what it gives op by op. */
function same(f: (...xs: Tensor[]) => Tensor | Tensor[], xs: readonly Tensor[]): void {
  const all = (...xs: Tensor[]): Tensor[] => [f(...xs)].flat()
  const want = all(...xs)
  const compiled = compile(all)
  for (const got of [compiled(...xs), compiled(...xs)]) {
    got.forEach((y, i) => {
      const numbers = Array.from(want[i]!.dataSync(), Number)
      const size = Math.max(1, ...numbers.map(Math.abs))
      y.dataSync().forEach((value, k) => { expect(Math.abs(Number(value) - numbers[k]!), `result ${i}, element ${k}`).toBeLessThanOrEqual(2e-5 * size) })
    })
  }
}

const bytesOf = (f: (...xs: Tensor[]) => Tensor | Tensor[], xs: readonly Tensor[]): number => compile(f).bytes(...xs)

describe('results written over operands', () => {
  const [x, w] = [random(n, n), random(n, n)]
  const product = bytesOf(matmul, [x, w])

  it('elementwise ops before and after a product take no bytes', () => {
    expect(bytesOf((x, w) => relu(add(mul(matmul(exp(mul(x, 2)), w), 3), 1)), [x, w])).toBe(product)
  })

  it('nor does what goes through rows in passes', () => {
    // but for what each row is divided by
    expect(bytesOf((x, w) => softmax(matmul(x, w)), [x, w]) - product).toBeLessThanOrEqual(1024)
    same((x, w) => softmax(matmul(x, w)), [x, w])
  })

  it('but what is needed later, or elsewhere in the same loop, stays', () => {
    const cases: ((x: Tensor, w: Tensor) => Tensor[])[] = [
      // by a later op
      (x, w) => {
        const y = matmul(x, w)
        return [add(matmul(tanh(y), w), y)]
      },
      // at other elements
      (x, w) => {
        const y = matmul(x, w)
        return [add(y, transpose(y))]
      },
      // in a later pass over the row than the one that writes
      (x, w) => {
        const y = matmul(x, w)
        const e = tanh(mul(y, y))
        return [matmul(e, w), mul(sum(e, 1, true), y)]
      },
      // in the same pass, after another result was written
      (x, w) => {
        const [y, z] = [matmul(x, w), matmul(w, x)]
        const e = tanh(w)
        return [matmul(e, w), mul(e, y), mul(e, z)]
      },
      // by a sum over rows that is totalled later
      (x, w) => {
        const y = matmul(x, w)
        return [mul(y, 2), sum(mul(y, y), 0), sum(y, 1), sum(y)]
      },
      // a row's value
      (x, w) => {
        const s = sum(matmul(x, w), 1, true)
        return [matmul(transpose(s), w), mul(s, s), sub(w, s)]
      },
    ]
    for (const f of cases) same(f, [x, w])
  })

  it('in any program of elementwise ops, reductions and products', () => {
    const op = fc.tuple(fc.nat(9), fc.nat(), fc.nat())
    fc.assert(fc.property(fc.array(op, { minLength: 3, maxLength: 24 }), fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), fc.constantFrom([12, 12], [33, 33], [140, 140]), (list, results, shape) => {
      const f = (...xs: Tensor[]): Tensor[] => {
        const made = [...xs]
        for (const [which, i, k] of list) {
          const a = made[i % made.length]!, b = made[k % made.length]!
          made.push([
            () => add(a, b), () => mul(a, b), () => relu(a), () => tanh(sub(a, b)), () => mul(a, transpose(b)), () => sub(a, mul(sum(b, 1, true), 0.1)),
            () => add(a, mul(sum(b, 0), 0.1)), () => softmax(a), () => mul(matmul(a, b), 0.1), () => sigmoid(a),
          ][which]!())
          // numbers stay small
          made[made.length - 1] = tanh(made.at(-1)!)
        }
        return results.map(i => made[made.length - 1 - i % 3]!)
      }
      const xs = [random(...shape), random(...shape)]
      same(f, xs)
      same(grad((x: Tensor, w: Tensor) => f(x, w).map(y => sum(mul(y, y))).reduce((a, b) => add(a, b))), xs)
    }), { numRuns: 15 })
  })
})

describe('values kept for a gradient', () => {
  const depth = 6
  const [x, w] = [random(n, n), mul(random(n, n), 1 / 8)]
  /** The gradient by x through some layers of an elementwise function; a chain of them keeps what `f` needs of each layer. */
  const deep = (f: (x: Tensor) => Tensor): (x: Tensor, w: Tensor) => Tensor => grad((x: Tensor, w: Tensor) => {
    let h = x
    for (let i = 0; i < depth; i++) h = f(matmul(h, w))
    return sum(h)
  })
  const product = bytesOf(matmul, [x, w])

  it('are comparisons where only the sign is needed: a byte an element', () => {
    const f = deep(relu)
    // and one or two while the panels of a product are still there
    expect(bytesOf(f, [x, w])).toBeLessThanOrEqual(product + (depth + 2) * n * n)
    same(f, [x, w])
  })

  it('are what elementwise ops can be computed from again', () => {
    const f = deep(x => gelu(x, { approximate: 'tanh' }))
    expect(bytesOf(f, [x, w])).toBeLessThanOrEqual(product + depth * square + 128)
    expect(compile(f).explain(x, w)).toMatch(/\d+ elementwise ops are computed again where they are read late, so that less is kept\./)
    same(f, [x, w])
  })

  it('are results that are smaller than their operands', () => {
    const f = (x: Tensor, w: Tensor): Tensor[] => {
      const layers: Tensor[] = []
      for (let h = x, i = 0; i < depth; i++) layers.push(h = tanh(matmul(h, w)))
      return [layers.map(h => sum(mul(h, transpose(h)), 1)).reduce((a, b) => sub(mul(b, 2), a)), layers.at(-1)!]
    }
    same(f, [x, w])
    expect(bytesOf(f, [x, w])).toBeLessThanOrEqual(product + square + depth * 4 * n)
  })
})

describe('a training step', () => {
  it('frees each gradient by its update', () => {
    const depth = 8
    const weights = Array.from({ length: depth }, () => new Variable(mul(random(n, n), 1 / 8)))
    const step = (x: Tensor): Tensor[] => {
      const ds = grad((ws: Tensor[]) => sum(ws.reduce((h, w) => tanh(matmul(h, w)), x)))(weights)
      weights.forEach((w, i) => { w.assign(sub(w, mul(ds[i]!, 0.01))) })
      return []
    }
    const x = random(4, n)
    const before = weights.map(w => w.dataSync().slice())
    // not all gradients at once, but one or two, and scratch of as much
    expect(bytesOf(step, [x])).toBeLessThan(4 * square)
    step(x)
    const want = weights.map(w => w.dataSync().slice())
    weights.forEach((w, i) => { w.assign(tensor(before[i]!, { shape: [n, n] })) })
    compile(step)(x)
    weights.forEach((w, i) => { w.dataSync().forEach((value, k) => { expect(value).toBeCloseTo(Number(want[i]![k]), 5) }) })
  })
})
