// A run as it goes: where it is, what comes next, and what a checkpoint of it holds.

import { fail } from '@bp/core/extend'
import { type AnyModule, decodeCheckpoint, encodeCheckpoint, type Json, type Parts } from '@bp/nn'
import { type Batches, batchesOf, noBatches } from './batches.ts'
import type { Callback, Ended, EpochLogs, Run } from './callbacks/callback.ts'
import { LearningRateScheduler } from './callbacks/learningRate.ts'
import { Checkpoints } from './checkpointing.ts'
import { computeMetrics, evaluator, type Logs, type Metrics, numberOf, updateMetrics } from './evaluate.ts'
import type { FitOptions, FitResult } from './fit.ts'
import { isStateful, partsOf } from './parts.ts'
import { type TrainStep, trainStep } from './step.ts'

/** Other things get their turn this often, in milliseconds: signals, pictures, input. */
const breatheEvery = 40

/** Where a run is; a checkpoint keeps it. */
interface Place {
  epoch: number
  step: number
  epochStep: number
  /** Passes over the data before the present one, and batches of the present one that were used. */
  pass: number
  batches: number
  /** Whether the epoch's last update is taken, and the epoch must be ended. */
  due: boolean
  lossSum: number
  samples: number
  ended: Ended | null
  history: readonly EpochLogs[]
}

/** A run of a model; see `fit`. */
export class Training<M extends AnyModule, B> implements Run {
  readonly model: M
  readonly optimiser: FitOptions<M, B>['optimiser']
  readonly epochs: number
  readonly steps: number
  readonly stepsPerEpoch: number | undefined
  loss = NaN
  gradNorm: number | undefined
  /** The numbers of an epoch that is over, until the next begins. */
  private closed: Logs | null = null
  private readonly place: Place = { epoch: 0, step: 0, epochStep: 0, pass: 0, batches: 0, due: false, lossSum: 0, samples: 0, ended: null, history: [] }
  private readonly options: FitOptions<M, B>
  private readonly metrics: Metrics
  private readonly callbacks: readonly Callback[]
  private readonly parts: Parts
  private readonly checkpoints: Checkpoints | undefined
  private breathed = performance.now()

  constructor(model: M, options: FitOptions<M, B>) {
    const { optimiser, epochs = Infinity, steps = Infinity, accumulate = 1, metrics = {}, scheduler: schedule, callbacks = [], parts = {}, checkpoint, stepsPerEpoch, data, validation, scaler, ema } = options
    for (const [name, count] of Object.entries({ epochs, steps, accumulate, stepsPerEpoch })) {
      if (count !== undefined && count !== Infinity && !(Number.isInteger(count) && count >= 1)) fail('value', 'fit', `${name} must be a whole number ≥ 1, got ${count}`)
    }
    if (epochs === Infinity && steps === Infinity) fail('value', 'fit', 'give epochs or steps, or the run never ends')
    const scheduler = schedule && (schedule instanceof LearningRateScheduler ? schedule : new LearningRateScheduler(schedule))
    const length = lengthOf(data)
    this.model = model
    this.options = options
    this.optimiser = optimiser
    this.epochs = epochs
    this.steps = steps
    this.stepsPerEpoch = stepsPerEpoch ?? (length === undefined ? undefined : Math.ceil(length / accumulate))
    this.metrics = metrics
    this.callbacks = [...scheduler ? [scheduler] : [], ...callbacks]
    this.parts = partsOf({ model, optimiser, scheduler, scaler, ema, data, validation, metrics, callbacks, parts })
    this.checkpoints = checkpoint && new Checkpoints(checkpoint, best => this.encode(best))
  }

  get epoch(): number { return Math.min(this.place.epoch + 1, this.epochs) }
  get step(): number { return this.place.step }
  get epochStep(): number { return this.place.epochStep }
  get samples(): number { return this.place.samples }
  get history(): readonly EpochLogs[] { return this.place.history }
  get ended(): Ended | null { return this.place.ended }
  get logs(): Logs { return this.closed ?? this.means() }

  stop(reason: string): void {
    this.place.ended ??= { by: 'callback', reason }
  }

  async run(): Promise<FitResult> {
    const { place, options: { stepsPerEpoch } } = this
    await this.resume()
    const step = trainStep(this.model, this.options)
    const validate = this.validator()
    this.model.train()
    await this.tell('onTrainBegin')
    let pass: Batches<B> | null = null
    try {
      while (!this.over()) {
        if (!place.due) {
          if (place.epochStep === 0) await this.beginEpoch()
          pass ??= await this.open()
          const { group, done } = await this.pull(pass)
          if (place.batches + group.length === 0) noBatches('fit')
          if (group.length > 0) await this.update(step, group)
          if (done) {
            await pass.close()
            pass = null
            Object.assign(place, { pass: place.pass + 1, batches: 0 })
          }
          place.due = stepsPerEpoch === undefined ? done : place.epochStep >= stepsPerEpoch
          if (this.over()) break
          if (group.length > 0) await this.checkpoints?.afterStep(place.step)
        }
        if (place.due) {
          await this.endEpoch(validate)
          await this.checkpoints?.afterEpoch(this)
        }
        await this.breathe()
      }
      // before the pass is closed, so that data still know where they were
      await this.checkpoints?.atEnd(place.step)
    } finally {
      await pass?.close()
    }
    return this.end(validate)
  }

  /** Why the run is over, or `null`. */
  private over(): Ended | null {
    const { place, options, epochs, steps } = this
    if (place.ended) return place.ended
    if (options.signal?.aborted) return { by: 'signal' }
    return place.epoch >= epochs ? { by: 'epochs' } : place.step >= steps ? { by: 'steps' } : null
  }

