// Checks of products and windows: odd sizes around every tile, both ways of reading, padding that never shows.

import type { DType } from '@bp/core'
import { bind, isFloat, sizeOf } from '@bp/core/extend'
import { type ConvGeometry } from '@bp/ops/extend'
import { type Check, expectElements, make, primitive } from './check.ts'
import { small, smallIn } from './sweep.ts'
import { eachIndex, flatAt } from '../reference/indices.ts'

/** Inner, outer and stacked sizes, each of them odd somewhere. */
const products: readonly (readonly [stacks: readonly number[], m: number, k: number, n: number])[] = [
  [[], 1, 1, 1], [[], 2, 3, 1], [[], 1, 3, 2], [[], 3, 2, 5], [[], 4, 4, 4], [[], 5, 7, 9], [[], 7, 5, 3], [[], 8, 8, 8], [[], 9, 17, 5], [[], 17, 9, 8], [[], 1, 33, 1], [[], 33, 1, 17],
  [[], 0, 3, 2], [[], 2, 0, 3], [[], 3, 2, 0], [[2], 3, 5, 2], [[3, 2], 2, 3, 4], [[0], 2, 2, 2], [[], 65, 67, 66],
]

const dot = (dtype: DType): Check => ({
  name: `dot every size ${dtype}`,
  dtypes: [dtype],
  async run(at) {
    for (const [stacks, m, k, n] of products) {
      const count = sizeOf(stacks)
      const whole = (list: readonly number[]): readonly number[] => dtype === 'uint8' ? list.map(Math.abs) : list
      for (const [ta, tb] of [[false, false], [true, false], [false, true], [true, true]] as const) {
        const [p, q] = [whole(small(count * m * k, 3)), whole(small(count * k * n, 5))]
        const expected: number[] = []
        for (let s = 0; s < count; s++) for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) {
          let sum = 0
          for (let l = 0; l < k; l++) sum += p[s * m * k + (ta ? l * m + i : i * k + l)]! * q[s * k * n + (tb ? j * k + l : l * n + j)]!
          expected.push(dtype === 'uint8' ? sum & 255 : sum)
        }
        const a = make(smallIn(dtype, count * m * k, 3), [...stacks, ...ta ? [k, m] : [m, k]], dtype)
        const b = make(smallIn(dtype, count * k * n, 5), [...stacks, ...tb ? [n, k] : [k, n]], dtype)
        const y = bind(primitive('dot'), [a, b], { ta, tb })
        // sums of products of numbers up to 5 are exact in any order but in float16, which rounds the large ones
        await expectElements(at, `dot of [${[...stacks, m, k].join(',')}] and [${[...stacks, k, n].join(',')}], ta ${ta}, tb ${tb}`, y, [...stacks, m, n], dtype, dtype === 'int64' ? expected.map(BigInt) : expected.map(x => x + 0), dtype === 'float16' ? 1e-3 : 0)
      }
    }
  },
})

interface Geometry extends ConvGeometry {
  readonly x: readonly number[]
  readonly w: readonly number[]
}

const one = (axes: number): ConvGeometry => ({ stride: new Array<number>(axes).fill(1), padding: new Array<readonly [number, number]>(axes).fill([0, 0]), dilation: new Array<number>(axes).fill(1), groups: 1 })

const geometries: readonly Geometry[] = [
  { ...one(1), x: [1, 1, 1], w: [1, 1, 1] },
  { ...one(1), x: [2, 3, 7], w: [5, 3, 3], padding: [[1, 1]] },
  { ...one(1), x: [1, 2, 9], w: [3, 2, 2], stride: [3], padding: [[0, 2]], dilation: [2] },
  { ...one(2), x: [1, 1, 5, 5], w: [1, 1, 3, 3] },
  { ...one(2), x: [2, 3, 5, 7], w: [5, 3, 3, 3], padding: [[1, 1], [1, 1]] },
  { ...one(2), x: [1, 4, 7, 5], w: [6, 2, 3, 2], stride: [2, 1], padding: [[1, 0], [0, 2]], groups: 2 },
  { ...one(2), x: [1, 3, 9, 8], w: [3, 1, 3, 3], padding: [[2, 2], [2, 2]], dilation: [2, 2], groups: 3 },
  { ...one(2), x: [3, 5, 4, 4], w: [7, 5, 1, 1] },
  { ...one(2), x: [1, 17, 6, 6], w: [9, 17, 5, 5], padding: [[2, 2], [2, 2]] },
  { ...one(3), x: [1, 2, 3, 4, 5], w: [3, 2, 2, 2, 3], padding: [[1, 0], [0, 1], [1, 1]], stride: [1, 2, 1] },
]

