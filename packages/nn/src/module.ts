// Module: a class whose parameters, buffers and submodules are found by walking its fields, named as in PyTorch.

import { type Tensor, Variable } from '@bp/core'
import { describe, fail } from '@bp/core/extend'

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
  /** Whether dropout drops and batch statistics are used; see {@link train}. */
  training = true

  /** Computes the module's output. */
  abstract forward(...args: Args): Result

  /** What is searched for parameters, buffers and submodules, by name; the module's own fields unless overridden. */
  protected fields(): Iterable<readonly [string, unknown]> {
    return Object.entries(this)
  }

  /** This module and all below it, each once, with the path of its field; `''` is the module itself. */
  namedModules(): [string, AnyModule][] {
    const out = new Map<AnyModule, string>()
    walk(this, '', {
      module: (name, module) => {
        if (out.has(module)) return false
        out.set(module, name)
        return true
      },
    })
    return [...out].map(([module, name]) => [name, module])
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

  /** Freezes all parameters, or thaws them. */
  requiresGrad(on: boolean): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = on
    return this
  }

  /** Parameters and buffers by name. The tensors are the live variables: encode or copy them to keep them. */
  stateDict(): Map<string, Variable> {
    return new Map(this.variables())
  }

  /**
   * Takes over values by name. Throws, and changes nothing, where a name is missing or unexpected (unless `strict` is
   * false) or a shape or dtype differs; the error lists them all.
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>, { strict = true }: LoadOptions = {}): void {
    const own = this.stateDict()
    const missing = [...own.keys()].filter(name => !state.has(name))
    const unexpected = [...state.keys()].filter(name => !own.has(name))
    const found = [...own].flatMap(([name, variable]) => {
      const value = state.get(name)
      return value ? [{ name, variable, value }] : []
    })
    const different = found.filter(({ variable, value }) => describe(variable) !== describe(value)).map(({ name, variable, value }) => `${name} (${describe(value)}, the module has ${describe(variable)})`)
    const complaints = [
      ...strict && missing.length > 0 ? [`missing: ${missing.join(', ')}`] : [],
      ...strict && unexpected.length > 0 ? [`unexpected: ${unexpected.join(', ')}`] : [],
      ...different.length > 0 ? [`different: ${different.join(', ')}`] : [],
    ]
    if (complaints.length > 0) fail('data', 'loadStateDict', `${complaints.join('; ')}. Load into the same architecture${strict ? ', or pass { strict: false } to skip missing and unexpected names' : ''}`)
    for (const { variable, value } of found) variable.assign(value)
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

  /** The fields of any module, for the walk. */
  static fieldsOf(module: AnyModule): Iterable<readonly [string, unknown]> {
    return module.fields()
  }
}

interface Visitor {
  /** Sees a module; returns whether to go into it. */
  readonly module: (name: string, module: AnyModule) => boolean
  readonly variable?: (name: string, variable: Variable) => void
}

function walk(value: unknown, name: string, visitor: Visitor): void {
  const children = (entries: Iterable<readonly [string, unknown]>): void => {
    for (const [key, child] of entries) walk(child, name === '' ? key : `${name}.${key}`, visitor)
  }
  if (value instanceof Variable) visitor.variable?.(name, value)
  else if (isModule(value)) {
    if (visitor.module(name, value)) children(Module.fieldsOf(value))
  } else if (Array.isArray(value)) children(value.map((child, i) => [String(i), child] as const))
  else if (value instanceof Map) children([...value].map(([key, child]) => [String(key), child] as const))
  else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) children(Object.entries(value))
}

const isModule = (value: unknown): value is AnyModule => value instanceof Module
