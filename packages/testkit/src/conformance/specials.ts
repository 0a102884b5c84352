// Checks of elementwise functions where arithmetic is not smooth: NaN, infinities, signs of zero, tiny numbers, halves.

import { compile, type DType, tensor, type Tensor } from '@bp/core'
import { bind, convert } from '@bp/core/extend'
import { type Check, expectElements, primitive } from './check.ts'

const inf = Infinity
/** A point of a function: its arguments, and last its value. */
type Point = readonly number[]

/* Subnormal numbers stand for themselves: what is exact of them must be exact. */
const tiny = { float64: 2 ** -1050, float32: 2 ** -140 } as const
const pi = Math.PI

/** Functions that give numbers; the values are those of IEEE 754 and of C's library. */
const numeric: Readonly<Record<string, (tiny: number) => readonly Point[]>> = {
  add: t => [[inf, -inf, NaN], [inf, 1, inf], [NaN, 1, NaN], [-0, -0, -0], [-0, 0, 0], [t, t, 2 * t], [1, t, 1]],
  sub: t => [[inf, inf, NaN], [1, -inf, inf], [1, NaN, NaN], [-0, 0, -0], [0, 0, 0], [t, t, 0], [3 * t, t, 2 * t]],
  mul: t => [[inf, 0, NaN], [-inf, 2, -inf], [NaN, 0, NaN], [-1, 0, -0], [-0, -3, 0], [t, 1, t], [t, -2, -2 * t], [3, 0.5, 1.5]],
  div: t => [[1, 0, inf], [-1, 0, -inf], [1, -0, -inf], [0, 0, NaN], [inf, inf, NaN], [1, inf, 0], [-1, inf, -0], [NaN, 1, NaN], [t, 1, t], [1, 4, 0.25]],
  pow: () => [
    [NaN, 0, 1], [0, 0, 1], [inf, 0, 1], [1, NaN, 1], [1, inf, 1], [-1, inf, 1], [-1, -inf, 1], [2, 10, 1024], [-2, 3, -8], [-2, 2, 4], [-8, 1 / 3, NaN],
    [0, -1, inf], [-0, -1, -inf], [-0, -2, inf], [0, 2, 0], [-0, 3, -0], [inf, -1, 0], [inf, 0.5, inf], [-inf, 3, -inf], [-inf, 2, inf], [2, inf, inf], [0.5, inf, 0], [2, -inf, 0], [NaN, 1, NaN],
    [2, NaN, NaN], [9, 0.5, 3], [4, -0.5, 0.5], [-3, 1, -3], [-2, -1, -0.5],
  ],
  maximum: t => [[NaN, 1, NaN], [1, NaN, NaN], [NaN, NaN, NaN], [NaN, inf, NaN], [-inf, NaN, NaN], [-0, 0, 0], [0, -0, 0], [-inf, 3, 3], [2, inf, inf], [-2, -3, -2], [0, t, t]],
  minimum: t => [[NaN, 1, NaN], [1, NaN, NaN], [NaN, NaN, NaN], [NaN, -inf, NaN], [inf, NaN, NaN], [-0, 0, -0], [0, -0, -0], [-inf, 3, -inf], [2, inf, 2], [-2, -3, -3], [0, t, 0]],
  neg: t => [[0, -0], [-0, 0], [inf, -inf], [NaN, NaN], [1.5, -1.5], [t, -t]],
  abs: t => [[-0, 0], [-inf, inf], [NaN, NaN], [-1.5, 1.5], [-t, t]],
  sign: t => [[-0, -0], [0, 0], [-inf, -1], [inf, 1], [NaN, NaN], [-0.1, -1], [7, 1], [t, 1], [-t, -1]],
  floor: () => [[-0, -0], [0.5, 0], [-0.5, -1], [1.999, 1], [-2, -2], [-2.0001, -3], [inf, inf], [-inf, -inf], [NaN, NaN], [8388607.5, 8388607], [-8388607.5, -8388608], [3e9, 3e9]],
  round: () => [[0.5, 0], [1.5, 2], [2.5, 2], [3.5, 4], [-0.5, -0], [-1.5, -2], [-2.5, -2], [-0.3, -0], [-0, -0], [0.49999997, 0], [0.50000006, 1], [8388607.5, 8388608], [4194304.5, 4194304], [inf, inf], [-inf, -inf], [NaN, NaN]],
  exp: () => [[0, 1], [-0, 1], [-inf, 0], [inf, inf], [NaN, NaN], [1, Math.E], [-1, 1 / Math.E], [88, Math.exp(88)], [-87, Math.exp(-87)], [800, inf], [-800, 0], [1e-8, 1 + 1e-8]],
  log: () => [[1, 0], [0, -inf], [-0, -inf], [-1, NaN], [-inf, NaN], [inf, inf], [NaN, NaN], [Math.E, 1], [2 ** 100, 100 * Math.LN2], [2 ** -100, -100 * Math.LN2], [2, Math.LN2]],
  expm1: () => [[0, 0], [-0, -0], [-inf, -1], [inf, inf], [NaN, NaN], [2 ** -20, Math.expm1(2 ** -20)], [-(2 ** -20), Math.expm1(-(2 ** -20))], [-50, -1], [1, Math.expm1(1)], [800, inf]],
  log1p: () => [[0, 0], [-0, -0], [-1, -inf], [-2, NaN], [inf, inf], [NaN, NaN], [2 ** -20, Math.log1p(2 ** -20)], [-(2 ** -20), Math.log1p(-(2 ** -20))], [2 ** 60, Math.log1p(2 ** 60)]],
  sqrt: () => [[0, 0], [-0, -0], [-1, NaN], [inf, inf], [NaN, NaN], [4, 2], [2, Math.SQRT2], [2 ** -100, 2 ** -50], [2 ** 100, 2 ** 50]],
  tanh: () => [[0, 0], [-0, -0], [inf, 1], [-inf, -1], [NaN, NaN], [400, 1], [-400, -1], [2 ** -20, Math.tanh(2 ** -20)], [0.5, Math.tanh(0.5)], [-3, Math.tanh(-3)]],
  sigmoid: () => [[0, 0.5], [-0, 0.5], [inf, 1], [-inf, 0], [NaN, NaN], [800, 1], [-800, 0], [-20, 1 / (1 + Math.exp(20))], [20, 1 / (1 + Math.exp(-20))], [-80, Math.exp(-80)]],
  erf: () => [[0, 0], [-0, -0], [inf, 1], [-inf, -1], [NaN, NaN], [30, 1], [-30, -1], [0.5, 0.5204998778130465], [-2, -0.9953222650189527], [2 ** -20, 2 ** -20 * 2 / Math.sqrt(pi)]],
  relu: t => [[0, 0], [-1, 0], [inf, inf], [-inf, 0], [NaN, NaN], [2.5, 2.5], [t, t], [-t, 0]],
  sin: () => [[0, 0], [-0, -0], [inf, NaN], [-inf, NaN], [NaN, NaN], [1, Math.sin(1)], [-0.5, Math.sin(-0.5)], [2 ** -20, Math.sin(2 ** -20)], [100, Math.sin(100)]],
  cos: () => [[0, 1], [-0, 1], [inf, NaN], [-inf, NaN], [NaN, NaN], [1, Math.cos(1)], [100, Math.cos(100)]],
  tan: () => [[0, 0], [-0, -0], [inf, NaN], [NaN, NaN], [1, Math.tan(1)], [-0.5, Math.tan(-0.5)]],
  asin: () => [[0, 0], [-0, -0], [1, pi / 2], [-1, -pi / 2], [2, NaN], [-1.5, NaN], [NaN, NaN], [0.5, Math.asin(0.5)], [2 ** -20, Math.asin(2 ** -20)]],
  acos: () => [[1, 0], [-1, pi], [0, pi / 2], [2, NaN], [-1.5, NaN], [NaN, NaN], [0.5, Math.acos(0.5)]],
  atan: () => [[0, 0], [-0, -0], [inf, pi / 2], [-inf, -pi / 2], [NaN, NaN], [1, pi / 4], [2 ** -20, Math.atan(2 ** -20)], [1e20, pi / 2]],
}

