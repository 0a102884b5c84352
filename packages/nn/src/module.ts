// Module: a class whose parameters, buffers and submodules are found by walking its fields, named as in PyTorch.

import { type Tensor, Variable } from '@bp/core'
import { depends, describe, fail, settles } from '@bp/core/extend'

/**
 * A variable that is learned. It requires grad from the start.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Parameter } from '@bp/nn'
 * new Parameter(tensor([1, 2])).requiresGrad // => true
 * ```
 */
export class Parameter extends Variable {
  constructor(value: Tensor) {
    super(value)
    this.requiresGrad = true
  }
}

/** A module of any signature. */
export type AnyModule = Module<never, unknown>

/** How {@link Module.loadStateDict} treats names that do not match. */
export interface LoadOptions {
  /** Whether missing and unexpected names are errors; true unless given. */
  readonly strict?: boolean
}

/** The names that did not match in {@link Module.loadStateDict}. */
export interface LoadResult {
  readonly missing: readonly string[]
  readonly unexpected: readonly string[]
}

/**
 * The base of all layers and models. Write fields and `forward`; parameters ({@link Parameter}), buffers (other variables)
 * and submodules are found in the fields, also inside arrays, plain objects and maps. Their names are the paths of the
 * fields, as in a PyTorch state dict.
 *
 * @example
 * ```ts
 * import { type Tensor } from '@bp/core'
 * import { relu } from '@bp/ops'
 * import { Linear, Module } from '@bp/nn'
 * class Net extends Module {
 *   hidden = new Linear(2, 3)
 *   out = new Linear(3, 1)
 *   forward(x: Tensor) { return this.out.forward(relu(this.hidden.forward(x))) }
 * }
 * new Net().namedParameters().map(([name]) => name) // => [hidden.weight, hidden.bias, out.weight, out.bias]
 * ```
 */
export abstract class Module<Args extends readonly unknown[] = [x: Tensor], Result = Tensor> {
  private inTraining = true

  /** Whether dropout drops and batch statistics are used; see {@link train}. A compiled function that asks is traced for each mode. */
  get training(): boolean {
    return depends(this, () => this.inTraining)
  }

  set training(on: boolean) {
    settles(this)
    this.inTraining = on
  }

  /** Computes the module's output. */
  abstract forward(...args: Args): Result

  /** What is searched for parameters, buffers and submodules, by name; the module's own fields unless overridden. */
  protected fields(): Iterable<readonly [string, unknown]> {
    return Object.entries(this)
  }

  /** This module and all below it, each once, with the path of its field; `''` is the module itself. */
  namedModules(): [string, AnyModule][] {
    const out = new Map<AnyModule, string>()
    walk(this, '', { module: (name, module) => !out.has(module) && out.set(module, name) === out })
    return [...out].map(([module, name]) => [name, module])
  }

  /** This module and all below it, each once. */
  modules(): AnyModule[] {
    return this.namedModules().map(([, module]) => module)
  }

  /** The modules right below this one, each once, with the names of their fields. */
  namedChildren(): [string, AnyModule][] {
    const out = new Map<AnyModule, string>()
    walk(this, '', {
      module: (name, module) => {
        if (module === this) return name === ''
        if (!out.has(module)) out.set(module, name)
        return false
      },
    })
    return [...out].map(([module, name]) => [name, module])
  }

  /** The modules right below this one, each once. */
  children(): AnyModule[] {
    return this.namedChildren().map(([, module]) => module)
  }

  /**
   * Calls `f` with every module below this one, the innermost first, and with this one at last: to initialise anew, say.
   *
   * @example
   * ```ts
   * import { zerosLike } from '@bp/core'
   * import { Linear, Sequential } from '@bp/nn'
   * const model = new Sequential(new Linear(2, 2), new Linear(2, 1))
   * model.apply(module => { if (module instanceof Linear) module.bias?.assign(zerosLike(module.bias)) })
   * model.namedParameters().find(([name]) => name === '0.bias')?.[1] // => tensor([0, 0], float32)
   * ```
   */
  apply(f: (module: AnyModule) => void): this {
    for (const child of this.children()) child.apply(f)
    f(this)
    return this
  }

