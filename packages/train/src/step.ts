// One update of a model as one function: forward, backward, clipping and the optimiser's step, op by op or compiled.

import { add, compile, type Compiled, type CompileOptions, mul, noGrad, type Tensor, type Tree } from '@bp/core'
import { fail, live } from '@bp/core/extend'
import { type AnyModule, type AnyOptimizer, clipGradNorm, clipGradValue, GradAccumulator } from '@bp/nn'
import { detach } from '@bp/ops'
import { type ForwardOptions, forwardOf, type Outcome, samplesIn } from './outcome.ts'

/** What a gradient scaler does, such as GradScaler of @bp/nn. */
export interface Scaler {
  scale(loss: Tensor): Tensor
  unscale(optimiser: AnyOptimizer): void
  step(optimiser: AnyOptimizer): void
  update(): void
}

/** An average of the weights that follows each update, such as EMA of @bp/nn. */
export interface WeightAverage {
  update(): void
  /** Runs a function with the averages in the place of the parameters. */
  use?<R>(f: () => R): R
}

/** Options of {@link trainStep}. */
export interface StepOptions<M, B> extends ForwardOptions<M, B> {
  readonly optimiser: AnyOptimizer
  /** Scales all gradients so that their common 2-norm is at most this. */
  readonly clipNorm?: number
  /** Cuts every element of every gradient to [−limit, limit]; before `clipNorm`. */
  readonly clipValue?: number
  readonly scaler?: Scaler
  readonly ema?: WeightAverage
  /** Compiles the whole update, anew for each shape of a batch; with options of `compile` if you like. */
  readonly compile?: boolean | CompileOptions
  /** Samples of a batch, by which losses are weighted; the first axis of its first tensor unless given. */
  readonly samples?: (batch: B) => number
}

/** What an update gives. Its tensors keep no graph. */
export interface StepResult {
  /** The mean loss over all samples, before the update. */
  readonly loss: Tensor
  /** Of each batch. */
  readonly outcomes: readonly Outcome[]
  /** The norm of all gradients before clipping, where `clipNorm` is given. */
  readonly gradNorm?: Tensor
  /** How many samples all batches have. */
  readonly samples: number
}

/** An update: of one batch, or of several whose gradients are accumulated. */
export interface TrainStep<B> {
  (...batches: readonly B[]): StepResult
  /** Forgets compiled programs: after changing what is neither a tensor, nor a number of the optimiser, nor a module's mode. */
  clear(): void
}

/**
 * Makes one update of a model from its parts: gradients are cleared, the loss computed and differentiated, gradients clipped,
 * and the optimiser steps. The model is used in the mode it is in.
 *
 * Several batches make one update: their gradients are accumulated in variables, each weighted by its share of the samples, so
 * that the result is that of one large batch of a mean loss, also where batches differ in size.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Linear, mseLoss, SGD } from '@bp/nn'
 * import { Generator } from '@bp/ops'
 * import { trainStep } from '@bp/train'
 * const model = new Linear(1, 1, { generator: new Generator(1) })
 * const step = trainStep(model, { loss: mseLoss, optimiser: new SGD(model.parameters(), { lr: 0.1 }), compile: true })
 * const x = tensor([[1], [2]]), y = tensor([[2], [4]])
 * const first = step([x, y]).loss.item()
 * for (let i = 0; i < 50; i++) step([x, y])
 * step([x, y]).loss.item() < first / 100 // => true
 * ```
 */
export function trainStep<M extends AnyModule, B>(model: M, options: StepOptions<M, B>): TrainStep<B> {
  const { optimiser, scaler, samples = samplesIn } = options
  const forward = forwardOf('trainStep', model, options)
  const params = [...new Set([...model.parameters(), ...optimiser.parameters()])]
  const accumulator = new GradAccumulator(params)
  let count = 1

  const clear = (): void => { for (const p of params) if (p.requiresGrad) p.grad = null }
  const backward = (batch: B): Outcome => {
    clear()
    const outcome = forward(batch)
    ;(scaler ? scaler.scale(outcome.loss) : outcome.loss).backward()
    return withoutGraph(outcome)
  }
  const whole = (batch: B): Update => ({ outcome: backward(batch), ...update(options) })
  const part = (batch: B): Outcome => {
    const outcome = backward(batch)
    accumulator.add(live(() => count))
    return outcome
  }
  const finish = (): Update => {
    accumulator.finish()
    const done = update(options)
    clear()
    return done
  }

  const [runWhole, runPart, runFinish] = options.compile
    ? [compiled(whole, options.compile), compiled(part, options.compile), compiled(finish, options.compile)]
    : [whole, part, finish]
  const step = (...batches: readonly B[]): StepResult => {
    if (batches.length === 0) return fail('value', 'trainStep', 'got no batch')
    const counts = batches.map(samples)
    const total = counts.reduce((n, count) => n + count, 0)
    if (batches.length === 1) {
      const { outcome, gradNorm } = runWhole(batches[0]!)
      return { loss: outcome!.loss, outcomes: [outcome!], ...gradNorm && { gradNorm }, samples: total }
    }
    const outcomes = batches.map((batch, i) => {
      count = counts[i]!
      return runPart(batch)
    })
    const { gradNorm } = runFinish()
    const loss = noGrad(() => outcomes.map((outcome, i) => mul(outcome.loss, counts[i]! / total)).reduce((a, b) => add(a, b)))
    return { loss, outcomes, ...gradNorm && { gradNorm }, samples: total }
  }
  return Object.assign(step, { clear: () => { for (const run of [runWhole, runPart, runFinish]) if ('clear' in run) run.clear() } })
}

interface Update {
  readonly outcome?: Outcome
  readonly gradNorm?: Tensor
}

/** What happens when all gradients are there. */
function update<M, B>({ optimiser, scaler, clipNorm, clipValue, ema }: StepOptions<M, B>): Update {
  const params = optimiser.parameters()
  if (scaler && (clipNorm !== undefined || clipValue !== undefined)) scaler.unscale(optimiser)
  if (clipValue !== undefined) clipGradValue(params, clipValue)
  const gradNorm = clipNorm === undefined ? undefined : clipGradNorm(params, clipNorm)
  if (scaler) {
    scaler.step(optimiser)
    scaler.update()
  } else optimiser.step()
  ema?.update()
  return gradNorm ? { gradNorm } : {}
}

/** Outcomes are kept by metrics; a graph must not be kept with them. */
export const withoutGraph = ({ loss, prediction, target }: Outcome): Outcome =>
  ({ loss: detach(loss), ...prediction && { prediction: detach(prediction) }, ...target && { target } })

/** Compiles a function whose arguments and result are trees of tensors, though their types do not say so. */
export const compiled = <A extends readonly unknown[], R extends object>(f: (...args: A) => R, options: true | CompileOptions): Compiled<A & readonly Tree[], R & Tree> =>
  compile(f as unknown as (...args: A & readonly Tree[]) => R & Tree, options === true ? {} : options)