/** Flat places in x, w and y of each product that a convolution sums. */
function eachProduct(g: Geometry, y: readonly number[], visit: (x: number, w: number, y: number) => void): void {
  const [filters, channels, ...kernel] = g.w as [number, number, ...number[]]
  eachIndex(y, (at, flat) => {
    const group = Math.floor(at[1]! / (filters / g.groups))
    for (let c = 0; c < channels; c++) {
      eachIndex(kernel, k => {
        const place = k.map((offset, i) => at[i + 2]! * g.stride[i]! + offset * g.dilation[i]! - g.padding[i]![0])
        if (place.every((n, i) => n >= 0 && n < g.x[i + 2]!)) visit(flatAt(g.x, [at[0]!, group * channels + c, ...place]), flatAt(g.w, [at[1]!, c, ...k]), flat)
      })
    }
  })
}

const conv = (dtype: DType): Check => ({
  name: `conv, convInput and convWeight every geometry ${dtype}`,
  dtypes: [dtype],
  async run(at) {
    for (const g of geometries) {
      const spatial = g.x.slice(2).map((size, i) => Math.floor((size + g.padding[i]![0] + g.padding[i]![1] - g.dilation[i]! * (g.w[i + 2]! - 1) - 1) / g.stride[i]!) + 1)
      const out = [g.x[0]!, g.w[0]!, ...spatial]
      const lists = [small(sizeOf(g.x), 3), small(sizeOf(g.w), 5), small(sizeOf(out), 9)] as const
      const [x, w, y] = [make(lists[0], g.x, dtype), make(lists[1], g.w, dtype), make(lists[2], out, dtype)]
      const sums = [g.x, g.w, out].map(shape => new Array<number>(sizeOf(shape)).fill(0)) as [number[], number[], number[]]
      eachProduct(g, out, (i, j, k) => {
        sums[2][k]! += lists[0][i]! * lists[1][j]!
        sums[0][i]! += lists[2][k]! * lists[1][j]!
        sums[1][j]! += lists[0][i]! * lists[2][k]!
      })
      const { stride, padding, dilation, groups } = g
      const params = { stride, padding, dilation, groups }
      const what = `of [${g.x.join(',')}] and [${g.w.join(',')}] by ${JSON.stringify(params)}`
      const results = [
        ['conv', bind(primitive('conv'), [x, w], params), out, sums[2]],
        ['convInput', bind(primitive('convInput'), [y, w], { ...params, size: g.x.slice(2) }), g.x, sums[0]],
        ['convWeight', bind(primitive('convWeight'), [x, y], { ...params, kernel: g.w.slice(2) }), g.w, sums[1]],
      ] as const
      for (const [name, z, shape, sum] of results) await expectElements(at, `${name} ${what}`, z, shape, dtype, sum.map(v => v + 0))
    }
  },
})

/** Windows of negative numbers, with ties and NaN, beside padding. */
const pool = (dtype: DType): Check => ({
  name: `poolArgMax every geometry ${dtype}`,
  dtypes: [dtype, 'int32'],
  async run(at) {
    for (const { x: shape, w, stride, padding, dilation } of geometries.filter(g => g.padding.every(([low, high], i) => Math.max(low, high) <= g.dilation[i]! * (g.w[i + 2]! - 1) / 2))) {
      const kernel = w.slice(2)
      const values = small(sizeOf(shape), 3).map((v, i) => isFloat(dtype) && i % 17 === 4 ? NaN : v - 6)
      const spatial = shape.slice(2).map((size, i) => Math.floor((size + padding[i]![0] + padding[i]![1] - dilation[i]! * (kernel[i]! - 1) - 1) / stride[i]!) + 1)
      const out = [shape[0]!, shape[1]!, ...spatial]
      const expected: number[] = []
      eachIndex(out, ([n, c, ...place]) => {
        let best = -1
        eachIndex(kernel, k => {
          const from = k.map((offset, i) => place[i]! * stride[i]! + offset * dilation[i]! - padding[i]![0])
          if (from.some((p, i) => p < 0 || p >= shape[i + 2]!)) return
          const flat = flatAt(shape, [n!, c!, ...from])
          if (best < 0 || values[flat]! > values[best]! || (Number.isNaN(values[flat]) && !Number.isNaN(values[best]))) best = flat
        })
        expected.push(best)
      })
      const y = bind(primitive('poolArgMax'), [make(dtype === 'int64' ? values.map(BigInt) : values, shape, dtype)], { kernel, stride, padding, dilation })
      await expectElements(at, `poolArgMax of [${shape.join(',')}] by [${kernel.join(',')}]`, y, out, 'int32', expected)
    }
  },
})

/** Products, convolutions and pooling. */
export const contractionChecks = (): Check[] => [
  ...(['float64', 'float32', 'float16', 'int64', 'int32', 'uint8'] as const).map(dot),
  ...(['float64', 'float32', 'int32'] as const).map(conv),
  ...(['float64', 'float32', 'int32'] as const).map(pool),
]