  /** All parameters with their names; one that is shared is listed once, under its first name. */
  namedParameters(): [string, Parameter][] {
    return this.variables().filter((entry): entry is [string, Parameter] => entry[1] instanceof Parameter)
  }

  /** All parameters, each once. */
  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter)
  }

  /** The variables that are no parameters, such as running statistics, with their names. */
  namedBuffers(): [string, Variable][] {
    return this.variables().filter(([, variable]) => !(variable instanceof Parameter))
  }

  /** The variables that are no parameters, each once. */
  buffers(): Variable[] {
    return this.namedBuffers().map(([, buffer]) => buffer)
  }

  /** Sets training mode here and in all submodules. */
  train(on = true): this {
    for (const [, module] of this.namedModules()) module.training = on
    return this
  }

  /** Sets evaluation mode: dropout passes everything, batch normalisation uses its running statistics. */
  eval(): this {
    return this.train(false)
  }

  /** Forgets the gradients of all parameters. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) if (parameter.requiresGrad) parameter.grad = null
  }

  /**
   * Freezes all parameters, or thaws them. A frozen one gets no gradient, and optimisers leave it alone.
   *
   * @example
   * ```ts
   * import { Linear, Sequential } from '@bp/nn'
   * const model = new Sequential(new Linear(4, 8), new Linear(8, 2))
   * model.layers[0]!.requiresGrad(false)
   * model.parameters().map(p => p.requiresGrad) // => [false, false, true, true]
   * ```
   */
  requiresGrad(on: boolean): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = on
    return this
  }

  /**
   * Parameters and buffers by name. The tensors are the live variables: encode or copy them to keep them. Tied weights are
   * listed under each of their names, as in PyTorch.
   */
  stateDict(): Map<string, Variable> {
    const out = new Map<string, Variable>()
    visitPlaces(this, { variable: (name, variable) => { out.set(name, variable) } })
    return out
  }

  /**
   * Takes over values by name, and returns the names that did not match. Throws, and changes nothing, where a name is missing or
   * unexpected (unless `strict` is false), a shape or dtype differs, or tied weights are given two values; the error lists them
   * all. Of tied weights one name is enough.
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>, { strict = true }: LoadOptions = {}): LoadResult {
    if (!isMap(state)) fail('data', 'loadStateDict', 'the state must be a Map of tensors by name. Pass what stateDict() gave, the tensors of decodeSafetensors, or new Map(Object.entries(…))')
    const own = this.stateDict()
    const values = new Map<Variable, { readonly name: string; readonly value: Tensor }>()
    const different: string[] = []
    for (const [name, variable] of own) {
      const value = state.get(name)
      if (!value) continue
      const tied = values.get(variable)
      if (describe(variable) !== describe(value)) different.push(`${name} (${describe(value)}, the module has ${describe(variable)})`)
      else if (tied && !sameValues(tied.value, value)) different.push(`${name} (tied to ${tied.name}, which is given other values)`)
      else values.set(variable, { name, value })
    }
    const missing = [...own].filter(([name, variable]) => !state.has(name) && !values.has(variable)).map(([name]) => name)
    const unexpected = [...state.keys()].filter(name => !own.has(name))
    const complaints = [
      ...strict && missing.length > 0 ? [`missing: ${missing.join(', ')}`] : [],
      ...strict && unexpected.length > 0 ? [`unexpected: ${unexpected.join(', ')}`] : [],
      ...different.length > 0 ? [`different: ${different.join(', ')}`] : [],
    ]
    if (complaints.length > 0) fail('data', 'loadStateDict', `${complaints.join('; ')}. Load into the same architecture${strict ? ', or pass { strict: false } to skip missing and unexpected names' : ''}`)
    for (const [variable, { value }] of values) variable.assign(value)
    return { missing, unexpected }
  }

  /** The module's class, its own parameters and buffers, and the modules below it, a line each. */
  toString(): string {
    const below = this.namedChildren()
    const own = this.variables().filter(([name]) => !below.some(([child]) => name.startsWith(`${child}.`)))
    const head = `${this.constructor.name}(${own.map(([name, variable]) => `${name} ${describe(variable)}`).join(', ')})`
    const children = below.map(([name, child]) => `${name}: ${String(child)}`)
    return [head, ...children].join('\n').replaceAll('\n', '\n  ')
  }

  private variables(): [string, Variable][] {
    const out = new Map<Variable, string>()
    const seen = new Set<AnyModule>()
    walk(this, '', {
      module: (_name, module) => !seen.has(module) && seen.add(module) === seen,
      variable: (name, variable) => { if (!out.has(variable)) out.set(variable, name) },
    })
    return [...out].map(([variable, name]) => [name, variable])
  }

  /** Puts another value where {@link fields} found one. */
  protected setField(name: string, value: unknown): void {
    Reflect.set(this, name, value)
  }

  /** The same for any module, for the walk. */
  static setField(module: AnyModule, name: string, value: unknown): void {
    module.setField(name, value)
  }

  /** The fields of any module, for the walk. */
  static fieldsOf(module: AnyModule): Iterable<readonly [string, unknown]> {
    return module.fields()
  }
}

