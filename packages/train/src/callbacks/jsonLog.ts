// A run's numbers as lines of JSON.

import type { Json, Stateful } from '@bp/nn'
import type { Callback, Run } from './callback.ts'

/** Takes text as it comes. One that knows its length and can be cut goes on exactly in a resumed run: `LogFile` of @bp/train/node. */
export interface TextSink {
  write(text: string): void
  /** Bytes written so far. */
  readonly length?: number
  /** Drops all bytes from there on. */
  truncate?(length: number): void
}

/** Options of {@link JSONLog}. */
export interface JSONLogOptions {
  /** Writes a line after every so many updates: after each unless given; Infinity for epochs only. */
  readonly everySteps?: number
}

/**
 * Writes a line of JSON for each update, `{"step":1,"epoch":1,"loss":…,"lr":…}`, and for each epoch, with all its numbers
 * and `"end":"epoch"`. Numbers that JSON cannot hold are strings, `"NaN"`. A resumed run goes on from its checkpoint: lines that the
 * stopped one wrote later are dropped.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Linear, mseLoss, SGD } from '@bp/nn'
 * import { fit, JSONLog } from '@bp/train'
 * const model = new Linear(1, 1)
 * const lines = []
 * await fit(model, {
 *   data: [[tensor([[1]]), tensor([[2]])]], loss: mseLoss, optimiser: new SGD(model.parameters(), { lr: 0.1 }), epochs: 2,
 *   callbacks: [new JSONLog({ write: line => { lines.push(JSON.parse(line)) } })],
 * })
 * lines.map(({ step, end }) => end ?? step) // => [1, epoch, 2, epoch]
 * ```
 */
export class JSONLog implements Callback, Stateful {
  private readonly sink: TextSink
  private readonly everySteps: number

  constructor(sink: TextSink, { everySteps = 1 }: JSONLogOptions = {}) {
    this.sink = sink
    this.everySteps = everySteps
  }

  onStepEnd(run: Run): void {
    if (run.step % this.everySteps !== 0) return
    this.line({ step: run.step, epoch: run.epoch, loss: run.loss, ...run.gradNorm !== undefined && { gradNorm: run.gradNorm }, lr: run.optimiser.groups[0]!.lr })
  }

  onEpochEnd(run: Run): void {
    this.line({ step: run.step, epoch: run.epoch, ...run.logs, end: 'epoch' })
  }

  stateDict(): Json {
    return { length: this.sink.length ?? null }
  }

  loadStateDict({ length }: { readonly length: number | null }): void {
    if (length !== null) this.sink.truncate?.(length)
  }

  private line(row: Readonly<Record<string, number | string>>): void {
    this.sink.write(`${JSON.stringify(row, (_, value: unknown) => typeof value === 'number' && !Number.isFinite(value) ? String(value) : value)}\n`)
  }
}
