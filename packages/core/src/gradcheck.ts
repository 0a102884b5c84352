// gradcheck: derivatives of any function against central differences, element by element, in float64.

import { tensor } from './create.ts'
import { fail } from './errors.ts'
import { vjp } from './grad.ts'
import { jvp } from './jvp.ts'
import { byColumn, type Jacobians, numbers, numericalJacobians, type NumericalOptions, type Point, pointOf, type TensorFunction } from './numerical.ts'
import type { Tensor } from './tensor.ts'
import { zerosLike } from './vector.ts'

/** Options of {@link gradcheck} and {@link gradgradcheck}. */
export interface GradcheckOptions extends NumericalOptions {
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

const unit = (like: Tensor, at: number): Tensor => tensor(new Float64Array(like.size).fill(1, at, at + 1), { shape: like.shape, dtype: like.dtype, backend: like.backend })

const forward = (point: Point): Promise<Jacobians> => byColumn(point, async (i, j) => {
  const [, dys] = jvp((...xs: Tensor[]) => point.f(xs), [...point.xs], point.xs.map((x, k) => k === i ? unit(x, j) : zerosLike(x)))
  return Promise.all(dys.map(numbers))
})

async function reverse({ xs, ys, f }: Point): Promise<Jacobians> {
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

function place(x: Tensor, flat: number): string {
  const index: number[] = []
  let rest = flat
  for (let axis = x.rank - 1; axis >= 0; axis--) {
    index.unshift(rest % x.shape[axis]!)
    rest = Math.floor(rest / x.shape[axis]!)
  }
  return `[${index.join(', ')}]`
}

/** The largest error relative to what is allowed (NaN counts as the largest); throws where that is more than 1. */
function compare(op: string, mode: string, { xs, xNames, ys, yNames }: Point, got: Jacobians, want: Jacobians, atol: number, rtol: number): number {
  let worst = 0
  let message = ''
  ys.forEach((y, k) => {
    xs.forEach((x, i) => {
      got[k]![i]!.forEach((value, at) => {
        const expected = want[k]![i]![at]!
        const off = value === expected ? 0 : Math.abs(value - expected)
        const allowed = atol + rtol * Math.abs(expected)
        const error = off === 0 ? 0 : Number.isFinite(off) ? off / allowed : Infinity
        if (error <= worst) return
        worst = error
        message = `∂(${yNames[k]}${place(y, Math.floor(at / x.size))})/∂(${xNames[i]}${place(x, at % x.size)}) is ${value} by ${mode} mode and ${expected} by a central difference: off by ${off.toPrecision(3)}, allowed ${allowed.toPrecision(3)}. Correct the rule, or move the point away from a kink`
      })
    })
  })
  if (worst > 1) fail('grad', op, message)
  return worst
}

async function check(op: string, point: Point, { eps = 1e-6, atol = 1e-5, rtol = 1e-3, modes = ['reverse', 'forward'] }: GradcheckOptions): Promise<GradcheckReport> {
  const want = await numericalJacobians(point, eps)
  let worst = 0
  for (const mode of modes) worst = Math.max(worst, compare(op, mode, point, await (mode === 'reverse' ? reverse : forward)(point), want, atol, rtol))
  const pairs = point.ys.reduce((n, y) => n + y.size, 0) * point.xs.reduce((n, x) => n + x.size, 0)
  return { derivatives: pairs * modes.length, worst }
}

/**
 * Compares the Jacobians of `f` by reverse and forward mode with central differences, for every element of every
 * floating-point result and input. Inputs are converted to float64; others are held fixed. Throws where a derivative is off by
 * more than atol + rtol·|difference|, and names the worst: which result element by which input element, in which mode, the
 * two values and by how much they differ. Also throws where no input or no result is floating-point.
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
  return check('gradcheck', await pointOf('gradcheck', f, inputs), options)
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
  const first = await pointOf('gradgradcheck', f, inputs)
  const count = first.xs.length
  const cts = first.ys.map((y, k) => tensor(Float64Array.from({ length: y.size }, (_, i) => Math.sin(1 + 2.3 * i + 0.7 * k)), { shape: y.shape, dtype: y.dtype, backend: y.backend }))
  const gradient = (both: readonly Tensor[]): Tensor[] => vjp((...xs: Tensor[]) => first.f(xs), both.slice(0, count))[1](both.slice(count))
  const xs = [...first.xs, ...cts]
  return check('gradgradcheck', {
    xs,
    xNames: [...first.xNames, ...first.yNames.map(name => `cotangent of ${name}`)],
    ys: gradient(xs),
    yNames: first.xNames.map(name => `gradient by ${name}`),
    f: gradient,
  }, options)
}
