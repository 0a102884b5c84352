// What programs keep in memory: results written over operands.

import { compile, mul, type Tensor, use } from '@bp/core'
import { add, exp, Generator, matmul, relu, sigmoid, softmax, sub, sum, tanh, transpose } from '@bp/ops'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cpu } from '../index.ts'

use(cpu())

const n = 64
const generator = new Generator(1)
const random = (...shape: number[]): Tensor => generator.uniform(shape, { low: -1, high: 1 })

/** A function gives compiled what it gives op by op. */
function same(f: (...xs: Tensor[]) => Tensor[], xs: readonly Tensor[]): void {
  const want = f(...xs)
  const compiled = compile(f)
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
    same((x, w) => [softmax(matmul(x, w))], [x, w])
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
      same(f, [random(...shape), random(...shape)])
    }), { numRuns: 40 })
  })
})
