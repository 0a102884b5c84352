// Elementwise functions and activations: signed zeros, infinities, ties and corners, whole numbers, dropout's statistics.

import { cpu } from '@bp/backend-cpu'
import { grad, ones, type Tensor, tensor, use } from '@bp/core'
import { describe, expect, test } from 'vitest'
import * as ops from '../index.ts'

use(cpu())

const t = (data: readonly number[]): Tensor => tensor([...data], { dtype: 'float64' })
const int = (data: readonly number[]): Tensor => tensor([...data], { dtype: 'int32' })
const values = (x: Tensor): number[] => Array.from(x.dataSync(), Number)
const slopes = (f: (x: Tensor) => Tensor, xs: readonly number[]): number[] => values(grad((x: Tensor) => ops.sum(f(x)))(t(xs)))
/** The derivatives by the first and the second operand. */
const partials = (f: (a: Tensor, b: Tensor) => Tensor, a: readonly number[], b: readonly number[]): number[][] =>
  [values(grad((x: Tensor) => ops.sum(f(x, t(b))))(t(a))), values(grad((x: Tensor) => ops.sum(f(t(a), x)))(t(b)))]

const edges = [-Infinity, -1, -0, 0, 1, Infinity, NaN]
const pairs = edges.flatMap(a => edges.map(b => [a, b] as const))

describe('as Math has it', () => {
  test.each<[string, (a: Tensor, b: Tensor) => Tensor, (a: number, b: number) => number]>([
    ['atan2', ops.atan2, (a, b) => Math.atan2(a, b)],
    ['hypot', ops.hypot, (a, b) => Math.hypot(a, b)],
    ['fmod', ops.fmod, (a, b) => a % b],
    ['copysign', ops.copysign, (a, b) => b < 0 || Object.is(b, -0) ? -Math.abs(a) : Math.abs(a)],
  ])('%s of all pairs of special numbers', (_, f, want) => {
    expect(values(f(t(pairs.map(([a]) => a)), t(pairs.map(([, b]) => b))))).toEqual(pairs.map(([a, b]) => want(a, b)))
  })

  test('trunc and frexp', () => {
    expect(values(ops.trunc(t([...edges, -1.5, 1.5])))).toEqual([...edges, -1, 1])
    const xs = [...edges, 5e-324, 2 ** -1022, 1 - 2 ** -53, Number.MAX_VALUE, -10, 2 ** 40]
    const [fraction, exponent] = ops.frexp(t(xs))
    expect(values(fraction)).toEqual([...[-Infinity, -0.5, -0, 0, 0.5, Infinity, NaN], 0.5, 0.5, 1 - 2 ** -53, 1 - 2 ** -53, -0.625, 0.5])
    expect(values(exponent)).toEqual([0, 1, 0, 0, 1, 0, 0, -1073, -1021, 0, 1024, 4, 41])
    expect(exponent.dtype).toBe('int32')
  })
})

