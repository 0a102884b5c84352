// A small network that tells the species, trained until its loss on the validation flowers is least.

import { compile, noGrad, type Tensor, tensor } from '@bp/core'
import { Adam, crossEntropy, Linear, Sequential, Tanh } from '@bp/nn'
import { argMax, detach, equal, Generator, mean, take, cast } from '@bp/ops'
import type { Flowers, IrisSplit } from './data.ts'

/** How the network is trained. */
export interface IrisOptions {
  readonly epochs: number
  readonly batch: number
  readonly lr: number
  readonly hidden: number
  readonly seed: number
}

/** An epoch's losses. */
export interface Epoch {
  readonly train: number
  readonly validation: number
}

/** The network of the best epoch, and how it came to it. */
export interface IrisRun {
  readonly model: Sequential
  readonly epochs: readonly Epoch[]
  /** The number of the epoch whose validation loss is least, from 1. */
  readonly best: number
}

/** Trains on the training flowers, and keeps the parameters of the epoch with the least validation loss. */
export function trainIris({ train, validation }: IrisSplit, { epochs, batch, lr, hidden, seed }: IrisOptions): IrisRun {
  const random = new Generator(seed)
  const model = new Sequential(new Linear(4, hidden, { generator: random }), new Tanh(), new Linear(hidden, 3, { generator: random }))
  const optimiser = new Adam(model.parameters(), { lr })
  const step = compile((x: Tensor, y: Tensor) => {
    optimiser.zeroGrad()
    const loss = crossEntropy(model.forward(x), y)
    loss.backward()
    optimiser.step()
    return loss
  })
  const loss = ({ x, y }: Flowers): number => noGrad(() => crossEntropy(model.forward(x), y)).item()
  const history: Epoch[] = []
  let best = { epoch: 0, loss: Infinity, state: new Map<string, Tensor>() }
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const order = random.permutation(train.y.size)
    for (let at = 0; at < order.length; at += batch) {
      const places = tensor(order.slice(at, at + batch), { dtype: 'int32' })
      step(take(train.x, places), take(train.y, places))
    }
    history.push({ train: loss(train), validation: loss(validation) })
    const reached = history.at(-1)!.validation
    if (reached < best.loss) best = { epoch, loss: reached, state: new Map([...model.stateDict()].map(([name, value]) => [name, detach(value)])) }
  }
  model.loadStateDict(best.state)
  return { model, epochs: history, best: best.epoch }
}

/** The species that the network takes flowers for, i32[n]. */
export const predict = (model: Sequential, { x }: Flowers): Tensor => noGrad(() => argMax(model.forward(x)))

/** The share of flowers whose species the network tells. */
export const accuracy = (model: Sequential, flowers: Flowers): number => mean(cast(equal(predict(model, flowers), flowers.y), 'float32')).item()
