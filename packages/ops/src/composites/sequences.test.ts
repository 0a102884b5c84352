// Differences, integrals, covariances, searches, counts and segments where the laws do not look.

import { cpu } from '@bp/backend-cpu'
import { grad, type Tensor, tensor, use, zeros } from '@bp/core'
import * as ops from '../index.ts'
import { describe, expect, test } from 'vitest'

use(cpu())

const t = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, { dtype: 'float64' })
const int = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, { dtype: 'int32' })

describe('differences', () => {
  test('n times, until nothing is left', () => {
    expect(ops.diff(t([1, 4, 9, 16]), { n: 3 }).toArray()).toEqual([0])
    expect(ops.diff(t([1, 4]), { n: 5 }).toArray()).toEqual([])
    expect(ops.diff(t([1, 4]), { n: 0 }).toArray()).toEqual([1, 4])
    expect(ops.diff(tensor([true, true, false])).toArray()).toEqual([false, true])
    expect(ops.diff(t([[1, 2]]), { prepend: t([[0]]), append: t([[9]]) }).toArray()).toEqual([[1, 1, 7]])
  })

  test('gradients of parabolas are exact inside, and at the ends in second order', () => {
    const x = t([0, 1, 1.5, 4, 4.25])
    const y = ops.mul(x, x)
    expect(ops.gradient(y, { spacing: [x], edgeOrder: 2 })[0]!.toArray()).toEqual([0, 2, 3, 8, 8.5].map(v => expect.closeTo(v, 12) as number))
    expect((ops.gradient(y, { spacing: [x] })[0]!.toArray() as number[])[0]).toBe(1)
    expect(ops.gradient(t([0, 4, 16, 36]), { spacing: 2, edgeOrder: 2 })[0]!.toArray()).toEqual([0, 4, 8, 12])
    expect(ops.gradient(t([[0, 1], [10, 21]])).map(g => g.toArray())).toEqual([[[10, 20], [10, 20]], [[1, 1], [11, 11]]])
    expect(ops.gradient(t([[0, 1], [10, 21]]), { axes: [1, 0], spacing: [1, 10] }).map(g => g.toArray())).toEqual([[[1, 1], [11, 11]], [[1, 2], [1, 2]]])
  })

  test('integrals', () => {
    expect(ops.trapezoid(t([[1, 3], [5, 7]]), { axis: 0, dx: 2 }).toArray()).toEqual([6, 10])
    expect(ops.trapezoid(t([[1, 3], [5, 7]]), { x: t([0, 10]) }).toArray()).toEqual([20, 60])
    expect(ops.trapezoid(zeros([2, 0])).toArray()).toEqual([0, 0])
    expect(ops.cumulativeTrapezoid(t([1, 3, 7]), { x: t([0, 1, 3]) }).toArray()).toEqual([2, 12])
  })
})

describe('covariance', () => {
  const x = t([[1, 2, 4], [3, 3, 0]])

  test('is that of repeated observations where they have frequencies', () => {
    const repeated = ops.cov(t([[1, 2, 2, 4], [3, 3, 3, 0]])).toArray()
    expect(ops.cov(x, { fweights: int([1, 2, 1]) }).toArray()).toEqual((repeated as number[][]).map(row => row.map(v => expect.closeTo(v, 12) as number)))
  })

  test('a scalar is one observation, which one weight may be of', () => {
    expect(ops.cov(t(3), { fweights: int([2]), correction: 0 }).toArray()).toBe(0)
    expect(() => ops.cov(x, { aweights: t([1, 2]) })).toThrow('cov: the weights must have one entry for each of the 3 observations of f64[2,3], got f64[2]')
  })

  test('without freedom is no number', () => {
    expect(ops.cov(t([[1], [2]])).toArray()).toEqual([[NaN, NaN], [NaN, NaN]])
    expect(ops.cov(t([1, 2]), { aweights: t([1, 0]) }).toArray()).toBe(NaN)
  })

  test('correlations stay in [−1, 1]', () => {
    expect(ops.corrcoef(t([[0.1, 0.2, 0.3], [3, 2, 1]])).toArray()).toEqual([[1, -1], [-1, 1]].map(row => row.map(v => expect.closeTo(v, 12) as number)))
    expect(ops.corrcoef(t([1, 2, 4])).toArray()).toBe(1)
  })
})

