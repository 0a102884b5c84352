// Structural kernels on random shapes against the CPU backend: every form of each, odd sizes, special numbers, and no texture left behind.

import { cpu } from '@bp/backend-cpu'
import { decodeFloat16, type DType, encodeFloat16, grad, tensor, type Tensor, type TypedArray, use } from '@bp/core'
import { type AnyRow, bind } from '@bp/core/extend'
import { argSort, cumSum, maxPool, mul, scatterAdd, softmax, sum } from '@bp/ops'
import { composites, primitives } from '@bp/ops/extend'
import { describe, expect, it } from 'vitest'
import { backend as gpu } from '../../test/backend.ts'
import { Chance } from '../../test/chance.ts'

const host = cpu()

/** Shapes and data from a seed. */
class Draw extends Chance {
  of<T>(list: readonly T[]): T {
    return list[this.int(0, list.length - 1)]!
  }

  shape(least: number, most: number, cap = 20_000): number[] {
    for (;;) {
      const shape = Array.from({ length: this.int(least, most) }, () => this.of([0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 33, this.int(30, 300)]))
      if (shape.includes(0) && this.next() < 0.8) continue
      if (shape.length > 0 && this.next() < 0.05) shape[this.int(0, shape.length - 1)] = this.int(2000, 9000)
      if (count(shape) <= cap) return shape
    }
  }

  data(n: number, dtype: DType, special: boolean): TypedArray {
    if (dtype === 'int32') return Int32Array.from({ length: n }, () => this.next() < 0.3 ? this.int(-5, 5) : Math.floor((this.next() - 0.5) * 2 ** 32))
    if (dtype === 'uint8') return Uint8Array.from({ length: n }, () => this.int(0, 255))
    if (dtype === 'bool') return Uint8Array.from({ length: n }, () => this.int(0, 1))
    const floats = Float32Array.from({ length: n }, () => special && this.next() < 0.02 ? this.of([NaN, Infinity, -Infinity, 0, -0]) : this.next() < 0.3 ? this.int(-4, 4) : (this.next() - 0.5) * 8)
    return dtype === 'float16' ? encodeFloat16(floats) : floats
  }

  some(n: number): number[] {
    return Array.from({ length: n }, (_, i) => i).filter(() => this.next() < 0.5)
  }

  order(n: number): number[] {
    return Array.from({ length: n }, (_, i) => [this.next(), i] as const).sort(([a], [b]) => a - b).map(([, i]) => i)
  }
}

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
const every: readonly DType[] = ['float32', 'float32', 'float16', 'int32', 'uint8', 'bool']
const numbers = every.slice(0, -1)
const floats = every.slice(0, 3)

interface Case {
  readonly row: AnyRow
  readonly xs: readonly { readonly shape: readonly number[]; readonly dtype: DType; readonly data?: TypedArray }[]
  readonly p: object
}

const one = (row: unknown, shape: readonly number[], dtype: DType, p: object): Case => ({ row: row as AnyRow, xs: [{ shape, dtype }], p })

const along = (row: unknown, dtypes: readonly DType[], more: (d: Draw) => object = () => ({})) => (d: Draw): Case => {
  const shape = d.shape(1, 6)
  const axis = d.int(0, shape.length - 1)
  if (shape[axis] === 0) shape[axis] = 3
  return one(row, shape, d.of(dtypes), { axis, ...more(d) })
}

const indexed = (row: unknown, index: TypedArray, shape: readonly number[], dtype: DType, p: object): Case =>
  ({ row: row as AnyRow, xs: [{ shape, dtype }, { shape: [index.length], dtype: 'int32', data: index }], p })

