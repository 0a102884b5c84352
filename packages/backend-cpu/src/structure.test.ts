// Kernels that move, reduce or index elements, against plain definitions on random shapes, empty axes included.

import type { DType, TypedArray } from '@bp/core'
import { allocate, Aval, sizeOf, stridesOf } from '@bp/core/extend'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
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
  for (let i = 0; i < storage.length; i++) storage[i] = dtype === 'int64' ? BigInt(f(i)) : f(i)
  return { shape, dtype, aval: new Aval(shape, dtype), storage }
}

/** Distinct elements, so that a misplaced one shows. */
const counted = (shape: number[], dtype: DType): Given => given(shape, dtype, i => i % 251 + 1)
const run = (name: string, xs: readonly Given[], params: unknown, shape: number[], dtype: DType): number[] => {
  const y = table[name]!(xs, params, new Aval(shape, dtype))
  expect(y.constructor).toBe(allocate(dtype, 0).constructor)
  return Array.from(y as Float64Array, Number)
}

/** All places of a shape, row-major. */
const places = (shape: readonly number[]): number[][] => {
  const strides = stridesOf(shape)
  return Array.from({ length: sizeOf(shape) }, (_, i) => shape.map((size, axis) => Math.floor(i / strides[axis]!) % size))
}
const at = (x: Given, place: readonly number[]): number => {
  const strides = stridesOf(x.shape)
  return Number(x.storage[place.reduce((sum, p, axis) => sum + p * strides[axis]!, 0)])
}

const dtypes = fc.constantFrom<DType>('float32', 'float64', 'int32', 'int64', 'uint8', 'bool')
const numbers = fc.constantFrom<DType>('float32', 'float64', 'int32', 'int64')
const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 0, maxLength: 4 })
const filled = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 })
const options = { numRuns: 150, seed: 7 }
const holds = (property: fc.IProperty<[number[], DType, number]>): void => { fc.assert(property, options) }
/** The n-th choice from 0 … count − 1 that a random number stands for. */
const choose = (r: number, n: number, count: number): number => Math.floor(r / 7 ** n) % count
const random = fc.nat(1e6)

describe('movement', () => {
  test('broadcastTo repeats axes of size 1 and leading ones', () => {
    holds(fc.property(shapes, dtypes, random, (shape, dtype, r) => {
      const from = shape.slice(choose(r, 0, shape.length + 1)).map((size, i) => choose(r, i + 1, 2) === 0 ? 1 : size)
      const x = counted(from, dtype)
      const want = places(shape).map(p => at(x, p.slice(shape.length - from.length).map((q, i) => from[i] === 1 ? 0 : q)))
      expect(run('broadcastTo', [x], { shape }, shape, dtype)).toEqual(want)
    }))
  })

  test('transpose puts axis perm[i] at i', () => {
    holds(fc.property(shapes, dtypes, random, (shape, dtype, r) => {
      const perm = shape.map((_, i) => i).sort((a, b) => choose(r, a, 7) - choose(r, b, 7))
      const x = counted(shape, dtype)
      const out = perm.map(axis => shape[axis]!)
      const want = places(out).map(p => at(x, shape.map((_, axis) => p[perm.indexOf(axis)]!)))
      expect(run('transpose', [x], { perm }, out, dtype)).toEqual(want)
    }))
  })

  test('transpose is exact beyond one tile', () => {
    const x = given([2, 67, 45], 'float32', i => i)
    expect(run('transpose', [x], { perm: [0, 2, 1] }, [2, 45, 67], 'float32')).toEqual(places([2, 45, 67]).map(([b, i, j]) => at(x, [b!, j!, i!])))
  })

  test('slice starts, stops and steps', () => {
    holds(fc.property(shapes, dtypes, random, (shape, dtype, r) => {
      const starts = shape.map((size, i) => choose(r, i, size + 1))
      const steps = shape.map((_, i) => 1 + choose(r, i + 1, 3))
      const out = shape.map((size, i) => Math.ceil((size - starts[i]!) / steps[i]!))
      const x = counted(shape, dtype)
      expect(run('slice', [x], { starts, ends: shape, steps }, out, dtype)).toEqual(places(out).map(p => at(x, p.map((q, i) => starts[i]! + q * steps[i]!))))
    }))
  })

  test('pad leaves zeros around and between', () => {
    holds(fc.property(shapes, dtypes, random, (shape, dtype, r) => {
      const low = shape.map((_, i) => choose(r, i, 3)), high = shape.map((_, i) => choose(r, i + 1, 2)), interior = shape.map((_, i) => choose(r, i + 2, 3))
      const out = shape.map((size, i) => size + low[i]! + high[i]! + Math.max(0, size - 1) * interior[i]!)
      const x = counted(shape, dtype)
      const want = places(out).map(p => {
        const from = p.map((q, i) => (q - low[i]!) / (interior[i]! + 1))
        return from.every((q, i) => Number.isInteger(q) && q >= 0 && q < shape[i]!) ? at(x, from) : 0
      })
      expect(run('pad', [x], { low, high, interior }, out, dtype)).toEqual(want)
    }))
  })

  test('concat joins, flip reverses', () => {
    holds(fc.property(filled, dtypes, random, (shape, dtype, r) => {
      const axis = choose(r, 0, shape.length)
      const sizes = [choose(r, 1, 4), choose(r, 2, 3), 1]
      const xs = sizes.map((size, k) => given(shape.map((n, i) => i === axis ? size : n), dtype, i => i * 3 % 80 + 80 * k))
      const out = shape.map((n, i) => i === axis ? sizes[0]! + sizes[1]! + 1 : n)
      const want = places(out).map(p => {
        let k = 0
        let q = p[axis]!
        while (q >= sizes[k]!) q -= sizes[k++]!
        return at(xs[k]!, p.map((n, i) => i === axis ? q : n))
      })
      expect(run('concat', xs, { axis }, out, dtype)).toEqual(want)
      const axes = shape.map((_, i) => i).filter(i => choose(r, i, 2) === 1)
      const x = counted(shape, dtype)
      expect(run('flip', [x], { axes }, shape, dtype)).toEqual(places(shape).map(p => at(x, p.map((q, i) => axes.includes(i) ? shape[i]! - 1 - q : q))))
    }))
  })

  test('reshape and detach share the storage', () => {
    const x = counted([2, 3], 'float32')
    expect(table.reshape!([x], { shape: [6] }, new Aval([6], 'float32'))).toBe(x.storage)
    expect(table.detach!([x], undefined, x.aval)).toBe(x.storage)
  })
})