describe('searching and counting', () => {
  test.each([0, 1, 2, 3, 4, 5, 8])('a list of %d', n => {
    const sorted = Array.from({ length: n }, (_, i) => i - i % 2)
    const values = [-1, 0, 1, 2, 3, 4, 7, 9]
    expect(ops.searchSorted(t(sorted), t(values)).toArray()).toEqual(values.map(v => sorted.filter(s => s < v).length))
    expect(ops.searchSorted(t(sorted), t(values), { right: true }).toArray()).toEqual(values.map(v => sorted.filter(s => s <= v).length))
  })

  test('rows, sorters and edges', () => {
    expect(ops.searchSorted(t([[1, 3], [5, 7]]), t([[2, 4], [2, 6]])).toArray()).toEqual([[1, 2], [0, 1]])
    expect(ops.searchSorted(t([5, 1, 3]), t([2, 4]), { sorter: int([1, 2, 0]) }).toArray()).toEqual([1, 2])
    expect(ops.bucketize(t([1, 3, 4]), t([1, 3]), true).toArray()).toEqual([1, 2, 2])
  })

  test('bins', () => {
    expect(ops.bincount(int([1, 1, 4])).toArray()).toEqual([0, 2, 0, 0, 1])
    expect(ops.bincount(int([1, 1, 4]), { minLength: 7 }).shape).toEqual([7])
    expect(ops.bincount(int([1, 1, 4]), { length: 2 }).toArray()).toEqual([0, 2])
    expect(ops.bincount(int([])).toArray()).toEqual([])
    expect(grad((w: Tensor) => ops.take(ops.bincount(int([1, 0, 1]), { weights: w }), int(1)))(t([5, 6, 7])).toArray()).toEqual([1, 0, 1])
  })

  test('histograms hold both ends and leave out the rest', () => {
    expect(ops.histc(t([0, 1, 2, 3, 4, NaN, 5]), { bins: 2, min: 1, max: 4 }).toArray()).toEqual([2, 2])
    expect(ops.histc(t([2, 2]), { bins: 2 }).toArray()).toEqual([0, 2])
  })
})

describe('segments', () => {
  const x = t([5, 1, 4, 4, 2])
  const lengths = int([2, 0, 3])

  test.each([['sum', [6, 0, 10]], ['mean', [3, NaN, 10 / 3]], ['prod', [5, 1, 32]], ['max', [5, -Infinity, 4]], ['min', [1, Infinity, 2]]] as const)('%s', (reduction, want) => {
    expect(ops.segmentReduce(x, reduction, { lengths }).toArray()).toEqual(want)
  })

  test.each([['sum', [7, 1, 11]], ['mean', [3.5, 1, 11 / 3]], ['prod', [5, 1, 32]], ['max', [5, 1, 4]], ['min', [1, 1, 1]]] as const)('%s with an initial value', (reduction, want) => {
    expect(ops.segmentReduce(x, reduction, { lengths, initial: 1 }).toArray()).toEqual(want)
  })

  test('what is outside of every segment is left out', () => {
    expect(ops.segmentReduce(x, 'sum', { offsets: int([1, 2, 4]) }).toArray()).toEqual([1, 8])
    expect(ops.segmentReduce(x, 'max', { lengths: int([1, 2]) }).toArray()).toEqual([5, 4])
    expect(grad((z: Tensor) => ops.sum(ops.segmentReduce(z, 'prod', { offsets: int([1, 2, 4]) })))(x).toArray()).toEqual([0, 1, 4, 4, 0])
  })

  test('ties share, zeros take the product of the others, an initial value takes its part', () => {
    expect(grad((z: Tensor) => ops.sum(ops.segmentReduce(z, 'max', { lengths })))(x).toArray()).toEqual([1, 0, 0.5, 0.5, 0])
    expect(grad((z: Tensor) => ops.sum(ops.segmentReduce(z, 'max', { lengths, initial: 4.5 })))(x).toArray()).toEqual([1, 0, 0, 0, 0])
    expect(grad((z: Tensor) => ops.sum(ops.segmentReduce(z, 'prod', { lengths })))(t([3, 0, 0, 0, 2])).toArray()).toEqual([0, 3, 0, 0, 0])
  })

  test('along another axis, each row in its own way', () => {
    const rows = t([[1, 2, 3], [4, 5, 6]])
    expect(ops.segmentReduce(rows, 'sum', { lengths: int([[1, 2], [3, 0]]), axis: 1 }).toArray()).toEqual([[1, 5], [15, 0]])
    expect(ops.segmentReduce(rows, 'max', { lengths: int([2]) }).toArray()).toEqual([[4, 5, 6]])
  })

  test('errors name the lengths', () => {
    expect(() => ops.segmentReduce(x, 'sum', {})).toThrow('segmentReduce: needs one of lengths and offsets')
    expect(() => ops.segmentReduce(x, 'sum', { lengths: int([[5]]) })).toThrow('segmentReduce: the lengths must have the axes of f64[5] before axis 0 and one of segments, got i32[1,1]')
  })
})
