// Convolution's three faces, pooling and the matrix product against plain definitions, on random geometry in one to three axes.

import type { DType, TypedArray } from '@bp/core'
import { allocate, Aval, sizeOf, stridesOf } from '@bp/core/extend'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gemm, type Matrix } from './gemm.ts'
import { cpu } from './index.ts'

const table = cpu().kernels as Readonly<Record<string, (xs: readonly object[], params: unknown, out: Aval) => TypedArray>>

interface Given {
  readonly shape: number[]
  readonly dtype: DType
  readonly aval: Aval
  readonly storage: TypedArray
}

const given = (shape: number[], dtype: DType, f: (i: number) => number): Given => {
  const storage = allocate(dtype, sizeOf(shape))
  for (let i = 0; i < storage.length; i++) storage[i] = f(i)
  return { shape, dtype, aval: new Aval(shape, dtype), storage }
}

/** Small whole numbers, so that sums are exact in any order. */
const whole = (shape: number[], dtype: DType, seed: number): Given => given(shape, dtype, i => (Math.imul(i + 1, seed * 2654435761) >>> 8) % 9 - 4)
const run = (name: string, xs: readonly Given[], params: unknown, shape: number[], dtype: DType): number[] => Array.from(table[name]!(xs, params, new Aval(shape, dtype)) as Float64Array)

const places = (shape: readonly number[]): number[][] => {
  const strides = stridesOf(shape)
  return Array.from({ length: sizeOf(shape) }, (_, i) => shape.map((size, axis) => Math.floor(i / strides[axis]!) % size))
}
const flat = (shape: readonly number[], place: readonly number[]): number => {
  const strides = stridesOf(shape)
  return place.reduce((sum, p, axis) => sum + p * strides[axis]!, 0)
}

const axis = fc.record({ size: fc.integer({ min: 1, max: 6 }), kernel: fc.integer({ min: 1, max: 3 }), stride: fc.integer({ min: 1, max: 3 }), low: fc.integer({ min: 0, max: 2 }), high: fc.integer({ min: 0, max: 2 }), dilation: fc.integer({ min: 1, max: 2 }) })
const geometry = fc.record({ axes: fc.array(axis, { minLength: 1, maxLength: 3 }), images: fc.integer({ min: 0, max: 2 }), groups: fc.integer({ min: 1, max: 3 }), inputs: fc.integer({ min: 1, max: 2 }), outputs: fc.integer({ min: 1, max: 5 }) })
type Axis = typeof axis extends fc.Arbitrary<infer T> ? T : never

const outSize = ({ size, kernel, stride, low, high, dilation }: Axis): number => Math.floor((size + low + high - dilation * (kernel - 1) - 1) / stride) + 1
const paramsOf = (axes: readonly Axis[]): object => ({ stride: axes.map(a => a.stride), padding: axes.map(a => [a.low, a.high]), dilation: axes.map(a => a.dilation) })

