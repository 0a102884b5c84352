// gradcheck: derivatives of any function against central differences, element by element, in float64.

import { tensor } from './create.ts'
import { isFloat } from './dtype.ts'
import { fail } from './errors.ts'
import { vjp } from './grad.ts'
import { jvp } from './jvp.ts'
import { describe } from './shape.ts'
import type { Tensor } from './tensor.ts'
import { zerosLike } from './vector.ts'

/** A function of tensors, with one result or several. */
export type TensorFunction = (...xs: Tensor[]) => Tensor | readonly Tensor[]

/** Options of {@link gradcheck} and {@link gradgradcheck}. */
export interface GradcheckOptions {
  /** The step of the central difference; 1e-6 unless given. */
  readonly eps?: number
  /** What a derivative may be off by, absolutely and relative to the difference; 1e-5 and 1e-3 unless given. */
  readonly atol?: number
  readonly rtol?: number
  /** The modes to check; both unless given. */
  readonly modes?: readonly ('reverse' | 'forward')[]
}

/** What {@link gradcheck} has compared. */
export interface GradcheckReport {
  /** How many derivatives: elements of results times elements of inputs, in each mode. */
  readonly derivatives: number
  /** The largest error relative to what is allowed; at most 1. */
  readonly worst: number
}

/** ∂(element of a result)/∂(element of an input), by result, by input: row-major [result, input]. */
type Jacobians = readonly (readonly Float64Array[])[]

const numbers = async (x: Tensor): Promise<Float64Array> => Float64Array.from(await x.data() as ArrayLike<number | bigint>, Number)

/** A function at a point: its floating-point inputs in float64, and the function of those alone. */
interface Point {
  readonly xs: readonly Tensor[]
  readonly f: (xs: readonly Tensor[]) => Tensor[]
}

async function pointOf(f: TensorFunction, inputs: readonly Tensor[]): Promise<Point> {
  const moving = inputs.map(x => isFloat(x.dtype))
  if (!moving.includes(true)) fail('dtype', 'gradcheck', `no input is floating-point, got ${inputs.map(describe).join(', ')}. Give one to differentiate by`)
  const all = await Promise.all(inputs.map(async (x, i) => moving[i] ? tensor(await numbers(x), { shape: x.shape, dtype: 'float64', backend: x.backend }) : x))
  return {
    xs: all.filter((_, i) => moving[i]),
    f: xs => {
      let next = 0
      const ys = f(...all.map((x, i) => moving[i] ? xs[next++]! : x))
      return (Array.isArray(ys) ? ys as readonly Tensor[] : [ys as Tensor]).filter(y => isFloat(y.dtype))
    },
  }
}

const unit = (like: Tensor, at: number): Tensor => tensor(new Float64Array(like.size).fill(1, at, at + 1), { shape: like.shape, dtype: like.dtype, backend: like.backend })

