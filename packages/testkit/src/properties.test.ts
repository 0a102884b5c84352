// Random shapes: broadcasting, reductions, chains of views, matrix products and convolutions obey the derivative laws.

import { cpu } from '@bp/backend-cpu'
import { broadcastTo, gradcheck, jvp, mul, sumTo, tensor, type Tensor, use, vjp } from '@bp/core'
import { amax, avgPool, concat, convolve, convTranspose, cumSum, div, flip, logSumExp, matmul, maxPool, mean, pad, reshape, roll, slice, softmax, sub, sum, tile, transpose, variance } from '@bp/ops'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from './index.ts'

beforeAll(() => { use(cpu()) })

const runs = { numRuns: 40, seed: 7 }

/** A tensor of distinct values in (0.3, 2), so that quotients are tame and maxima are no ties. */
function sample(shape: readonly number[], seed: number): Tensor {
  const random = new Random(seed)
  const size = shape.reduce((a, b) => a * b, 1)
  const values = Array.from({ length: size }, (_, i) => 0.3 + 1.7 * (i + 0.5) / size)
  for (let i = size - 1; i > 0; i--) {
    const j = random.whole(0, i + 1);
    [values[i], values[j]] = [values[j]!, values[i]!]
  }
  return tensor(values, { shape, dtype: 'float64' })
}

const dot = (as: readonly Tensor[], bs: readonly Tensor[]): number =>
  as.reduce((total, a, i) => total + (a.dataSync() as Float64Array).reduce((s, v, j) => s + v * (bs[i]!.dataSync() as Float64Array)[j]!, 0), 0)

/** ⟨ct, J·t⟩ = ⟨Jᵀ·ct, t⟩, and both agree with central differences. */
async function obeys(f: (...xs: Tensor[]) => Tensor, xs: readonly Tensor[]): Promise<void> {
  const ts = xs.map((x, i) => sample(x.shape, 100 + i))
  const [y, dy] = jvp(f, xs, ts)
  const ct = sample(y.shape, 200)
  const [value, pullback] = vjp(f, xs)
  expect(value.dataSync()).toEqual(y.dataSync())
  const dxs = pullback(ct)
  dxs.forEach((dx, i) => { expect(dx.shape).toEqual(xs[i]!.shape) })
  const [left, right] = [dot([ct], [dy]), dot(dxs, ts)]
  expect(Math.abs(left - right)).toBeLessThanOrEqual(1e-10 * (1 + Math.abs(left)))
  await gradcheck(f, xs, { eps: 1e-5, atol: 1e-6, rtol: 1e-6 })
}

const size = fc.integer({ min: 1, max: 3 })
const shape = fc.array(size, { minLength: 1, maxLength: 4 })
/** Two or three shapes that broadcast together: a shape, with axes of the others set to 1 or cut from the front. */
const broadcasting = (count: number) => shape.chain(full => fc.tuple(fc.constant(full), ...Array.from({ length: count }, () =>
  fc.tuple(fc.integer({ min: 0, max: full.length }), fc.array(fc.boolean(), { minLength: full.length, maxLength: full.length }))
    .map(([cut, ones]) => full.map((n, i) => ones[i] ? 1 : n).slice(cut)))))
const axesOf = (rank: number) => fc.subarray(Array.from({ length: rank }, (_, i) => i), { minLength: 1 })

describe('elementwise ops broadcast, and their gradients are summed back', () => {
  const ops = { sub, mul, div }
  test.each(Object.keys(ops) as (keyof typeof ops)[])('%s', async name => {
    await fc.assert(fc.asyncProperty(broadcasting(2), async ([, a, b]) => {
      await obeys((x, y) => ops[name](x, y), [sample(a!, 1), sample(b!, 2)])
    }), runs)
  })

  test('broadcastTo and sumTo are each other’s transpose', async () => {
    await fc.assert(fc.asyncProperty(broadcasting(1), async ([full, part]) => {
      const [x, y] = [sample(part!, 1), sample(full, 2)]
      expect(dot([broadcastTo(x, full)], [y])).toBeCloseTo(dot([x], [sumTo(y, part!)]), 9)
      await obeys(z => broadcastTo(z, full), [x])
      await obeys(z => sumTo(z, part!), [y])
    }), runs)
  })
})

describe('reductions over random axes', () => {
  const ops = {
    sum, mean, amax, logSumExp,
    variance: (x: Tensor, axes: number[], keepDims: boolean) => variance(x, axes, { keepDims, correction: 0 }),
  }
  test.each(Object.keys(ops) as (keyof typeof ops)[])('%s', async name => {
    const arguments_ = shape.chain(s => fc.tuple(fc.constant(s), axesOf(s.length), fc.boolean()))
    await fc.assert(fc.asyncProperty(arguments_, async ([s, axes, keep]) => {
      const y = ops[name](sample(s, 1), axes, keep)
      expect(y.shape).toEqual(s.flatMap((n, i) => axes.includes(i) ? (keep ? [1] : []) : [n]))
      await obeys(x => ops[name](x, axes, keep), [sample(s, 1)])
    }), runs)
  })

  test.each(['softmax', 'cumSum'] as const)('%s along a random axis', async name => {
    await fc.assert(fc.asyncProperty(shape.chain(s => fc.tuple(fc.constant(s), fc.nat(s.length - 1), fc.boolean())), async ([s, axis, reverse]) => {
      await obeys(x => name === 'softmax' ? softmax(x, axis) : cumSum(x, axis, reverse), [sample(s, 1)])
    }), runs)
  })
})