describe('reductions', () => {
  /** The elements of x grouped by the place they reduce to. */
  const groups = (x: Given, out: number[]): number[][] => {
    const sums: number[][] = Array.from({ length: sizeOf(out) }, () => [])
    const strides = stridesOf(out)
    for (const p of places(x.shape)) sums[out.reduce((sum, size, i) => sum + (size === 1 ? 0 : p[i + x.shape.length - out.length]!) * strides[i]!, 0)]!.push(at(x, p))
    return sums
  }

  test('sumTo adds what broadcasting would repeat, dropping leading axes', () => {
    holds(fc.property(shapes, numbers, random, (shape, dtype, r) => {
      const out = shape.slice(choose(r, 0, shape.length + 1)).map((size, i) => choose(r, i + 1, 2) === 0 ? 1 : size)
      const x = counted(shape, dtype)
      expect(run('sumTo', [x], { shape: out }, out, dtype)).toEqual(groups(x, out).map(list => list.reduce((a, b) => a + b, 0)))
    }))
  })

  test('sums of float32 along any axis lose no more than rounding of the result', () => {
    const n = 300_000
    const x = given([n, 3], 'float32', () => 0.1)
    const want = Math.fround(n * Math.fround(0.1))
    expect(run('sumTo', [x], { shape: [3] }, [3], 'float32')).toEqual([want, want, want])
  })

  test('amax takes the largest, NaN if there is one', () => {
    holds(fc.property(filled, numbers, random, (shape, dtype, r) => {
      const axes = shape.map((_, i) => i).filter(i => choose(r, i, 2) === 1)
      const out = shape.map((size, i) => axes.includes(i) ? 1 : size)
      const float = dtype.startsWith('float')
      const x = given(shape, dtype, i => float && (i * 7919 + r) % 9 === 0 ? NaN : (i * 7919 + r) % 23 - 30)
      expect(run('amax', [x], { axes }, out, dtype)).toEqual(groups(x, out).map(list => Math.max(...list)))
    }))
  })

  test('argMax, argSort and cumSum go along one axis', () => {
    holds(fc.property(filled, numbers, random, (shape, dtype, r) => {
      const axis = choose(r, 0, shape.length)
      const float = dtype.startsWith('float')
      const x = given(shape, dtype, i => float && (i * 7919 + r) % 11 === 0 ? NaN : (i * 7919 + r) % 5 - 3)
      const line = (p: readonly number[]): number[] => Array.from({ length: shape[axis]! }, (_, q) => at(x, p.map((n, i) => i === axis ? q : n)))
      const rank = (v: number): number => Number.isNaN(v) ? Infinity : v
      const order = (list: number[], sign: number): number[] => list.map((_, i) => i).sort((i, j) => (rank(list[i]!) === rank(list[j]!) ? 0 : rank(list[i]!) < rank(list[j]!) ? -1 : 1) * sign || i - j)
      const dropped = shape.filter((_, i) => i !== axis)
      expect(run('argMax', [x], { axis }, dropped, 'int32')).toEqual(places(dropped).map(p => order(line([...p.slice(0, axis), 0, ...p.slice(axis)]), -1)[0]))
      for (const descending of [false, true]) {
        expect(run('argSort', [x], { axis, descending }, shape, 'int32')).toEqual(places(shape).map(p => order(line(p), descending ? -1 : 1)[p[axis]!]))
      }
      for (const reverse of [false, true]) {
        expect(run('cumSum', [x], { axis, reverse }, shape, dtype)).toEqual(places(shape).map(p => {
          const list = line(p)
          return (reverse ? list.slice(p[axis]) : list.slice(0, p[axis]! + 1)).reduce((a, b) => a + b, 0)
        }))
      }
    }))
  })

  test('nothing to reduce: sums are 0, the other axes stay', () => {
    const x = counted([2, 0], 'float32')
    expect(run('sumTo', [x], { shape: [2, 1] }, [2, 1], 'float32')).toEqual([0, 0])
    expect(run('amax', [counted([0, 2], 'float32')], { axes: [1] }, [0, 1], 'float32')).toEqual([])
    expect(run('argSort', [x], { axis: 1, descending: false }, [2, 0], 'int32')).toEqual([])
    expect(run('cumSum', [x], { axis: 1, reverse: true }, [2, 0], 'float32')).toEqual([])
  })
})

