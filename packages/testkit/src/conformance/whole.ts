// Checks of whole numbers: they wrap, divide towards zero, and are exact beyond what float32 holds; and of conversions.

import { compile, type DType, type Tensor } from '@bp/core'
import { bind, cast } from '@bp/core/extend'
import { argMax, argSort, cumSum, matmul, scatterAdd, sum, amax } from '@bp/ops'
import { type Check, type Elements, expectElements, make, primitive } from './check.ts'

const [low, high] = [-(2 ** 31), 2 ** 31 - 1]
const [low64, high64] = [-(2n ** 63n), 2n ** 63n - 1n]

type Points = readonly Elements[]

/** Arguments, and last the value. */
const tables: Readonly<Record<string, Readonly<Partial<Record<DType, Points>>>>> = {
  add: { int32: [[high, 1, low], [16777216, 1, 16777217], [-5, 3, -2], [low, -1, high]], uint8: [[200, 100, 44], [255, 1, 0], [3, 4, 7]], int64: [[high64, 1n, low64], [2n ** 53n, 1n, 2n ** 53n + 1n]] },
  sub: { int32: [[low, 1, high], [16777217, 16777216, 1], [3, 5, -2]], uint8: [[3, 5, 254], [9, 4, 5]], int64: [[low64, 1n, high64], [2n ** 62n + 1n, 2n ** 62n, 1n]] },
  mul: { int32: [[123456789, 987654321, Math.imul(123456789, 987654321)], [high, high, 1], [65536, 65536, 0], [-3, 7, -21], [46341, 46341, Math.imul(46341, 46341)]], uint8: [[16, 17, 16], [3, 5, 15]], int64: [[2n ** 40n + 1n, 3n, 3n * 2n ** 40n + 3n], [2n ** 32n, 2n ** 32n, 0n], [-7n, 6n, -42n]] },
  div: { int32: [[7, 2, 3], [-7, 2, -3], [7, -2, -3], [-7, -2, 3], [1, 3, 0], [high, 1, high], [2147483646, 2147483647, 0], [16777217, 1, 16777217], [33554433, 3, 11184811]], uint8: [[200, 7, 28], [5, 10, 0]], int64: [[-7n, 2n, -3n], [2n ** 62n + 2n, 2n, 2n ** 61n + 1n]] },
  maximum: { int32: [[16777217, 16777216, 16777217], [-1, -2, -1], [low, high, high]], uint8: [[200, 100, 200]], int64: [[2n ** 62n + 1n, 2n ** 62n, 2n ** 62n + 1n]] },
  minimum: { int32: [[16777217, 16777216, 16777216], [-1, -2, -2], [low, high, low]], uint8: [[200, 100, 100]], int64: [[2n ** 62n + 1n, 2n ** 62n, 2n ** 62n]] },
  neg: { int32: [[5, -5], [high, -high], [low, low], [0, 0], [16777217, -16777217]], int64: [[2n ** 62n + 1n, -(2n ** 62n) - 1n]] },
  abs: { int32: [[-5, 5], [low + 1, high], [-16777217, 16777217]], int64: [[-(2n ** 62n) - 1n, 2n ** 62n + 1n]] },
  sign: { int32: [[-5, -1], [0, 0], [high, 1], [low, -1]], uint8: [[200, 1], [0, 0]], int64: [[low64, -1n], [0n, 0n], [high64, 1n]] },
  equal: { int32: [[16777217, 16777216, 0], [-1, -1, 1], [high, high, 1], [low, high, 0]], uint8: [[255, 255, 1], [255, 254, 0]], int64: [[2n ** 53n + 1n, 2n ** 53n, 0]], bool: [[0, 0, 1], [0, 1, 0], [1, 1, 1]] },
  less: { int32: [[16777216, 16777217, 1], [low, high, 1], [high, low, 0], [-1, 0, 1]], uint8: [[127, 128, 1], [255, 0, 0]], int64: [[2n ** 53n, 2n ** 53n + 1n, 1]] },
  lessEqual: { int32: [[16777217, 16777216, 0], [16777217, 16777217, 1], [low, high, 1]], uint8: [[128, 127, 0], [255, 255, 1]], int64: [[2n ** 53n + 1n, 2n ** 53n, 0]] },
  logicalNot: { bool: [[0, 1], [1, 0]] },
  logicalAnd: { bool: [[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 1]] },
  logicalOr: { bool: [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]] },
}

