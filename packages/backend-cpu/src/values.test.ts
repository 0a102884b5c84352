// The scalar table on special values: accuracy, NaN, infinities, signs of zero, whole numbers and conversions.

import type { DType, TypedArray } from '@bp/core'
import { allocate, Aval, sizeOf } from '@bp/core/extend'
import { describe, expect, test } from 'vitest'
import { cpu } from './index.ts'

const backend = cpu()
const table = backend.kernels as Readonly<Record<string, (xs: readonly object[], params: unknown, out: Aval) => TypedArray>>

type Elements = readonly (number | bigint)[]

const given = (dtype: DType, values: Elements, shape: readonly number[] = [values.length]): object => {
  const storage = allocate(dtype, values.length)
  values.forEach((v, i) => { storage[i] = v })
  return { shape, dtype, aval: new Aval(shape, dtype), storage }
}

/** The results of an op on operands of one axis. */
const map = (name: string, dtype: DType, operands: readonly Elements[], out: DType = dtype, params?: unknown): unknown[] =>
  Array.from(table[name]!(operands.map(values => given(dtype, values)), params, new Aval([Math.max(...operands.map(v => v.length))], out)) as Float64Array)

const cast = (from: DType, values: Elements, to: DType): unknown[] => map('cast', from, [values], to, { dtype: to })

describe('accuracy', () => {
  test('erf is right to 4e-16 of its value in all of its ranges (50-digit arithmetic)', () => {
    const cases = [
      [1e-300, 1.1283791670955126e-300], [1e-8, 1.1283791670955126e-08], [0.0063, 0.007108694704546365], [0.1, 0.1124629160182849],
      [0.46, 0.4846553900016797], [0.4688, 0.4926587618132793], [0.5, 0.5204998778130465], [0.9, 0.7969082124228322],
      [1.3, 0.9340079449406524], [1.73, 0.9855784998281805], [2, 0.9953222650189527], [2.5, 0.999593047982555],
      [3.3, 0.9999969422902035], [3.99, 0.9999999832607886], [4.01, 0.9999999858030606], [5.5, 0.9999999999999927],
    ] as const
    const got = map('erf', 'float64', [cases.map(([x]) => x)]) as number[]
    cases.forEach(([, want], i) => { expect(Math.abs(got[i]! / want - 1)).toBeLessThanOrEqual(4e-16) })
    expect(map('erf', 'float64', [cases.map(([x]) => -x)])).toEqual(got.map(y => -y))
    expect(map('erf', 'float64', [[-0, Infinity, -Infinity, NaN]])).toEqual([-0, 1, -1, NaN])
  })

  test('sigmoid is right to 1e-15 of its value in both tails (50-digit arithmetic)', () => {
    const cases = [
      [-700, 9.85967654375977e-305], [-100, 3.720075976020836e-44], [-30, 9.357622968839299e-14], [-5, 0.0066928509242848554],
      [-0.5, 0.37754066879814546], [0, 0.5], [1e-10, 0.500000000025], [0.5, 0.6224593312018546],
      [5, 0.9933071490757152], [30, 0.9999999999999064], [36.5, 0.9999999999999999], [100, 1.0],
    ] as const
    const got = map('sigmoid', 'float64', [cases.map(([x]) => x)]) as number[]
    cases.forEach(([, want], i) => { expect(Math.abs(got[i]! / want - 1)).toBeLessThanOrEqual(1e-15) })
    expect(map('sigmoid', 'float32', [[-1000, 1000]])).toEqual([0, 1])
  })
})

