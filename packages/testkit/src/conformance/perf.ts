// Jobs that show where a backend spends its time; they are timed, and nothing is asserted.

import { add, compile, type DType, grad, mul, type Tensor } from '@bp/core'
import { convolve, exp, matmul, mean, randomBits, relu, slice, softmax, square, sub, sum, tanh, transpose } from '@bp/ops'
import { cast } from '@bp/core/extend'
import { make } from './check.ts'

/** One timed job. */
export interface PerfRow {
  readonly name: string
  /** The median of its runs, results read. */
  readonly milliseconds: number
  /** What it did, in 10⁹ operations a second, or in 10⁹ bytes a second read and written. */
  readonly rate: number | null
  readonly unit: 'Gop/s' | 'GB/s' | null
}

/** A job before it is run. */
export interface PerfJob {
  readonly name: string
  readonly dtypes: readonly DType[]
  readonly time: () => Promise<PerfRow>
}

/** Every engine has it; no type of this package's names where it runs. */
declare const performance: { now(): number }

/** One element of the result, read: work that is put off is done by then, and the transfer does not count. */
async function finish(y: Tensor): Promise<void> {
  await slice(y, y.shape.map(() => 0), y.shape.map(() => 1)).data()
}

async function median(run: () => Promise<void>): Promise<number> {
  const [least, most, budget] = [5, 40, 400]
  let begun = performance.now()
  for (let i = 0; i < 3 && performance.now() - begun < budget; i++) await run()
  const times: number[] = []
  const slow = performance.now() - begun > 5 * budget
  begun = performance.now()
  while (times.length < (slow ? 1 : least) || (times.length < most && performance.now() - begun < budget)) {
    const start = performance.now()
    await run()
    times.push(performance.now() - start)
  }
  return times.sort((a, b) => a - b)[times.length >> 1]!
}

/** Evenly distributed in [−1, 1). */
const noise = (shape: readonly number[]): Tensor => sub(mul(cast(randomBits(make([1, 2], [2], 'int32'), shape), 'float32'), 2 ** -23), 1)

interface Work {
  readonly name: string
  readonly count: number
  readonly unit: PerfRow['unit']
  /** Makes the operands, and gives what is timed. */
  readonly prepare: () => () => Tensor
  /** How often one run does it. */
  readonly repeat?: number
}

const million = 2 ** 20

const works: readonly Work[] = [
  { name: 'launch of a kernel on 4 elements', count: 0, unit: null, repeat: 100, prepare: () => {
    const x = make([1, 2, 3, 4], [4], 'float32')
    return () => {
      let y = x
      for (let i = 0; i < 100; i++) y = add(y, x)
      return y
    }
  } },
  ...[256, 1024].map((n): Work => ({ name: `matmul ${n} × ${n}`, count: 2 * n ** 3, unit: 'Gop/s', prepare: () => {
    const [a, b] = [noise([n, n]), noise([n, n])]
    return () => matmul(a, b)
  } })),
  { name: 'conv 3 × 3, 32 channels of 64 × 64, 8 images', count: 2 * 8 * 32 * 32 * 9 * 64 * 64, unit: 'Gop/s', prepare: () => {
    const [x, w] = [noise([8, 32, 64, 64]), noise([32, 32, 3, 3])]
    return () => convolve(x, w, { padding: 1 })
  } },
  { name: 'add of 2²⁰', count: 12 * million, unit: 'GB/s', prepare: () => {
    const [x, y] = [noise([million]), noise([million])]
    return () => add(x, y)
  } },
  { name: 'exp of 2²⁰', count: 8 * million, unit: 'GB/s', prepare: () => {
    const x = noise([million])
    return () => exp(x)
  } },
  { name: 'compiled tanh(x)·y + relu(x) of 2²⁰', count: 12 * million, unit: 'GB/s', prepare: () => {
    const [x, y] = [noise([million]), noise([million])]
    const f = compile((a: Tensor, b: Tensor) => add(mul(tanh(a), b), relu(a)))
    return () => f(x, y)
  } },
  { name: 'sum of 2²⁰', count: 4 * million, unit: 'GB/s', prepare: () => {
    const x = noise([million])
    return () => sum(x)
  } },
  { name: 'sum of the rows of 1024 × 1024', count: 4 * million, unit: 'GB/s', prepare: () => {
    const x = noise([1024, 1024])
    return () => sum(x, 0)
  } },
  { name: 'transpose of 1024 × 1024', count: 8 * million, unit: 'GB/s', prepare: () => {
    const x = noise([1024, 1024])
    return () => transpose(x)
  } },
  { name: 'softmax of 1024 × 1024', count: 8 * million, unit: 'GB/s', prepare: () => {
    const x = noise([1024, 1024])
    return () => softmax(x)
  } },
  { name: 'gradient of an MLP 784-128-10 on 64', count: 6 * 64 * (784 * 128 + 128 * 10), unit: 'Gop/s', prepare: mlp(f => f) },
  { name: 'the same compiled', count: 6 * 64 * (784 * 128 + 128 * 10), unit: 'Gop/s', prepare: mlp(f => compile(f)) },
]

function mlp(way: (f: (w: Tensor, v: Tensor) => Tensor) => (w: Tensor, v: Tensor) => Tensor): () => () => Tensor {
  return () => {
    const [x, y, w, v] = [noise([64, 784]), noise([64, 10]), noise([784, 128]), noise([128, 10])]
    const loss = (a: Tensor, b: Tensor): Tensor => mean(square(sub(matmul(relu(matmul(x, a)), b), y)))
    const step = way((a, b) => {
      const [da, db] = grad(([p, q]: [Tensor, Tensor]) => loss(p, q))([a, b])
      return add(sum(da), sum(db))
    })
    return () => step(w, v)
  }
}

/** All jobs. */
export const perfJobs: readonly PerfJob[] = works.map(({ name, count, unit, prepare, repeat = 1 }) => ({
  name,
  dtypes: ['float32', 'int32'],
  async time() {
    const run = prepare()
    const milliseconds = await median(() => finish(run())) / repeat
    return { name, milliseconds, rate: unit === null ? null : count / milliseconds / 1e6, unit }
  },
}))
