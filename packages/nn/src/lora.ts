// Low-rank adaptation: fine-tuning a model by small matrices beside its frozen weights.

import { add, mul, noGrad, type Tensor, zeros } from '@bp/core'
import { describe, fail, sizeOf } from '@bp/core/extend'
import { detach, type Generator, linear, matmul, reshape } from '@bp/ops'
import { functionalCall } from './functional.ts'
import { kaimingUniform } from './init.ts'
import { Dropout } from './layers/dropout.ts'
import { Linear } from './layers/linear.ts'
import { type AnyModule, Module, Parameter, type Put, visitPlaces } from './module.ts'

/** Options of {@link LoRA} and {@link addLoRA}. */
export interface LoRAOptions {
  /** The rank r of the update; 8 unless given. */
  readonly rank?: number
  /** The update is scaled by alpha / r; alpha is r unless given. */
  readonly alpha?: number
  /** Drops inputs of the update of a {@link Linear} in training; 0 unless given. */
  readonly dropout?: number
  readonly generator?: Generator
}

/** A learned update of low rank of a weight W: α/r · B·A. */
export interface LowRankUpdate {
  /** r × columns. */
  readonly lora_A: Parameter
  /** rows × r. */
  readonly lora_B: Parameter
  /** α/r. */
  readonly scaling: number
}

/**
 * An update of low rank for a weight of two axes or more, of which the first `rows` (one unless given) are taken as its rows, the
 * rest as its columns. B starts at 0, so that the update is none at first.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { lowRankUpdate, withUpdate } from '@bp/nn'
 * const update = lowRankUpdate(ones([4, 2]), { rank: 1 })
 * update.lora_A.shape // => [1, 2]
 * update.lora_B.shape // => [4, 1]
 * withUpdate(ones([4, 2]), update).toArray() // => [[1, 1], [1, 1], [1, 1], [1, 1]]
 * ```
 */
export function lowRankUpdate({ shape, dtype }: Tensor, { rank = 8, alpha = rank, ...options }: LoRAOptions = {}, rows = 1): LowRankUpdate {
  if (!Number.isInteger(rank) || rank < 1) fail('value', 'LoRA', `the rank must be a whole number ≥ 1, got ${rank}`)
  const lora_A = new Parameter(kaimingUniform([rank, sizeOf(shape.slice(rows))], { ...options, dtype, slope: Math.sqrt(5) }))
  const lora_B = new Parameter(zeros([sizeOf(shape.slice(0, rows)), rank], dtype))
  return { lora_A, lora_B, scaling: alpha / rank }
}

/** A weight with its update: W + α/r · B·A. */
export const withUpdate = (weight: Tensor, { lora_A, lora_B, scaling }: LowRankUpdate): Tensor =>
  add(weight, reshape(mul(matmul(lora_B, lora_A), scaling), weight.shape))

/**
 * A layer with a frozen weight W and a learned update of low rank: W + α/r · B·A, where A is r × in and B is out × r
 * (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"). B starts at 0, so that the layer computes at first what
 * it did before. Any module with a `weight` of two axes or more can be wrapped: linear layers (whose update is computed apart, A first),
 * embeddings, convolutions (whose axes after the first are taken as one).
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { Linear, LoRA } from '@bp/nn'
 * const layer = new LoRA(new Linear(64, 64), { rank: 4 })
 * layer.parameters().filter(p => p.requiresGrad).map(p => p.shape) // => [[4, 64], [64, 4]]
 * layer.namedParameters().map(([name]) => name) // => [base.weight, base.bias, lora_A, lora_B]
 * layer.forward(ones([1, 64])).shape // => [1, 64]
 * ```
 */
export class LoRA extends Module implements LowRankUpdate {
  readonly base: Module
  readonly lora_A: Parameter
  readonly lora_B: Parameter
  /** α/r. */
  readonly scaling: number
  private readonly dropout: Dropout

  constructor(base: Module, { dropout = 0, ...options }: LoRAOptions = {}) {
    super()
    if (dropout > 0 && !(base instanceof Linear)) fail('value', 'LoRA', `dropout is for linear layers, got ${base.constructor.name}. Leave it out`)
    const update = lowRankUpdate(weightOf(base), options)
    this.base = base.requiresGrad(false)
    this.lora_A = update.lora_A
    this.lora_B = update.lora_B
    this.scaling = update.scaling
    this.dropout = new Dropout(dropout, options)
  }