/** Puts something else where a module or variable was found. */
export type Put = (value: unknown) => void

interface Visitor {
  /** Sees a module; returns whether to go into it. */
  readonly module: (name: string, module: AnyModule, put: Put) => boolean
  /** After all that is in a module. */
  readonly left?: () => void
  readonly variable?: (name: string, variable: Variable, put: Put) => void
}

/** Visits every place of every module and variable below a module; those that are shared more than once. */
export function visitPlaces(root: AnyModule, see: { readonly module?: (name: string, module: AnyModule, put: Put) => boolean; readonly variable?: Visitor['variable'] }): void {
  const inside: AnyModule[] = []
  walk(root, '', {
    variable: (name, variable, put) => see.variable?.(name, variable, put),
    module: (name, module, put) => (see.module?.(name, module, put) ?? true) && !inside.includes(module) && inside.push(module) > 0,
    left: () => { inside.pop() },
  })
}

/** Goes through a module's fields, and through arrays, plain objects and maps in them, in order. */
function walk(value: unknown, name: string, visitor: Visitor, put: Put = () => undefined): void {
  const children = (entries: Iterable<readonly [string, unknown]>, putAt: (key: string, value: unknown) => void): void => {
    for (const [key, child] of entries) walk(child, name === '' ? key : `${name}.${key}`, visitor, other => { putAt(key, other) })
  }
  if (value instanceof Variable) visitor.variable?.(name, value, put)
  else if (isModule(value)) {
    if (!visitor.module(name, value, put)) return
    children(Module.fieldsOf(value), (key, other) => { Module.setField(value, key, other) })
    visitor.left?.()
  } else if (Array.isArray(value)) children(value.map((child, i) => [String(i), child] as const), (key, other) => { value[Number(key)] = other })
  else if (value instanceof Map) children([...value].map(([key, child]) => [String(key), child] as const), (key, other) => { value.set(key, other) })
  else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) children(Object.entries(value), (key, other) => { Reflect.set(value, key, other) })
}

const isMap = (value: unknown): boolean => value instanceof Map

const isModule = (value: unknown): value is AnyModule => value instanceof Module

function sameValues(a: Tensor, b: Tensor): boolean {
  if (a === b) return true
  const [x, y] = [a.dataSync(), b.dataSync()]
  return x.every((value, i) => Object.is(value, y[i]))
}
