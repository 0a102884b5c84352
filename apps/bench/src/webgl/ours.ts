// Our jobs in the page, by the public API: op by op, compiled, and training steps whole.

import { add, compile, mul, type Tensor } from '@bp/core'
import { convolve, exp, gelu, matmul, relu, reshape, slice, softmax, sum } from '@bp/ops'
import { chain, type Inputs } from '../data.ts'
import { toTensor, trainings } from '../training.ts'
import type { Contender, Ready, Start } from './contender.ts'

function free(...xs: readonly Tensor[]): void {
  for (const { storage, backend } of xs) if (storage !== null) backend.free?.(storage)
}

/** Reads one element. */
async function touch(x: Tensor): Promise<void> {
  const flat = x.rank === 1 ? x : reshape(x, [x.size])
  const one = slice(flat, [0], [1])
  await one.data()
  free(one)
  if (flat !== x) free(flat)
}

/** What runs a function of the inputs, each run letting the result of the last one go. */
async function calls(data: Inputs, ways: Readonly<Record<string, (...xs: Tensor[]) => Tensor>>): Promise<Ready> {
  const xs = Object.values(data).map(toTensor)
  let y = Object.values(ways)[0]!(...xs)
  return {
    values: await y.data() as Float32Array,
    ways: Object.fromEntries(Object.entries(ways).map(([name, f]) => [name, () => {
      free(y)
      y = f(...xs)
    }])),
    done: () => touch(y),
    close: () => { free(y, ...xs) },
  }
}

const op = (f: (...xs: Tensor[]) => Tensor): Start => data => calls(data, { eager: f, compile: compile(f) })

/** Tiny kernels, each waiting for the one before. */
const launch: Start = data => calls(data, {
  eager: (w, c) => {
    let y = w
    for (let i = 0; i < chain; i++) {
      const product = mul(y, w)
      if (i > 0) free(y)
      y = add(product, c)
      free(product)
    }
    return y
  },
})

/** A training step; its loss is read back each time, by waiting for it or at once. */
const training = (job: string, compiled: boolean): Start => data => {
  const { step: plain, batch } = trainings[job]!(data)
  const step = compiled ? compile(plain) : plain
  const way = compiled ? 'compile' : 'op by op'
  return {
    values: [step(...batch).item()],
    ways: {
      [`${way}, data()`]: async () => {
        const loss = step(...batch)
        await loss.data()
        free(loss)
      },
      [`${way}, dataSync()`]: () => {
        const loss = step(...batch)
        loss.dataSync()
        free(loss)
      },
    },
    done: () => Promise.resolve(),
    close: () => { free(...batch) },
  }
}

const trainingJobs = ['mlp', 'cnn']

/** All jobs. */
export const ours: Contender = {
  ...Object.fromEntries(trainingJobs.map(job => [job, training(job, true)])),
  'launch': launch,
  'gemm-256': op(matmul), 'gemm-512': op(matmul), 'gemm-1024': op(matmul),
  'conv-3x3': op((x, w) => convolve(x, w, { padding: 1 })),
  'add': op(add), 'relu': op(relu), 'exp': op(exp), 'gelu': op(x => gelu(x)), 'sum': op(x => sum(x)), 'softmax': op(x => softmax(x)),
}

/** The training jobs op by op. */
export const oursOpByOp: Contender = Object.fromEntries(trainingJobs.map(job => [job, training(job, false)]))
