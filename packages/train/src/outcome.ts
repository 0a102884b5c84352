// What a forward pass gives, how it is made of a batch, and how many samples a batch has.

import { Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import type { AnyModule, Module } from '@bp/nn'

/** What a forward pass gives: the loss, a mean over the batch, and, for metrics, what was predicted and what was right. */
export interface Outcome {
  readonly loss: Tensor
  readonly prediction?: Tensor
  readonly target?: Tensor
}

/** How a batch becomes a loss. Give `loss` where a batch is `[x, y]`, or `step` for any other kind of batch or loss. */
export interface ForwardOptions<M, B> {
  /** The loss of `model.forward(x)` and `y`, such as `crossEntropy`; a mean over the batch. */
  readonly loss?: (prediction: Tensor, target: Tensor) => Tensor
  /** The whole forward pass of a batch: the loss alone, or an {@link Outcome} where metrics shall see predictions. */
  readonly step?: (model: M, batch: B) => Tensor | Outcome
  /** Runs the forward pass in mixed precision: `f => autocast(f)`. */
  readonly autocast?: <R>(forward: () => R) => R
}

/** The forward pass that the options describe. Throws where they give both `loss` and `step`, or neither. */
export function forwardOf<M extends AnyModule, B>(op: string, model: M, { loss, step, autocast }: ForwardOptions<M, B>): (batch: B) => Outcome {
  if ((loss === undefined) === (step === undefined)) return fail('value', op, 'give either loss, for batches [x, y], or step, for batches of any kind')
  const pass = step ? (batch: B) => outcomeOf(op, step(model, batch)) : (batch: B) => supervised(op, model, batch, loss!)
  return autocast ? batch => autocast(() => pass(batch)) : pass
}

const outcomeOf = (op: string, result: Tensor | Outcome): Outcome => {
  const outcome = result instanceof Tensor ? { loss: result } : result
  if (!(outcome.loss instanceof Tensor) || outcome.loss.size !== 1) return fail('shape', op, `step must give a loss of one element, got ${outcome.loss instanceof Tensor ? describe(outcome.loss) : typeof outcome.loss}. Reduce it with mean`)
  return outcome
}

function supervised(op: string, model: AnyModule, batch: unknown, loss: (prediction: Tensor, target: Tensor) => Tensor): Outcome {
  const [x, y] = Array.isArray(batch) && batch.length === 2 ? batch as unknown[] : []
  if (!(x instanceof Tensor) || !(y instanceof Tensor)) return fail('value', op, 'a batch must be a pair of tensors [x, y] where loss is given. Give step: (model, batch) => … for other batches')
  const prediction = (model as unknown as Module<[x: Tensor], unknown>).forward(x)
  if (!(prediction instanceof Tensor)) return fail('value', op, 'model.forward gives no tensor, so that loss cannot judge it. Give step: (model, batch) => … instead')
  return outcomeOf(op, { loss: loss(prediction, y), prediction, target: y })
}

/** How many samples a batch has: the first axis of its first tensor. */
export function samplesIn(batch: unknown): number {
  return firstTensor(batch)?.shape[0] ?? 1
}

function firstTensor(value: unknown): Tensor | undefined {
  if (value instanceof Tensor) return value
  if (typeof value !== 'object' || value === null) return undefined
  for (const child of Object.values(value)) {
    const found = firstTensor(child)
    if (found) return found
  }
  return undefined
}
