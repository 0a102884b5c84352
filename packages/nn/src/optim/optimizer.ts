// What all optimisers share: parameter groups, checks of hyper-parameters, per-parameter state in variables, and saving both.

import { add, enableGrad, mul, noGrad, Tensor, Variable, zerosLike } from '@bp/core'
import { broadcastsTo, cast, describe, effect, fail, live, outside, watch } from '@bp/core/extend'
import type { Parameter } from '../module.ts'
import type { Json, Stateful } from '../state.ts'

/** Hyper-parameters of a group: numbers, switches and names. */
export type Hyper = Readonly<Record<string, Json>>

/** The hyper-parameters that all optimisers have. */
export interface OptimizerOptions {
  /** The learning rate. */
  lr: number
  /** Goes uphill: follows the negative gradient. */
  maximize: boolean
}

/** An optimiser of any kind. */
export type AnyOptimizer = Optimizer<OptimizerOptions>

/** Parameters with hyper-parameters of their own. */
export type ParameterGroup<H> = { readonly params: readonly Parameter[] } & Partial<H>

/** What optimisers are made for: parameters, or groups of them. */
export type ParametersOrGroups<H> = readonly Parameter[] | readonly ParameterGroup<H>[]

/** A group with all its hyper-parameters; `initialLr` is the rate that schedules start from. */
export type Group<H> = H & { readonly params: readonly Parameter[]; initialLr?: number }

/** What hyper-parameters must be: in words for the error, and as a test of the value in its group. */
export type Rules<H> = { readonly [K in keyof H]?: readonly [words: string, holds: Test<H[K], H>] }

/** A test, typed as a method is, so that an optimiser of any kind is an {@link AnyOptimizer}. */
type Test<V, H> = { holds(value: V, group: H): boolean }['holds']

/** The rule of most hyper-parameters. */
export const notNegative = ['at least 0', (x: number) => x >= 0] as const

/** The rule of β₁ and β₂. */
export const betaRule = ['two numbers in [0, 1)', (betas: readonly number[]) => betas.every(beta => beta >= 0 && beta < 1)] as const

/**
 * Gives a number computed anew in every step, also in compiled ones, from the number of the step, which is 1 at first. A step that
 * is written to a file needs it as ops on the learning rate and the number of the step, scalars of the parameter's dtype: `written`,
 * unless the number is the learning rate itself or depends on neither.
 */
export type Now = (read: (step: number) => number, written?: (lr: Tensor, step: Tensor) => Tensor) => number | Tensor

/** What changes from step to step, as scalars that a program is given: for steps that are written to a file. */
export interface StepInputs {
  /** The learning rate of each group. */
  readonly rates: readonly Tensor[]
  /** The number of the step, which is 1 at first; of several numbers the largest. */
  readonly step: Tensor
}

/**
 * Computes a loss and its gradients: leaves them in `.grad`, or returns them in the order of the optimiser's parameters, as a
 * compiled function must.
 */
export type Closure = () => Tensor | readonly [loss: Tensor, grads: readonly Tensor[]]

/** What a checkpoint keeps of an optimiser. */
export interface OptimizerState {
  /** By number of the parameter and name of the state, `0.exp_avg`. */
  readonly tensors: ReadonlyMap<string, Tensor>
  /** Steps taken, for each parameter. */
  readonly steps: readonly number[]
  /** Hyper-parameters of each group. */
  readonly groups: readonly Hyper[]
}

interface Slot {
  readonly variable: Variable
  /** What it holds before the first step. */
  start: () => Tensor
}

/** What of a group decides which ops a step is made of: switches, names, and which numbers are zero. A rate may come to zero. */
const switchesOf = (group: object): string =>
  Object.entries(group).map(([name, value]) => typeof value === 'number' ? value === 0 && !/^(lr|initialLr)$/.test(name) : typeof value === 'object' ? '' : value as string | boolean).join()

/**
 * The base of all optimisers. `step` reads each parameter's `.grad` and assigns its new value; state lives in variables, and
 * updates are made of ops, so that a step can be compiled like any function. A compiled step reads the numbers among the
 * hyper-parameters anew each time; where a switch has changed, or which numbers are zero, it is made anew.
 *
 * @example
 * ```ts
 * import { mul, type Tensor, tensor } from '@bp/core'
 * import { type Now, Optimizer, type OptimizerOptions, Parameter } from '@bp/nn'
 * import { sign, sub } from '@bp/ops'
 * class SignDescent extends Optimizer<OptimizerOptions> {
 *   constructor(params: Parameter[], lr: number) { super(params, { lr, maximize: false }) }
 *   protected update(p: Parameter, grad: Tensor, group: OptimizerOptions, now: Now) { return sub(p, mul(sign(grad), now(() => group.lr))) }
 * }
 * const w = new Parameter(tensor([1, -2]))
 * w.grad = tensor([30, -0.1])
 * new SignDescent([w], 0.5).step()
 * w // => tensor([0.5, -1.5], float32)
 * ```
 */
