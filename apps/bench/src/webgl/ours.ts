// Our jobs in the page, by the public API: op by op, compiled, and training steps whole.

import { add, compile, mul, scope, type Tensor } from '@bp/core'
import { convolve, exp, gelu, matmul, relu, reshape, slice, softmax, sum } from '@bp/ops'
import { chain, type Inputs } from '../data.ts'
import { toTensor, trainings } from '../training.ts'
import type { Contender, Ready, Start } from './contender.ts'

/** Lets a tensor go that lives outside of scopes. */
function free({ storage, backend }: Tensor): void {
  if (storage !== null) backend.free?.(storage)
}

/** Reads one element. Nobody else makes tensors meanwhile. */
async function touch(x: Tensor): Promise<void> {
  using _ = scope()
  await slice(reshape(x, [x.size]), [0], [1]).data()
}

/* A result is let go after the next one: one that is written over at once need not be drawn, and software adapters know it. */

/** What runs a function of the inputs, each run letting the result of the last but one go. */
async function calls(data: Inputs, ways: Readonly<Record<string, (...xs: Tensor[]) => Tensor>>): Promise<Ready> {
  const xs = Object.values(data).map(toTensor)
  const [first] = Object.values(ways) as [(...xs: Tensor[]) => Tensor]
  let [before, y] = [scope(() => first(...xs)), scope(() => first(...xs))]
  return {
    values: await y.data() as Float32Array,
    ways: Object.fromEntries(Object.entries(ways).map(([name, f]) => [name, () => {
      free(before)
      before = y
      y = scope(() => f(...xs))
    }])),
    done: () => touch(y),
    close: () => { [before, y, ...xs].forEach(free) },
  }
}

const op = (f: (...xs: Tensor[]) => Tensor): Start => data => calls(data, { eager: f, compile: compile(f) })

/** Tiny kernels, each waiting for the one before. */
const launch: Start = data => calls(data, {
  eager: (w, c) => {
    let y = w
    for (let i = 0; i < chain; i++) y = add(mul(y, w), c)
    return y
  },
})

/** A training step; its loss is read back each time, by waiting for it or at once. */
const training = (job: string, compiled: boolean): Start => data => {
  const { step: plain, batch } = trainings[job]!(data)
  const step = compiled ? compile(plain) : plain
  const way = compiled ? 'compile' : 'op by op'
  return {
    values: [scope(() => step(...batch).item())],
    ways: {
      [`${way}, data()`]: async () => {
        using _ = scope()
        await step(...batch).data()
      },
      [`${way}, dataSync()`]: () => { scope(() => { step(...batch).dataSync() }) },
    },
    done: () => Promise.resolve(),
    close: () => { batch.forEach(free) },
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
