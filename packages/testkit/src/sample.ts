// A sample: operands described by shape, dtype and domain, and the parameters to apply a row with.

import { type DType, type Shape, tensor, type Tensor } from '@bp/core'
import type { Backend } from '@bp/core'
import { type AnyRow, type Arity, type Row, sizeOf, type Tuple } from '@bp/core/extend'
import { Random, seedOf } from './random.ts'

/** Draws `count` values of an operand. */
export type Draw = (random: Random, count: number) => number[]

/** An operand of a sample. */
export interface OperandSpec {
  readonly shape: Shape
  /** The element type; the floating-point type under test unless given. */
  readonly dtype: DType | null
  readonly draw: Draw
}

/** One application of a row: its operands, and its parameters where it has any. */
export type Sample<R extends AnyRow> = R extends Row<string, infer N extends Arity, infer P>
  ? { readonly operands: Readonly<Tuple<N, OperandSpec>> } & (void extends P ? { readonly params?: undefined } : { readonly params: P })
  : never

/** At least one sample for each row of a table. */
export type SamplesOf<T> = { readonly [K in keyof T]: T[K] extends AnyRow ? readonly [Sample<T[K]>, ...Sample<T[K]>[]] : never }

/** A sample of any row. */
export interface AnySample {
  readonly operands: readonly OperandSpec[]
  readonly params?: unknown
}

/** Evenly distributed in [low, high). */
export const uniform = (low: number, high: number): Draw => (random, count) => Array.from({ length: count }, () => random.between(low, high))

/** Whole numbers in [low, high). */
export const whole = (low: number, high: number): Draw => (random, count) => Array.from({ length: count }, () => random.whole(low, high))

/** In [low, high), and no nearer to any kink than `gap`: for functions with corners or jumps there. */
export const away = (low: number, high: number, kinks: readonly number[], gap = 0.1): Draw => (random, count) => Array.from({ length: count }, () => {
  let x = random.between(low, high)
  for (let tries = 0; kinks.some(kink => Math.abs(x - kink) < gap); tries++) {
    if (tries > 1000) throw new RangeError(`away: [${low}, ${high}) has no room beside its kinks. Make gap smaller`)
    x = random.between(low, high)
  }
  return x
})

/** Evenly spaced in [low, high), in random order: no two alike, for ops that ask which is largest. */
export const distinct = (low: number, high: number): Draw => (random, count) => {
  const out = Array.from({ length: count }, (_, i) => low + (high - low) * (i + 0.5) / count)
  for (let i = count - 1; i > 0; i--) {
    const j = random.whole(0, i + 1);
    [out[i], out[j]] = [out[j]!, out[i]!]
  }
  return out
}

/** These values, repeated where there are more elements. */
export const given = (...values: readonly number[]): Draw => (_random, count) => Array.from({ length: count }, (_, i) => values[i % values.length]!)

/**
 * An operand of the floating-point type under test, in (−2, 2) unless a domain is given.
 *
 * @example
 * ```ts
 * import { operand, uniform } from '@bp/testkit'
 * operand([2, 3], uniform(0.1, 4)).shape // => [2, 3]
 * ```
 */
export const operand = (shape: Shape, draw: Draw = uniform(-2, 2)): OperandSpec => ({ shape, dtype: null, draw })

/** An operand of a dtype of its own: indices, conditions, counts. */
export const fixed = (shape: Shape, dtype: DType, draw: Draw = dtype === 'bool' ? whole(0, 2) : whole(-5, 6)): OperandSpec => ({ shape, dtype, draw })

/**
 * The samples of a row, checked against its arity and parameters: what a plugin's author writes beside a row.
 *
 * @example
 * ```ts
 * import { defineOp } from '@bp/core/extend'
 * import { defineSamples, operand } from '@bp/testkit'
 * const double = defineOp({ name: 'acme/double', arity: 1, fuse: 'map', infer: ([x]) => x.aval, diff: { kind: 'zero' } })
 * defineSamples(double, [{ operands: [operand([3])] }]).length // => 1
 * ```
 */
export const defineSamples = <N extends Arity, P>(_row: Row<string, N, P>, samples: readonly Sample<Row<string, N, P>>[]): readonly Sample<Row<string, N, P>>[] => samples

/** The operands of a sample as tensors: the same values on every call with the same name. */
export function realise(name: string, sample: AnySample, dtype: DType, backend?: Backend): Tensor[] {
  return sample.operands.map((spec, i) => {
    const random = new Random(seedOf(`${name} ${i}`))
    const values = spec.draw(random, sizeOf(spec.shape))
    // what float32 cannot hold is rounded in every dtype, so that results can be compared between dtypes
    const rounded = Float64Array.from(values, Math.fround)
    return tensor(Array.from(rounded), { shape: spec.shape, dtype: spec.dtype ?? dtype, ...backend && { backend } })
  })
}

/** A tensor like `x` with values in (−1, 1): a tangent or cotangent. */
export function direction(name: string, x: Tensor): Tensor {
  const random = new Random(seedOf(name))
  return tensor(Array.from({ length: x.size }, () => Math.fround(random.between(-1, 1))), { shape: x.shape, dtype: x.dtype, backend: x.backend })
}