describe('quotients and remainders', () => {
  test('are Python\'s where the quotient would be rounded', () => {
    expect(values(ops.floorDivide(t([1, 6, -7, 7]), t([0.1, 0.1, 2, -2])))).toEqual([9, 59, -4, -4])
    expect(values(ops.truncDivide(t([-7, 7]), t([2, -2])))).toEqual([-3, -3])
    expect(values(ops.floorDivide(t([1, -1, 0]), 0))).toEqual([Infinity, -Infinity, NaN])
    expect(values(ops.floorDivide(5, t([-Infinity])))).toEqual([-1])
    expect(values(ops.remainder(t([5.5, -5.5, 5.5, -5.5]), t([3, 3, -3, -3])))).toEqual([2.5, 0.5, -0.5, -2.5])
    expect(values(ops.remainder(7, t([4])))).toEqual([3])
    expect(values(ops.fmod(t([1e17]), 3))).toEqual([1])
  })

  test('of whole numbers', () => {
    const [a, b] = [int([7, -7, 7, -7]), int([2, 2, -2, -2])]
    expect(values(ops.floorDivide(a, b))).toEqual([3, -4, -4, 3])
    expect(values(ops.truncDivide(a, b))).toEqual([3, -3, -3, 3])
    expect(values(ops.fmod(a, b))).toEqual([1, -1, 1, -1])
    expect(values(ops.remainder(a, b))).toEqual([1, 1, -1, -1])
    expect(values(ops.remainder(tensor([-7], { dtype: 'int64' }), 4))).toEqual([1])
    expect(() => ops.fmod(a, 0)).toThrow('fmod: a whole number was divided by zero')
  })

  test('have the derivatives of what was subtracted', () => {
    expect(partials(ops.fmod, [7.5, -7.5], [2, 2])).toEqual([[1, 1], [-3, 3]])
    expect(partials(ops.remainder, [7.5, -7.5], [2, 2])).toEqual([[1, 1], [-3, 4]])
    expect(partials((a, b) => ops.floorDivide(a, b), [7.5], [2])).toEqual([[0], [0]])
  })

  test('round to decimals on both sides of the point', () => {
    expect(values(ops.round(t([0.125, -2.675, 1250, 1350]), 2))).toEqual([0.12, -2.68, 1250, 1350])
    expect(values(ops.round(t([1250, 1350, -49]), -2))).toEqual([1200, 1400, -0])
  })
})

