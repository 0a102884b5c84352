// Weight normalisation: a weight as its length times its direction.

import { mul, type Tensor } from '@bp/core'
import { describe, fail, normaliseAxis } from '@bp/core/extend'
import { detach, div, vectorNorm } from '@bp/ops'
import { functionalCall } from '../functional.ts'
import { type AnyModule, Module, Parameter } from '../module.ts'

/** Options of {@link WeightNorm}. */
export interface WeightNormOptions {
  /** The parameter to normalise; `'weight'` unless given. */
  readonly name?: string
  /** The axis along which each slice has a length of its own, or `null` for one length of the whole; 0 unless given. */
  readonly axis?: number | null
}

/**
 * A module whose weight is w = g · v/‖v‖, with g and v learned in its place (Salimans & Kingma 2016, "Weight
 * Normalization"). Its parameters are those of the module, but for `weight_g` and `weight_v`, as in
 * `torch.nn.utils.weight_norm`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Linear, WeightNorm } from '@bp/nn'
 * const inner = new Linear(2, 1)
 * inner.weight.assign(tensor([[3, 4]]))
 * const layer = new WeightNorm(inner)
 * layer.namedParameters().map(([name]) => name) // => [weight_g, weight_v, bias]
 * layer.weight() // => tensor([[3, 4]], float32)
 * ```
 */
export class WeightNorm<Args extends readonly unknown[] = [x: Tensor], Result = Tensor> extends Module<Args, Result> {
  private readonly module: Module<Args, Result>
  private readonly name: string
  private readonly axes: readonly number[]
  private g: Parameter
  private v: Parameter

  constructor(module: Module<Args, Result>, { name = 'weight', axis = 0 }: WeightNormOptions = {}) {
    super()
    const weight = weightOf(module, name)
    const fixed = axis === null ? null : normaliseAxis('WeightNorm', axis, weight.rank)
    this.module = module
    this.name = name
    this.axes = weight.shape.map((_, i) => i).filter(i => i !== fixed)
    this.v = new Parameter(detach(weight))
    this.g = new Parameter(this.lengths(weight))
  }

  /** The weight that is in use: g · v/‖v‖. */
  weight(): Tensor {
    return mul(this.v, div(this.g, this.lengths(this.v)))
  }

  /** The module with the weight as a plain parameter again. */
  remove(): Module<Args, Result> {
    weightOf(this.module, this.name).assign(this.weight())
    return this.module
  }

  override forward(...args: Args): Result {
    return functionalCall(this.module, { [this.name]: this.weight() }, ...args)
  }

  private lengths(v: Tensor): Tensor {
    return vectorNorm(v, { axes: this.axes, keepDims: true })
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    const rest = [...Module.fieldsOf(this.module)].filter(([name]) => name !== this.name)
    return [[`${this.name}_g`, this.g], [`${this.name}_v`, this.v], ...rest]
  }

  protected override setField(name: string, value: unknown): void {
    if (name === `${this.name}_g`) this.g = value as Parameter
    else if (name === `${this.name}_v`) this.v = value as Parameter
    else Module.setField(this.module, name, value)
  }
}

function weightOf(module: AnyModule, name: string): Parameter {
  const all = module.namedParameters()
  const weight = all.find(([key]) => key === name)?.[1]
  if (!weight || weight.rank === 0) return fail('value', 'WeightNorm', `${module.constructor.name} has no parameter ${name} with axes; it has ${all.map(([key, p]) => `${key} ${describe(p)}`).join(', ') || 'none'}. Give { name }`)
  return weight
}