describe('special values', () => {
  test('round goes to even halves and keeps the sign of zero', () => {
    expect(map('round', 'float64', [[-0.3, -0.5, -0, 0.5, 1.5, 2.5, -1.5, -2.5, 0.49999999999999994, 2 ** 52 - 0.5, -Infinity, NaN]])).toEqual([-0, -0, -0, 0, 2, 2, -2, -2, 0, 2 ** 52, -Infinity, NaN])
  })

  test('pow has the values of IEEE 754', () => {
    expect(map('pow', 'float64', [[-1, -1, 1, NaN, 0, -8, 0], [Infinity, -Infinity, NaN, 0, 0, 1 / 3, -1]])).toEqual([1, 1, 1, 1, 1, NaN, Infinity])
  })

  test('maximum and minimum pass NaN on and tell zeros apart', () => {
    expect(map('maximum', 'float32', [[NaN, 1, -0, 2], [1, NaN, 0, -Infinity]])).toEqual([NaN, NaN, 0, 2])
    expect(map('minimum', 'float32', [[NaN, 1, 0, 2], [1, NaN, -0, -Infinity]])).toEqual([NaN, NaN, -0, -Infinity])
  })

  test('comparisons with NaN are false, select takes what it is told', () => {
    for (const op of ['equal', 'less', 'lessEqual']) expect(map(op, 'float64', [[NaN, 1, NaN], [NaN, NaN, 1]], 'bool')).toEqual([0, 0, 0])
    const y = table.select!([given('bool', [1, 0]), given('float32', [NaN, NaN]), given('float32', [5], [])], undefined, new Aval([2], 'float32'))
    expect(y).toEqual(new Float32Array([NaN, 5]))
  })

  test('tensors without elements, and scalars, pass through every map', () => {
    for (const dtype of ['float32', 'float64'] as const) {
      for (const op of ['neg', 'abs', 'sign', 'floor', 'round', 'exp', 'log', 'expm1', 'log1p', 'sqrt', 'tanh', 'sigmoid', 'erf', 'relu', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan']) {
        expect(table[op]!([given(dtype, [], [0, 3])], undefined, new Aval([0, 3], dtype))).toEqual(allocate(dtype, 0))
        expect(table[op]!([given(dtype, [0.5], [])], undefined, new Aval([], dtype))).toHaveLength(1)
      }
      for (const op of ['add', 'sub', 'mul', 'div', 'pow', 'maximum', 'minimum']) {
        expect(table[op]!([given(dtype, [], [0, 1]), given(dtype, [1, 2, 3])], undefined, new Aval([0, 3], dtype))).toEqual(allocate(dtype, 0))
      }
    }
  })
})

test('every broadcast of three operands meets the right elements', () => {
  const shapes = [[2, 3, 4], [], [4], [3, 1], [2, 1, 1], [1, 3, 4]]
  const out = new Aval([2, 3, 4], 'float64')
  const read = (shape: readonly number[], values: Elements, place: readonly number[]): number => Number(values[shape.reduce((sum, size, i) => sum * size + (size === 1 ? 0 : place[i + 3 - shape.length]!), 0)])
  for (const a of shapes) for (const b of shapes) for (const c of shapes) {
    const [u, v, w] = [a, b, c].map((shape, k) => Array.from({ length: sizeOf(shape) }, (_, i) => k === 0 ? i % 2 : i + 100 * k)) as [number[], number[], number[]]
    const want: number[] = [], less: number[] = []
    for (let i = 0; i < 24; i++) {
      const place = [Math.floor(i / 12), Math.floor(i / 4) % 3, i % 4]
      want.push(read(a, u, place) ? read(b, v, place) : read(c, w, place))
      less.push(read(b, v, place) - 2 * read(c, w, place))
    }
    expect(Array.from(table.select!([given('bool', u, a), given('float64', v, b), given('float64', w, c)], undefined, out) as Float64Array)).toEqual(want)
    const twice = given('float64', w.map(x => 2 * x), c)
    expect(Array.from(table.sub!([given('float64', v, b), twice], undefined, out) as Float64Array)).toEqual(less)
  }
})

describe('whole numbers', () => {
  test('int64 is exact beyond 2⁵³ and wraps at 64 bits', () => {
    const big = 2n ** 62n + 1n
    expect(map('add', 'int64', [[big, 2n ** 63n - 1n], [1n, 1n]])).toEqual([big + 1n, -(2n ** 63n)])
    expect(map('sub', 'int64', [[big], [2n]])).toEqual([big - 2n])
    expect(map('mul', 'int64', [[2n ** 40n + 1n], [3n]])).toEqual([3n * 2n ** 40n + 3n])
    expect(map('div', 'int64', [[-7n, 7n], [2n, -2n]])).toEqual([-3n, -3n])
    expect(map('neg', 'int64', [[big]])).toEqual([-big])
    expect(map('maximum', 'int64', [[big, 1n], [big - 1n, 2n]])).toEqual([big, 2n])
    expect(map('minimum', 'int64', [[big, 1n], [big - 1n, 2n]])).toEqual([big - 1n, 1n])
    expect(map('less', 'int64', [[big - 1n, big], [big, big]], 'bool')).toEqual([1, 0])
    expect(map('equal', 'int64', [[big - 1n, big], [big, big]], 'bool')).toEqual([0, 1])
    expect(map('lessEqual', 'int64', [[big + 1n, big], [big, big]], 'bool')).toEqual([0, 1])
    expect(table.select!([given('bool', [1, 0]), given('int64', [big, big]), given('int64', [7n], [1])], undefined, new Aval([2], 'int64'))).toEqual(new BigInt64Array([big, 7n]))
    expect(table.sumTo!([given('int64', [big, 1n])], { shape: [1] }, new Aval([1], 'int64'))).toEqual(new BigInt64Array([big + 1n]))
  })

  test('an op that int64 has no meaning for is an error with a way out', () => {
    expect(() => map('exp', 'int64', [[1n]])).toThrowErrorMatchingInlineSnapshot(`[BpError: exp: int64 has no such op on the CPU. Convert with cast(x, 'int32') or cast(x, 'float64')]`)
  })

  test('int32 wraps, int64 refuses to divide by zero as int32 does', () => {
    expect(map('add', 'int32', [[2 ** 31 - 1], [1]])).toEqual([-(2 ** 31)])
    expect(map('mul', 'int32', [[123456789], [987654321]])).toEqual([Math.imul(123456789, 987654321)])
    expect(map('abs', 'int32', [[-5, 5]])).toEqual([5, 5])
    expect(() => map('div', 'int64', [[1n], [0n]])).toThrowErrorMatchingInlineSnapshot(`[BpError: div: a whole number was divided by zero. Cast to float32 for infinities, or select another divisor first]`)
  })
})

describe('conversions', () => {
  test('floats go towards zero, NaN to 0 as a number and to true as bool', () => {
    expect(cast('float64', [1.9, -1.9, NaN], 'int32')).toEqual([1, -1, 0])
    expect(cast('float32', [1.9, -1.9, NaN], 'int64')).toEqual([1n, -1n, 0n])
    expect(cast('float32', [NaN, 0, -0, 0.25, Infinity], 'bool')).toEqual([1, 0, 0, 1, 1])
    expect(cast('float64', [0.1], 'float32')).toEqual([Math.fround(0.1)])
  })

  test('int64 goes to floats nearest, to int32 by its low bits, to bool by being 0', () => {
    expect(cast('int64', [2n ** 62n, -3n], 'float64')).toEqual([2 ** 62, -3])
    expect(cast('int64', [2n ** 62n + 5n, -3n], 'int32')).toEqual([5, -3])
    expect(cast('int64', [0n, 2n ** 40n], 'bool')).toEqual([0, 1])
    expect(cast('int32', [-7], 'int64')).toEqual([-7n])
    expect(cast('bool', [0, 1], 'int64')).toEqual([0n, 1n])
  })
})

describe('sources and memory', () => {
  test('fill converts its value to the dtype', () => {
    const fill = (value: number, dtype: DType): unknown => Array.from(table.fill!([], { value, shape: [2], dtype }, new Aval([2], dtype)) as Float64Array)
    expect(fill(-0, 'float32')).toEqual([-0, -0])
    expect(fill(NaN, 'float64')).toEqual([NaN, NaN])
    expect(fill(5, 'bool')).toEqual([1, 1])
    expect(fill(-0, 'bool')).toEqual([0, 0])
    expect(fill(1.5, 'int64')).toEqual([1n, 1n])
    expect(fill(0, 'int64')).toEqual([0n, 0n])
  })

  test('iota counts in every dtype', () => {
    for (const dtype of ['float32', 'float64', 'int32', 'uint8'] as const) expect(Array.from(table.iota!([], {}, new Aval([3], dtype)) as Float64Array)).toEqual([0, 1, 2])
    expect(table.iota!([], {}, new Aval([3], 'int64'))).toEqual(new BigInt64Array([0n, 1n, 2n]))
    expect(table.iota!([], {}, new Aval([3], 'bool'))).toEqual(new Uint8Array([0, 1, 1]))
  })

  test('random bits are the top 24 of word 0, by counter and key', () => {
    const draw = (key: Elements, n: number): number[] => Array.from(table.randomBits!([given('int32', key)], { shape: [n] }, new Aval([n], 'int32')) as Int32Array)
    expect(draw([0, 0], 1)).toEqual([0x6627e8d5 >>> 8])
    expect(draw([-5, 9], 100).slice(0, 10)).toEqual(draw([-5, 9], 10))
    expect(draw([-5, 9], 4)).not.toEqual(draw([9, -5], 4))
    const many = draw([1, 2], 100_000)
    expect(many.every(bits => bits >= 0 && bits < 2 ** 24)).toBe(true)
    expect(new Set(many).size).toBeGreaterThan(99_000)
    expect(Math.abs(many.reduce((a, b) => a + b, 0) / many.length / 2 ** 24 - 0.5)).toBeLessThan(0.005)
  })

  test('write and read copy', async () => {
    const data = Buffer.from([1, 2, 3])
    const aval = new Aval([3], 'uint8')
    const storage = backend.write(data, aval)
    data[0] = 9
    const out = backend.readSync!(storage, aval)
    expect(out).toEqual(new Uint8Array([1, 2, 3]))
    out[1] = 9
    expect(await backend.read(storage, aval)).toEqual(new Uint8Array([1, 2, 3]))
    expect(backend.bytes(backend.write(new BigInt64Array(4), new Aval([4], 'int64')))).toBe(32)
  })
})
