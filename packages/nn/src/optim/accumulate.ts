// Gradient accumulation: the gradient of one large batch from several small ones.

import { add, mul, noGrad, type Tensor, type TensorLike, tensor, Variable, zerosLike } from '@bp/core'
import { describe, fail, outside } from '@bp/core/extend'
import { div } from '@bp/ops'
import type { Parameter } from '../module.ts'
import type { Stateful } from '../state.ts'

/** What a checkpoint keeps of a {@link GradAccumulator} in the middle of a batch. */
export interface GradAccumulatorState {
  /** How many samples were added. */
  readonly count: Tensor
  /** Weighted sums of gradients by number of the parameter; a parameter that never had one is missing. */
  readonly sums: ReadonlyMap<string, Tensor>
}

/**
 * Adds up gradients of micro-batches so that they come out as those of all samples in one batch: with nᵢ samples in micro-batch
 * i, whose loss is a mean and has the gradient gᵢ,
 *
 * g = Σᵢ nᵢ·gᵢ / Σᵢ nᵢ
 *
 * which is also right where the micro-batches differ in size and where the last group has fewer of them. It takes another
 * copy of the gradients. Each call may be made op by op or in a compiled function of its own, for the sums are variables.
 *
 * @example
 * ```ts
 * import { mul, tensor } from '@bp/core'
 * import { GradAccumulator, Parameter } from '@bp/nn'
 * import { mean } from '@bp/ops'
 * const w = new Parameter(tensor(0)), accumulator = new GradAccumulator([w])
 * for (const x of [[1, 2, 3], [6]]) {
 *   mean(mul(w, tensor(x))).backward()
 *   accumulator.add(x.length)
 * }
 * accumulator.finish() // then optimiser.step()
 * w.grad // => tensor(3, float32)
 * ```
 */
export class GradAccumulator implements Stateful {
  private readonly parameters: readonly Parameter[]
  private readonly sums = new Map<Parameter, Variable>()
  /** float32 scalar: Σ nᵢ. */
  private readonly count = outside(() => new Variable(tensor(0)))

  constructor(parameters: readonly Parameter[]) {
    this.parameters = parameters
  }

  /**
   * Takes the gradients that `backward` has left of a mean over `count` samples, or other weights, and leaves none. Gradients
   * multiplied by a `GradScaler` stay so: unscale them after {@link finish}.
   */
  add(count: TensorLike): void {
    noGrad(() => {
      const found = this.parameters.filter(({ grad }) => grad !== null)
      if (found.length === 0) fail('grad', 'GradAccumulator', 'no parameter has a gradient. Call backward() before add')
      for (const parameter of found) {
        const sum = this.sumOf(parameter)
        sum.assign(add(sum, mul(parameter.grad!, count)))
        parameter.grad = null
      }
      this.count.assign(add(this.count, count))
    })
  }

  /**
   * Leaves in `.grad` the mean of all gradients that were added, and starts anew. A parameter that has had a gradient in an earlier
   * group and none in this one gets zeros.
   */
  finish(): void {
    if (this.sums.size === 0) fail('grad', 'GradAccumulator', 'nothing was added. Call add after each backward')
    noGrad(() => {
      for (const [parameter, sum] of this.sums) {
        parameter.grad = div(sum, this.count)
        sum.assign(zerosLike(sum))
      }
      this.count.assign(zerosLike(this.count))
    })
  }

  /** What to save. The tensors are the live variables. */
  stateDict(): GradAccumulatorState {
    return { count: this.count, sums: new Map(this.parameters.flatMap((parameter, i) => this.sums.has(parameter) ? [[String(i), this.sumOf(parameter)]] : [])) }
  }

  /** Goes on from a saved state. Throws, and changes nothing, where it does not fit the parameters. */
  loadStateDict({ count, sums }: GradAccumulatorState): void {
    const found = [...sums].map(([index, value]) => {
      const parameter = this.parameters[Number(index)]
      if (!parameter || describe(parameter) !== describe(value)) fail('data', 'GradAccumulator', `the sum ${index} is ${describe(value)} and fits no parameter. Use the same model`)
      return { parameter, value }
    })
    this.sums.clear()
    for (const { parameter, value } of found) this.sumOf(parameter).assign(value)
    this.count.assign(count)
  }

  private sumOf(parameter: Parameter): Variable {
    let sum = this.sums.get(parameter)
    if (!sum) this.sums.set(parameter, sum = outside(() => new Variable(zerosLike(parameter))))
    return sum
  }
}
