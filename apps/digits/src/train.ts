// The run: the network, its data in a new order each epoch, the rate, and fit, which can be stopped at any step and gone on from exactly.

import { noGrad, type Tensor } from '@bp/core'
import { DataLoader, ndarray, type NdArray, TensorDataset } from '@bp/data'
import { Adam, CosineAnnealingLR, crossEntropy, type Module, readCheckpointProgress } from '@bp/nn'
import { Generator } from '@bp/ops'
import { Accuracy, type Callback, type CheckpointStore, fit, type FitResult, LearningRateScheduler } from '@bp/train'
import { type Images, inBatches, toBatch } from './data.ts'
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

type Sample = [x: NdArray, y: NdArray]

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

/** The images in batches, in a new order each epoch. */
export const shuffled = ({ pixels, labels }: Images, { batch, seed }: TrainOptions): DataLoader<Sample> =>
  new DataLoader(new TensorDataset(ndarray(pixels, [labels.length, 1, 28, 28]), labels), { batchSize: batch, shuffle: true, seed })

/** Half a cosine from the first rate down to 0 over all steps. */
export const falling = (optimiser: Adam, { epochs }: TrainOptions, loader: DataLoader<Sample>): CosineAnnealingLR => new CosineAnnealingLR(optimiser, epochs * loader.length)

/** Trains a network to the end, or until the signal. */
export async function train(options: TrainOptions, { train, test, eager = false, store, resume = false, signal, callbacks = [] }: Surroundings): Promise<FitResult & { readonly model: ReturnType<typeof digitsNetwork>; readonly optimiser: Adam }> {
  const { model, optimiser } = begin(options)
  const data = shuffled(train, options)
  const result = await fit<Module, Batch>(model, {
    data, optimiser, loss: crossEntropy, compile: !eager, epochs: options.epochs, metrics: { accuracy: new Accuracy() },
    scheduler: new LearningRateScheduler(falling(optimiser, options, data), { every: 'step' }),
    ...test && { validation: [...inBatches(test, 250)].map(toBatch) },
    ...store && { checkpoint: { store }, resume }, ...signal && { signal }, about: { ...options },
    callbacks,
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
