// Modules that hold other modules: one after the other, by number, by name.

import type { Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { type AnyModule, Module } from '../module.ts'

/**
 * Layers one after the other. Their names are `0`, `1`, …, or those of the record they are given in.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { Linear, ReLU, Sequential } from '@bp/nn'
 * const mlp = new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 2))
 * mlp.forward(ones([1, 4])).shape // => [1, 2]
 * mlp.namedParameters().map(([name]) => name) // => [0.weight, 0.bias, 2.weight, 2.bias]
 * new Sequential({ hidden: new Linear(4, 8), act: new ReLU(), out: new Linear(8, 2) }).namedChildren().map(([name]) => name) // => [hidden, act, out]
 * ```
 */
export class Sequential extends Module {
  readonly layers: Module[]
  private readonly names: string[]

  constructor(...layers: Module[] | [Readonly<Record<string, Module>>]) {
    super()
    const [first] = layers
    const named = layers.length === 1 && !(first instanceof Module) ? Object.entries(first) : (layers as Module[]).map((layer, i) => [String(i), layer] as const)
    this.names = named.map(([name]) => name)
    this.layers = named.map(([, layer]) => layer)
  }

  /** Adds a layer at the end, named by its place. */
  append(layer: Module): this {
    this.names.push(String(this.layers.length))
    this.layers.push(layer)
    return this
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return this.layers.map((layer, i) => [this.names[i]!, layer] as const)
  }

  protected override setField(name: string, value: unknown): void {
    this.layers[this.names.indexOf(name)] = value as Module
  }

  override forward(x: Tensor): Tensor {
    return this.layers.reduce((y, layer) => layer.forward(y), x)
  }
}

/**
 * Modules by number, called by the module that holds the list. A plain array in a field does the same; this one is a module
 * itself, so that it can be passed on, frozen or printed.
 *
 * @example
 * ```ts
 * import { Linear, ModuleList } from '@bp/nn'
 * const blocks = new ModuleList([new Linear(4, 4), new Linear(4, 2)])
 * blocks.length // => 2
 * blocks.at(-1).weight.shape // => [2, 4]
 * blocks.namedParameters().map(([name]) => name) // => [0.weight, 0.bias, 1.weight, 1.bias]
 * ```
 */
export class ModuleList<M extends AnyModule = Module> extends Module<never, never> {
  private readonly modulesInOrder: M[]

  constructor(modules: Iterable<M> = []) {
    super()
    this.modulesInOrder = [...modules]
  }

  get length(): number {
    return this.modulesInOrder.length
  }

  /** The module at a place, counted from the end where it is negative. Throws where there is none. */
  at(i: number): M {
    return this.modulesInOrder.at(i) ?? fail('value', 'ModuleList', `there is no module ${i}, the list has ${this.length}`)
  }

  append(module: M): this {
    this.modulesInOrder.push(module)
    return this
  }

  [Symbol.iterator](): Iterator<M> {
    return this.modulesInOrder[Symbol.iterator]()
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return this.modulesInOrder.map((module, i) => [String(i), module] as const)
  }

  protected override setField(name: string, value: unknown): void {
    this.modulesInOrder[Number(name)] = value as M
  }

  override forward(): never {
    return fail('value', 'ModuleList', 'it only holds modules. Call forward of each, or use Sequential')
  }
}

/**
 * Modules by name, called by the module that holds them.
 *
 * @example
 * ```ts
 * import { Linear, ModuleDict } from '@bp/nn'
 * const heads = new ModuleDict({ digits: new Linear(8, 10), parity: new Linear(8, 2) })
 * heads.get('parity').weight.shape // => [2, 8]
 * heads.namedParameters().map(([name]) => name) // => [digits.weight, digits.bias, parity.weight, parity.bias]
 * ```
 */
export class ModuleDict<M extends AnyModule = Module> extends Module<never, never> {
  private readonly modulesByName: Map<string, M>

  constructor(modules: Readonly<Record<string, M>> = {}) {
    super()
    this.modulesByName = new Map(Object.entries(modules))
  }

  /** The module of a name. Throws where there is none. */
  get(name: string): M {
    return this.modulesByName.get(name) ?? fail('value', 'ModuleDict', `there is no module '${name}', only ${[...this.modulesByName.keys()].join(', ') || 'an empty dictionary'}`)
  }

  has(name: string): boolean {
    return this.modulesByName.has(name)
  }

  set(name: string, module: M): this {
    this.modulesByName.set(name, module)
    return this
  }

  [Symbol.iterator](): Iterator<[string, M]> {
    return this.modulesByName[Symbol.iterator]()
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return this.modulesByName
  }

  protected override setField(name: string, value: unknown): void {
    this.modulesByName.set(name, value as M)
  }

  override forward(): never {
    return fail('value', 'ModuleDict', 'it only holds modules. Call forward of the one you need')
  }
}
