// Kernels against slow, plain definitions, on random shapes.

import { Aval, sizeOf } from '@bp/core/extend'
import type { DType, TypedArray } from '@bp/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { erf } from './erf.ts'
import { cpu } from './index.ts'

const table = cpu().kernels as Readonly<Record<string, (xs: readonly object[], params: unknown, out: Aval) => TypedArray>>

interface Given {
  readonly shape: number[]
  readonly dtype: DType
  readonly aval: Aval
  readonly storage: Float64Array
}

/** An operand of small whole numbers, so that sums are exact in any order. */
function whole(shape: number[], seed: number): Given {
  const storage = Float64Array.from({ length: sizeOf(shape) }, (_, i) => ((i + 1) * (seed + 7) * 2654435761 >>> 8) % 11 - 5)
  return { shape, dtype: 'float64', aval: new Aval(shape, 'float64'), storage }
}

const run = (name: string, xs: readonly object[], params: unknown, shape: number[], dtype: DType = 'float64'): number[] =>
  Array.from(table[name]!(xs, params, new Aval(shape, dtype)) as Float64Array)

const size = fc.integer({ min: 1, max: 9 })

describe('dot', () => {
  test('equals the triple loop for all four transposes and stacks', () => {
    fc.assert(fc.property(size, size, fc.integer({ min: 1, max: 300 }), fc.boolean(), fc.boolean(), fc.integer({ min: 1, max: 2 }), (m, n, k, ta, tb, stacks) => {
      const a = whole(ta ? [stacks, k, m] : [stacks, m, k], 1)
      const b = whole(tb ? [stacks, n, k] : [stacks, k, n], 2)
      const want = Array.from({ length: stacks * m * n }, (_, place) => {
        const s = Math.floor(place / (m * n)), i = Math.floor(place / n) % m, j = place % n
        let sum = 0
        for (let q = 0; q < k; q++) sum += a.storage[s * m * k + (ta ? q * m + i : i * k + q)]! * b.storage[s * k * n + (tb ? j * k + q : q * n + j)]!
        return sum
      })
      expect(run('dot', [a, b], { ta, tb }, [stacks, m, n])).toEqual(want)
    }), { numRuns: 60, seed: 1 })
  })

  test('is exact on int64 beyond 2⁵³', () => {
    const x = { shape: [1, 2], dtype: 'int64', aval: new Aval([1, 2], 'int64'), storage: new BigInt64Array([2n ** 60n, 1n]) }
    const y = { ...x, shape: [2, 1], storage: new BigInt64Array([3n, 1n]) }
    expect(table.dot!([x, y], { ta: false, tb: false }, new Aval([1, 1], 'int64'))).toEqual(new BigInt64Array([3n * 2n ** 60n + 1n]))
  })
})

test('conv equals its definition for strides, padding, dilation and groups', () => {
  const geometry = fc.record({ n: fc.integer({ min: 1, max: 2 }), groups: fc.integer({ min: 1, max: 2 }), h: fc.integer({ min: 4, max: 7 }), w: fc.integer({ min: 4, max: 7 }), kh: fc.integer({ min: 1, max: 3 }), kw: fc.integer({ min: 1, max: 2 }), stride: fc.integer({ min: 1, max: 2 }), low: fc.integer({ min: 0, max: 2 }), high: fc.integer({ min: 0, max: 1 }), dilation: fc.integer({ min: 1, max: 2 }) })
  fc.assert(fc.property(geometry, ({ n, groups, h, w, kh, kw, stride, low, high, dilation }) => {
    const c = 2 * groups, o = 3 * groups
    const places = (length: number, kernel: number): number => Math.floor((length + low + high - dilation * (kernel - 1) - 1) / stride) + 1
    const oh = places(h, kh), ow = places(w, kw)
    fc.pre(oh > 0 && ow > 0)
    const x = whole([n, c, h, w], 3), k = whole([o, 2, kh, kw], 4)
    const want: number[] = []
    for (let b = 0; b < n; b++) for (let f = 0; f < o; f++) for (let i = 0; i < oh; i++) for (let j = 0; j < ow; j++) {
      let sum = 0
      for (let q = 0; q < 2; q++) for (let p = 0; p < kh; p++) for (let r = 0; r < kw; r++) {
        const y = i * stride - low + p * dilation, z = j * stride - low + r * dilation
        if (y >= 0 && y < h && z >= 0 && z < w) sum += x.storage[((b * c + Math.floor(f / 3) * 2 + q) * h + y) * w + z]! * k.storage[((f * 2 + q) * kh + p) * kw + r]!
      }
      want.push(sum)
    }
    const params = { stride: [stride, stride], padding: [[low, high], [low, high]], dilation: [dilation, dilation], groups }
    expect(run('conv', [x, k], params, [n, o, oh, ow])).toEqual(want)
  }), { numRuns: 60, seed: 1 })
})