describe('indexing', () => {
  test('gather reads and scatterAdd adds at the same places, negative ones from the end', () => {
    holds(fc.property(filled, numbers, random, (shape, dtype, r) => {
      const axis = choose(r, 0, shape.length)
      const size = shape[axis]!
      const index = given([2, choose(r, 1, 4)], 'int32', i => choose(r, i, 2 * size) - size)
      const chosen = (p: readonly number[]): number[] => {
        const n = Number(index.storage[p[axis]! * index.shape[1]! + p[axis + 1]!])
        return [...p.slice(0, axis), n < 0 ? n + size : n, ...p.slice(axis + 2)]
      }
      const picked = [...shape.slice(0, axis), ...index.shape, ...shape.slice(axis + 1)]
      const x = counted(shape, dtype)
      expect(run('gather', [x, index], { axis }, picked, dtype)).toEqual(places(picked).map(p => at(x, chosen(p))))
      const values = counted(picked, dtype)
      const want = places(shape).map(to => places(picked).reduce((sum, p) => chosen(p).join() === to.join() ? sum + at(values, p) : sum, 0))
      expect(run('scatterAdd', [values, index], { axis, size }, shape, dtype)).toEqual(want)
    }))
  })

  test('an index out of range is an error that says which', () => {
    const x = counted([5], 'float32')
    const index = (...list: number[]): Given => given([list.length], 'int32', i => list[i]!)
    expect(() => run('gather', [x, index(0, 7)], { axis: 0 }, [2], 'float32')).toThrowErrorMatchingInlineSnapshot('[BpError: gather: index 7 is out of range for axis 0 of size 5. Use -5 to 4]')
    expect(() => run('scatterAdd', [counted([1], 'float32'), index(-6)], { axis: 0, size: 5 }, [5], 'float32')).toThrowErrorMatchingInlineSnapshot('[BpError: scatterAdd: index -6 is out of range for axis 0 of size 5. Use -5 to 4]')
    expect(() => run('gather', [counted([0], 'float32'), index(0)], { axis: 0 }, [1], 'float32')).toThrowErrorMatchingInlineSnapshot('[BpError: gather: index 0 is out of range for axis 0 of size 0. It has no elements to choose from]')
  })
})
