// The training of a network of characters: steps that can be stopped at any point and gone on from exactly.

import { add, compile, mul, type Tensor, tensor, Variable } from '@bp/core'
import { AdamW, clipGradNorm, crossEntropy, decodeCheckpoint, encodeCheckpoint, readCheckpointProgress } from '@bp/nn'
import { cast, Generator, iota, mean, reshape, take } from '@bp/ops'
import { type CharModel, charModel, type ModelOptions } from './models.ts'
import type { Corpus } from './text.ts'

/** What a run is made of. */
export interface CharOptions extends ModelOptions {
  readonly steps: number
  /** Windows of text a step. */
  readonly batch: number
  /** The highest learning rate. */
  readonly lr: number
  readonly seed: number
}

/** The gradient's norm is cut to this. */
const clip = 1
/** The share of the steps in which the learning rate rises. */
const warmUp = 0.05

/** A network in training. */
export class CharRun {
  readonly options: CharOptions
  readonly model: CharModel
  private readonly optimiser: AdamW
  /** Draws the windows of text. */
  private readonly windows: Generator
  private readonly update: () => Tensor
  private done = 0

  constructor(options: CharOptions, { alphabet, train }: Corpus) {
    this.options = options
    this.model = charModel(alphabet.length, options, new Generator(options.seed))
    this.optimiser = new AdamW(this.model.parameters(), { lr: options.lr })
    this.windows = new Generator(options.seed + 1)
    const { batch, context } = options
    // the whole text stays with the program, which cuts its windows itself
    const text = new Variable(tensor(train))
    const within = reshape(iota(context, 'int32'), [1, context])
    this.update = compile(() => {
      const starts = cast(mul(this.windows.uniform([batch, 1]), train.length - context), 'int32')
      const places = add(starts, within)
      this.optimiser.zeroGrad()
      const loss = mean(charLosses(this.model.forward(take(text, places)), take(text, add(places, 1))))
      loss.backward()
      clipGradNorm(this.model.parameters(), clip)
      this.optimiser.step()
      return loss
    })
  }

  /** A run as a checkpoint left it. Throws where the file is damaged or belongs to another text. */
  static from(checkpoint: Uint8Array, corpus: Corpus): CharRun {
    const { options, done } = readCheckpointProgress(checkpoint) as unknown as { options: CharOptions; done: number }
    const run = new CharRun(options, corpus)
    decodeCheckpoint(checkpoint, run.parts())
    run.done = done
    return run
  }

  /** The run as bytes. */
  checkpoint(): Uint8Array {
    return encodeCheckpoint(this.parts(), { options: { ...this.options }, done: this.done })
  }

  /** Steps taken. */
  get taken(): number {
    return this.done
  }

  /** Whether all steps are taken. */
  finished(): boolean {
    return this.done >= this.options.steps
  }

  /** Takes a step and returns its loss, a scalar in nats for each character. */
  step(): Tensor {
    this.optimiser.groups[0]!.lr = this.rate()
    const loss = this.update()
    this.done++
    return loss
  }

  /** Rises evenly, then falls by half a cosine to a tenth: a function of the place alone, so that nothing of it is saved. */
  private rate(): number {
    const { steps, lr } = this.options
    const rising = Math.max(1, Math.round(warmUp * steps))
    if (this.done < rising) return lr * (this.done + 1) / rising
    const share = (this.done - rising) / Math.max(1, steps - rising)
    return lr * (0.1 + 0.9 * (1 + Math.cos(Math.PI * share)) / 2)
  }

  private parts(): Parameters<typeof encodeCheckpoint>[0] {
    return { model: this.model, optimiser: this.optimiser, generators: { windows: this.windows } }
  }
}

/** The cross-entropies of logits [n, length, alphabet] with the characters that came, i32[n, length]: nats, [n, length]. */
export const charLosses = (logits: Tensor, target: Tensor): Tensor =>
  reshape(crossEntropy(reshape(logits, [target.size, logits.shape[2]!]), reshape(target, [target.size]), { reduction: 'none' }), target.shape)