/** Fills [result, input] matrices, one input element (a column of each) at a time. */
async function byColumn({ xs }: Point, ys: readonly Tensor[], column: (input: number, element: number) => Promise<readonly Float64Array[]>): Promise<Jacobians> {
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
const numerical = (point: Point, ys: readonly Tensor[], eps: number): Promise<Jacobians> => byColumn(point, ys, async (i, j) => {
  const values = await numbers(point.xs[i]!)
  const at = async (step: number): Promise<Float64Array[]> => {
    const moved = tensor(values.map((value, k) => k === j ? value + step : value), { shape: point.xs[i]!.shape, dtype: 'float64', backend: point.xs[i]!.backend })
    return Promise.all(point.f(point.xs.with(i, moved)).map(numbers))
  }
  const [high, low] = [await at(eps), await at(-eps)]
  return high.map((h, k) => h.map((value, l) => (value - low[k]![l]!) / (2 * eps)))
})

const forward = (point: Point, ys: readonly Tensor[]): Promise<Jacobians> => byColumn(point, ys, async (i, j) => {
  const [, dys] = jvp((...xs: Tensor[]) => point.f(xs), [...point.xs], point.xs.map((x, k) => k === i ? unit(x, j) : zerosLike(x)))
  return Promise.all(dys.map(numbers))
})

async function reverse({ xs, f }: Point, ys: readonly Tensor[]): Promise<Jacobians> {
  const [, pullback] = vjp((...zs: Tensor[]) => f(zs), [...xs])
  const out: Float64Array[][] = []
  for (const [k, y] of ys.entries()) {
    const matrices = xs.map(x => new Float64Array(y.size * x.size))
    for (let l = 0; l < y.size; l++) {
      const dxs = await Promise.all(pullback(ys.map((z, m) => m === k ? unit(z, l) : zerosLike(z))).map(numbers))
      dxs.forEach((dx, i) => { matrices[i]!.set(dx, l * dx.length) })
    }
    out.push(matrices)
  }
  return out
}

const place = (x: Tensor, flat: number): string => {
  const index: number[] = []
  let rest = flat
  for (let axis = x.rank - 1; axis >= 0; axis--) {
    index.unshift(rest % x.shape[axis]!)
    rest = Math.floor(rest / x.shape[axis]!)
  }
  return `[${index.join(', ')}]`
}

function compare(op: string, mode: string, { xs }: Point, ys: readonly Tensor[], got: Jacobians, want: Jacobians, atol: number, rtol: number): number {
  let worst = 0
  for (const [k, y] of ys.entries()) {
    for (const [i, x] of xs.entries()) {
      for (const [at, value] of got[k]![i]!.entries()) {
        const expected = want[k]![i]![at]!
        const off = Math.abs(value - expected)
        const error = value === expected ? 0 : off / (atol + rtol * Math.abs(expected))
        if (!(error <= 1)) {
          fail('grad', op, `∂(result ${k}${place(y, Math.floor(at / x.size))})/∂(input ${i}${place(x, at % x.size)}) is ${value} by ${mode} mode and ${expected} by a central difference: off by ${off.toPrecision(3)}, allowed ${(atol + rtol * Math.abs(expected)).toPrecision(3)}. Correct the rule, or move the point away from a kink`)
        }
        worst = Math.max(worst, error)
      }
    }
  }
  return worst
}

/**
 * Compares the Jacobians of `f` by reverse and forward mode with central differences, for every element of every
 * floating-point result and input. Inputs are converted to float64; others are held fixed. Throws an error that names the
 * worst kind of place: which result element by which input element, by which mode, and by how much it is off.
 *
 * @example
 * ```ts
 * import { gradcheck, mul, tensor } from '@bp/core'
 * const { derivatives, worst } = await gradcheck((x, y) => mul(x, y), [tensor([1, 2]), tensor([3, 4])])
 * derivatives // => 16
 * worst < 1 // => true
 * ```
 */
export async function gradcheck(f: TensorFunction, inputs: readonly Tensor[], options: GradcheckOptions = {}): Promise<GradcheckReport> {
  return check('gradcheck', f, inputs, options)
}

async function check(op: string, f: TensorFunction, inputs: readonly Tensor[], { eps = 1e-6, atol = 1e-5, rtol = 1e-3, modes = ['reverse', 'forward'] }: GradcheckOptions): Promise<GradcheckReport> {
  const point = await pointOf(f, inputs)
  const ys = point.f(point.xs)
  const want = await numerical(point, ys, eps)
  let worst = 0
  for (const mode of modes) worst = Math.max(worst, compare(op, mode, point, ys, await (mode === 'reverse' ? reverse : forward)(point, ys), want, atol, rtol))
  const pairs = ys.reduce((n, y) => n + y.size, 0) * point.xs.reduce((n, x) => n + x.size, 0)
  return { derivatives: pairs * modes.length, worst }
}

/**
 * The same for second derivatives: {@link gradcheck} of the gradient of ⟨ct, f(x)⟩, as a function of x and of ct, which is
 * fixed and irregular.
 *
 * @example
 * ```ts
 * import { gradgradcheck, mul, tensor } from '@bp/core'
 * const { worst } = await gradgradcheck(x => mul(mul(x, x), x), [tensor([1, 2])])
 * worst < 1 // => true
 * ```
 */
export async function gradgradcheck(f: TensorFunction, inputs: readonly Tensor[], options: GradcheckOptions = {}): Promise<GradcheckReport> {
  const point = await pointOf(f, inputs)
  const cts = point.f(point.xs).map((y, k) => tensor(Float64Array.from({ length: y.size }, (_, i) => Math.sin(1 + 2.3 * i + 0.7 * k)), { shape: y.shape, dtype: 'float64', backend: y.backend }))
  const count = point.xs.length
  const gradient = (...both: Tensor[]): Tensor[] => vjp((...xs: Tensor[]) => point.f(xs), both.slice(0, count))[1](both.slice(count))
  return check('gradgradcheck', gradient, [...point.xs, ...cts], options)
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
export async function numericalJacobian(f: (x: Tensor) => Tensor, x: Tensor, { eps = 1e-6 }: { readonly eps?: number } = {}): Promise<Tensor> {
  const point = await pointOf(z => f(z), [x])
  const [y] = point.f(point.xs)
  const [[values]] = await numerical(point, [y!], eps) as [[Float64Array]]
  return tensor(values, { shape: [...y!.shape, ...x.shape], backend: x.backend })
}
