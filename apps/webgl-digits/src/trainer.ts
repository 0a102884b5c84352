// Training as any page would write it: a network, an optimiser, a compiled step, and a scope around whatever makes tensors.

import { compile, noGrad, scope, type Tensor, type TypedArray } from '@bp/core'
import { type Images, inBatches, type Split, toBatch } from '@bp/digits/data'
import { accuracy, type Batch, begin, falling, shuffled, type TrainOptions } from '@bp/digits/train'
import { crossEntropy, encodeSafetensors, type Module } from '@bp/nn'
import { exportOnnx } from '@bp/onnx'
import { softmax } from '@bp/ops'
import { trainStep } from '@bp/train'
import type { Format } from './protocol.ts'

/** Images that are predicted at once. */
const atOnce = 100

/** Passes over the data without end, each in an order of its own. */
function* endless<T>(data: Iterable<T>): Generator<T, never> {
  for (;;) yield* data
}

/** A run on the backend in use: the network, and what trains it. */
export class Trainer {
  /** How many steps the run has in all, and has taken. */
  readonly steps: number
  taken = 0
  /** Set where nobody waits for its answers any more. */
  abandoned = false
  private readonly model: ReturnType<typeof begin>['model']
  private readonly test: Images
  private readonly batches: Iterator<Batch, never>
  private readonly update: ReturnType<typeof trainStep<Module, Batch>>
  private readonly schedule: ReturnType<typeof falling>
  private readonly chances: (x: Tensor) => Tensor

  constructor(options: TrainOptions, { train, test }: Split) {
    using _ = scope()
    const { model, optimiser } = begin(options)
    const loader = shuffled(train, options)
    this.model = model
    this.test = test
    this.steps = options.epochs * loader.length
    this.batches = endless(loader)
    this.update = trainStep<Module, Batch>(model, { loss: crossEntropy, optimiser, compile: true })
    this.schedule = falling(optimiser, options, loader)
    this.chances = compile((x: Tensor) => softmax(model.forward(x)))
  }

  /** Takes a step, and gives its loss. */
  async step(): Promise<number> {
    const [loss] = await this.train()
    this.taken++
    return Number(loss)
  }

  /** The number is being read when the scope ends and frees everything else of the step. */
  private train(): Promise<TypedArray> {
    using _ = scope()
    const { loss } = this.update(this.batches.next().value)
    this.schedule.step()
    return loss.data()
  }

  /** The chances of the ten digits for each image, [n, 10] row-major. */
  async predict(images: Images): Promise<Float32Array> {
    const all = new Float32Array(images.labels.length * 10)
    let at = 0
    for (const part of inBatches(images, atOnce)) {
      if (this.abandoned) break
      const chances = await this.predictBatch(part)
      all.set(chances, at)
      at += chances.length
    }
    return all
  }

  private predictBatch(images: Images): Promise<Float32Array> {
    using _ = scope()
    return noGrad(() => this.chances(toBatch(images)[0])).data() as Promise<Float32Array>
  }

  /** The share of all test images that the network tells right, and what it takes the first `count` for. */
  async judge(count: number): Promise<{ readonly accuracy: number; readonly labels: readonly number[] }> {
    const chances = await this.predict(this.test)
    const labels = Array.from({ length: count }, (_, i) => {
      const row = chances.subarray(10 * i, 10 * i + 10)
      return row.indexOf(Math.max(...row))
    })
    return { accuracy: accuracy(chances, this.test.labels), labels }
  }

  /** The network as a file. */
  save(format: Format): Uint8Array {
    using _ = scope()
    return format === 'onnx'
      ? exportOnnx(this.model, [{ name: 'image', shape: [1, 1, 28, 28], dynamicBatch: true }], { outputs: ['logits'], name: 'digits' })
      : encodeSafetensors(this.model.stateDict(), { format: 'bp', network: 'digits' })
  }
}
