// Floats of 16, 8 and 4 bits: every code there and back, ties to even between neighbours, and what is out of range.

import { describe, expect, test } from 'vitest'
import { decodeShort, encodeShort, roundShort, type ShortFloat } from './shortFloat.ts'

const types = { bfloat16: 16, float8e4m3fn: 8, float8e4m3fnuz: 8, float8e5m2: 8, float8e5m2fnuz: 8, float8e8m0: 8, float4e2m1: 4 } as const

/** The codes of a type that are numbers, with these. */
const numbersOf = (type: ShortFloat): (readonly [code: number, x: number])[] =>
  Array.from({ length: 2 ** types[type] }, (_, code) => [code, decodeShort(type, code)] as const).filter(([, x]) => !Number.isNaN(x))

const names = Object.keys(types) as ShortFloat[]

describe('among the numbers of a type', () => {
  test.each(names)('every code of %s is its number\'s, and rounding leaves the number', type => {
    const numbers = numbersOf(type)
    for (const [code, x] of numbers) {
      if (encodeShort(type, x) !== code || !Object.is(roundShort(type, x), x)) expect.fail(`code ${code} is ${x}, whose code is ${encodeShort(type, x)}`)
    }
    expect(numbers.length).toBe(2 ** types[type] - { bfloat16: 254, float8e4m3fn: 2, float8e4m3fnuz: 1, float8e5m2: 6, float8e5m2fnuz: 1, float8e8m0: 1, float4e2m1: 0 }[type])
  })

  test.each(names.filter(type => type !== 'float8e8m0'))('between two neighbours in %s the nearer one is taken, of two as near the one whose code is even', type => {
    const finite = numbersOf(type).filter(([, x]) => Number.isFinite(x) && !Object.is(x, -0)).sort(([, a], [, b]) => a - b)
    finite.slice(1).forEach(([code, above], i) => {
      const [before, below] = finite[i]!
      const middle = (below + above) / 2
      const even = code % 2 === 0 && above !== 0 ? above : before % 2 === 0 && below !== 0 ? below : above === 0 || below === 0 ? 0 : NaN
      const got = [roundShort(type, middle), roundShort(type, middle - (above - below) / 8), roundShort(type, middle + (above - below) / 8)]
      if (got[0]! + 0 !== even || got[1]! + 0 !== below || got[2]! + 0 !== above) expect.fail(`around ${middle}: ${got.join()}, between ${below} and ${above}`)
    })
  })
})

// ml_dtypes 0.5, NumPy's types of these names; saturated as onnx.numpy_helper does
test.each<[ShortFloat, number[], number[]]>([
  ['bfloat16', [Infinity, -Infinity, Infinity, NaN], [Infinity, -Infinity, Infinity, NaN]],
  ['float8e4m3fn', [NaN, NaN, NaN, NaN], [448, -448, 448, NaN]],
  ['float8e4m3fnuz', [NaN, NaN, NaN, NaN], [240, -240, 240, NaN]],
  ['float8e5m2', [Infinity, -Infinity, Infinity, NaN], [57344, -57344, 57344, NaN]],
  ['float8e5m2fnuz', [NaN, NaN, NaN, NaN], [57344, -57344, 57344, NaN]],
  ['float4e2m1', [6, -6, 6, -0], [6, -6, 6, -0]],
])('what is out of the range of %s', (type, plain, saturated) => {
  const xs = [3.4e38 * 1.01, -3.4e38 * 1.01, Infinity, NaN]
  expect(xs.map(x => roundShort(type, x))).toEqual(plain)
  if (type !== 'bfloat16') expect(xs.map(x => roundShort(type, x, { saturate: true, round: 'nearest' }))).toEqual(saturated)
})

// the table in the documentation of Cast, version 25
test('powers of two are rounded up, down or to the nearest, and saturate at both ends', () => {
  const all = (x: number, saturate = true): number[] => (['up', 'down', 'nearest'] as const).map(round => roundShort('float8e8m0', x, { saturate, round }))
  expect(all(5)).toEqual([8, 4, 4])
  expect(all(6)).toEqual([8, 4, 8])
  expect(all(4)).toEqual([4, 4, 4])
  expect(all(0)).toEqual([2 ** -127, 2 ** -127, 2 ** -127])
  expect(all(Infinity)).toEqual([2 ** 127, 2 ** 127, 2 ** 127])
  expect(all(Infinity, false)).toEqual([NaN, NaN, NaN])
  expect(all(-1)).toEqual([NaN, NaN, NaN])
})
