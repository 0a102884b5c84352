// Checks of memory: what is written is read, storages never change once made, and random bits are the same everywhere.

import { type DType, tensor, type TypedArray, zeros } from '@bp/core'
import { allocate, Aval, bind, dtypes, isFloat, philox, sizeOf } from '@bp/core/extend'
import { detach, iota, neg, reshape } from '@bp/ops'
import { primitives } from '@bp/ops/extend'
import { LawError } from '../error.ts'
import { type Check, type Elements, expectElements, make, type Setting } from './check.ts'
import { shapes, tokens } from './sweep.ts'

/** The ends of each dtype's range. */
const extremes: Readonly<Record<DType, Elements>> = {
  float64: [0, -0, NaN, Infinity, -Infinity, Number.MAX_VALUE, Number.MIN_VALUE, -1 / 3],
  float32: [0, -0, NaN, Infinity, -Infinity, 3.4028234663852886e38, 2 ** -149, 2 ** -126, Math.fround(-1 / 3)],
  float16: [0, -0, NaN, Infinity, -Infinity, 65504, 2 ** -24, -2048],
  int64: [0n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, -1n],
  int32: [0, 2 ** 31 - 1, -(2 ** 31), 16777217, -16777217, -1],
  uint8: Array.from({ length: 256 }, (_, i) => i),
  bool: [0, 1, 1, 0, 1],
}

const roundTrip = (dtype: DType): Check => ({
  name: `write and read ${dtype}`,
  dtypes: [dtype],
  async run(at) {
    await expectElements(at, 'what was written', make(extremes[dtype], [extremes[dtype].length], dtype), [extremes[dtype].length], dtype, extremes[dtype])
    for (const shape of shapes) {
      const values = tokens(sizeOf(shape), dtype)
      await expectElements(at, `what was written of [${shape.join(',')}]`, make(values, shape, dtype), shape, dtype, values)
    }
  },
})

const same = (a: TypedArray, b: TypedArray): boolean => a.length === b.length && Array.from(a as ArrayLike<number | bigint>).every((value, i) => value === b[i])

const copies = (dtype: DType): Check => ({
  name: `write, read and readSync copy ${dtype}`,
  dtypes: [dtype],
  async run({ backend }: Setting) {
    const aval = new Aval([3], dtype)
    const data = allocate(dtype, 3)
    const one = dtype === 'int64' ? 1n : 1
    data.fill(one as never)
    const kept = data.slice()
    const storage = backend.write(data, aval)
    data.fill((dtype === 'int64' ? 0n : 0) as never)
    const ways = [['read', () => backend.read(storage, aval)], ['readSync', () => backend.readSync!(storage, aval)]] as const
    for (const [name, read] of backend.readSync ? ways : ways.slice(0, 1)) {
      const first = await read()
      if (first.constructor !== kept.constructor) throw new LawError(`${name} gives a ${first.constructor.name} for ${dtype}, expected a ${kept.constructor.name}`)
      if (!same(first, kept)) throw new LawError(`${name} gives ${String(first)} where ${String(kept)} was written: the data was changed after the write, which must copy it`)
      first.fill((dtype === 'int64' ? 0n : 0) as never)
      if (!same(await read(), kept)) throw new LawError(`${name} must copy: what it gave was changed, and the tensor with it`)
    }
    const bytes = backend.bytes(storage)
    if (!(bytes > 0)) throw new LawError(`bytes gives ${bytes} for a tensor of three elements`)
  },
})

/** Operands are the same after every kind of op, and results do not share memory that is written later. */
const unchanged: Check = {
  name: 'operands are unchanged by ops float32',
  dtypes: ['float32'],
  async run(at) {
    const values = tokens(35, 'float32')
    const x = make(values, [5, 7], 'float32')
    const [flat, same] = [reshape(x, [35]), detach(x)]
    const ys = [neg(x), neg(flat), neg(same)]
    for (let i = 0; i < 20; i++) ys.push(neg(ys.at(-1)!))
    for (const [name, y, shape] of [['the operand', x, [5, 7]], ['its reshape', flat, [35]], ['its detach', same, [5, 7]]] as const) await expectElements(at, name, y, shape, 'float32', values)
  },
}

const many: Check = {
  name: 'many tensors are alive at once float32',
  dtypes: ['float32'],
  async run(at) {
    const xs = Array.from({ length: 300 }, (_, i) => make([i, i + 0.5], [2], 'float32'))
    const ys = xs.map(x => neg(x))
    for (const [i, y] of ys.entries()) await expectElements(at, `tensor ${i} of 300`, y, [2], 'float32', [i === 0 ? -0 : -i, -i - 0.5])
  },
}

const fill = (dtype: DType): Check => ({
  name: `fill and iota ${dtype}`,
  dtypes: [dtype],
  async run(at) {
    const native = (list: readonly number[]): Elements => dtype === 'int64' ? list.map(BigInt) : dtype === 'bool' ? list.map(x => Number(x !== 0)) : list
    const fills = [0, 1, 7, ...isFloat(dtype) ? [-0, Infinity, NaN, -2.5] : dtype === 'bool' || dtype === 'uint8' ? [] : [-3]]
    for (const shape of [[], [0], [5], [2, 3]]) {
      for (const value of fills) {
        const y = bind(primitives.fill, [], { value, shape, dtype })
        await expectElements(at, `fill of [${shape.join(',')}] with ${value}`, y, shape, dtype, dtype === 'int64' || dtype === 'bool' ? native(new Array<number>(sizeOf(shape)).fill(value)) : new Array<number>(sizeOf(shape)).fill(value))
      }
      await expectElements(at, 'zeros', zeros(shape, dtype), shape, dtype, native(new Array<number>(sizeOf(shape)).fill(0)))
    }
    for (const length of [0, 1, 3, 4, 5, 17]) await expectElements(at, `iota of ${length}`, iota(length, dtype), [length], dtype, native(Array.from({ length }, (_, i) => i)))
  },
})

const bits: Check = {
  name: 'randomBits are the generator’s, bit for bit int32',
  dtypes: ['int32'],
  async run(at) {
    const words = new Int32Array(4)
    for (const [k0, k1] of [[0, 0], [7, -9], [-1, 2 ** 31 - 1], [123456789, -987654321]] as const) {
      for (const shape of [[], [0], [1], [2], [3], [4], [5], [7], [17], [3, 5], [70, 71]]) {
        const expected = Array.from({ length: sizeOf(shape) }, (_, i) => {
          words.set([i, 0, 0, 0])
          philox(words, k0, k1)
          return words[0]! >>> 8
        })
        const y = bind(primitives.randomBits, [tensor([k0, k1], { dtype: 'int32' })], { shape })
        await expectElements(at, `randomBits of [${shape.join(',')}] from ${k0}, ${k1}`, y, shape, 'int32', expected)
      }
    }
  },
}

/** Memory and what is made from nothing. */
export const memoryChecks = (): Check[] => [...dtypes.flatMap(dtype => [roundTrip(dtype), copies(dtype), fill(dtype)]), unchanged, many, bits]