export abstract class Optimizer<H extends OptimizerOptions> implements Stateful {
  /** The groups; hyper-parameters may be changed between steps, as schedules do. */
  readonly groups: Group<H>[] = []
  private readonly defaults: H
  private readonly rules: Rules<H>
  private readonly state = new Map<Parameter, Map<string, Slot>>()
  private readonly steps = new Map<Parameter, number>()

  constructor(params: ParametersOrGroups<H>, defaults: H, rules: Rules<H> = {}) {
    this.defaults = defaults
    this.rules = rules
    if (!Array.isArray(params)) fail('value', this.constructor.name, 'needs a list of parameters or of groups. Pass model.parameters()')
    if (params.length === 0) fail('value', this.constructor.name, 'got no parameters. Pass model.parameters()')
    const groups = 'params' in params[0]! ? params as readonly ParameterGroup<H>[] : [{ params: params as readonly Parameter[] } as ParameterGroup<H>]
    for (const group of groups) this.addParamGroup(group)
  }

  /**
   * Adds parameters with hyper-parameters of their own, such as layers that are thawed later. Throws, and adds nothing, where
   * a hyper-parameter is out of its range or a parameter is there already. Steps compiled before do not know of the group.
   */
  addParamGroup(group: ParameterGroup<H>): void {
    const whole: Group<H> = { ...this.defaults, ...group }
    const rules: Rules<H> = { lr: notNegative, ...this.rules }
    for (const name in rules) {
      const [words, holds] = rules[name]!
      if (!holds(whole[name], whole)) fail('value', this.constructor.name, `${name} must be ${words}, got ${String(whole[name])}`)
    }
    if (!whole.params.every(parameter => parameter instanceof Variable)) fail('value', this.constructor.name, 'its parameters must be Parameters, which a step can assign. Pass model.parameters(), or new Parameter(x) for a tensor')
    const all = [...this.parameters(), ...whole.params]
    if (new Set(all).size !== all.length) fail('value', this.constructor.name, 'a parameter is in two groups, or twice in one')
    this.groups.push(whole)
  }

  /**
   * Takes one step with the gradients that backward has accumulated. Parameters that do not require grad, or have none, are
   * left alone. A closure is called first, and its loss is returned. A compiled function is to take one step, not several: the
   * number of the step is read when it begins.
   */
  step(closure?: Closure): Tensor | undefined {
    const loss = closure && this.evaluate(closure)
    this.advance(parameter => read => live(() => read(this.numberOf(parameter)), parameter.dtype))
    return loss
  }

  /**
   * Takes a step whose learning rates and number are tensors instead of what the optimiser holds: for a step that is written to a
   * file. Throws where a number of the update rule depends on them in a way that it does not say in ops.
   */
  stepWith({ rates, step }: StepInputs): void {
    const most = Math.max(...this.parameters().map(parameter => this.numberOf(parameter)))
    this.advance((parameter, group) => {
      const { dtype } = parameter
      const lr = cast(rates[this.groups.indexOf(group)]!, dtype)
      const number = this.numberOf(parameter)
      return (read, written) => written ? written(lr, cast(number === most ? step : add(step, number - most), dtype)) : this.constant(read, group, number) ?? lr
    })
  }

  /** Forgets all gradients. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) if (parameter.requiresGrad) parameter.grad = null
  }

  /** All parameters, group by group. */
  parameters(): Parameter[] {
    return this.groups.flatMap(group => group.params)
  }

  /** The variables that hold the optimiser's state. */
  stateVariables(): Variable[] {
    return [...this.state.values()].flatMap(state => [...state.values()].map(({ variable }) => variable))
  }

  /** What to save. The tensors are the live variables. */
  stateDict(): OptimizerState {
    const all = this.parameters()
    const tensors = new Map(all.flatMap((parameter, i) => [...this.state.get(parameter) ?? []].map(([name, { variable }]): [string, Tensor] => [`${i}.${name}`, variable])))
    return { tensors, steps: all.map(parameter => this.steps.get(parameter) ?? 0), groups: this.groups.map(({ params: _, ...hyper }) => hyper as Hyper) }
  }

