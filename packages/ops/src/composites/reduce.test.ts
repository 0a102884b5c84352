// Reductions, scans, norms and order statistics where the laws do not look: zeros, ties, NaN, infinities, empty axes, errors.

import { cpu } from '@bp/backend-cpu'
import { grad, jvp, mul, type Tensor, tensor, use, zeros } from '@bp/core'
import * as ops from '../index.ts'
import { describe, expect, test } from 'vitest'

use(cpu())

const t = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, { dtype: 'float64' })
const int = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, { dtype: 'int32' })
const list = (ys: Tensor | readonly Tensor[]): unknown => [ys].flat().map(y => y.toArray())
const hessianSum = (f: (x: Tensor) => Tensor, x: Tensor): unknown => grad((z: Tensor) => ops.sum(grad(f)(z)))(x).toArray()

describe('products', () => {
  test('one zero leaves the product of the others as its gradient, two leave nothing at first order', () => {
    expect(grad((x: Tensor) => ops.prod(x))(t([2, 0, 3, 4])).toArray()).toEqual([0, 24, 0, 0])
    expect(grad((x: Tensor) => ops.prod(x))(t([2, 0, 0, 4])).toArray()).toEqual([0, 0, 0, 0])
    // ∂²(abcd)/∂b∂c = ad, summed over one index
    expect(hessianSum(x => ops.prod(x), t([2, 0, 0, 4]))).toEqual([0, 8, 8, 0])
  })

  test('running products go on behind a zero', () => {
    expect(ops.cumProd(t([2, 0, 3, 4])).toArray()).toEqual([2, 0, 0, 0])
    expect(grad((x: Tensor) => ops.sum(ops.cumProd(x)))(t([2, 0, 3, 4])).toArray()).toEqual([1, 2 + 6 + 24, 0, 0])
    expect(ops.cumProd(t([[1, 2, 3], [4, 5, 6]]), 1, true).toArray()).toEqual([[6, 6, 3], [120, 30, 6]])
  })

  test('nothing multiplies to 1', () => {
    expect(ops.prod(zeros([2, 0]), 1).toArray()).toEqual([1, 1])
    expect(ops.prod(int([[1, 2], [3, 4]])).toArray()).toBe(24)
  })
})

describe('extremes', () => {
  test('without an axis ties share, along an axis the first takes all', () => {
    const x = t([[1, 3], [3, 2]])
    expect(grad((z: Tensor) => ops.max(z))(x).toArray()).toEqual([[0, 0.5], [0.5, 0]])
    expect(grad((z: Tensor) => ops.sum(ops.max(z, 0)[0]))(t([[3, 1], [3, 2]])).toArray()).toEqual([[1, 0], [0, 1]])
    expect(grad((z: Tensor) => ops.sum(ops.min(z, 1)[0]))(t([[1, 1]])).toArray()).toEqual([[1, 0]])
    expect(grad((z: Tensor) => ops.sub(...ops.aminmax(z)))(t([1, 1, 3])).toArray()).toEqual([0.5, 0.5, -1])
  })

  test('whole numbers and bool have a smallest element too', () => {
    expect(ops.amin(int([-(2 ** 31), 5])).toArray()).toBe(-(2 ** 31))
    expect(ops.amin(tensor([0, 200], { dtype: 'uint8' })).toArray()).toBe(0)
    expect(ops.amin(tensor([true, false])).toArray()).toBe(false)
    expect(ops.argMin(int([3, -(2 ** 31), 4])).toArray()).toBe(1)
  })

  test('NaN is both the largest and the smallest', () => {
    expect(list(ops.max(t([1, NaN, 3]), 0))).toEqual([NaN, 1])
    expect(list(ops.min(t([1, NaN, 3]), 0))).toEqual([NaN, 1])
    expect(list(ops.cumMax(t([1, NaN, 3, NaN])))).toEqual([[1, NaN, NaN, NaN], [0, 1, 1, 3]])
  })

  test('running extremes take the last of equals', () => {
    expect(list(ops.cumMax(t([1, 2, 2, 1, 3])))).toEqual([[1, 2, 2, 2, 3], [0, 1, 2, 2, 4]])
    expect(list(ops.cumMin(t([2, 2, 3, 1])))).toEqual([[2, 2, 2, 1], [0, 1, 1, 3]])
    expect(grad((x: Tensor) => ops.sum(ops.cumMax(x)[0]))(t([2, 1, 2])).toArray()).toEqual([2, 0, 1])
  })
})

describe('logic and counts', () => {
  test('of nothing', () => {
    expect(ops.all(zeros([2, 0]), 1).toArray()).toEqual([true, true])
    expect(ops.any(zeros([2, 0]), 1).toArray()).toEqual([false, false])
  })

  test('NaN is not 0', () => {
    expect(ops.countNonzero(t([NaN, 0, -0, 2])).toArray()).toBe(2)
    expect(ops.all(t([NaN, 1])).toArray()).toBe(true)
  })

  test('sums and means pass NaN by', () => {
    expect(ops.nanMean(t([[1, NaN], [NaN, NaN]]), 1).toArray()).toEqual([1, NaN])
    expect(grad((x: Tensor) => ops.nanMean(x))(t([1, NaN, 5])).toArray()).toEqual([0.5, 0, 0.5])
  })
})