describe('ties and corners', () => {
  test('fmax and fmin prefer numbers, and the first of equal ones', () => {
    expect(values(ops.fmax(t([NaN, 1, NaN]), t([2, NaN, NaN])))).toEqual([2, 1, NaN])
    expect(values(ops.fmin(t([NaN, 1, 3]), t([2, NaN, 4])))).toEqual([2, 1, 3])
    expect(partials(ops.fmax, [1, 2, NaN], [1, 3, 3])).toEqual([[1, 0, 0], [0, 1, 1]])
    expect(partials(ops.fmin, [1, 2, NaN], [1, 3, 3])).toEqual([[1, 1, 0], [0, 0, 1]])
    expect(partials(ops.maximum, [1, 2], [1, 3])).toEqual([[0.5, 0], [0.5, 1]])
  })

  test('xlogy and xlog1py are 0 where x is', () => {
    expect(values(ops.xlogy(t([0, 0, 0, 2]), t([0, -1, NaN, 1])))).toEqual([0, 0, NaN, 0])
    expect(values(ops.xlog1py(t([0, 0, 0, 2]), t([-1, -2, NaN, 0])))).toEqual([0, 0, NaN, 0])
    expect(partials(ops.xlogy, [0, 0, 2], [0.5, -1, 4])).toEqual([[Math.log(0.5), 0, Math.log(4)], [0, -0, 0.5]])
  })

  test('logAddExp of equal and of infinite operands', () => {
    expect(values(ops.logAddExp(t([1, -Infinity, Infinity, Infinity]), t([1, -Infinity, Infinity, 0])))).toEqual([1 + Math.LN2, -Infinity, Infinity, Infinity])
    expect(values(ops.logAddExp2(t([1, -Infinity]), t([1, -Infinity])))).toEqual([2, -Infinity])
    expect(partials(ops.logAddExp, [1, -Infinity], [1, -Infinity])).toEqual([[0.5, 0.5], [0.5, 0.5]])
    expect(values(grad((a: Tensor) => ops.sum(grad((b: Tensor) => ops.sum(ops.logAddExp(b, t([1]))))(a)))(t([1])))).toEqual([0.25])
  })

  test('lerp is exact at both ends, and has one gradient on either side of ½', () => {
    expect(values(ops.lerp(t([0.1, 0.1]), t([0.7, 0.7]), t([0, 1])))).toEqual([0.1, 0.7])
    expect(partials((a, b) => ops.lerp(a, b, t([0.25, 0.75])), [1, 1], [3, 3])).toEqual([[0.75, 0.25], [0.25, 0.75]])
    expect(slopes(w => ops.lerp(t([1, 1]), t([3, 3]), w), [0.25, 0.75])).toEqual([2, 2])
  })

  test('activations have PyTorch\'s derivatives where they bend', () => {
    expect(slopes(x => ops.hardTanh(x), [-2, -1, 0, 1, 2])).toEqual([0, 0, 1, 0, 0])
    expect(slopes(x => ops.clamp(x, -1, 1), [-2, -1, 0, 1, 2])).toEqual([0, 1, 1, 1, 0])
    expect(slopes(ops.relu6, [0, 3, 6])).toEqual([0, 1, 0])
    expect(slopes(x => ops.hardShrink(x), [-1, -0.5, 0.5, 1])).toEqual([1, 0, 0, 1])
    expect(slopes(x => ops.softShrink(x), [-1, -0.5, 0.5, 1])).toEqual([1, 0, 0, 1])
    expect(slopes(x => ops.threshold(x, 1, 9), [0, 1, 2])).toEqual([0, 0, 1])
    expect(slopes(x => ops.prelu(x, t([0.25])), [-1, 0, 1])).toEqual([0.25, 0.25, 1])
    expect(slopes(ops.logSigmoid, [0])).toEqual([0.5])
    expect(slopes(ops.softsign, [1e8, 0])).toEqual([1e-16 / (1 + 1e-8) ** 2, 1].map(x => expect.closeTo(x, 24) as number))
    expect(values(ops.hardTanh(t([0]), 0.5, -0.5))).toEqual([-0.5])
    expect(values(ops.hardShrink(t([-0.1, 0.7]), -0.5))).toEqual([-0.1, 0.7])
    expect(values(ops.softShrink(t([NaN])))).toEqual([NaN])
  })

  test('softplus is linear above its threshold', () => {
    expect(values(ops.softplus(t([0.1, 1]), { beta: 3, threshold: 1 }))).toEqual([expect.closeTo(Math.log1p(Math.exp(0.3)) / 3, 14), 1])
    expect(slopes(x => ops.softplus(x, { beta: 3, threshold: 1 }), [1])).toEqual([1])
  })

  test('nanToNum takes the dtype\'s limits', () => {
    expect(values(ops.nanToNum(t([NaN, Infinity, -Infinity, 2])))).toEqual([0, Number.MAX_VALUE, -Number.MAX_VALUE, 2])
    expect(values(ops.nanToNum(tensor([Infinity])))).toEqual([3.4028234663852886e38])
    expect(values(ops.nanToNum(int([3])))).toEqual([3])
    expect(slopes(x => ops.nanToNum(x, { nan: 1 }), [NaN, Infinity, 2])).toEqual([0, 0, 1])
  })

  test('tests of whole numbers need no floats', () => {
    expect(values(ops.isFinite(int([1, 2])))).toEqual([1, 1])
    expect(values(ops.isInf(int([1, 2])))).toEqual([0, 0])
    expect(values(ops.signBit(int([-1, 0])))).toEqual([1, 0])
  })
})

describe('what shapes and options must be', () => {
  test.each<[() => unknown, string]>([
    [() => ops.glu(t([1, 2, 3])), 'glu: the axis must have an even size, got f64[3] with 3 along axis 0'],
    [() => ops.prelu(ones([2, 3]), ones([2])), 'prelu: the slope must be one number, or one for each of 3 channels (axis 1), got f32[2] for f32[2,3]'],
    [() => ops.softShrink(t([1]), -1), 'softShrink: lambda must be ≥ 0, got -1'],
    [() => ops.rrelu(t([1]), { lower: 1, upper: 0 }), 'rrelu: lower must not be above upper, got 1 and 0'],
    [() => ops.rrelu(t([1]), { training: true }), 'rrelu: training draws random slopes. Pass { generator: new Generator(seed) }'],
    [() => ops.dropout(t([1]), 2), 'dropout: p must be between 0 and 1, got 2'],
    [() => ops.dropout(t([1])), 'dropout: training draws what to drop. Pass { generator: new Generator(seed) }, or { training: false }'],
    [() => ops.featureDropout(t([1]), 1), 'featureDropout: needs axes for samples and channels, got f64[1]'],
    [() => ops.positive(tensor([true])), 'positive: bool tensors have no arithmetic'],
  ])('%#', (f, message) => { expect(f).toThrow(message) })
})

