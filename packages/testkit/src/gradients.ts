// checkGradients: a user's own function against central differences.

import { type DType, tensor, type Tensor, vjp } from '@bp/core'
import { isFloat } from '@bp/core/extend'
import { indexOf, LawError } from './error.ts'
import { direction } from './sample.ts'
import { numbers } from './subject.ts'

/** Options of {@link checkGradients}. */
export interface CheckOptions {
  /** The type to compute in; float64 unless given. Inputs are converted. */
  readonly dtype?: DType
  /** The step of the central difference; 1e-5 unless given. */
  readonly step?: number
  /** The error allowed, relative to the largest derivative (at least 1); 1e-6 unless given. */
  readonly tolerance?: number
}

/** The element whose derivative is the worst. */
export interface GradientReport {
  /** Which input. */
  readonly input: number
  /** Where in it, as `[1, 2]`. */
  readonly index: string
  /** What backward gives. */
  readonly derivative: number
  /** What the central difference gives. */
  readonly expected: number
  readonly error: number
}

/**
 * Compares the gradients of `f` with central differences, one element of the inputs after the other, in float64. The
 * result of `f` need not be a scalar: it is weighted with fixed random numbers. Returns the worst element, or throws a
 * {@link LawError} that names it where it is off by more than `tolerance`.
 *
 * @example
 * ```ts
 * import { mul, tensor } from '@bp/core'
 * import { checkGradients } from '@bp/testkit'
 * const { error } = await checkGradients(x => mul(x, x), [tensor([1, 2])])
 * error < 1e-6 // => true
 * ```
 */
export async function checkGradients(f: (...xs: Tensor[]) => Tensor, inputs: readonly Tensor[], options: CheckOptions = {}): Promise<GradientReport> {
  const { dtype = 'float64', step = 1e-5, tolerance = 1e-6 } = options
  const values = await Promise.all(inputs.map(numbers))
  const at = (i: number, j: number, h: number): Tensor[] => inputs.map((x, k) => tensor(
    k === i ? values[k]!.map((value, l) => l === j ? value + h : value) : values[k]!,
    { shape: x.shape, dtype: isFloat(x.dtype) ? dtype : x.dtype, backend: x.backend },
  ))
  const point = at(-1, -1, 0)
  const moving = point.map(x => isFloat(x.dtype))
  const [y, pullback] = vjp((...xs: Tensor[]) => {
    let next = 0
    return f(...point.map((x, i) => moving[i] ? xs[next++]! : x))
  }, point.filter((_, i) => moving[i]))
  const weights = direction('checkGradients', y)
  const w = await numbers(weights)
  const loss = async (xs: Tensor[]): Promise<number> => (await numbers(f(...xs))).reduce((sum, value, i) => sum + value * w[i]!, 0)
  const found = pullback(weights)
  let report: GradientReport = { input: 0, index: '[]', derivative: 0, expected: 0, error: 0 }
  let scale = 1
  let next = 0
  for (const [i, x] of point.entries()) {
    if (!moving[i]) continue
    const derivatives = await numbers(found[next++]!)
    for (const [j, derivative] of derivatives.entries()) {
      const expected = (await loss(at(i, j, step)) - await loss(at(i, j, -step))) / (2 * step)
      const error = derivative === expected ? 0 : Math.abs(derivative - expected)
      scale = Math.max(scale, Number.isFinite(expected) ? Math.abs(expected) : 0)
      if (!(error <= report.error)) report = { input: i, index: indexOf(x.shape, j), derivative, expected, error: Number.isNaN(error) ? Infinity : error }
    }
  }
  if (report.error > tolerance * scale) {
    throw new LawError(`checkGradients: the derivative by element ${report.index} of input ${report.input} is ${report.derivative}, a central difference gives ${report.expected} (off by ${report.error.toExponential(1)}, allowed ${(tolerance * scale).toExponential(1)})`)
  }
  return report
}