  override forward(x: Tensor): Tensor {
    if (!(this.base instanceof Linear)) return functionalCall(this.base, { weight: this.weight() }, x)
    const update = linear(linear(this.dropout.forward(x), this.lora_A), this.lora_B)
    return add(this.base.forward(x), mul(update, this.scaling))
  }

  /** The weight with its update: W + α/r · B·A. */
  weight(): Tensor {
    return withUpdate(weightOf(this.base), this)
  }

  /** The layer with the update added to its weight for good, no longer frozen. */
  merge(): Module {
    noGrad(() => { weightOf(this.base).assign(detach(this.weight())) })
    return this.base.requiresGrad(true)
  }
}

function weightOf(base: AnyModule): Parameter {
  const weight = base.namedParameters().find(([name]) => name === 'weight')?.[1]
  if (!weight || weight.rank < 2) return fail('shape', 'LoRA', `needs a module with a weight of two axes or more, got ${base.constructor.name}${weight ? ` with ${describe(weight)}` : ''}. Wrap a linear, embedding or convolution layer`)
  return weight
}

/** Which modules {@link addLoRA} wraps. */
export type LoRATargets = (name: string, module: Module) => boolean

/**
 * Freezes a model and wraps the modules that `targets` chooses (all linear layers unless given) in {@link LoRA}, in place.
 * Returns the parameters to train. Save them alone with {@link loraStateDict}.
 *
 * @example
 * ```ts
 * import { addLoRA, Linear, loraStateDict, mergeLoRA, ReLU, Sequential } from '@bp/nn'
 * const model = new Sequential(new Linear(8, 8), new ReLU(), new Linear(8, 2))
 * addLoRA(model, { rank: 2 }, name => name === '0').length // => 2
 * Array.from(loraStateDict(model).keys()) // => [0.lora_A, 0.lora_B]
 * mergeLoRA(model)
 * model.namedParameters().map(([name]) => name) // => [0.weight, 0.bias, 2.weight, 2.bias]
 * ```
 */
export function addLoRA(model: AnyModule, options: LoRAOptions = {}, targets: LoRATargets = (_name, module) => module instanceof Linear): Parameter[] {
  if (model.modules().some(module => module instanceof LoRA)) fail('value', 'addLoRA', 'the model has low-rank updates already. Take them into its weights with mergeLoRA first')
  model.requiresGrad(false)
  const wrapped = new Map<AnyModule, LoRA>()
  replace(model, (name, module) => {
    if (module === model || !targets(name, module as Module)) return null
    const layer = wrapped.get(module) ?? new LoRA(module as Module, options)
    wrapped.set(module, layer)
    return layer
  })
  if (wrapped.size === 0) fail('value', 'addLoRA', `no module was chosen of ${model.namedModules().slice(1).map(([name]) => name).join(', ') || 'none'}. Give targets by name or class`)
  return [...wrapped.values()].flatMap(({ lora_A, lora_B }) => [lora_A, lora_B])
}

/** Adds every update of {@link addLoRA} to its weight and puts the plain layers back, thawed. */
export function mergeLoRA(model: AnyModule): void {
  const merged = new Map<AnyModule, Module>()
  replace(model, (_name, module) => {
    if (!(module instanceof LoRA)) return null
    const plain = merged.get(module) ?? module.merge()
    merged.set(module, plain)
    return plain
  })
  model.requiresGrad(true)
}

/** The matrices of all updates by name, to save or to load with `loadStateDict(…, { strict: false })`. */
export const loraStateDict = (model: AnyModule): Map<string, Parameter> =>
  new Map(model.namedParameters().filter(([name]) => /(^|\.)lora_[AB]$/.test(name)))

/** Puts other modules in the places of those for which `other` gives one. */
function replace(model: AnyModule, other: (name: string, module: AnyModule) => Module | null): void {
  const puts: [Put, Module][] = []
  visitPlaces(model, {
    module: (name, module, put) => {
      const next = other(name, module)
      if (next) puts.push([put, next])
      return next === null
    },
  })
  for (const [put, next] of puts) put(next)
}
