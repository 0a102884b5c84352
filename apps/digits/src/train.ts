// The run: the network, its data in a new order each epoch, the rate, and fit, which can be stopped at any step and gone on from exactly.

import { noGrad, type Tensor } from '@bp/core'
import { Adam, crossEntropy, type Module, readCheckpointProgress } from '@bp/nn'
import { Generator } from '@bp/ops'
import { Accuracy, type Callback, type CheckpointStore, fit, type FitResult, type Run } from '@bp/train'
import { type Images, inBatches, pick, toBatch } from './data.ts'
import { digitsNetwork } from './model.ts'

/** What a run is trained by. */
export interface TrainOptions {
  readonly epochs: number
  readonly batch: number
  readonly lr: number
  readonly seed: number
}

/** Images and labels, f32[n,1,28,28] and i32[n]. */
export type Batch = readonly [x: Tensor, y: Tensor]

/** How a run is made, beside what it is trained by. */
export interface Surroundings {
  readonly train: Images
  /** Judged after each epoch, if given. */
  readonly test?: Images
  /** Op by op instead of as one compiled program. */
  readonly eager?: boolean
  /** Where checkpoints go, and, with `resume`, come from. */
  readonly store?: CheckpointStore
  readonly resume?: boolean
  readonly signal?: AbortSignal
  readonly callbacks?: readonly Callback[]
}

/** The network before its first step, and its optimiser. */
export function begin({ seed, lr }: TrainOptions): { readonly model: ReturnType<typeof digitsNetwork>; readonly optimiser: Adam } {
  const model = digitsNetwork(new Generator(seed))
  return { model, optimiser: new Adam(model.parameters(), { lr }) }
}

/** All images in batches, in an order that depends on the seed and the number of the epoch alone. */
export function* shuffled(train: Images, { batch, seed }: TrainOptions, epoch: number): Iterable<Batch> {
  const order = new Generator(seed + 1)
  let places: number[] = []
  for (let drawn = 0; drawn <= epoch; drawn++) places = order.permutation(train.labels.length)
  for (let at = 0; at < places.length; at += batch) yield toBatch(pick(train, places.slice(at, at + batch)))
}

/** Half a cosine from the first rate down to 0 over all steps: a function of the step alone, so nothing of it is saved. */
export const rate = ({ lr, epochs, batch }: TrainOptions, train: Images, step: number): number =>
  lr * (1 + Math.cos(Math.PI * step / (epochs * Math.ceil(train.labels.length / batch)))) / 2

/** Trains a network to the end, or until the signal. */
export async function train(options: TrainOptions, { train, test, eager = false, store, resume = false, signal, callbacks = [] }: Surroundings): Promise<FitResult & { readonly model: ReturnType<typeof digitsNetwork>; readonly optimiser: Adam }> {
  const { model, optimiser } = begin(options)
  const setRate = (run: Run): void => { optimiser.groups[0]!.lr = rate(options, train, run.step) }
  const result = await fit<Module, Batch>(model, {
    optimiser, loss: crossEntropy, compile: !eager, epochs: options.epochs, stepsPerEpoch: Math.ceil(train.labels.length / options.batch),
    data: epoch => shuffled(train, options, epoch), metrics: { accuracy: new Accuracy() },
    ...test && { validation: [...inBatches(test, 250)].map(toBatch) },
    ...store && { checkpoint: { store }, resume }, ...signal && { signal }, about: { ...options },
    callbacks: [{ onStepEnd: setRate }, ...callbacks],
  })
  return { ...result, model, optimiser }
}

/** What the run in a checkpoint is trained by. */
export const optionsIn = (checkpoint: Uint8Array): TrainOptions => (readCheckpointProgress(checkpoint) as unknown as { about: TrainOptions }).about

/** The logits for all images, f32 [n, 10] row-major, in evaluation mode. */
export function predict(forward: Module['forward'], images: Images): Float32Array {
  const out = new Float32Array(images.labels.length * 10)
  let at = 0
  for (const part of inBatches(images, 250)) {
    const logits = noGrad(() => forward(toBatch(part)[0])).dataSync() as Float32Array
    out.set(logits, at)
    at += logits.length
  }
  return out
}

/** The share of images whose largest logit is at their label. */
export function accuracy(logits: Float32Array, labels: Int32Array): number {
  let correct = 0
  labels.forEach((label, i) => {
    const row = logits.subarray(i * 10, i * 10 + 10)
    if (row.indexOf(Math.max(...row)) === label) correct++
  })
  return correct / labels.length
}