describe('convolution', () => {
  test('all three faces sum the same products', () => {
    fc.assert(fc.property(geometry, fc.constantFrom<DType>('float32', 'float64', 'int32'), ({ axes, images, groups, inputs, outputs }, dtype) => {
      const spatial = axes.map(outSize)
      fc.pre(spatial.every(n => n > 0))
      const size = axes.map(a => a.size), kernel = axes.map(a => a.kernel)
      const xShape = [images, groups * inputs, ...size], wShape = [groups * outputs, inputs, ...kernel], yShape = [images, groups * outputs, ...spatial]
      const x = whole(xShape, dtype, 1), w = whole(wShape, dtype, 3), y = whole(yShape, dtype, 5)
      const wantY = new Array<number>(sizeOf(yShape)).fill(0), wantX = new Array<number>(sizeOf(xShape)).fill(0), wantW = new Array<number>(sizeOf(wShape)).fill(0)
      for (const [n, o, ...p] of places(yShape)) {
        for (const [c, ...k] of places([inputs, ...kernel])) {
          const from = p.map((q, i) => q * axes[i]!.stride - axes[i]!.low + k[i]! * axes[i]!.dilation)
          if (from.some((q, i) => q < 0 || q >= size[i]!)) continue
          const xi = flat(xShape, [n!, Math.floor(o! / outputs) * inputs + c!, ...from]), wi = flat(wShape, [o!, c!, ...k]), yi = flat(yShape, [n!, o!, ...p])
          wantY[yi]! += Number(x.storage[xi]) * Number(w.storage[wi])
          wantX[xi]! += Number(y.storage[yi]) * Number(w.storage[wi])
          wantW[wi]! += Number(x.storage[xi]) * Number(y.storage[yi])
        }
      }
      const params = { ...paramsOf(axes), groups }
      expect(run('conv', [x, w], params, yShape, dtype).map(v => v + 0)).toEqual(wantY.map(v => v + 0))
      expect(run('convInput', [y, w], { ...params, size }, xShape, dtype).map(v => v + 0)).toEqual(wantX.map(v => v + 0))
      expect(run('convWeight', [x, y], { ...params, kernel }, wShape, dtype).map(v => v + 0)).toEqual(wantW.map(v => v + 0))
    }), { numRuns: 300, seed: 3 })
  })

  test('refuses four spatial axes, and int64', () => {
    const x = whole([1, 1, 1, 1, 1, 1], 'float32', 1)
    const four = { stride: [1, 1, 1, 1], padding: [[0, 0], [0, 0], [0, 0], [0, 0]], dilation: [1, 1, 1, 1], groups: 1 }
    expect(() => run('conv', [x, x], four, x.shape, 'float32')).toThrowErrorMatchingInlineSnapshot(`[BpError: conv: windows have 1 to 3 spatial axes here, got 4. Fold some into the batch]`)
    const big = { ...x, shape: [1, 1, 1], dtype: 'int64' as const, storage: new BigInt64Array(1) }
    expect(() => run('conv', [big, big], { stride: [1], padding: [[0, 0]], dilation: [1], groups: 1 }, [1, 1, 1], 'int64')).toThrowErrorMatchingInlineSnapshot(`[BpError: conv: int64 has no convolution on the CPU. Convert with cast(x, 'float64')]`)
  })
})

describe('poolArgMax', () => {
  test('gives the place of the largest element of each window, NaN first, padding never', () => {
    fc.assert(fc.property(geometry, fc.nat(99), ({ axes, images, groups }, seed) => {
      const size = axes.map(a => a.size), kernel = axes.map(a => a.kernel)
      const spatial = axes.map(outSize)
      fc.pre(spatial.every(n => n > 0))
      const x = given([images, groups, ...size], 'float32', i => (i + seed) % 13 === 0 ? NaN : -1 - (i * 7919 + seed) % 6)
      let alone = false
      const want = places([images, groups, ...spatial]).map(([n, c, ...p]) => {
        const inside = places(kernel).map(k => p.map((q, i) => q * axes[i]!.stride - axes[i]!.low + k[i]! * axes[i]!.dilation)).filter(from => from.every((q, i) => q >= 0 && q < size[i]!)).map(from => flat(x.shape, [n!, c!, ...from]))
        alone ||= inside.length === 0
        const nan = inside.find(i => Number.isNaN(x.storage[i]))
        return nan ?? inside.find(i => x.storage[i] === Math.max(...inside.map(j => Number(x.storage[j]))))
      })
      fc.pre(!alone)
      expect(run('poolArgMax', [x], { kernel, ...paramsOf(axes) }, [images, groups, ...spatial], 'int32')).toEqual(want)
    }), { numRuns: 200, seed: 3 })
  })

  test('takes −Infinity over padding', () => {
    const x = given([1, 1, 2], 'float32', () => -Infinity)
    expect(run('poolArgMax', [x], { kernel: [2], stride: [2], padding: [[1, 1]], dilation: [1] }, [1, 1, 2], 'int32')).toEqual([0, 1])
  })

  test('refuses a window that lies wholly in the padding', () => {
    const x = whole([1, 1, 1], 'float32', 1)
    expect(() => run('poolArgMax', [x], { kernel: [1], stride: [1], padding: [[1, 0]], dilation: [1] }, [1, 1, 2], 'int32')).toThrowErrorMatchingInlineSnapshot(`[BpError: maxPool: a window lies wholly in the padding. Use padding of at most half the window]`)
  })
})