  private async beginEpoch(): Promise<void> {
    this.closed = null
    await this.tell('onEpochBegin')
  }

  /** Begins a pass over the data, or goes on in one. */
  private async open(): Promise<Batches<B>> {
    const { data } = this.options
    const { pass, batches } = this.place
    const opened = batchesOf(data, pass)
    if (isStateful(data)) return opened
    for (let i = 0; i < batches; i++) if ((await opened.next()).done) return fail('data', 'fit', `the run was left after ${batches} batches of a pass, and the data give ${i} now. Resume with the same data`)
    return opened
  }

  /** The batches of the next update, and whether the pass ended with them. */
  private async pull(pass: Batches<B>): Promise<{ readonly group: readonly B[]; readonly done: boolean }> {
    const group: B[] = []
    while (group.length < (this.options.accumulate ?? 1)) {
      const { done, value } = await pass.next()
      if (done) return { group, done }
      group.push(value)
    }
    return { group, done: false }
  }

  private async update(step: TrainStep<B>, group: readonly B[]): Promise<void> {
    const { place, options: { scaler, checkFinite = scaler === undefined } } = this
    const { loss, outcomes, gradNorm, samples } = step(...group)
    this.loss = await numberOf(loss)
    this.gradNorm = gradNorm && await numberOf(gradNorm)
    place.step++
    place.epochStep++
    place.batches += group.length
    place.lossSum += this.loss * samples
    place.samples += samples
    if (checkFinite && !Number.isFinite(this.loss)) {
      fail('value', 'fit', `the loss is ${this.loss} in step ${place.step} (epoch ${this.epoch}), and the parameters have been updated by it. Lower the learning rate, clip gradients with clipNorm, and resume from an earlier checkpoint; or pass { checkFinite: false } to go on`)
    }
    for (const outcome of outcomes) updateMetrics(this.metrics, outcome)
    await this.tell('onStepEnd')
  }

  private means(): Logs {
    const { lossSum, samples } = this.place
    return { loss: lossSum / samples, ...computeMetrics(this.metrics), lr: this.optimiser.groups[0]!.lr }
  }

  private validator(): (() => Promise<Logs>) | undefined {
    const { loss, step, autocast, validation, metrics, compile, samples, ema, validateAverage = false } = this.options
    if (validation === undefined) return undefined
    const judge = evaluator(this.model, {
      ...loss && { loss }, ...step && { step }, ...autocast && { autocast }, ...metrics && { metrics }, ...compile !== undefined && { compile }, ...samples && { samples },
    })
    if (!validateAverage) return () => judge(validation)
    return ema?.use ? () => ema.use!(() => judge(validation)) : fail('value', 'fit', 'validateAverage needs an ema whose use(f) runs f with the averages in the place of the parameters, as EMA has')
  }

  private async endEpoch(validate: (() => Promise<Logs>) | undefined): Promise<void> {
    const { place } = this
    this.closed = this.means()
    if (validate) {
      const logs = await validate()
      this.closed = { ...this.closed, ...Object.fromEntries(Object.entries(logs).map(([name, value]) => [`val_${name}`, value])) }
      await this.tell('onValidationEnd')
    }
    place.history = [...place.history, { epoch: this.epoch, step: place.step, logs: this.closed }]
    await this.tell('onEpochEnd')
    for (const metric of Object.values(this.metrics)) metric.reset()
    Object.assign(place, { epoch: place.epoch + 1, epochStep: 0, due: false, lossSum: 0, samples: 0 })
  }

  /** An epoch that the number of steps cuts short ends with the run; the checkpoint is of before, so that more steps can follow. */
  private async end(validate: (() => Promise<Logs>) | undefined): Promise<FitResult> {
    const { place } = this
    const ended = this.over()!
    if (ended.by === 'steps' && place.epochStep > 0) {
      await this.endEpoch(validate)
      await this.checkpoints?.keepBest(this)
    }
    place.ended = ended
    await this.tell('onTrainEnd')
    return { history: place.history, step: place.step, ended }
  }

  private async tell(event: keyof Callback): Promise<void> {
    for (const callback of this.callbacks) await callback[event]?.(this)
  }

  private async breathe(): Promise<void> {
    if (performance.now() - this.breathed < breatheEvery) return
    await new Promise<void>(done => { setTimeout(done, 0) })
    this.breathed = performance.now()
  }

  private encode(best: number | null): Uint8Array {
    return encodeCheckpoint(this.parts, { place: { ...this.place } as unknown as Json, best, about: this.options.about ?? null })
  }

  private async resume(): Promise<void> {
    const { resume = false, checkpoint } = this.options
    if (resume === false) return
    if (resume === true && !checkpoint) fail('value', 'fit', 'there is nothing to resume from. Give checkpoint, or the bytes of one as resume')
    const saved = resume === true ? await checkpoint!.store.load() : resume
    if (saved === null) return
    const { place, best } = decodeCheckpoint(saved, this.parts) as unknown as { place: Place; best: number | null }
    Object.assign(this.place, place)
    if (this.checkpoints) this.checkpoints.best = best
  }
}

/** How many batches a pass gives, where the data says so; a loader may throw where it does not know. */
function lengthOf(data: unknown): number | undefined {
  try {
    const length = typeof data === 'object' && data !== null && 'length' in data ? data.length : undefined
    return typeof length === 'number' ? length : undefined
  } catch {
    return undefined
  }
}
