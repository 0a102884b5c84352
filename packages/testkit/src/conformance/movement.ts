// Checks of the ops that move elements: every element, in every dtype, at its place and with its bits.

import { type DType, type Tensor } from '@bp/core'
import { bind, dtypes, sizeOf } from '@bp/core/extend'
import { broadcastAt, eachIndex, flatAt } from '../reference/indices.ts'
import { type Check, type Elements, expectElements, make, primitive } from './check.ts'
import { shapes, tokens, zero } from './sweep.ts'

/** One application: parameters, the result's shape, and for each index of it the operand's flat place, or `null` for a zero. */
interface Move {
  readonly params: unknown
  readonly out: readonly number[]
  readonly from: (index: readonly number[]) => number | null
}

type Moves = (shape: readonly number[]) => Move[]

const each = (shape: readonly number[], value: (size: number, axis: number) => number): number[] => shape.map(value)

const broadcast: Moves = shape => {
  const targets = [[...shape], [2, ...shape], [3, 2, ...shape], each(shape, size => size === 1 ? 3 : size), [2, ...each(shape, size => size === 1 ? 5 : size)]].filter(out => out.length <= 6)
  return targets.map(out => ({ params: { shape: out }, out, from: index => broadcastAt(shape, index) }))
}

const reshape: Moves = shape => {
  const size = sizeOf(shape)
  const targets = [[size], [1, ...shape], [...shape, 1], [...shape].reverse(), size % 2 === 0 ? [2, size / 2] : [size, 1]].filter(out => out.length <= 6)
  return targets.map(out => ({ params: { shape: out }, out, from: index => flatAt(out, index) }))
}

/** Some orders of the axes: all up to rank 3, turns and the reverse beyond. */
function orders(rank: number): number[][] {
  const axes = Array.from({ length: rank }, (_, i) => i)
  if (rank > 3) return [[...axes].reverse(), ...axes.slice(1).map(k => [...axes.slice(k), ...axes.slice(0, k)])]
  return axes.reduce<number[][]>(found => found.flatMap(order => axes.filter(axis => !order.includes(axis)).map(axis => [...order, axis])), [[]])
}

const transpose: Moves = shape => orders(shape.length).map(perm => ({
  params: { perm }, out: perm.map(axis => shape[axis]!), from: index => flatAt(shape, shape.map((_, axis) => index[perm.indexOf(axis)]!)),
}))

const slice: Moves = shape => [[0, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 2], [0, 0, 3], [2, 0, 2]].map(([front, back, step]) => {
  const starts = each(shape, (size, axis) => Math.min(size, axis % 2 === 0 ? front! : 0))
  const ends = each(shape, (size, axis) => Math.max(starts[axis]!, size - back!))
  const steps = each(shape, () => step!)
  const out = each(shape, (_size, axis) => Math.max(0, Math.ceil((ends[axis]! - starts[axis]!) / step!)))
  return { params: { starts, ends, steps }, out, from: index => flatAt(shape, index.map((n, axis) => starts[axis]! + n * step!)) }
})

const pad: Moves = shape => [[1, 0, 0], [0, 1, 0], [2, 3, 0], [1, 1, 1], [0, 0, 2]].map(([before, after, between]) => {
  const low = each(shape, (_size, axis) => axis === 1 ? 0 : before!)
  const high = each(shape, () => after!)
  const interior = each(shape, (_size, axis) => axis === 0 ? 0 : between!)
  const out = each(shape, (size, axis) => size + low[axis]! + high[axis]! + Math.max(0, size - 1) * interior[axis]!)
  return { params: { low, high, interior }, out, from: index => {
    const place = index.map((n, axis) => (n - low[axis]!) / (interior[axis]! + 1))
    return place.every((n, axis) => Number.isInteger(n) && n >= 0 && n < shape[axis]!) ? flatAt(shape, place) : null
  } }
})

const flip: Moves = shape => [shape.map((_, axis) => axis), ...shape.map((_, axis) => [axis])].map(axes => ({
  params: { axes }, out: shape, from: index => flatAt(shape, index.map((n, axis) => axes.includes(axis) ? shape[axis]! - 1 - n : n)),
}))

const detach: Moves = shape => [{ params: undefined, out: shape, from: index => flatAt(shape, index) }]

const moves = { broadcastTo: broadcast, reshape, transpose, slice, pad, flip, detach }

