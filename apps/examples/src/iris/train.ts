// A small network that tells the species, trained until its loss on the validation flowers is least.

import { noGrad, type Tensor } from '@bp/core'
import { DataLoader, TensorDataset } from '@bp/data'
import { Adam, crossEntropy, Linear, Sequential, Tanh } from '@bp/nn'
import { argMax, Generator } from '@bp/ops'
import { Accuracy, EarlyStopping, evaluate, fit } from '@bp/train'
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
export async function trainIris({ train, validation }: IrisSplit, { epochs, batch, lr, hidden, seed }: IrisOptions): Promise<IrisRun> {
  const generator = new Generator(seed)
  const model = new Sequential(new Linear(4, hidden, { generator }), new Tanh(), new Linear(hidden, 3, { generator }))
  const { history } = await fit(model, {
    data: new DataLoader(new TensorDataset(train.x, train.y), { batchSize: batch, shuffle: true, seed }),
    validation: whole(validation),
    loss: crossEntropy, optimiser: new Adam(model.parameters(), { lr }), compile: true, epochs,
    callbacks: [new EarlyStopping({ patience: epochs, restoreBest: true })],
  })
  const losses = history.map(({ logs }) => ({ train: logs.loss!, validation: logs.val_loss! }))
  const least = Math.min(...losses.map(loss => loss.validation))
  return { model, epochs: losses, best: losses.findIndex(loss => loss.validation === least) + 1 }
}

/** All flowers as one batch. */
const whole = ({ x, y }: Flowers): [x: Tensor, y: Tensor][] => [[x, y]]

/** The species that the network takes flowers for, i32[n]. */
export const predict = (model: Sequential, { x }: Flowers): Tensor => noGrad(() => argMax(model.forward(x)))

/** The share of flowers whose species the network tells. */
export const accuracy = async (model: Sequential, flowers: Flowers): Promise<number> =>
  (await evaluate(model, whole(flowers), { loss: crossEntropy, metrics: { accuracy: new Accuracy() } })).accuracy!
