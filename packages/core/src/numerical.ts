// Numerical differentiation: derivatives by central differences in float64, to check the others against.

import { tensor } from './create.ts'
import { isFloat } from './dtype.ts'
import { fail } from './errors.ts'
import { describe } from './shape.ts'
import type { Tensor } from './tensor.ts'

/** A function of tensors, with one result or several. */
export type TensorFunction = (...xs: Tensor[]) => Tensor | readonly Tensor[]

/** Options of {@link numericalGrad} and {@link numericalJacobian}. */
export interface NumericalOptions {
  /** The step to either side; 1e-6 unless given. */
  readonly eps?: number
}

/** A function at a point: its floating-point inputs in float64, its floating-point results there, and what errors call them. */
export interface Point {
  readonly xs: readonly Tensor[]
  readonly xNames: readonly string[]
  readonly ys: readonly Tensor[]
  readonly yNames: readonly string[]
  /** From `xs` to `ys`; all other inputs are fixed. */
  readonly f: (xs: readonly Tensor[]) => Tensor[]
}

/** ∂(element of a result)/∂(element of an input), by result, by input: row-major [result, input]. */
export type Jacobians = readonly (readonly Float64Array[])[]

/** The elements as JavaScript numbers. */
export const numbers = async (x: Tensor): Promise<Float64Array> => Float64Array.from(await x.data() as ArrayLike<number | bigint>, Number)

/** Evaluates a function and finds what of it is floating-point. Throws where no input is, or no result. */
export async function pointOf(op: string, f: TensorFunction, inputs: readonly Tensor[]): Promise<Point> {
  const moving = inputs.map(x => isFloat(x.dtype))
  if (!moving.includes(true)) fail('dtype', op, `no input is floating-point, got ${inputs.map(describe).join(', ')}. Give one to differentiate by`)
  const all = await Promise.all(inputs.map(async (x, i) => moving[i] ? tensor(await numbers(x), { shape: x.shape, dtype: 'float64', backend: x.backend }) : x))
  const results = (xs: readonly Tensor[]): readonly Tensor[] => {
    let next = 0
    const ys = f(...all.map((x, i) => moving[i] ? xs[next++]! : x))
    return Array.isArray(ys) ? ys as readonly Tensor[] : [ys as Tensor]
  }
  const xs = all.filter((_, i) => moving[i])
  const ys = results(xs)
  const wanted = ys.map(y => isFloat(y.dtype))
  if (!wanted.includes(true)) fail('dtype', op, `no result is floating-point, got ${ys.map(describe).join(', ')}. There is nothing to differentiate`)
  return {
    xs,
    xNames: inputs.flatMap((_, i) => moving[i] ? `input ${i}` : []),
    ys: ys.filter((_, k) => wanted[k]),
    yNames: ys.flatMap((_, k) => wanted[k] ? `result ${k}` : []),
    f: zs => results(zs).filter((_, k) => wanted[k]),
  }
}

/** Fills [result, input] matrices, one input element (a column of each) at a time. */
export async function byColumn({ xs, ys }: Point, column: (input: number, element: number) => Promise<readonly Float64Array[]>): Promise<Jacobians> {
  const out = ys.map(y => xs.map(x => new Float64Array(y.size * x.size)))
  for (const [i, x] of xs.entries()) {
    for (let j = 0; j < x.size; j++) {
      const values = await column(i, j)
      out.forEach((row, k) => { values[k]!.forEach((value, l) => { row[i]![l * x.size + j] = value }) })
    }
  }
  return out
}

/** (f(x + h·e) − f(x − h·e))/2h for every unit vector e. */
export const numericalJacobians = (point: Point, eps: number): Promise<Jacobians> => byColumn(point, async (i, j) => {
  const x = point.xs[i]!
  const values = await numbers(x)
  const at = async (step: number): Promise<Float64Array[]> => {
    const moved = tensor(values.map((value, k) => k === j ? value + step : value), { shape: x.shape, dtype: 'float64', backend: x.backend })
    return Promise.all(point.f(point.xs.with(i, moved)).map(numbers))
  }
  const [high, low] = [await at(eps), await at(-eps)]
  return high.map((h, k) => h.map((value, l) => (value - low[k]![l]!) / (2 * eps)))
})

async function jacobianOf(op: string, f: (x: Tensor) => Tensor, x: Tensor, { eps = 1e-6 }: NumericalOptions): Promise<{ readonly y: Tensor; readonly values: Float64Array }> {
  const point = await pointOf(op, z => f(z), [x])
  const [[values]] = await numericalJacobians(point, eps) as [[Float64Array]]
  return { y: point.ys[0]!, values }
}

/**
 * The Jacobian of `f` at `x` by central differences, [...y, ...x] in float64: two evaluations for each element of x, and an
 * error of O(eps²) plus rounding over eps. For checking; not for training.
 *
 * @example
 * ```ts
 * import { mul, numericalJacobian, tensor } from '@bp/core'
 * const j = await numericalJacobian(x => mul(x, x), tensor([1, 2]))
 * j.shape // => [2, 2]
 * ```
 */
export async function numericalJacobian(f: (x: Tensor) => Tensor, x: Tensor, options: NumericalOptions = {}): Promise<Tensor> {
  const { y, values } = await jacobianOf('numericalJacobian', f, x, options)
  return tensor(values, { shape: [...y.shape, ...x.shape], dtype: 'float64', backend: x.backend })
}

/**
 * The gradient of a scalar function at `x` by central differences: x's shape, in float64. Throws where `f` returns more than
 * one element. See {@link numericalJacobian}.
 *
 * @example
 * ```ts
 * import { mul, numericalGrad, tensor } from '@bp/core'
 * const g = await numericalGrad(x => mul(x, x), tensor(3))
 * g.item().toFixed(3) // => 6.000
 * ```
 */
export async function numericalGrad(f: (x: Tensor) => Tensor, x: Tensor, options: NumericalOptions = {}): Promise<Tensor> {
  const { y, values } = await jacobianOf('numericalGrad', f, x, options)
  if (y.size !== 1) fail('grad', 'numericalGrad', `the function must return a scalar, got ${describe(y)}. Reduce it with sum or mean, or take numericalJacobian`)
  return tensor(values, { shape: x.shape, dtype: 'float64', backend: x.backend })
}
