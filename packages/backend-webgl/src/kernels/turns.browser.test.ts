// Loops longer than llvmpipe lets a fragment take: every kernel that loops over many terms, against the CPU.

import { cpu } from '@bp/backend-cpu'
import { tensor, type Tensor, use } from '@bp/core'
import { argMax, logSoftmax, sum } from '@bp/ops'
import { conv, convWeight, dot, primitives } from '@bp/ops/extend'
import { bind } from '@bp/core/extend'
import { expect, test } from 'vitest'
import { backend } from '../../test/backend.ts'

const host = cpu()

/** Small whole numbers, whose sums are exact in every order. */
const wholes = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => (i * 7919 % 7) - 3)

type Make = (data: Int32Array, shape: readonly number[]) => Tensor
const whole: Make = (data, shape) => tensor(data, { shape })
const float: Make = (data, shape) => tensor(Float32Array.from(data), { shape })

const geometry = { stride: [1, 1], padding: [[0, 0], [0, 0]], dilation: [1, 1], groups: 1 } as const

const scatterAdd = (values: Tensor, index: Tensor, size: number): Tensor => bind(primitives.scatterAdd, [values, index], { axis: 0, size })

const cases: Readonly<Record<string, () => Tensor>> = {
  'a product of whole numbers': () => dot(whole(wholes(3 * 70_001), [3, 70_001]), whole(wholes(70_001), [70_001, 1])),
  'a product of floats': () => dot(float(wholes(9 * 300_001), [9, 300_001]), float(wholes(300_001), [300_001, 1])),
  'a convolution of whole numbers': () => conv(whole(wholes(300 * 300), [1, 1, 300, 300]), whole(wholes(297 * 298), [1, 1, 297, 298]), geometry),
  'weights of whole numbers': () => convWeight(whole(wholes(2 * 301 * 301), [2, 1, 301, 301]), whole(wholes(2 * 300 * 300), [2, 1, 300, 300]), { ...geometry, kernel: [2, 2] }),
  'weights of floats': () => convWeight(float(wholes(2 * 602 * 602), [2, 1, 602, 602]), float(wholes(2 * 600 * 600), [2, 1, 600, 600]), { ...geometry, kernel: [3, 3] }),
  'many entries of one place': () => scatterAdd(float(wholes(70_001), [70_001]), whole(new Int32Array(70_001).fill(1), [70_001]), 3),
  'many rows of one place': () => scatterAdd(float(wholes(40_000 * 4), [40_000, 4]), whole(Int32Array.from({ length: 40_000 }, (_, i) => i % 2), [40_000]), 2),
  'sums of rows, and of columns': () => sum(float(wholes(600 * 4000), [600, 4000]), [0]),
  'the place of the largest': () => argMax(float(wholes(900_001), [1, 900_001]), 1),
}

test.each(Object.entries(cases))('%s', (_name, f) => {
  const on = (on: typeof host | typeof backend): readonly number[] => {
    use(on)
    return [...f().dataSync()].map(Number)
  }
  expect(on(backend)).toEqual(on(host))
})

test('rows of softmax', () => {
  use(backend)
  const y = logSoftmax(float(new Int32Array(300_000), [1, 300_000]), 1).dataSync() as Float32Array
  expect(y[299_999]).toBeCloseTo(-Math.log(300_000), 4)
})
