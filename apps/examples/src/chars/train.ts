// The training of a network of characters, for `fit`: a step that draws its own windows of text, its rate, and what it is judged on.

import { add, mul, type Tensor, tensor, Variable } from '@bp/core'
import { AdamW, crossEntropy, LambdaLR, readCheckpointProgress } from '@bp/nn'
import { cast, Generator, iota, mean, reshape, take } from '@bp/ops'
import { type FitOptions, LearningRateScheduler } from '@bp/train'
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
const clipNorm = 1
/** The share of the steps in which the learning rate rises. */
const warmUp = 0.05
/** Steps between two glimpses at the validation text, of so many characters, and two checkpoints. */
const interval = 100
const glimpse = 16_384

/** Windows of text i32[n, length] and what comes after each of their characters; nothing where the step draws them. */
type CharBatch = readonly [x: Tensor, y: Tensor] | readonly []

/** A network, and how `fit` trains it. */
export interface CharRun {
  readonly model: CharModel
  readonly training: FitOptions<CharModel, CharBatch>
}

/** A run from its beginning. */
export function charRun(options: CharOptions, { alphabet, train, validation }: Corpus): CharRun {
  const { steps, batch, context, lr, seed } = options
  const model = charModel(alphabet.length, options, new Generator(seed))
  const optimiser = new AdamW(model.parameters(), { lr })
  const random = new Generator(seed + 1)
  // the whole text stays with the compiled step, which cuts its windows itself
  const text = new Variable(tensor(train))
  const within = reshape(iota(context, 'int32'), [1, context])
  const draw = (): [x: Tensor, y: Tensor] => {
    const places = add(cast(mul(random.uniform([batch, 1]), train.length - context), 'int32'), within)
    return [take(text, places), take(text, add(places, 1))]
  }
  return {
    model,
    training: {
      data: undrawn, steps, stepsPerEpoch: interval, compile: true, clipNorm, optimiser,
      step: (network, given) => {
        const [x, y] = given.length === 0 ? draw() : given
        return mean(charLosses(network.forward(x), y))
      },
      samples: () => batch * context,
      validation: windows(validation.subarray(0, glimpse), batch, context),
      scheduler: new LearningRateScheduler(new LambdaLR(optimiser, done => rate(done, steps)), { every: 'step' }),
      parts: { random }, about: { ...options },
    },
  }
}

/** What the run in a checkpoint is made of. */
export const optionsIn = (checkpoint: Uint8Array): CharOptions => (readCheckpointProgress(checkpoint) as unknown as { about: CharOptions }).about

/** Batches without end, of which every step draws its own. */
function* undrawn(): IterableIterator<CharBatch> {
  while (true) yield []
}

/** A text cut into batches of windows, without what is left over. */
function windows(text: Int32Array, batch: number, context: number): CharBatch[] {
  const size = batch * context
  const cut = (at: number): Tensor => tensor(text.slice(at, at + size), { shape: [batch, context] })
  return Array.from({ length: Math.floor((text.length - 1) / size) }, (_, i) => [cut(i * size), cut(i * size + 1)] as const)
}

/** The share of the highest rate after so many steps: rises evenly, then falls by half a cosine to a tenth. */
function rate(done: number, steps: number): number {
  const rising = Math.max(1, Math.round(warmUp * steps))
  if (done < rising) return (done + 1) / rising
  return 0.1 + 0.9 * (1 + Math.cos(Math.PI * (done - rising) / Math.max(1, steps - rising))) / 2
}

/** The cross-entropies of logits [n, length, alphabet] with the characters that came, i32[n, length]: nats, [n, length]. */
export const charLosses = (logits: Tensor, target: Tensor): Tensor =>
  reshape(crossEntropy(reshape(logits, [target.size, logits.shape[2]!]), reshape(target, [target.size]), { reduction: 'none' }), target.shape)
