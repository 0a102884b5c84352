// Checks of sums, maxima, orders and sums by index: over every axis, at every size, with ties and NaN.

import type { DType } from '@bp/core'
import { bind, isFloat, sizeOf } from '@bp/core/extend'
import { type Check, type Elements, expectElements, make, primitive } from './check.ts'
import { lines, shapes, smallIn, subsets, zero } from './sweep.ts'

type Value = number | bigint
const plus = (a: Value, b: Value): Value => typeof a === 'bigint' ? a + (b as bigint) : a + (b as number)

/** NaN counts as the largest. */
const order = (a: Value, b: Value): number => a !== a ? (b !== b ? 0 : 1) : b !== b ? -1 : a < b ? -1 : a > b ? 1 : 0
const largest = (list: readonly Value[]): number => list.reduce<number>((best, value, i) => order(value, list[best]!) > 0 ? i : best, 0)

/** The values of a sweep: small whole numbers, and where the dtype has it, a NaN or an infinity here and there. */
function withNaN(dtype: DType, count: number): Elements {
  const values = [...smallIn(dtype, count, 5)]
  if (isFloat(dtype)) for (let i = 3; i < count; i += 11) values[i] = i % 2 === 1 ? NaN : i % 4 === 0 ? -Infinity : Infinity
  return values
}

interface Sweep {
  readonly row: string
  readonly values: (dtype: DType, count: number) => Elements
  /** For a shape, the applications: parameters, the result's shape, dtype and elements. */
  readonly cases: (shape: readonly number[], values: Elements, dtype: DType) => (readonly [params: unknown, out: readonly number[], dtype: DType, expected: Elements])[]
}

const over = (f: (list: readonly Value[], dtype: DType) => Value, params: (out: readonly number[], axes: number[]) => unknown, nonEmpty: boolean): Sweep['cases'] => (shape, values, dtype) =>
  subsets(Math.min(shape.length, 4)).filter(axes => !nonEmpty || axes.every(axis => shape[axis]! > 0)).map(axes => {
    const out = shape.map((size, axis) => axes.includes(axis) ? 1 : size)
    return [params(out, axes), out, dtype, lines(shape, axes).map(line => f(line.map(place => values[place]!), dtype))] as const
  })

/** Results of the operand's shape, line by line. */
const along = (dtypeOf: (dtype: DType) => DType, f: (list: readonly Value[], flag: boolean) => Value[], params: (axis: number, flag: boolean) => unknown): Sweep['cases'] => (shape, values, dtype) =>
  shape.flatMap((_size, axis) => [false, true].map(flag => {
    const expected = new Array<Value>(values.length).fill(0)
    for (const line of lines(shape, [axis])) f(line.map(place => values[place]!), flag).forEach((value, i) => { expected[line[i]!] = value })
    return [params(axis, flag), shape, dtypeOf(dtype), expected] as const
  }))

function sorted(list: readonly Value[], descending: boolean): number[] {
  return list.map((_, i) => i).sort((i, j) => (descending ? order(list[j]!, list[i]!) : order(list[i]!, list[j]!)) || i - j)
}

function runningSums(list: readonly Value[], reverse: boolean): Value[] {
  const sums: Value[] = []
  for (const value of reverse ? list.toReversed() : list) sums.push(sums.length === 0 ? value : plus(sums.at(-1)!, value))
  return reverse ? sums.reverse() : sums
}

const sweeps: readonly Sweep[] = [
  { row: 'sumTo', values: smallIn, cases: over((list, dtype) => list.reduce(plus, zero(dtype)), out => ({ shape: out }), false) },
  { row: 'amax', values: withNaN, cases: over(list => list[largest(list)]!, (_out, axes) => ({ axes }), true) },
  { row: 'argMax', values: withNaN, cases: (shape, values) => shape.flatMap((size, axis) => size === 0 ? [] : [[
    { axis }, shape.toSpliced(axis, 1), 'int32', lines(shape, [axis]).map(line => largest(line.map(place => values[place]!))),
  ] as const]) },
  { row: 'argSort', values: withNaN, cases: along(() => 'int32', sorted, (axis, descending) => ({ axis, descending })) },
  { row: 'cumSum', values: smallIn, cases: along(dtype => dtype, runningSums, (axis, reverse) => ({ axis, reverse })) },
]

const sweep = ({ row: name, values, cases }: Sweep, dtype: DType): Check => ({
  name: `${name} every shape ${dtype}`,
  dtypes: [dtype],
  async run(at) {
    for (const shape of shapes) {
      const elements = values(dtype, sizeOf(shape))
      const x = make(elements, shape, dtype)
      for (const [params, out, result, expected] of cases(shape, elements, dtype)) {
        const y = bind(primitive(name), [x], params)
        await expectElements(at, `${name} of [${shape.join(',')}] by ${JSON.stringify(params)}`, y, out, result, result === 'uint8' ? expected.map(value => Number(value) & 255) : expected)
      }
    }
  },
})

const scatter = (dtype: DType): Check => ({
  name: `scatterAdd every shape ${dtype}`,
  dtypes: [dtype, 'int32'],
  async run(at) {
    for (const shape of shapes.filter(shape => shape.length > 0 && shape.length < 5)) {
      const values = smallIn(dtype, sizeOf(shape))
      for (const [axis, count] of shape.entries()) {
        const size = 3
        // negative places count from the end, and several meet at one
        const places = Array.from({ length: count }, (_, i) => [2, -3, 1, 2, -1][i % 5]!)
        const out = shape.with(axis, size)
        const expected = new Array<Value>(sizeOf(out)).fill(zero(dtype))
        const [from, to] = [lines(shape, [axis]), lines(out, [axis])]
        from.forEach((line, k) => {
          line.forEach((place, i) => {
            const target = to[k]![(places[i]! + size) % size]!
            expected[target] = plus(expected[target]!, values[place]!)
          })
        })
        const y = bind(primitive('scatterAdd'), [make(values, shape, dtype), make(places, [count], 'int32')], { axis, size })
        await expectElements(at, `scatterAdd along axis ${axis} of [${shape.join(',')}]`, y, out, dtype, dtype === 'uint8' ? expected.map(value => Number(value) & 255) : expected)
      }
    }
  },
})

const numeric: readonly DType[] = ['float64', 'float32', 'float16', 'int64', 'int32', 'uint8']

/** Every reduction and scan in every dtype that has sums. */
export const reductionChecks = (): Check[] => numeric.flatMap(dtype => [...sweeps.map(each => sweep(each, dtype)), scatter(dtype)])