const cases: Readonly<Record<string, (d: Draw) => Case>> = {
  sumTo: d => {
    const shape = d.shape(0, 6)
    return one(primitives.sumTo, shape, d.of(numbers), { shape: shape.slice(d.int(0, shape.length)).map(n => d.next() < 0.5 ? 1 : n) })
  },
  amax: d => {
    const shape = d.shape(0, 6)
    return one(primitives.amax, shape, d.of(every), { axes: d.some(shape.length).filter(axis => shape[axis]! > 0) })
  },
  argMax: along(primitives.argMax, every),
  argSort: along(primitives.argSort, every, d => ({ descending: d.next() < 0.5 })),
  cumSum: along(primitives.cumSum, ['float32', 'int32', 'uint8'], d => ({ reverse: d.next() < 0.5 })),
  softmax: along(composites.softmax, floats),
  logSoftmax: along(composites.logSoftmax, floats),
  logSumExp: d => {
    const shape = d.shape(0, 6)
    return one(composites.logSumExp, shape, d.of(floats), { axes: d.some(shape.length) })
  },
  standardise: d => {
    const shape = d.shape(1, 5)
    return one(composites.standardise, shape, 'float32', { axes: d.some(shape.length), eps: 0.01 })
  },
  transpose: d => {
    const shape = d.shape(0, 8)
    return one(primitives.transpose, shape, d.of(every), { perm: d.order(shape.length) })
  },
  slice: d => {
    const shape = d.shape(0, 8)
    const starts = shape.map(n => d.next() < 0.5 ? 0 : d.int(0, n))
    return one(primitives.slice, shape, d.of(every), { starts, ends: shape.map((n, i) => d.int(starts[i]!, n)), steps: shape.map(() => d.of([1, 1, 1, 2, 3])) })
  },
  flip: d => {
    const shape = d.shape(0, 8)
    return one(primitives.flip, shape, d.of(every), { axes: d.some(shape.length) })
  },
  broadcastTo: d => {
    const shape = d.shape(0, 8)
    return one(primitives.broadcastTo, shape.slice(d.int(0, shape.length)).map(n => d.next() < 0.4 ? 1 : n), d.of(every), { shape })
  },
  pad: d => {
    const shape = d.shape(0, 5, 2000)
    const zeros = (): number[] => shape.map(() => d.of([0, 0, 1, 3, 4]))
    return one(primitives.pad, shape, d.of(every), { low: zeros(), high: zeros(), interior: shape.map(() => d.of([0, 0, 0, 1])) })
  },
  concat: d => {
    const shape = d.shape(1, 4, 4000)
    const axis = d.int(0, shape.length - 1)
    const dtype = d.of(every)
    return { row: primitives.concat, xs: Array.from({ length: d.of([1, 2, 3, 4, 19]) }, () => ({ shape: shape.map((n, i) => i === axis ? d.of([0, 1, 3, 4, 8]) : n), dtype })), p: { axis } }
  },
  gather: d => {
    const shape = d.shape(1, 4)
    const axis = d.int(0, shape.length - 1)
    const size = shape[axis] ||= 3
    return indexed(primitives.gather, Int32Array.from({ length: d.int(0, 20) }, () => d.int(-size, size - 1)), shape, d.of(every), { axis })
  },
  scatterAdd: d => {
    const around = d.shape(0, 2, 200)
    const axis = d.int(0, around.length)
    const size = d.of([1, 3, 20, 65])
    const index = Int32Array.from({ length: d.of([0, 1, 5, 100, 900]) }, () => d.int(-size, size - 1))
    return indexed(primitives.scatterAdd, index, around.toSpliced(axis, 0, index.length), d.of(numbers), { axis, size })
  },
}

/** An op's result on a backend as plain numbers. */
function run({ row, xs, p }: Case, data: readonly TypedArray[], backend: typeof host | typeof gpu): readonly [numbers: ArrayLike<number>, dtype: DType] {
  use(backend)
  const operands = xs.map(({ shape, dtype }, i) => tensor(data[i]!, { shape, dtype, backend }))
  const y: Tensor = bind(row as never, operands as never, p as never)
  const read = y.dataSync()
  for (const { storage } of [...operands, y]) backend.free?.(storage as never)
  return [read instanceof Uint16Array ? decodeFloat16(read) : read as ArrayLike<number>, y.dtype]
}

const near = (a: number, b: number, tolerance: number): boolean => Object.is(a, b) || a === b || Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(a), Math.abs(b))