  /** Goes on from a saved state, also in steps compiled before. Throws, and changes nothing, where it does not fit. */
  loadStateDict(state: OptimizerState): void {
    if (!isState(state)) return fail('data', 'loadStateDict', `the state is none of an optimiser. Load what stateDict of ${this.constructor.name} gave`)
    const { tensors, steps, groups } = state
    const all = this.parameters()
    if (steps.length !== all.length || groups.length !== this.groups.length) {
      fail('data', 'loadStateDict', `the state is for ${steps.length} parameters in ${groups.length} groups, the optimiser has ${all.length} in ${this.groups.length}. Use the same model and groups`)
    }
    const strange = groups.flatMap(group => Object.keys(group)).find(name => name !== 'initialLr' && !(name in this.defaults))
    if (strange !== undefined) fail('data', 'loadStateDict', `the state has a hyper-parameter ${strange}, which ${this.constructor.name} has not. Load it into an optimiser of its own kind`)
    const entries = [...tensors].map(([key, value]) => {
      const [, index, name] = /^(\d+)\.(.+)$/.exec(key) ?? []
      const parameter = all[Number(index)]
      if (name === undefined || !parameter || !this.fits(value, parameter, this.state.get(parameter)?.get(name)?.variable)) fail('data', 'loadStateDict', `the state ${key} is ${describe(value)} and fits no parameter. Use the same model and groups`)
      return { parameter, name, value }
    })
    all.forEach((parameter, i) => this.state.get(parameter)?.forEach(({ variable, start }, name) => { if (!tensors.has(`${i}.${name}`)) variable.assign(start()) }))
    for (const { parameter, name, value } of entries) this.slot(parameter, name, () => zerosLike(value)).assign(value)
    all.forEach((parameter, i) => this.steps.set(parameter, steps[i]!))
    this.groups.forEach((group, i) => Object.assign(group, groups[i]))
  }

  /**
   * The parameter's next value; may assign state. Numbers that may change from step to step are read inside `now`, so that a
   * compiled step sees each change.
   */
  protected abstract update(parameter: Parameter, grad: Tensor, group: H, now: Now): Tensor

  /** Gives a state variable, zeros of the parameter's shape at first unless `start` says otherwise, its next value, and returns that. */
  protected next(parameter: Parameter, name: string, update: (before: Tensor) => Tensor, start = () => zerosLike(parameter)): Tensor {
    const variable = this.slot(parameter, name, start)
    const value = update(variable)
    variable.assign(value)
    return value
  }

  /** The loss of a closure, whose gradients are in `.grad` then. */
  protected evaluate(closure: Closure): Tensor {
    const result = enableGrad(closure)
    if (result instanceof Tensor) return result
    this.parameters().forEach((parameter, i) => { if (parameter.requiresGrad) parameter.grad = result[1][i] ?? null })
    return result[0]
  }

  /** A number that depends neither on the learning rate nor on the number of the step, which it does not ask for; `null` where it is the learning rate. */
  private constant(read: (step: number) => number, group: Group<H>, number: number): number | null {
    const { lr } = group
    const other = 2 * lr + 1
    const value = read(number)
    let faster: number
    group.lr = other
    try {
      faster = read(number)
    } finally {
      group.lr = lr
    }
    if (read.length === 0 && faster === value) return value
    if (read.length === 0 && value === lr && faster === other) return null
    return fail('value', this.constructor.name, 'a number of its update depends on the learning rate or on the number of the step, and cannot be written to a file. Pass now() the same in ops: now(step => lr / step, (lr, step) => div(lr, step))')
  }

  /** The number of the step that a parameter takes next. */
  private numberOf(parameter: Parameter): number {
    return (this.steps.get(parameter) ?? 0) + 1
  }

  /** Gives every parameter that has a gradient its next value. */
  private advance(nowOf: (parameter: Parameter, group: Group<H>) => Now): void {
    noGrad(() => {
      for (const group of this.groups) {
        watch(group, () => switchesOf(group))
        for (const parameter of group.params) {
          const { grad } = parameter
          if (!grad) continue
          parameter.assign(this.update(parameter, group.maximize ? mul(grad, -1) : grad, group, nowOf(parameter, group)))
          effect(() => { this.steps.set(parameter, this.numberOf(parameter)) })
        }
      }
    })
  }

  private fits(value: Tensor, parameter: Parameter, known: Variable | undefined): boolean {
    return known ? describe(known) === describe(value) : value.dtype === parameter.dtype && broadcastsTo(value.shape, parameter.shape)
  }

  private slot(parameter: Parameter, name: string, start: () => Tensor): Variable {
    let slots = this.state.get(parameter)
    if (!slots) this.state.set(parameter, slots = new Map<string, Slot>())
    let slot = slots.get(name)
    if (!slot) slots.set(name, slot = outside(() => ({ variable: new Variable(start()), start })))
    slot.start = start
    return slot.variable
  }
}

function isState(state: unknown): state is OptimizerState {
  const { tensors, steps, groups } = (state ?? {}) as Partial<Record<keyof OptimizerState, unknown>>
  return tensors instanceof Map && Array.isArray(steps) && steps.every(count => Number.isSafeInteger(count) && count >= 0) && Array.isArray(groups)
}