describe('norms', () => {
  test.each<[number, number]>([[0, 2], [1, 7], [2, 5], [3, 91 ** (1 / 3)], [-1, 0], [Infinity, 4], [-Infinity, 0]])('p = %d', (p, want) => {
    expect(ops.vectorNorm(t([3, 0, -4]), { p }).item()).toBeCloseTo(want, 12)
  })

  test.each([0, 0.5, 1, 1.5, 2, 3, -1, Infinity, -Infinity])('at 0 all derivatives of order %d are 0', p => {
    expect(grad((x: Tensor) => ops.vectorNorm(x, { p }))(t([0, 0])).toArray()).toEqual([0, 0])
    expect(hessianSum(x => ops.vectorNorm(x, { p }), t([0, 0]))).toEqual([0, 0])
  })

  test('a zero among others has no gradient where the power has a pole', () => {
    expect(grad((x: Tensor) => ops.vectorNorm(x, { p: 0.5 }))(t([4, 0])).toArray()).toEqual([1, 0])
    expect(grad((x: Tensor) => ops.vectorNorm(x, { p: Infinity }))(t([-2, 2, 1])).toArray()).toEqual([-0.5, 0.5, 0])
  })

  test('a deviation of 0 has derivative 0', () => {
    expect(grad((x: Tensor) => ops.std(x))(t([2, 2])).toArray()).toEqual([0, 0])
    expect(ops.variance(t([2])).toArray()).toBe(NaN)
  })

  test('what is short enough stays', () => {
    expect(ops.renorm(t([[3, 4], [0.3, 0.4]]), 2, 0, 1).toArray()).toEqual([[3 / (5 + 1e-7), 4 / (5 + 1e-7)], [0.3, 0.4]])
  })
})

describe('order statistics', () => {
  test('the median is the lower of two, and NaN where one is', () => {
    expect(list(ops.median(t([[4, 1, 3, 2], [5, NaN, 1, NaN]]), 1))).toEqual([[2, NaN], [3, 1]])
    expect(list(ops.nanMedian(t([[4, 1, 3, 2], [5, NaN, 1, NaN], [NaN, NaN, NaN, NaN]]), 1))).toEqual([[2, 1, NaN], [3, 2, 0]])
    expect(ops.median(t([1, NaN])).toArray()).toBe(NaN)
  })

  test('equal medians share', () => {
    expect(grad((x: Tensor) => ops.median(x))(t([[2, 1], [2, 3]])).toArray()).toEqual([[0.5, 0], [0.5, 0]])
    expect(grad((x: Tensor) => ops.nanMedian(x))(t([NaN, 1, 3])).toArray()).toEqual([0, 1, 0])
    expect(ops.median(t([Infinity, 1, Infinity])).toArray()).toBe(Infinity)
  })

  test('the mode is the smallest of the most frequent, at its last place', () => {
    expect(list(ops.mode(t([[3, 1, 3, 1, 2], [5, 4, 3, 2, 1]])))).toEqual([[1, 1], [3, 4]])
    expect(list(ops.mode(t([[1], [2], [2]]), 0, true))).toEqual([[[2]], [[2]]])
  })

  test('kthValue counts from 1', () => {
    expect(list(ops.kthValue(t([5, 3, 4]), 1))).toEqual([3, 1])
    expect(list(ops.kthValue(t([[5, 3], [4, 9]]), 2, 0, true))).toEqual([[[5, 9]], [[0, 1]]])
  })

  // rank 0.4 · 3 = 1.2 of 1, 2, 4, 8, and rank 0.5 · 3 = 1.5
  test.each([['linear', 2.4, 3], ['lower', 2, 2], ['higher', 4, 4], ['nearest', 2, 4], ['midpoint', 3, 3]] as const)('quantiles, %s', (interpolation, first, second) => {
    const y = ops.quantile(t([8, 1, 4, 2]), [0.4, 0.5], { interpolation }).toArray() as number[]
    expect(y[0]).toBeCloseTo(first, 12)
    expect(y[1]).toBe(second)
  })

  test('quantiles of infinities and NaN', () => {
    expect(ops.quantile(t([1, Infinity, Infinity]), [0, 0.5, 1]).toArray()).toEqual([1, Infinity, Infinity])
    expect(ops.quantile(t([[1, NaN, 3], [1, 2, 3]]), 0.5, { axis: 1 }).toArray()).toEqual([NaN, 2])
    expect(ops.nanQuantile(t([[1, NaN, 3], [NaN, NaN, NaN]]), 0.5, { axis: 1, keepDims: true }).toArray()).toEqual([[2], [NaN]])
  })
})

