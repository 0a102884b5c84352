// What tests against PyTorch's numbers share: inputs and parameters by formula, so that the numbers can be made again.

import { add, mul, noGrad, type Tensor } from '@bp/core'
import { cos, iota, reshape, sin, sum } from '@bp/ops'
import { expect } from 'vitest'
import type { AnyModule } from '../src/index.ts'

/** cos(0.7 k + phase) at place k, in float64. */
export const shifted = (phase: number, ...shape: number[]): Tensor => reshape(cos(add(mul(iota(shape.reduce((a, b) => a * b, 1), 'float64'), 0.7), phase)), shape)

/** cos(0.7 k) at place k, in float64. */
export const wave = (...shape: number[]): Tensor => shifted(0, ...shape)

/** Sets parameters to ½·sin k, where k counts their elements from the first parameter on. */
export function filled<M extends AnyModule>(model: M): M {
  let k = 0
  noGrad(() => {
    for (const p of model.parameters()) {
      p.assign(reshape(mul(sin(add(iota(p.size, 'float64'), k)), 0.5), p.shape))
      k += p.size
    }
  })
  return model
}

/** A loss of any results: the sum of each times a wave. */
export const total = (...ys: Tensor[]): Tensor => ys.map(y => sum(mul(y, wave(...y.shape)))).reduce((a, b) => add(a, b))

/** The elements as numbers. */
export const numbers = (x: Tensor): number[] => Array.from<number | bigint, number>(x.dataSync(), Number)

/** The first elements are those wanted, to seven digits. */
export function close(got: Tensor, want: readonly number[], what = ''): void {
  const values = numbers(got)
  want.forEach((value, i) => { expect(values[i], `${what}[${i}]`).toBeCloseTo(value, 7) })
}

/** Two tensors have one shape and the same numbers to so many digits. */
export function sameNumbers(got: Tensor, want: Tensor, digits = 5): void {
  expect(got.shape).toEqual(want.shape)
  const expected = numbers(want)
  numbers(got).forEach((value, i) => { expect(value).toBeCloseTo(expected[i]!, digits) })
}
