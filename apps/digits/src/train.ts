// The training loop: steps that can be stopped at any point and gone on from exactly.

import { compile, noGrad, type Tensor } from '@bp/core'
import { Adam, crossEntropy, decodeCheckpoint, encodeCheckpoint, type Module, readCheckpointProgress } from '@bp/nn'
import { argMax, Generator } from '@bp/ops'
import { type Images, inBatches, pick, toBatch } from './data.ts'
import { digitsNetwork } from './model.ts'

/** What a run is trained by. */
export interface TrainOptions {
  readonly epochs: number
  readonly batch: number
  readonly lr: number
  readonly seed: number
}

/** Where a run is; it goes into the checkpoint. */
export interface Progress {
  readonly options: TrainOptions
  /** Epochs finished. */
  epoch: number
  /** Steps of the present epoch finished. */
  step: number
  /** Sums over the present epoch. */
  lossSum: number
  correct: number
  seen: number
}

/** A network in training. */
export class Run {
  readonly model: ReturnType<typeof digitsNetwork>
  readonly optimiser: Adam
  readonly progress: Progress
  /** Forward, backward and the optimiser's step, as one compiled program or op by op: images and labels in, loss and predictions out. */
  private readonly update: (x: Tensor, y: Tensor) => [loss: Tensor, predicted: Tensor]
  /** Draws the data order, once an epoch. */
  private readonly order: Generator
  private places: number[] = []

  constructor(options: TrainOptions, compiled = true) {
    this.model = digitsNetwork(new Generator(options.seed))
    this.optimiser = new Adam(this.model.parameters(), { lr: options.lr })
    this.order = new Generator(options.seed + 1)
    const update: typeof this.update = (x, y) => {
      this.optimiser.zeroGrad()
      const logits = this.model.forward(x)
      const loss = crossEntropy(logits, y)
      loss.backward()
      this.optimiser.step()
      return [loss, argMax(logits)]
    }
    this.update = compiled ? compile(update) : update
    this.progress = { options, epoch: 0, step: 0, lossSum: 0, correct: 0, seen: 0 }
  }

  /** A run as a checkpoint left it. Throws where the file is damaged or no checkpoint of this network. */
  static from(checkpoint: Uint8Array, compiled = true): Run {
    const saved = readCheckpointProgress(checkpoint) as unknown as Progress
    const run = new Run(saved.options, compiled)
    decodeCheckpoint(checkpoint, run.parts())
    Object.assign(run.progress, saved)
    return run
  }

  /** The run as bytes. The generator is saved as it was before the present epoch's order was drawn. */
  checkpoint(): Uint8Array {
    return encodeCheckpoint(this.parts(), { ...this.progress, options: { ...this.progress.options } })
  }

  finished(): boolean {
    return this.progress.epoch >= this.progress.options.epochs
  }

  /** Steps of an epoch over this many images. */
  stepsPerEpoch(images: Images): number {
    return Math.ceil(images.labels.length / this.progress.options.batch)
  }

  /** Takes one step, and returns whether it was the last of its epoch. */
  step(train: Images): boolean {
    const { progress } = this
    if (this.places.length === 0) this.places = this.peekOrder(train.labels.length)
    const { batch } = progress.options
    const images = pick(train, this.places.slice(progress.step * batch, (progress.step + 1) * batch))
    const { x, y } = toBatch(images)
    this.optimiser.groups[0]!.lr = this.rate(train)
    const [loss, predicted] = this.update(x, y)
    progress.step++
    progress.lossSum += loss.item() * images.labels.length
    progress.correct += countCorrect(predicted.dataSync(), images.labels)
    progress.seen += images.labels.length
    return progress.step >= this.stepsPerEpoch(train)
  }

  /** Half a cosine from the first rate down to 0 over all steps: a function of the place alone, so nothing of it is saved. */
  private rate(train: Images): number {
    const { options, epoch, step } = this.progress
    const perEpoch = this.stepsPerEpoch(train)
    return options.lr * (1 + Math.cos(Math.PI * (epoch * perEpoch + step) / (options.epochs * perEpoch))) / 2
  }

  /** Closes an epoch: the next one draws a new order and starts its sums at 0. */
  endEpoch(train: Images): void {
    this.order.permutation(train.labels.length)
    this.places = []
    Object.assign(this.progress, { epoch: this.progress.epoch + 1, step: 0, lossSum: 0, correct: 0, seen: 0 })
  }

  /** The order that the generator would draw next, without advancing it: a checkpoint in mid-epoch finds it again. */
  private peekOrder(count: number): number[] {
    const before = this.order.state()
    const places = this.order.permutation(count)
    this.order.restore(before)
    return places
  }

  private parts(): Parameters<typeof encodeCheckpoint>[0] {
    return { model: this.model, optimiser: this.optimiser, order: this.order }
  }
}

const countCorrect = (predicted: ArrayLike<number | bigint>, labels: Int32Array): number => labels.reduce((n, label, i) => n + (predicted[i] === label ? 1 : 0), 0)

/** The logits for all images, f32 [n, 10] row-major, in evaluation mode. */
export function predict(forward: Module['forward'], images: Images): Float32Array {
  const out = new Float32Array(images.labels.length * 10)
  let at = 0
  for (const part of inBatches(images, 250)) {
    const logits = noGrad(() => forward(toBatch(part).x)).dataSync() as Float32Array
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