describe('chance', () => {
  const generator = (): ops.Generator => new ops.Generator(3)

  test('dropout keeps the mean, and its gradient what it kept', () => {
    const y = values(ops.dropout(ones([4000], 'float64'), 0.25, { generator: generator() }))
    expect(new Set(y)).toEqual(new Set([0, 1 / 0.75]))
    expect(y.reduce((a, b) => a + b) / 4000).toBeCloseTo(1, 1)
    expect(values(grad((x: Tensor) => ops.sum(ops.dropout(x, 0.25, { generator: generator() })))(ones([4000], 'float64')))).toEqual(y)
  })

  test('featureDropout draws once a channel', () => {
    const y = values(ops.featureDropout(ones([2, 50, 3]), 0.5, { generator: generator() }))
    for (let i = 0; i < y.length; i += 3) expect(new Set(y.slice(i, i + 3)).size).toBe(1)
    expect(new Set(y)).toEqual(new Set([0, 2]))
  })

  test('gumbelSoftmax draws classes by their probability, one-hot where it is hard, with the soft gradient', () => {
    const x = ops.broadcastTo(t([0, 1, 2]), [6000, 3])
    const total = 1 + Math.E + Math.E ** 2
    const y = ops.gumbelSoftmax(x, { generator: generator(), hard: true })
    values(ops.mean(y, 0)).forEach((share, k) => { expect(share).toBeCloseTo(Math.exp(k) / total, 1) })
    expect(values(ops.sum(y, 1)).every(v => Math.abs(v - 1) < 1e-12)).toBe(true)
    const noise = t([0.3, -0.2, 1])
    const slope = (hard: boolean): number[] => values(grad((z: Tensor) => ops.sum(ops.mul(ops.gumbelSoftmax(z, { noise, hard, tau: 0.5 }), t([1, 2, 4]))))(t([0, 1, 0])))
    expect(slope(true)).toEqual(slope(false))
    expect(values(ops.gumbelSoftmax(t([0, 1, 0]), { noise, tau: 0.5 }))).toEqual(values(ops.softmax(t([0.6, 1.6, 2]))).map(v => expect.closeTo(v, 12) as number))
    expect(() => ops.gumbelSoftmax(t([1, 2]), {})).toThrow('gumbelSoftmax: needs noise, or a generator to draw it: new Generator(seed)')
    expect(() => ops.gumbelSoftmax(t([1, 2]), { noise, tau: 0 })).toThrow('gumbelSoftmax: tau must be positive, got 0')
  })

  test('alphaDropout keeps mean and variance of a standard normal', () => {
    const x = generator().normal([20000], { dtype: 'float64' })
    const y = ops.alphaDropout(x, 0.3, { generator: new ops.Generator(5) })
    expect(values(ops.mean(y))[0]).toBeCloseTo(0, 1)
    expect(values(ops.variance(y))[0]).toBeCloseTo(1, 1)
    expect(values(ops.featureAlphaDropout(ones([2, 2, 1]), 1))).toEqual([0, 0, 0, 0])
  })

  test('rrelu draws slopes between its bounds', () => {
    const y = values(ops.rrelu(t(new Array<number>(1000).fill(-1)), { lower: 0.25, upper: 0.5, training: true, generator: generator() }))
    expect(Math.min(...y)).toBeGreaterThanOrEqual(-0.5)
    expect(Math.max(...y)).toBeLessThanOrEqual(-0.25)
    expect(y.reduce((a, b) => a + b) / 1000).toBeCloseTo(-0.375, 1)
  })
})