function moved(values: Elements, dtype: DType, { out, from }: Move): Elements {
  const expected: (number | bigint)[] = []
  eachIndex(out, index => {
    const place = from(index)
    expected.push(place === null ? zero(dtype) : values[place]!)
  })
  return expected
}

const movement = (name: keyof typeof moves, dtype: DType): Check => ({
  name: `${name} every shape ${dtype}`,
  dtypes: [dtype],
  async run(at) {
    for (const shape of shapes) {
      const values = tokens(sizeOf(shape), dtype)
      const x = make(values, shape, dtype)
      for (const move of moves[name](shape)) {
        const y = bind(primitive(name), [x], move.params)
        await expectElements(at, `${name} of [${shape.join(',')}] by ${JSON.stringify(move.params ?? null)}`, y, move.out, dtype, moved(values, dtype, move))
      }
    }
  },
})

const concat = (dtype: DType): Check => ({
  name: `concat every shape ${dtype}`,
  dtypes: [dtype],
  async run(at) {
    for (const shape of shapes.filter(shape => shape.length > 0)) {
      for (const axis of shape.map((_, i) => i)) {
        const sizes = [shape[axis]!, 1, 0, 3]
        const parts = sizes.map((size, i) => ({ shape: shape.with(axis, size), values: tokens(sizeOf(shape.with(axis, size)) + i, dtype).slice(i) }))
        const out = shape.with(axis, sizes.reduce((a, b) => a + b))
        const expected: (number | bigint)[] = []
        eachIndex(out, index => {
          let [part, place] = [0, index[axis]!]
          while (place >= sizes[part]!) place -= sizes[part++]!
          expected.push(parts[part]!.values[flatAt(parts[part]!.shape, index.with(axis, place))]!)
        })
        const y = bind(primitive('concat'), parts.map(part => make(part.values, part.shape, dtype)), { axis })
        await expectElements(at, `concat of sizes ${sizes.join(', ')} along axis ${axis} of [${shape.join(',')}]`, y, out, dtype, expected)
      }
    }
  },
})

const gather = (dtype: DType): Check => ({
  name: `gather every shape ${dtype}`,
  dtypes: [dtype, 'int32'],
  async run(at) {
    for (const shape of shapes.filter(shape => shape.length > 0 && shape.length < 5 && sizeOf(shape) > 0)) {
      const values = tokens(sizeOf(shape), dtype)
      const x = make(values, shape, dtype)
      for (const [axis, size] of shape.entries()) {
        for (const places of [[], [0], [size - 1, 0, -1], [-size, size >> 1, size - 1, 0, size >> 1]]) {
          const out = shape.toSpliced(axis, 1, places.length)
          const expected: (number | bigint)[] = []
          eachIndex(out, index => expected.push(values[flatAt(shape, index.with(axis, (places[index[axis]!]! + size) % size))]!))
          const y: Tensor = bind(primitive('gather'), [x, make(places, [places.length], 'int32')], { axis })
          await expectElements(at, `gather of ${places.join(', ')} along axis ${axis} of [${shape.join(',')}]`, y, out, dtype, expected)
        }
      }
    }
  },
})

const select = (dtype: DType): Check => ({
  name: `select every shape ${dtype}`,
  dtypes: [dtype, 'bool'],
  async run(at) {
    for (const shape of shapes) {
      const [count, first] = [sizeOf(shape), shape.map((size, axis) => axis === 0 ? 1 : size)]
      const conditions = tokens(count, 'bool')
      const [a, b] = [tokens(count, dtype), tokens(sizeOf(first) + 3, dtype).slice(3)]
      const expected: (number | bigint)[] = []
      eachIndex(shape, (index, flat) => expected.push(conditions[flat] ? a[flat]! : b[broadcastAt(first, index)]!))
      const y = bind(primitive('select'), [make(conditions, shape, 'bool'), make(a, shape, dtype), make(b, first, dtype)], undefined)
      await expectElements(at, `select of [${shape.join(',')}]`, y, shape, dtype, expected)
    }
  },
})

/** Every movement op in every dtype. */
export const movementChecks = (): Check[] => dtypes.flatMap(dtype => [
  ...(Object.keys(moves) as (keyof typeof moves)[]).map(name => movement(name, dtype)), concat(dtype), gather(dtype), select(dtype),
])
