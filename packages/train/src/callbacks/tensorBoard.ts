// A run's numbers as TensorBoard shows them.

import type { Json, Stateful } from '@bp/nn'
import { numbersOf } from '../metrics/metric.ts'
import { type ByteSink, EventWriter, type HyperParameters } from '../tensorboard/events.ts'
import type { Callback, Run } from './callback.ts'

/** Options of {@link TensorBoard}. */
export interface TensorBoardOptions {
  /** Writes the loss of every so many updates: of every 10th unless given. */
  readonly everySteps?: number
  /** Writes the distribution of each parameter after each epoch. */
  readonly histograms?: boolean
  /** The run's hyper-parameters, for the table of all runs. */
  readonly hparams?: HyperParameters
}

/**
 * Writes a run's numbers for TensorBoard: `loss/step` while it runs, and `loss/train`, `loss/validation` and the like after each
 * epoch. A resumed run begins a new file in the same folder; what the stopped one wrote after its last checkpoint is dropped.
 */
export class TensorBoard implements Callback, Stateful {
  private readonly events: EventWriter
  private readonly options: TensorBoardOptions
  private resumed = false

  constructor(sink: ByteSink, options: TensorBoardOptions = {}) {
    this.events = new EventWriter(sink)
    this.options = options
  }

  onTrainBegin(run: Run): void {
    if (this.resumed) this.events.resume(run.step + 1)
    else if (this.options.hparams) this.events.hparams(this.options.hparams)
  }

  onStepEnd(run: Run): void {
    if (run.step % (this.options.everySteps ?? 10) !== 0) return
    this.events.scalar('loss/step', run.loss, run.step)
    if (run.gradNorm !== undefined) this.events.scalar('gradNorm/step', run.gradNorm, run.step)
  }

  onEpochEnd(run: Run): void {
    for (const [name, value] of Object.entries(run.logs)) {
      const tag = name === 'lr' ? name : name.startsWith('val_') ? `${name.slice(4)}/validation` : `${name}/train`
      this.events.scalar(tag, value, run.step)
    }
    if (this.options.histograms) for (const [name, parameter] of run.model.namedParameters()) this.events.histogram(name, numbersOf(parameter), run.step)
  }

  stateDict(): Json {
    return {}
  }

  loadStateDict(): void {
    this.resumed = true
  }
}