describe('dot', () => {
  test('of vectors, panels and more than one block equals the triple loop', () => {
    const sizes = fc.constantFrom(0, 1, 2, 3, 4, 5, 13, 258)
    fc.assert(fc.property(sizes, sizes, sizes, fc.boolean(), fc.boolean(), fc.constantFrom<DType>('float32', 'float64', 'int32'), (m, n, k, ta, tb, dtype) => {
      fc.pre(m * n * k < 2e6)
      const a = whole(ta ? [k, m] : [m, k], dtype, 1), b = whole(tb ? [n, k] : [k, n], dtype, 3)
      const want = places([m, n]).map(([i, j]) => {
        let sum = 0
        for (let q = 0; q < k; q++) sum += Number(a.storage[ta ? q * m + i! : i! * k + q]) * Number(b.storage[tb ? j! * k + q : q * n + j!])
        return sum + 0
      })
      expect(run('dot', [a, b], { ta, tb }, [m, n], dtype).map(v => v + 0)).toEqual(want)
    }), { numRuns: 150, seed: 5 })
  })

  test('adds products of a vector in double precision, over more columns than one block', () => {
    const n = 1500, k = 5000
    const a = given([1, k], 'float32', () => 0.1), b = given([k, n], 'float32', () => 1)
    const want = Math.fround(k * Math.fround(0.1))
    expect(new Set(run('dot', [a, b], { ta: false, tb: false }, [1, n], 'float32'))).toEqual(new Set([want]))
    expect(run('dot', [a, given([1, k], 'float32', () => 1)], { ta: false, tb: true }, [1, 1], 'float32')).toEqual([want])
  })

  test('keeps an infinity apart from its neighbours', () => {
    for (const m of [1, 2, 5]) {
      const a = given([m, 5], 'float32', () => 1), b = given([5, 3], 'float32', i => i % 3 === 1 ? Infinity : 1)
      expect(run('dot', [a, b], { ta: false, tb: false }, [m, 3], 'float32').slice(-3)).toEqual([5, Infinity, 5])
    }
  })

  test('reads and writes by any strides', () => {
    const sizes = fc.integer({ min: 1, max: 6 }), gap = fc.integer({ min: 1, max: 3 })
    fc.assert(fc.property(sizes, sizes, sizes, gap, gap, gap, fc.boolean(), (m, n, k, ga, gb, gc, across) => {
      const matrix = (rows: number, columns: number, step: number, seed: number): Matrix & { readonly data: Float64Array } => {
        const data = whole([2 + rows * columns * step * 2], 'float64', seed).storage as Float64Array
        return across ? { data, start: 2, row: step, column: rows * step } : { data, start: 1, row: columns * step, column: step }
      }
      const a = matrix(m, k, ga, 1), b = matrix(k, n, gb, 3), c = matrix(m, n, gc, 5)
      const want = c.data.slice()
      for (const [i, j, q] of places([m, n, k]) as [number, number, number][]) want[c.start + i * c.row + j * c.column]! += a.data[a.start + i * a.row + q * a.column]! * b.data[b.start + q * b.row + j * b.column]!
      gemm(m, n, k, a, b, c)
      expect(c.data).toEqual(want)
    }), { numRuns: 200, seed: 9 })
  })

  test('wraps int32 exactly', () => {
    const a = given([1, 3], 'int32', i => [2 ** 31 - 1, 2 ** 31 - 1, 3][i]!), b = given([3, 1], 'int32', i => [2 ** 31 - 1, 2 ** 31 - 1, 1][i]!)
    expect(run('dot', [a, b], { ta: false, tb: false }, [1, 1], 'int32')).toEqual([5])
  })
})