describe('maps', () => {
  test('broadcast as NumPy does', () => {
    const a = whole([2, 1, 3], 5), b = whole([4, 1], 6)
    const want = Array.from({ length: 24 }, (_, i) => a.storage[Math.floor(i / 12) * 3 + i % 3]! - b.storage[Math.floor(i / 3) % 4]!)
    expect(run('sub', [a, b], undefined, [2, 4, 3])).toEqual(want)
  })

  test('keep NaN, infinities and signs of zero', () => {
    const special = { shape: [4], dtype: 'float64', aval: new Aval([4], 'float64'), storage: new Float64Array([NaN, -0, Infinity, -Infinity]) }
    expect(run('relu', [special], undefined, [4])).toEqual([NaN, -0, Infinity, 0])
    expect(run('neg', [special], undefined, [4])).toEqual([NaN, 0, -Infinity, Infinity])
    expect(run('maximum', [special, whole([1], 0)], undefined, [4])[0]).toBeNaN()
    expect(run('sigmoid', [special], undefined, [4])).toEqual([NaN, 0.5, 1, 0])
  })

  test('divide whole numbers towards zero, and refuse to divide them by zero', () => {
    const ints = (...values: number[]): object => ({ shape: [values.length], dtype: 'int32', aval: new Aval([values.length], 'int32'), storage: new Int32Array(values) })
    expect(run('div', [ints(7, -7), ints(2, 2)], undefined, [2], 'int32')).toEqual([3, -3])
    expect(() => run('div', [ints(1), ints(0)], undefined, [1], 'int32')).toThrowErrorMatchingInlineSnapshot('[BpError: div: a whole number was divided by zero. Cast to float32 for infinities, or select another divisor first]')
  })

  test('multiply int32 exactly', () => {
    const x = { shape: [1], dtype: 'int32', aval: new Aval([1], 'int32'), storage: new Int32Array([2 ** 31 - 1]) }
    expect(run('mul', [x, x], undefined, [1], 'int32')).toEqual([1])
  })
})

test('tensors without elements pass through every kind of kernel', () => {
  const none = whole([0, 3], 1)
  expect(run('add', [none, whole([3], 1)], undefined, [0, 3])).toEqual([])
  expect(run('sumTo', [none], { shape: [1, 3] }, [1, 3])).toEqual([0, 0, 0])
  expect(run('transpose', [none], { perm: [1, 0] }, [3, 0])).toEqual([])
  expect(run('dot', [none, whole([3, 2], 1)], { ta: false, tb: false }, [0, 2])).toEqual([])
  expect(run('dot', [whole([2, 0], 1), whole([0, 2], 1)], { ta: false, tb: false }, [2, 2])).toEqual([0, 0, 0, 0])
  expect(run('concat', [none, whole([1, 3], 1)], { axis: 0 }, [1, 3])).toHaveLength(3)
})

test('sums of a million float32 lose no more than rounding of the result', () => {
  const storage = new Float32Array(1e6).fill(0.1)
  const x = { shape: [1e6], dtype: 'float32', aval: new Aval([1e6], 'float32'), storage }
  expect(run('sumTo', [x], { shape: [1] }, [1], 'float32')[0]).toBe(Math.fround(1e6 * Math.fround(0.1)))
})

test('an index out of range is named', () => {
  const index = { shape: [1], dtype: 'int32', aval: new Aval([1], 'int32'), storage: new Int32Array([5]) }
  expect(() => run('gather', [whole([5], 1), index], { axis: 0 }, [1])).toThrowErrorMatchingInlineSnapshot('[BpError: gather: index 5 is out of range for axis 0 of size 5. Use -5 to 4]')
})

test('argSort and argMax put NaN last and first of ties first', () => {
  const x = { shape: [4], dtype: 'float64', aval: new Aval([4], 'float64'), storage: new Float64Array([2, NaN, 1, 2]) }
  expect(run('argSort', [x], { axis: 0, descending: false }, [4], 'int32')).toEqual([2, 0, 3, 1])
  expect(run('argSort', [x], { axis: 0, descending: true }, [4], 'int32')).toEqual([1, 0, 3, 2])
  expect(run('argMax', [x], { axis: 0 }, [], 'int32')).toEqual([1])
})

test('erf equals tabulated values (Abramowitz & Stegun 1964, table 7.1, and erfc by 50-digit arithmetic)', () => {
  for (const [x, want] of [[0, 0], [0.1, 0.1124629160182849], [0.5, 0.5204998778130465], [1, 0.8427007929497149], [2, 0.9953222650189527], [2.5, 0.9995930479825550], [2.6, 0.9997639655834707], [3, 0.9999779095030014], [-1, -0.8427007929497149], [7, 1]] as const) {
    expect(Math.abs(erf(x) - want)).toBeLessThanOrEqual(4e-16)
  }
  expect(erf(NaN)).toBeNaN()
})
