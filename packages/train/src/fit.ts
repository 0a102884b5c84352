// fit: a whole training run, from the first step or from where it was left, with what happens beside it in callbacks.

import { type AnyModule, type Json, manualSeed, type Parts } from '@bp/nn'
import type { Data } from './batches.ts'
import type { Callback, Ended, EpochLogs } from './callbacks/callback.ts'
import type { LearningRateScheduler, Schedule } from './callbacks/learningRate.ts'
import type { Checkpointing } from './checkpointing.ts'
import type { Metrics } from './evaluate.ts'
import type { StepOptions } from './step.ts'
import { Training } from './training.ts'

/** Options of {@link fit}. */
export interface FitOptions<M, B> extends StepOptions<M, B> {
  /** The training data, passed through once an epoch. */
  readonly data: Data<B>
  /** Data to judge the model on after each epoch, in evaluation mode. */
  readonly validation?: Data<B>
  /** Judges the averages of `ema` in place of the model, where it has `use`. */
  readonly validateAverage?: boolean
  /** How many epochs there shall be, and how many updates; the run ends at whichever comes first. One must be given. */
  readonly epochs?: number
  readonly steps?: number
  /** How many updates make an epoch: those of one pass over the data unless given. Needed where data never end. */
  readonly stepsPerEpoch?: number
  /** Of how many batches the gradients are accumulated before each update: 1 unless given. They are held at once. */
  readonly accumulate?: number
  /** Metrics by name, over each epoch's training data and over the validation data. */
  readonly metrics?: Metrics
  /** A schedule that steps after each epoch, or a {@link LearningRateScheduler} that says otherwise. */
  readonly scheduler?: Schedule | LearningRateScheduler
  readonly callbacks?: readonly Callback[]
  /** Starts the default generator anew, from which dropout draws. */
  readonly seed?: number
  /** Ends the run after the present step; a checkpoint is left, and nothing is thrown. */
  readonly signal?: AbortSignal
  readonly checkpoint?: Checkpointing
  /** Goes on from the newest checkpoint of the store, if there is one, or from the bytes of one. */
  readonly resume?: boolean | Uint8Array
  /** Further parts of the run to save: a second model, a generator of the data. */
  readonly parts?: Parts
  /** What the run is, in JSON of your own: checkpoints hold it, and `readCheckpointProgress(bytes).about` gives it to who resumes. */
  readonly about?: Json
  /** Throws where a loss is NaN or infinite: true unless given or a scaler is, which skips such steps. */
  readonly checkFinite?: boolean
}

/** What became of a run. */
export interface FitResult {
  /** The numbers of all epochs, those before it was resumed too. */
  readonly history: readonly EpochLogs[]
  /** Updates taken in all. */
  readonly step: number
  readonly ended: Ended
}

/**
 * Trains a model: passes over the data, takes an update for each batch as {@link trainStep} makes it, judges the model on the
 * validation data after each epoch, and tells callbacks of it. Other things of the program get a turn now and then. A run that is resumed from a checkpoint ends bit by bit as one that was never stopped.
 *
 * Data with `stateDict` and `loadStateDict`, such as a DataLoader, go on where they were; of other data, the batches that were
 * used are passed over, so that they must come in the same order again in each pass.
 *
 * Throws where a loss is not finite, where the data give no batch, and what the model or a callback throws.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Linear, mseLoss, SGD } from '@bp/nn'
 * import { Generator } from '@bp/ops'
 * import { fit } from '@bp/train'
 * const model = new Linear(1, 1, { generator: new Generator(1) })
 * const data = [[tensor([[1], [2]]), tensor([[2], [4]])], [tensor([[3]]), tensor([[6]])]]
 * const { history, step } = await fit(model, { data, loss: mseLoss, optimiser: new SGD(model.parameters(), { lr: 0.05 }), epochs: 60 })
 * step // => 120
 * history.at(-1).logs.loss < history[0].logs.loss / 10 // => true
 * ```
 */
export async function fit<M extends AnyModule, B>(model: M, options: FitOptions<M, B>): Promise<FitResult> {
  if (options.seed !== undefined) manualSeed(options.seed)
  return new Training(model, options).run()
}