const comparisons = new Set(['equal', 'less', 'lessEqual'])

function elementwise(name: string, dtype: DType, points: Points): Check[] {
  const row = primitive(name)
  const result = comparisons.has(name) ? 'bool' : dtype
  return [false, true].map(compiled => ({
    name: `${name} whole numbers${compiled ? ' compiled' : ''} ${dtype}`,
    dtypes: [dtype],
    async run(at) {
      const xs = Array.from({ length: row.arity as number }, (_, k) => make(points.map(point => point[k]!), [points.length], dtype))
      const f = (...operands: Tensor[]): Tensor => bind(row, operands, undefined)
      const y = compiled ? compile(f)(...xs) : f(...xs)
      await expectElements(at, `${name} of ${points.map(point => `(${point.slice(0, -1).join(', ')})`).join(' ')}`, y, [points.length], result, points.map(point => point.at(-1)!))
    },
  }))
}

/** From, to, elements, what they become. */
const conversions: readonly (readonly [DType, DType, Elements, Elements])[] = [
  ...(['float64', 'float32'] as const).flatMap((from): (readonly [DType, DType, Elements, Elements])[] => [
    [from, 'int32', [1.9, -1.9, 0.5, -0.5, 2.5, -0, 16777216, -16777216, 2 ** 30], [1, -1, 0, 0, 2, 0, 16777216, -16777216, 2 ** 30]],
    [from, 'int64', [1.9, -1.9, 2 ** 40], [1n, -1n, 2n ** 40n]],
    [from, 'uint8', [0, 1.9, 254.5, 255], [0, 1, 254, 255]],
    [from, 'bool', [0, -0, 0.25, -3, NaN, Infinity], [0, 0, 1, 1, 1, 1]],
    [from, 'float16', [1, 1.0001, 65504, 70000, -(2 ** -24), NaN], [1, 1, 65504, Infinity, -(2 ** -24), NaN]],
  ]),
  ['float64', 'float32', [0.1, 1e40, -1e-50, NaN], [Math.fround(0.1), Infinity, -0, NaN]],
  ['float32', 'float64', [0.5, -0, Infinity, NaN], [0.5, -0, Infinity, NaN]],
  ['float16', 'float32', [0.5, -0, 65504, 2 ** -24, NaN], [0.5, -0, 65504, 2 ** -24, NaN]],
  ['int32', 'float32', [16777216, 16777217, 16777219, -5, high, low], [16777216, 16777216, 16777220, -5, 2 ** 31, low]],
  ['int32', 'float64', [16777217, high, low], [16777217, high, low]],
  ['int32', 'bool', [0, 1, -1, 16777216, low], [0, 1, 1, 1, 1]],
  ['int32', 'uint8', [0, 255, 256, 257, -1], [0, 255, 0, 1, 255]],
  ['int32', 'int64', [low, high, -1], [BigInt(low), BigInt(high), -1n]],
  ['int64', 'int32', [2n ** 62n + 5n, -3n], [5, -3]],
  ['int64', 'float64', [2n ** 62n, -3n], [2 ** 62, -3]],
  ['int64', 'bool', [0n, 2n ** 40n], [0, 1]],
  ['uint8', 'int32', [0, 127, 128, 255], [0, 127, 128, 255]],
  ['uint8', 'float32', [0, 128, 255], [0, 128, 255]],
  ['bool', 'float32', [0, 1], [0, 1]],
  ['bool', 'int32', [0, 1], [0, 1]],
  ['bool', 'uint8', [0, 1], [0, 1]],
]