/** One view op, chosen by numbers, that fits whatever shape it meets. */
type Step = readonly [kind: number, a: number, b: number]
const steps: readonly ((x: Tensor, a: number, b: number) => Tensor)[] = [
  (x, a) => reshape(x, a % 2 ? [x.size] : [1, ...x.shape]),
  (x, a) => transpose(x, x.shape.map((_, i) => (i + a) % x.rank)),
  (x, a, b) => slice(x, x.shape.map(n => a % n), [], x.shape.map((_, i) => i === 0 ? 1 + b % 2 : 1)),
  (x, a, b) => pad(x, x.shape.map((_, i) => i === 0 ? [a % 2, b % 3] : [0, a % 2])),
  (x, a) => flip(x, [a % x.rank]),
  (x, a) => concat([x, x], a % x.rank),
  (x, a, b) => roll(x, b - 2, a % x.rank),
  (x, a) => tile(x, [1 + a % 2]),
  x => mul(x, x),
]
test('chains of views', async () => {
  const step = fc.tuple(fc.nat(steps.length - 1), fc.nat(5), fc.nat(5))
  await fc.assert(fc.asyncProperty(fc.array(size, { minLength: 1, maxLength: 3 }), fc.array(step, { minLength: 1, maxLength: 5 }), async (s, chain: Step[]) => {
    const small = (x: Tensor): boolean => x.size <= 40 && x.rank <= 5
    await obeys(x => chain.reduce((y, [kind, a, b]) => small(y) ? steps[kind]!(y, a, b) : y, x), [sample(s, 1)])
  }), runs)
})

test('matmul broadcasts as NumPy’s does', async () => {
  const arguments_ = fc.tuple(broadcasting(2), size, size, size, fc.constantFrom('both', 'left', 'right'))
  await fc.assert(fc.asyncProperty(arguments_, async ([[, a, b], n, k, m, vector]) => {
    const left = vector === 'left' ? [k] : [...a!.slice(-2), n, k]
    const right = vector === 'right' ? [k] : [...b!.slice(-2), k, m]
    await obeys((x, y) => matmul(x, y), [sample(left, 1), sample(right, 2)])
  }), runs)
})

describe('convolution of any geometry', () => {
  const geometry = fc.record({
    spatial: fc.array(fc.integer({ min: 3, max: 5 }), { minLength: 1, maxLength: 2 }),
    kernel: fc.integer({ min: 1, max: 3 }), stride: fc.integer({ min: 1, max: 3 }), dilation: fc.integer({ min: 1, max: 2 }),
    low: fc.nat(2), high: fc.nat(2), groups: fc.integer({ min: 1, max: 2 }), channels: size, filters: size,
  }).filter(g => g.spatial.every(n => n + g.low + g.high >= g.dilation * (g.kernel - 1) + 1))

  test('convolve', async () => {
    await fc.assert(fc.asyncProperty(geometry, async g => {
      const x = sample([1, g.channels * g.groups, ...g.spatial], 1)
      const w = sample([g.filters * g.groups, g.channels, ...g.spatial.map(() => g.kernel)], 2)
      const padding = g.spatial.map((): [number, number] => [g.low, g.high])
      await obeys((a, b) => convolve(a, b, { stride: g.stride, dilation: g.dilation, groups: g.groups, padding }), [x, w])
    }), { ...runs, numRuns: 20 })
  })

  test('convTranspose is the transpose of convolve', async () => {
    await fc.assert(fc.asyncProperty(geometry, async g => {
      const options = { stride: g.stride, dilation: g.dilation, groups: g.groups, padding: g.spatial.map((): [number, number] => [g.low, g.high]) }
      const x = sample([1, g.channels * g.groups, ...g.spatial], 1)
      const w = sample([g.filters * g.groups, g.channels, ...g.spatial.map(() => g.kernel)], 2)
      const y = convolve(x, w, options)
      const ct = sample(y.shape, 3)
      const span = g.dilation * (g.kernel - 1) + 1
      const outputPadding = g.spatial.map((n, i) => n - ((y.shape[i + 2]! - 1) * g.stride - g.low - g.high + span))
      const back = convTranspose(ct, w, { ...options, outputPadding })
      expect(back.shape).toEqual(x.shape)
      expect(dot([y], [ct])).toBeCloseTo(dot([x], [back]), 7)
      await obeys((a, b) => convTranspose(a, b, { ...options, outputPadding }), [ct, w])
    }), { ...runs, numRuns: 20 })
  })

  test('pooling', async () => {
    await fc.assert(fc.asyncProperty(geometry, fc.boolean(), async (g, ceilMode) => {
      const kernel = g.kernel
      const padding = g.spatial.map((): [number, number] => [Math.min(g.low, kernel >> 1), Math.min(g.high, kernel >> 1)])
      const options = { kernel, stride: g.stride, padding, ceilMode }
      await obeys(x => maxPool(x, options), [sample([1, 2, ...g.spatial], 1)])
      await obeys(x => avgPool(x, { ...options, countIncludePad: ceilMode }), [sample([1, 2, ...g.spatial], 1)])
    }), { ...runs, numRuns: 20 })
  })
})
