// When a run's checkpoints are written and where: the last ones, and the best.

import { fail } from '@bp/core/extend'
import { better, type Mode, type Run } from './callbacks/callback.ts'
import { missing } from './callbacks/earlyStopping.ts'

/** Where checkpoints are kept: CheckpointFiles of `@bp/train/node`, or a store of your own, such as IndexedDB in a browser. */
export interface CheckpointStore {
  /** Keeps a checkpoint that was taken after this many updates. It must be whole before an earlier one goes. */
  save(checkpoint: Uint8Array, step: number): void | Promise<void>
  /** Keeps the checkpoint of the best epoch so far apart from the others. */
  saveBest(checkpoint: Uint8Array): void | Promise<void>
  /** The newest checkpoint that is whole, or `null` where there is none. */
  load(): Uint8Array | null | Promise<Uint8Array | null>
}

/** How `fit` keeps checkpoints. */
export interface Checkpointing {
  readonly store: CheckpointStore
  /** After every so many updates; never unless given. */
  readonly everySteps?: number
  /** After every so many epochs: 1 unless given. The end of a run, by a signal too, is always kept. */
  readonly everyEpochs?: number
  /** The number of the epoch's logs by which one is the best, such as `val_loss`; no best is kept unless given. */
  readonly monitor?: string
  /** Whether that number shall fall or rise: `min` unless given. */
  readonly mode?: Mode
}

/** Writes the checkpoints of a run when they are due. */
export class Checkpoints {
  /** The best value of the monitored number so far. */
  best: number | null = null
  private readonly options: Checkpointing
  private readonly encode: (best: number | null) => Uint8Array
  private savedAt = -1

  constructor(options: Checkpointing, encode: (best: number | null) => Uint8Array) {
    this.options = options
    this.encode = encode
    for (const [name, count] of [['everySteps', options.everySteps], ['everyEpochs', options.everyEpochs]] as const) {
      if (count !== undefined && !(Number.isInteger(count) && count >= 1)) fail('value', 'fit', `checkpoint.${name} must be a whole number ≥ 1, got ${count}`)
    }
  }

  /** After an update. */
  async afterStep(step: number): Promise<void> {
    if (this.options.everySteps !== undefined && step % this.options.everySteps === 0) await this.save(step)
  }

  /** After an epoch, when the run stands at the beginning of the next. */
  async afterEpoch(run: Run): Promise<void> {
    const best = this.isBest(run)
    if (run.history.length % (this.options.everyEpochs ?? 1) === 0) await this.save(run.step)
    if (best) await this.options.store.saveBest(this.encode(this.best))
  }

  /** Keeps the run as it is where its last epoch was the best. */
  async keepBest(run: Run): Promise<void> {
    if (this.isBest(run)) await this.options.store.saveBest(this.encode(this.best))
  }

  /** At the end of the run. */
  async atEnd(step: number): Promise<void> {
    if (this.savedAt !== step) await this.save(step)
  }

  private isBest(run: Run): boolean {
    const { monitor, mode = 'min' } = this.options
    if (monitor === undefined) return false
    const value = run.logs[monitor] ?? missing('fit', monitor, run)
    const best = better(mode, value, this.best)
    if (best) this.best = value
    return best
  }

  private async save(step: number): Promise<void> {
    await this.options.store.save(this.encode(this.best), step)
    this.savedAt = step
  }
}