const conversion = ([from, to, values, expected]: typeof conversions[number]): Check[] => [false, true].map(compiled => ({
  name: `cast to ${to}${compiled ? ' compiled' : ''} ${from}`,
  dtypes: [from, to],
  async run(at) {
    const x = make(values, [values.length], from)
    const f = (z: Tensor): Tensor => cast(z, to)
    await expectElements(at, `cast of (${values.join(', ')})`, compiled ? compile(f)(x) : f(x), [values.length], to, expected)
  },
}))

/** Numbers that float32 rounds, through ops that are not elementwise. */
const beyond = (): Check[] => {
  const x = (): Tensor => make([16777216, 16777217, 1, 16777217, -16777217, -16777216], [6], 'int32')
  const at = (values: readonly number[]): Tensor => make(values, [values.length], 'int32')
  const ops: Readonly<Record<string, () => readonly [Tensor, readonly number[], Elements]>> = {
    amax: () => [amax(x()), [], [16777217]],
    argMax: () => [argMax(x()), [], [1]],
    argSort: () => [argSort(x()), [6], [4, 5, 2, 0, 1, 3]],
    sum: () => [sum(x()), [], [16777218]],
    cumSum: () => [cumSum(x()), [6], [16777216, 33554433, 33554434, 50331651, 33554434, 16777218]],
    scatterAdd: () => [scatterAdd(x(), at([0, 1, 0, 2, 1, 1]), 3), [3], [16777217, -16777216, 16777217]],
    dot: () => [matmul(make([65537, 3], [1, 2], 'int32'), make([65539, 16777217], [2, 1], 'int32')), [1, 1], [Math.imul(65537, 65539) + 3 * 16777217 | 0]],
    'sum that wraps': () => [sum(at([high, 1, 1])), [], [low + 1]],
    'cumSum that wraps': () => [cumSum(at([high, 1, 1])), [3], [high, low, low + 1]],
  }
  const big = 2n ** 53n
  const y = (): Tensor => make([big, big + 1n, 1n, big + 1n, -big - 1n, -big], [6], 'int64')
  const wide: typeof ops = {
    amax: () => [amax(y()), [], [big + 1n]],
    argMax: () => [argMax(y()), [], [1]],
    argSort: () => [argSort(y()), [6], [4, 5, 2, 0, 1, 3]],
    sum: () => [sum(y()), [], [big + 2n]],
    cumSum: () => [cumSum(y()), [6], [big, 2n * big + 1n, 2n * big + 2n, 3n * big + 3n, 2n * big + 2n, big + 2n]],
    scatterAdd: () => [scatterAdd(y(), at([0, 1, 0, 2, 1, 1]), 3), [3], [big + 1n, -big, big + 1n]],
    dot: () => [matmul(make([big + 1n, 3n], [1, 2], 'int64'), make([3n, big + 1n], [2, 1], 'int64')), [1, 1], [6n * big + 6n]],
  }
  const both = [['2^24', 'int32', ops], ['2^53', 'int64', wide]] as const
  return both.flatMap(([bound, dtype, table]) => Object.entries(table).map(([name, run]): Check => ({
    name: `${name} beyond ${bound} ${dtype}`,
    dtypes: [dtype, 'int32'],
    async run(setting) {
      const [result, shape, expected] = run()
      await expectElements(setting, name, result, shape, name.startsWith('arg') ? 'int32' : dtype, expected)
    },
  })))
}

/** Whole numbers and conversions. */
export const wholeChecks = (): Check[] => [
  ...Object.entries(tables).flatMap(([name, by]) => Object.entries(by).flatMap(([dtype, points]) => elementwise(name, dtype as DType, points))),
  ...conversions.flatMap(conversion),
  ...beyond(),
]
