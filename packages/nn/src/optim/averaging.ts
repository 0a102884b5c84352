// Averages of a model's parameters over training, which often test better than the last ones.

import { add, mul, noGrad, type Tensor, Variable } from '@bp/core'
import { describe, effect, fail, isFloat, live } from '@bp/core/extend'
import { detach, equal, select, sub } from '@bp/ops'
import { type AnyModule, Parameter } from '../module.ts'
import type { Stateful } from '../state.ts'

/** Options of {@link AveragedModel}. */
export interface AveragedModelOptions {
  /**
   * The weight of the present parameters in the average, from how many were averaged before: 1/(n + 1) unless given, for
   * their mean. The first are always copied.
   */
  readonly weight?: (averaged: number) => number
  /** Averages buffers too, such as running statistics, instead of copying them. */
  readonly useBuffers?: boolean
}

/** What to save of averages: the tensors by the names of the model's own, and how many models were averaged. */
export interface AverageState {
  readonly averaged: number
  readonly tensors: ReadonlyMap<string, Tensor>
}

/**
 * The mean of a model's parameters at several times, stochastic weight averaging: a ← a + (p − a)/(n + 1) (Izmailov et al. 2018,
 * "Averaging weights leads to wider optima and better generalization"), as `torch.optim.swa_utils.AveragedModel`. `update` takes
 * the present ones in, also in a compiled step; `use` evaluates with the averages.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { AveragedModel, Linear } from '@bp/nn'
 * const model = new Linear(1, 1, { bias: false })
 * const averages = new AveragedModel(model)
 * for (const value of [1, 2, 6]) {
 *   model.weight.assign(tensor([[value]]))
 *   averages.update()
 * }
 * averages.use(() => model.forward(tensor([[1]]))) // => tensor([[3]], float32)
 * model.weight // => tensor([[6]], float32)
 * ```
 */
export class AveragedModel implements Stateful {
  /** The module whose parameters are averaged. */
  readonly model: AnyModule
  private readonly weight: (averaged: number) => number
  private readonly useBuffers: boolean
  private readonly averages: readonly { readonly name: string; readonly own: Variable; readonly average: Variable }[]
  /** How many times parameters were taken in. */
  averaged = 0

  constructor(model: AnyModule, { weight = n => 1 / (n + 1), useBuffers = false }: AveragedModelOptions = {}) {
    this.model = model
    this.weight = weight
    this.useBuffers = useBuffers
    this.averages = noGrad(() => [...model.stateDict()].map(([name, own]) => ({ name, own, average: new Variable(detach(own)) })))
  }

  /** Takes the present parameters in; call it after the optimiser's step, or once an epoch. */
  update(): void {
    noGrad(() => {
      for (const { own, average } of this.averages) {
        const averages = isFloat(own.dtype) && (this.useBuffers || own instanceof Parameter)
        average.assign(averages ? this.mixed(average, own) : detach(own))
      }
    })
    effect(() => { this.averaged++ })
  }

  /**
   * Runs `f` with the averages in the model's place, and puts the model's own values back, also after a throw or a rejection.
   * What `f` changes in the model, as `updateBN` does, is kept in the averages.
   */
  use<R>(f: () => R): R {
    this.swap()
    let result: R
    try {
      result = f()
    } catch (error) {
      this.swap()
      throw error
    }
    if (result instanceof Promise) return result.finally(() => { this.swap() }) as R
    this.swap()
    return result
  }

  /** Gives the model the averages for good. */
  copyToModel(): void {
    for (const { own, average } of this.averages) own.assign(average)
  }

  /** What to save. The tensors are the live averages; `model.loadStateDict` takes them too. */
  stateDict(): AverageState {
    return { averaged: this.averaged, tensors: new Map(this.averages.map(({ name, average }) => [name, average])) }
  }

  /** Goes on from a saved state. Throws, and changes nothing, where it is of another model. */
  loadStateDict(state: AverageState): void {
    if (!isState(state)) return fail('data', 'loadStateDict', 'the state is none of averages. Load what stateDict of the averages gave')
    const { averaged, tensors } = state
    const found = this.averages.map(({ name, average }) => {
      const value = tensors.get(name)
      if (!value || describe(value) !== describe(average)) return fail('data', 'loadStateDict', `the averages hold ${value ? `${name} as ${describe(value)}, the model has ${describe(average)}` : `no ${name}`}. Load them for the same model`)
      return { average, value }
    })
    for (const { average, value } of found) average.assign(value)
    this.averaged = averaged
  }

  /** a + (p − a)·w, p itself where w is 1. */
  private mixed(average: Tensor, own: Tensor): Tensor {
    const w = live(() => this.averaged === 0 ? 1 : this.weight(this.averaged), own.dtype)
    if (w === 1) return detach(own)
    const mixed = add(average, mul(sub(own, average), w))
    return typeof w === 'number' ? mixed : select(equal(w, 1), own, mixed)
  }

  private swap(): void {
    noGrad(() => {
      for (const { own, average } of this.averages) {
        const before = detach(own)
        own.assign(detach(average))
        average.assign(before)
      }
    })
  }
}

function isState(state: unknown): state is AverageState {
  const { averaged, tensors } = (state ?? {}) as Partial<Record<keyof AverageState, unknown>>
  return typeof averaged === 'number' && tensors instanceof Map
}

/** Options of {@link EMA}. */
export interface EMAOptions {
  /** How much of the average stays in each update; 0.999 unless given. */
  readonly decay?: number
  /** Begins with a smaller decay, min(decay, (1 + n)/(10 + n)), so that the first parameters are soon forgotten. */
  readonly warmup?: boolean
  /** Corrects for the start as Adam does: the average of n models has the weights (1 − d)dⁿ⁻ⁱ, divided by their sum 1 − dⁿ. */
  readonly debias?: boolean
  readonly useBuffers?: boolean
}

/**
 * An exponential moving average of a model's parameters: a ← a + (1 − d)(p − a) (Polyak & Juditsky 1992; Tarvainen & Valpola
 * 2017, "Mean teachers are better role models"), of the first ones a copy, as PyTorch's `get_ema_avg_fn`.
 */
export class EMA extends AveragedModel {
  constructor(model: AnyModule, { decay = 0.999, warmup = false, debias = false, useBuffers = false }: EMAOptions = {}) {
    if (!(decay >= 0 && decay <= 1)) fail('value', 'EMA', `decay must be in [0, 1], got ${decay}`)
    if (warmup && debias) fail('value', 'EMA', 'warmup and debias both correct for the start. Choose one')
    super(model, {
      useBuffers,
      weight: n => warmup ? 1 - Math.min(decay, (1 + n) / (10 + n)) : debias && decay < 1 ? (1 - decay) / (1 - decay ** (n + 1)) : 1 - decay,
    })
  }
}
