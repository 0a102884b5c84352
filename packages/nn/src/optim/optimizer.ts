// What all optimisers share: parameter groups, per-parameter state in variables, and saving both.

import { noGrad, type Tensor, Variable, zerosLike } from '@bp/core'
import { describe, effect, fail, live, outside } from '@bp/core/extend'
import type { Parameter } from '../module.ts'

/** Hyper-parameters of a group: numbers and switches. */
export type Hyper = Record<string, number | boolean | readonly number[]>

/** An optimiser of any kind. */
export type AnyOptimizer = Optimizer<{ lr: number }>

/** Parameters with hyper-parameters of their own. */
export type ParameterGroup<H> = { readonly params: readonly Parameter[] } & Partial<H>

/** What a checkpoint keeps of an optimiser. */
export interface OptimizerState {
  /** By number of the parameter and name of the state, `0.exp_avg`. */
  readonly tensors: Map<string, Tensor>
  /** Steps taken, for each parameter. */
  readonly steps: readonly number[]
  /** Hyper-parameters of each group. */
  readonly groups: readonly Hyper[]
}

/**
 * The base of all optimisers. `step` reads each parameter's `.grad` and assigns its new value; state lives in variables, and
 * updates are made of ops, so that a step can be traced like any function.
 */
export abstract class Optimizer<H extends { lr: number }> {
  /** The groups; hyper-parameters may be changed between steps, as schedulers do. */
  readonly groups: (H & { readonly params: readonly Parameter[] })[]
  private readonly state = new Map<Parameter, Map<string, Variable>>()
  private readonly steps = new Map<Parameter, number>()

  constructor(params: readonly Parameter[] | readonly ParameterGroup<H>[], hyper: H) {
    if (params.length === 0) fail('value', this.constructor.name, 'got no parameters. Pass model.parameters()')
    const groups = 'params' in params[0]! ? params as readonly ParameterGroup<H>[] : [{ params: params as readonly Parameter[] }]
    this.groups = groups.map(group => ({ ...hyper, ...group }))
    for (const group of this.groups) if (!(group.lr >= 0)) fail('value', this.constructor.name, `lr must be ≥ 0, got ${group.lr}`)
    const all = this.parameters()
    if (new Set(all).size !== all.length) fail('value', this.constructor.name, 'a parameter is in two groups, or twice in one')
  }

  /** Takes one step with the gradients that backward has accumulated. Parameters without one are left alone. */
  step(): void {
    noGrad(() => {
      for (const group of this.groups) {
        for (const parameter of group.params) {
          const { grad } = parameter
          if (!grad) continue
          const taken = (): number => (this.steps.get(parameter) ?? 0) + 1
          parameter.assign(this.update(parameter, grad, group, taken))
          effect(() => { this.steps.set(parameter, taken()) })
        }
      }
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
    return [...this.state.values()].flatMap(state => [...state.values()])
  }

  /** What to save. The tensors are the live variables. */
  stateDict(): OptimizerState {
    const all = this.parameters()
    const tensors = new Map<string, Tensor>()
    all.forEach((parameter, i) => this.state.get(parameter)?.forEach((variable, name) => tensors.set(`${i}.${name}`, variable)))
    const groups = this.groups.map(group => Object.fromEntries(Object.entries(group).filter(([name]) => name !== 'params')) as Hyper)
    return { tensors, steps: all.map(parameter => this.steps.get(parameter) ?? 0), groups }
  }

  /** Goes on from a saved state. Throws, and changes nothing, where it does not fit the parameters. */
  loadStateDict({ tensors, steps, groups }: OptimizerState): void {
    const all = this.parameters()
    if (steps.length !== all.length || groups.length !== this.groups.length) {
      fail('data', 'loadStateDict', `the state is for ${steps.length} parameters in ${groups.length} groups, the optimiser has ${all.length} in ${this.groups.length}. Use the same model and groups`)
    }
    const entries = [...tensors].map(([key, value]) => {
      const [, index, name] = /^(\d+)\.(.+)$/.exec(key) ?? []
      const parameter = all[Number(index)]
      if (name === undefined || !parameter || describe(parameter) !== describe(value)) fail('data', 'loadStateDict', `the state ${key} is ${describe(value)} and fits no parameter. Use the same model and groups`)
      return { parameter, name, value }
    })
    this.state.clear()
    for (const { parameter, name, value } of entries) this.slot(parameter, name).assign(value)
    all.forEach((parameter, i) => this.steps.set(parameter, steps[i]!))
    this.groups.forEach((group, i) => Object.assign(group, groups[i]))
  }

  /**
   * The parameter's next value; may assign state. `step()` is the number of the step, from 1 on. It and the hyper-parameters
   * are read inside {@link scalar} where they change from step to step, so that a compiled step sees each change.
   */
  protected abstract update(parameter: Parameter, grad: Tensor, group: H, step: () => number): Tensor

  /** A number computed anew in every step, also in compiled ones. */
  protected scalar(parameter: Parameter, read: () => number): number | Tensor {
    return live(read, parameter.dtype)
  }

  /** A state variable of the parameter's shape, zeros at first. */
  protected slot(parameter: Parameter, name: string): Variable {
    let state = this.state.get(parameter)
    if (!state) this.state.set(parameter, state = new Map<string, Variable>())
    let variable = state.get(name)
    if (!variable) state.set(name, variable = outside(() => new Variable(zerosLike(parameter))))
    return variable
  }

  /** Assigns a state variable and returns its new value. */
  protected keep(parameter: Parameter, name: string, value: Tensor): Tensor {
    this.slot(parameter, name).assign(value)
    return value
  }
}
