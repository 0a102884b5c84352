// Checks of large tensors: more elements than a texture's side or a short counter holds, and long axes.

import { add, broadcastTo, compile, mul, tensor, type Tensor } from '@bp/core'
import { allocate } from '@bp/core/extend'
import { amax, argMax, argSort, concat, cumSum, flip, iota, matmul, neg, pad, reshape, slice, softmax, sub, sum, take, transpose } from '@bp/ops'
import { LawError } from '../error.ts'
import { type Check, expectElements, make } from './check.ts'

/* A prime above 2^20, so that no row of a texture divides it; and an axis above 16384. */
const many = 1_048_583
const long = 20_011
const [rows, columns] = [1031, 1033]

/** Compares element by element without a list of what is expected. */
async function each(what: string, y: Tensor, expected: (i: number) => number): Promise<void> {
  const got = await y.data()
  for (let i = 0; i < got.length; i++) if (got[i] !== expected(i)) throw new LawError(`element ${i} of ${what} is ${got[i]}, expected ${expected(i)}`)
}

const value = (i: number): number => i % 251
type Wide = 'float32' | 'int32'

function numbers(count: number, dtype: Wide): Tensor {
  const data = allocate(dtype, count) as Float32Array
  for (let i = 0; i < count; i++) data[i] = i % 251
  return tensor(data)
}


const runs: Readonly<Record<string, (dtype: Wide) => Promise<void>>> = {
  'elementwise': dtype => each('x − (x + x)', sub(numbers(many, dtype), add(numbers(many, dtype), numbers(many, dtype))), i => 0 - value(i)),
  'elementwise, compiled': dtype => each('a compiled x·3 − 1', compile((x: Tensor) => sub(mul(x, 3), 1))(numbers(many, dtype)), i => 3 * value(i) - 1),
  'iota': dtype => each('iota', iota(many, dtype), i => i),
  'broadcastTo': dtype => each('broadcastTo', broadcastTo(reshape(numbers(rows, dtype), [rows, 1]), [rows, columns]), i => value(Math.floor(i / columns))),
  'transpose': dtype => each('transpose', transpose(reshape(numbers(rows * columns, dtype), [rows, columns])), i => value(i % rows * columns + Math.floor(i / rows))),
  'slice': dtype => each('slice', slice(numbers(many, dtype), [3], [many - 2], [2]), i => value(3 + 2 * i)),
  'pad': dtype => each('pad', pad(numbers(many, dtype), [[5, 3]]), i => i < 5 || i >= many + 5 ? 0 : value(i - 5)),
  'concat': dtype => each('concat', concat([numbers(many, dtype), numbers(long, dtype)]), i => value(i < many ? i : i - many)),
  'flip': dtype => each('flip', flip(numbers(many, dtype)), i => value(many - 1 - i)),
  'sum': dtype => each('sum', sum(reshape(numbers(rows * columns, dtype), [rows, columns]), 0), i => {
    let total = 0
    for (let r = 0; r < rows; r++) total += value(r * columns + i)
    return total
  }),
  'sum of a long axis': dtype => each('sum', sum(reshape(numbers(3 * long, dtype), [3, long]), 1), r => {
    let total = 0
    for (let i = 0; i < long; i++) total += value(r * long + i)
    return total
  }),
  'amax and argMax of a long axis': async dtype => {
    const x = add(numbers(long, dtype), mul(make([1000], [1], dtype), pad(make([1], [1], dtype), [[long - 7, 6]])))
    await each('amax', amax(x), () => value(long - 7) + 1000)
    await each('argMax', argMax(x), () => long - 7)
  },
  'argSort of a long axis': dtype => each('argSort', argSort(neg(iota(long, dtype))), i => long - 1 - i),
  'cumSum of a long axis': dtype => each('cumSum', cumSum(make(Array.from({ length: long }, (_, i) => i % 3), [long], dtype)), i => Math.floor(i / 3) * 3 + [0, 1, 3][i % 3]!),
  'gather from a long axis': dtype => each('gather', take(iota(many, dtype), make([many - 1, 16385, 65537, 0], [4], 'int32')), i => [many - 1, 16385, 65537, 0][i]!),
  'dot with a long inner axis': dtype => each('dot', matmul(reshape(numbers(2 * long, dtype), [2, long]), reshape(make(Array.from({ length: long }, (_, i) => i % 2), [long], dtype), [long, 1])), r => {
    let total = 0
    for (let i = 1; i < long; i += 2) total += value(r * long + i)
    return total
  }),
}

const axis: Check = {
  name: 'softmax of a long axis float32',
  dtypes: ['float32'],
  run: at => expectElements(at, 'softmax of equal numbers', softmax(make(new Array<number>(long).fill(3), [long], 'float32')), [long], 'float32', new Array<number>(long).fill(1 / long), 1e-5),
}

/** Large tensors. */
export const largeChecks = (): Check[] => [
  ...(['float32', 'int32'] as const).flatMap(dtype => Object.entries(runs).map(([name, run]): Check => ({ name: `large ${name} ${dtype}`, dtypes: [dtype, 'int32'], run: () => run(dtype) }))),
  axis,
]