/** Functions that give bool. */
const logical: Readonly<Record<string, (tiny: number) => readonly Point[]>> = {
  equal: t => [[NaN, NaN, 0], [NaN, 1, 0], [0, -0, 1], [inf, inf, 1], [inf, -inf, 0], [1, 1, 1], [1, 1 + 2 ** -23, 0], [0, t, 0]],
  less: t => [[NaN, 1, 0], [1, NaN, 0], [-0, 0, 0], [-inf, inf, 1], [inf, inf, 0], [1, 1 + 2 ** -23, 1], [0, t, 1], [t, 0, 0]],
  lessEqual: t => [[NaN, 1, 0], [1, NaN, 0], [NaN, NaN, 0], [0, -0, 1], [-inf, -inf, 1], [1 + 2 ** -23, 1, 0], [t, 0, 0]],
}

/* Enough elements that a backend which has other kernels for many uses them. */
const many = 70_001

const ways: readonly (readonly [string, number, (f: (...xs: Tensor[]) => Tensor) => (...xs: Tensor[]) => Tensor])[] = [
  ['', 1, f => f],
  [' of many elements', many, f => f],
  [' compiled', 1, f => compile((...xs: Tensor[]) => f(...xs))],
]

function check(name: string, points: readonly Point[], dtype: 'float64' | 'float32', result: DType): Check[] {
  const row = primitive(name)
  return ways.map(([how, count, way]) => ({
    name: `${name} special values${how} ${dtype}`,
    dtypes: [dtype],
    async run(at) {
      const taken = at.lacks.has('subnormal') ? points.filter(point => point.every(x => x === 0 || Math.abs(x) >= 2 ** -126)) : points
      const n = Math.max(taken.length, count)
      const column = (k: number): Float64Array => {
        const values = taken.map(point => point.at(k)!)
        return new Float64Array(n).map((_, i) => values[i % values.length]!)
      }
      const xs = Array.from({ length: row.arity as number }, (_, k) => tensor(convert(column(k), dtype), { shape: [n], dtype }))
      const y = way((...operands) => bind(row, operands, undefined))(...xs)
      const expected = convert(column(-1), result)
      const named = `${name}(${xs.map((_, k) => `x${k}`).join(', ')})`
      try {
        await expectElements(at, named, y, [n], result, expected, result === 'bool' ? 0 : at.tolerances[dtype].value)
      } catch (error) {
        const place = /element \[(\d+)\]/.exec(String(error))?.[1]
        if (place === undefined || !(error instanceof Error)) throw error
        error.message += `, at ${xs.map((_, k) => `x${k} = ${show(taken[Number(place) % taken.length]![k]!)}`).join(', ')}`
        throw error
      }
    },
  }))
}

const show = (x: number): string => Object.is(x, -0) ? '-0' : String(x)

/** Every elementwise function of floats, in TypeScript's small sizes, in large ones, and compiled. */
export const specialChecks = (): Check[] => (['float64', 'float32'] as const).flatMap(dtype => [
  ...Object.entries(numeric).flatMap(([name, points]) => check(name, points(tiny[dtype]), dtype, dtype)),
  ...Object.entries(logical).flatMap(([name, points]) => check(name, points(tiny[dtype]), dtype, 'bool')),
])