describe('sums of exponentials', () => {
  test('of nothing', () => {
    expect(ops.softmax(zeros([2, 0])).shape).toEqual([2, 0])
    expect(ops.logSumExp(zeros([2, 0]), 1).toArray()).toEqual([-Infinity, -Infinity])
  })

  test('running, with nothing but −∞ at first', () => {
    expect(list(ops.logCumSumExp(t([-Infinity, -Infinity, 0, 0])))).toEqual([[-Infinity, -Infinity, 0, Math.LN2]])
    expect(grad((x: Tensor) => ops.take(ops.logCumSumExp(x), int(3)))(t([-Infinity, -Infinity, 0, 0])).toArray()).toEqual([0, 0, 0.5, 0.5])
    expect(list(ops.logCumSumExp(t([1e4, 1e4])))).toEqual([[1e4, 1e4 + Math.LN2]])
  })
})

describe('under a mask', () => {
  const x = t([[1, 5, 3], [2, 4, 6]])
  const mask = tensor([[true, false, true], [false, false, false]])

  test('nothing seen gives what changes nothing, or NaN', () => {
    expect(ops.maskedSum(x, mask, 1).toArray()).toEqual([4, 0])
    expect(ops.maskedProd(x, mask, 1).toArray()).toEqual([3, 1])
    expect(ops.maskedAmax(x, mask, 1).toArray()).toEqual([3, -Infinity])
    expect(ops.maskedAmin(x, mask, 1).toArray()).toEqual([1, Infinity])
    expect(ops.maskedMean(x, mask, 1).toArray()).toEqual([2, NaN])
    expect(ops.maskedMedian(x, mask, 1).toArray()).toEqual([1, NaN])
    expect(ops.maskedLogSumExp(x, mask, 1).toArray()).toEqual([3 + Math.log1p(Math.exp(-2)), -Infinity])
    expect(ops.maskedSoftmax(x, mask, 1).toArray()).toEqual([[1 / (1 + Math.exp(2)), 0, 1 / (1 + Math.exp(-2))].map(y => expect.closeTo(y, 12) as number), [NaN, NaN, NaN]])
    expect(ops.maskedAmax(int([[1, 2]]), tensor([[false, false]])).toArray()).toBe(-(2 ** 31))
    expect(ops.maskedAmin(tensor([1n, 2n]), tensor([false, false])).toArray()).toBe(2n ** 63n - 1n)
  })

  test('what is not seen may be NaN, and has no gradient', () => {
    const hidden = t([1, NaN, 3])
    const seen = tensor([true, false, true])
    for (const f of [ops.maskedSum, ops.maskedProd, ops.maskedMean, ops.maskedVariance, ops.maskedStd, ops.maskedLogSumExp, ops.maskedAmax]) {
      const gradient = grad((z: Tensor) => f(z, seen))(hidden).toArray() as number[]
      expect(gradient[1]).toBe(0)
      expect(gradient.every(Number.isFinite)).toBe(true)
    }
  })

  test('of two operands that are both hidden the logarithm of the sum has no tangent, and no gradient', () => {
    const hidden = tensor([false])
    const [y, dy] = jvp(z => ops.maskedLogAddExp(z, z, hidden, hidden), [t([1])], [t([1])])
    expect([y.toArray(), dy.toArray()]).toEqual([[-Infinity], [NaN]])
    expect(grad((z: Tensor) => ops.sum(ops.maskedLogAddExp(z, z, hidden, hidden)))(t([1])).toArray()).toEqual([0])
  })

  test('norms of negative order pass by what is not seen', () => {
    expect(ops.maskedNorm(t([2, 7, 2]), tensor([true, false, true]), { p: -1 }).toArray()).toBe(1)
    expect(ops.maskedNorm(t([2, 1, 3]), tensor([true, false, true]), { p: -Infinity }).toArray()).toBe(2)
  })
})

test.each<[string, () => unknown, string]>([
  ['an empty axis', () => ops.median(zeros([2, 0]), 1), 'median: axis 1 of f32[2,0] is empty and has no median'],
  ['k', () => ops.kthValue(t([1, 2]), 3), 'kthValue: k must be a whole number from 1 to 2, the size of axis 0 of f64[2], got 3'],
  ['q', () => ops.quantile(t([1, 2]), 1.5), 'quantile: q must be between 0 and 1, got 1.5'],
  ['q of another dtype', () => ops.quantile(t([1, 2]), tensor(0.5)), "quantile: q must be a scalar or one axis of x's dtype, got f32[] for f64[2]"],
  ['a mask', () => ops.maskedSum(t([1, 2]), tensor([true, true, false])), 'maskedSum: the mask must be bool and broadcast to f64[2], got bool[3]'],
  ['an order', () => ops.vectorNorm(t([1]), { p: NaN }), 'vectorNorm: the order p is NaN. Use a number, or ±Infinity'],
  ['tensors to scan', () => ops.associativeScan(([a], [b]) => [mul(a!, b!)], [t([1]), t([1, 2])]), 'associativeScan: the tensors must agree on axis 0, got f64[1] and f64[2]'],
])('errors name %s', (_name, f, message) => { expect(f).toThrow(message) })