describe('structural kernels', () => {
  it.each(Object.entries(cases))('%s', (name, make) => {
    const d = new Draw(name.length)
    const { textures } = gpu.memory()
    for (let i = 0; i < 40; i++) {
      const example = make(d)
      const special = name !== 'standardise' && d.next() < 0.3
      const data = example.xs.map(({ shape, dtype, data }) => data ?? d.data(count(shape), dtype, special))
      const [found, dtype] = run(example, data, gpu)
      const [wanted] = run(example, data, host)
      const tolerance = dtype === 'float16' ? 4e-3 : dtype === 'float32' ? 2e-5 : 0
      const wrong = Array.from(wanted).findIndex((y, j) => !near(found[j]!, y, tolerance))
      expect([found.length, wrong < 0 ? null : `${JSON.stringify(example.xs.map(x => [x.shape, x.dtype]))} ${JSON.stringify(example.p)} at ${wrong}: ${found[wrong]} for ${wanted[wrong]}`]).toEqual([wanted.length, null])
    }
    expect(gpu.memory().textures).toBe(textures)
  })

  it('sums a million whole numbers exactly, and floats as pairs do', () => {
    use(gpu)
    const n = 1_000_003
    expect(sum(tensor(Int32Array.from({ length: n }, (_, i) => i), { shape: [n] })).dataSync()[0]).toBe((n * (n - 1) / 2) | 0)
    expect(Number(sum(tensor(new Float32Array(n).fill(0.1), { shape: [n] })).dataSync()[0]) / (n * Math.fround(0.1)) - 1).toBeCloseTo(0, 6)
  })

  it('sorts a hundred thousand elements, and one, two and three', () => {
    use(gpu)
    const d = new Draw(5)
    for (const n of [1, 2, 3, 100_000]) {
      const x = d.data(n, 'float32', true) as Float32Array
      const wanted = Array.from(x.keys()).sort((i, j) => Number(Number.isNaN(x[i])) - Number(Number.isNaN(x[j])) || (Number.isNaN(x[i]) ? 0 : x[i]! - x[j]!) || i - j)
      expect(Array.from(argSort(tensor(x, { shape: [n] })).dataSync() as Int32Array)).toEqual(wanted)
    }
  })

  it('adds running sums over a long axis', () => {
    use(gpu)
    expect(cumSum(tensor(Int32Array.from({ length: 70_001 }, () => 3), { shape: [70_001] })).dataSync()[70_000]).toBe(210_003)
  })

  it('scatters many values at few places and few at many, whichever way is chosen', () => {
    use(gpu)
    const d = new Draw(6)
    for (const [n, inner, size] of [[20_000, 1, 9000], [1024, 128, 65], [5000, 3, 7], [30_000, 4, 5]] as const) {
      const index = Int32Array.from({ length: n }, () => d.int(-size - 1, size))
      const x = Int32Array.from({ length: n * inner }, () => d.int(-1000, 1000))
      const wanted = new Int32Array(size * inner)
      index.forEach((i, k) => {
        const to = i < 0 ? i + size : i
        if (to >= 0 && to < size) for (let j = 0; j < inner; j++) wanted[to * inner + j]! += x[k * inner + j]!
      })
      expect(scatterAdd(tensor(x, { shape: [n, inner] }), tensor(index, { shape: [n] }), size).dataSync()).toEqual(wanted)
    }
  })

  it('leads gradients of max pooling back to where the maxima were', () => {
    const d = new Draw(7)
    for (let i = 0; i < 20; i++) {
      const shape = [d.int(1, 3), d.int(1, 3), ...Array.from({ length: d.int(1, 3) }, () => d.int(4, 13))]
      const kernel = shape.slice(2).map(() => d.int(1, 3))
      const options = { kernel, stride: kernel.map(() => d.int(1, 3)), padding: kernel.map(k => k >> 1) }
      const data = d.data(count(shape), 'float32', false)
      const [found, wanted] = [gpu, host].map(backend => {
        use(backend)
        return Array.from(grad((x: Tensor) => sum(mul(maxPool(x, options), maxPool(x, options))))(tensor(data, { shape, backend })).dataSync() as Float32Array)
      })
      expect(found).toEqual(wanted)
    }
  })

  it('computes the softmax of float64 on the host', () => {
    use(gpu)
    expect(Array.from(softmax(tensor([1, 1], { dtype: 'float64' })).dataSync() as Float64Array)).toEqual([0.5, 0.5])
  })
})
