// Positions: what tells attention where in a sequence an element stands.

import { add, type DType, mul, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { cos, exp, iota, narrow, reshape, sin, stack } from '@bp/ops'
import { normal } from '../init.ts'
import { Module, Parameter } from '../module.ts'
import { Dropout } from './dropout.ts'
import type { LayerOptions } from './linear.ts'

/**
 * sin(m·10000^(−2i/d)) at feature 2i of place m and cos of the same at 2i + 1: [length, dim] (Vaswani et al. 2017, §3.5). Throws where
 * `dim` is odd.
 *
 * @example
 * ```ts
 * import { sinusoidalPositions } from '@bp/nn'
 * sinusoidalPositions(2, 2) // => tensor([[0, 1], [0.841471, 0.540302]], float32)
 * ```
 */
export function sinusoidalPositions(length: number, dim: number, dtype: DType = 'float32'): Tensor {
  if (dim % 2 !== 0) fail('value', 'sinusoidalPositions', `needs an even number of features, got ${dim}`)
  const rates = exp(mul(iota(dim / 2, dtype), -2 * Math.log(10_000) / dim))
  const angle = mul(reshape(iota(length, dtype), [length, 1]), rates)
  return reshape(stack([sin(angle), cos(angle)], 2), [length, dim])
}

/** Options of {@link SinusoidalPositions} and {@link LearnedPositions}. */
export interface PositionOptions extends LayerOptions {
  /** How much of the sum is dropped in training; 0 unless given. */
  readonly dropout?: number
  /** Sequences are [n, length, dim] instead of [length, n, dim]; false unless given, as in the layers that they are for. */
  readonly batchFirst?: boolean
}

/** What both layers of positions do: add a table's first rows, drop some of the sum. */
abstract class Positions extends Module {
  private readonly dropout: Dropout
  private readonly batchFirst: boolean

  constructor({ dropout = 0, batchFirst = false, ...options }: PositionOptions = {}) {
    super()
    this.dropout = new Dropout(dropout, options)
    this.batchFirst = batchFirst
  }

  /** The table for sequences of a length and a number of features. */
  protected abstract table(x: Tensor, length: number, dim: number): Tensor

  override forward(x: Tensor): Tensor {
    const { batchFirst } = this
    if (x.rank !== 2 && x.rank !== 3) fail('shape', this.constructor.name, `needs ${batchFirst ? '[n, length, dim]' : '[length, n, dim]'}, or [length, dim] for one sequence, got ${describe(x)}`)
    const dim = x.shape.at(-1)!
    const length = x.shape[batchFirst ? x.rank - 2 : 0]!
    const table = this.table(x, length, dim)
    return this.dropout.forward(add(x, batchFirst || x.rank === 2 ? table : reshape(table, [length, 1, dim])))
  }
}

/**
 * Adds {@link sinusoidalPositions} to sequences [length, n, dim] of any length; n may be left out.
 *
 * @example
 * ```ts
 * import { zeros } from '@bp/core'
 * import { SinusoidalPositions } from '@bp/nn'
 * new SinusoidalPositions().forward(zeros([1, 2])) // => tensor([[0, 1]], float32)
 * ```
 */
export class SinusoidalPositions extends Positions {
  protected override table(x: Tensor, length: number, dim: number): Tensor {
    return sinusoidalPositions(length, dim, x.dtype)
  }
}

/**
 * Adds a learned vector for each place to sequences [length, n, dim] of at most `maxLength` (Radford et al. 2018; they begin normal, with
 * a deviation of 0.02, as there); n may be left out.
 *
 * @example
 * ```ts
 * import { zeros } from '@bp/core'
 * import { LearnedPositions } from '@bp/nn'
 * new LearnedPositions(10, 4, { batchFirst: true }).forward(zeros([2, 3, 4])).shape // => [2, 3, 4]
 * ```
 */
export class LearnedPositions extends Positions {
  readonly weight: Parameter

  constructor(maxLength: number, dim: number, options: PositionOptions = {}) {
    super(options)
    this.weight = new Parameter(normal([maxLength, dim], 0.02, options))
  }

  protected override table(x: Tensor, length: number, dim: number): Tensor {
    const [most, features] = this.weight.shape as [number, number]
    if (length > most || dim !== features) fail('shape', 'LearnedPositions', `has ${most} places of ${features} features, got ${describe(x)}`)
    return narrow(this.weight, 0, 0, length)
  }
}
