// Checks of broadcasting: which elements meet, for every pattern of axes of size 1 and axes left out.

import { compile, type DType, type Tensor } from '@bp/core'
import { bind, isFloat, sizeOf } from '@bp/core/extend'
import { broadcastAt, eachIndex } from '../reference/indices.ts'
import { type Check, type Elements, expectElements, make, primitive } from './check.ts'
import { shapes } from './sweep.ts'

/** A shape with some axes made 1, or the leading ones left out. */
function patterns(shape: readonly number[]): (readonly number[])[] {
  const found = shape.length <= 3
    ? Array.from({ length: 2 ** shape.length }, (_, bits) => shape.map((size, axis) => bits >> axis & 1 ? 1 : size))
    : [shape, shape.map((size, axis) => axis % 2 ? 1 : size), shape.map((size, axis) => axis % 2 ? size : 1), shape.map(() => 1)]
  return [...found, ...shape.length > 1 ? [shape.slice(1), shape.slice(-1)] : [], []]
}

const scalars = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  less: (a: number, b: number) => Number(a < b),
}

const values = (count: number, dtype: DType, by: number): number[] => Array.from({ length: count }, (_, i) => dtype === 'uint8' ? i % 100 + 100 * by : i % 200 + 200 * by)
const native = (list: readonly number[], dtype: DType): Elements => dtype === 'int64' ? list.map(BigInt) : dtype === 'uint8' ? list.map(x => x & 255) : list

const pairs = (name: keyof typeof scalars, dtype: DType): Check => ({
  name: `${name} every broadcast ${dtype}`,
  dtypes: [dtype],
  async run(at) {
    for (const full of shapes) {
      for (const a of patterns(full)) {
        for (const b of name === 'sub' && full.length <= 2 ? patterns(full) : [full, full.map((size, axis) => axis === full.length - 1 ? 1 : size)]) {
          const out = full.map((size, axis) => [a, b].some(shape => shape.length - full.length + axis >= 0 && shape[shape.length - full.length + axis] === size) ? size : 1)
            .slice(full.length - Math.max(a.length, b.length))
          const [x, y] = [values(sizeOf(a), dtype, 0), values(sizeOf(b), dtype, 1)]
          const expected: number[] = []
          eachIndex(out, index => expected.push(scalars[name](x[broadcastAt(a, index)]!, y[broadcastAt(b, index)]!)))
          const z = bind(primitive(name), [make(native(x, dtype), a, dtype), make(native(y, dtype), b, dtype)], undefined)
          const [result, want] = name === 'less' ? ['bool' as const, expected] : [dtype, native(expected, dtype)]
          await expectElements(at, `${name} of [${a.join(',')}] and [${b.join(',')}]`, z, out, result, want)
        }
      }
    }
  },
})

/** One program that reads operands of several shapes. */
const fused = (dtype: 'float64' | 'float32'): Check => ({
  name: `broadcasts in one compiled function ${dtype}`,
  dtypes: [dtype, 'bool'],
  async run(at) {
    for (const full of shapes.filter(shape => sizeOf(shape) > 0)) {
      const [first, last] = [full.map((size, axis) => axis === 0 ? 1 : size), full.slice(-1)]
      const [x, y, z] = [full, first, last].map((shape, k) => values(sizeOf(shape), dtype, k)) as [number[], number[], number[]]
      const expected: number[] = []
      eachIndex(full, (index, flat) => {
        const [a, b, c] = [x[flat]!, y[broadcastAt(first, index)]!, z[broadcastAt(last, index)]!]
        expected.push((a < b - 150 ? a - c : b) + c)
      })
      const f = compile((a: Tensor, b: Tensor, c: Tensor) => bind(primitive('add'), [bind(primitive('select'), [bind(primitive('less'), [a, bind(primitive('sub'), [b, make([150], [], dtype)], undefined)], undefined), bind(primitive('sub'), [a, c], undefined), b], undefined), c], undefined))
      await expectElements(at, `a compiled function of [${full.join(',')}], [${first.join(',')}] and [${last.join(',')}]`, f(make(x, full, dtype), make(y, first, dtype), make(z, last, dtype)), full, dtype, expected)
    }
  },
})

const numeric: readonly DType[] = ['float64', 'float32', 'int64', 'int32', 'uint8']

/** Elementwise ops on operands of two shapes. */
export const broadcastChecks = (): Check[] => [
  ...numeric.flatMap(dtype => (Object.keys(scalars) as (keyof typeof scalars)[]).map(name => pairs(name, dtype))),
  ...numeric.flatMap(dtype => isFloat(dtype) ? fused(dtype as 'float64' | 'float32') : []),
]
