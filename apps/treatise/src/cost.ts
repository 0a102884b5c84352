// What a gradient costs: one forward and one backward pass over a deep network, whatever the number of parameters.

import { add, noGrad, type Tensor, valueAndGrad } from '@bp/core'
import { Generator, matmul, mean, mul, relu, sub } from '@bp/ops'
import { median, time } from './measure.ts'

/** One network and what it took. */
export interface Cost {
  readonly depth: number
  readonly width: number
  readonly parameters: number
  /** Milliseconds of a forward pass, and of the value with the gradient by all parameters. */
  readonly forward: number
  readonly gradient: number
  /** Median of the ratios of the repetitions, measured in turn. */
  readonly ratio: number
}

interface Layer {
  readonly [name: string]: Tensor
  readonly w: Tensor
  readonly b: Tensor
}

const loss = (layers: readonly Layer[], x: Tensor, y: Tensor): Tensor => {
  const last = layers.length - 1
  const out = layers.reduce((h, { w, b }, i) => {
    const z = add(matmul(h, w), b)
    return i === last ? z : relu(z)
  }, x)
  const error = sub(out, y)
  return mean(mul(error, error))
}

/** Times a multilayer perceptron of `depth` square layers on a batch, in turn without and with its gradient. */
export function measureCost(depth: number, width: number, batch: number, repetitions: number): Cost {
  const random = new Generator(1)
  const layers = Array.from({ length: depth }, (): Layer => ({ w: random.normal([width, width], { std: Math.sqrt(2 / width) }), b: random.normal([width], { std: 0.1 }) }))
  const [x, y] = [random.normal([batch, width]), random.normal([batch, width])]
  const both = valueAndGrad((ls: readonly Layer[]) => loss(ls, x, y))
  const runs = { forward: () => noGrad(() => loss(layers, x, y)), gradient: () => both(layers) }
  const { forward, gradient } = time(runs, repetitions)
  return {
    depth, width, parameters: depth * (width * width + width),
    forward: median(forward), gradient: median(gradient), ratio: median(gradient.map((g, i) => g / forward[i]!)),
  }
}

/** Networks of growing width and of growing depth. */
export const plan: readonly (readonly [depth: number, width: number])[] = [
  [8, 16], [8, 32], [8, 64], [8, 128], [8, 256], [8, 512],
  [2, 128], [4, 128], [16, 128], [32, 128], [64, 128],
]
