// The modified Bessel functions of the first kind, of whole order, and the sinc function, to double precision.

import { add, mul, type Tensor } from '@bp/core'
import { bind, defineOp } from '@bp/core/extend'
import { inferFloat, sign, sub } from './arithmetic.ts'
import { hostMap, sinPi } from './specialHost.ts'

/** The parameters of {@link besselIRow}. */
export interface BesselParams {
  /** A whole number ≥ 0. */
  readonly order: number
  /** Multiplies by e^(−|x|). */
  readonly scaled: boolean
}

/** Iₙ(x) or e^(−|x|)·Iₙ(x): its power series, whose terms have one sign, or for large x its asymptotic one. */
function besselIOf(x: number, { order, scaled }: BesselParams): number {
  const a = Math.abs(x)
  const size = a > Math.max(25, order * order / 2) ? asymptotic(a, order, scaled) : powers(a, order) * (scaled ? Math.exp(-a) : 1)
  return x < 0 && order % 2 === 1 ? -size : size
}

/** Σ (x/2)²ᵏ⁺ⁿ / (k!(k + n)!) (Abramowitz & Stegun 1964, 9.6.10) */
function powers(x: number, n: number): number {
  const quarter = x * x / 4
  let term = 1
  for (let k = 1; k <= n; k++) term *= x / 2 / k
  let sum = term
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= quarter / (k * (k + n))
    sum += term
  }
  return Number.isNaN(x) ? x : sum
}

/** eˣ/√(2πx) · Σ (−1)ᵏ Π (4n² − (2j − 1)²)/(8jx) (Abramowitz & Stegun 1964, 9.7.1) */
function asymptotic(x: number, n: number, scaled: boolean): number {
  let [term, sum] = [1, 1]
  for (let k = 1; k < 60 && Math.abs(term) > 1e-17; k++) {
    term *= -(4 * n * n - (2 * k - 1) ** 2) / (8 * k * x)
    sum += term
  }
  const front = sum / Math.sqrt(2 * Math.PI * x)
  // halves keep e^x from overflowing before the result does
  return scaled ? front : x === Infinity ? x : Math.exp(x / 2) * front * Math.exp(x / 2)
}

/** y = Iₙ(x),   dy/dx = (Iₙ₋₁ + Iₙ₊₁)/2, less y·sign x where scaled; I₋₁ = I₁ */
export const besselIRow = /* @__PURE__ */ defineOp({
  name: 'besselI', arity: 1, fuse: 'map', saves: 'xy', infer: ([x], _p: BesselParams) => inferFloat('besselI', x), host: /* @__PURE__ */ hostMap(besselIOf),
  diff: { kind: 'map', d: [(x, y, { order, scaled }) => {
    const next = besselI(x, order + 1, scaled)
    const slope = order === 0 ? next : mul(0.5, add(besselI(x, order - 1, scaled), next))
    return scaled ? sub(slope, mul(sign(x), y)) : slope
  }] },
})

const besselI = (x: Tensor, order: number, scaled: boolean): Tensor => bind(besselIRow, [x], { order, scaled })

/** The parameters of {@link sincRow}. */
export interface SincParams {
  /** Which derivative. */
  readonly order: number
}

/**
 * dⁿ/dxⁿ sin(πx)/(πx), from z = πx: yₙ = (sin(z + nπ/2) − n·yₙ₋₁)/z, which cancels for small z, where it is the Taylor
 * series Σ (−1)ʲ z²ʲ⁻ⁿ / ((2j + 1)(2j − n)!).
 */
function sincOf(x: number, { order }: SincParams): number {
  const z = Math.PI * x
  if (Math.abs(z) === Infinity) return 0
  const [sine, cosine] = [sinPi(x), sinPi(x + 0.5)]
  const waves = [sine, cosine, -sine, -cosine]
  let y = sine / z
  if (Math.abs(z) < 1 + order) y = sincSeries(z, order)
  else for (let n = 1; n <= order; n++) y = (waves[n % 4]! - n * y) / z
  return y * Math.PI ** order
}

function sincSeries(z: number, n: number): number {
  const first = Math.ceil(n / 2)
  let term = (first % 2 === 0 ? 1 : -1) * (2 * first === n ? 1 : z)
  let sum = 0
  for (let j = first; j < first + 40; j++) {
    sum += term / (2 * j + 1)
    term *= -z * z / ((2 * j + 1 - n) * (2 * j + 2 - n))
  }
  return sum
}

/** y = dⁿ/dxⁿ sin(πx)/(πx),   dy/dx = the next derivative */
export const sincRow = /* @__PURE__ */ defineOp({
  name: 'sinc', arity: 1, fuse: 'map', saves: 'x', infer: ([x], _p: SincParams) => inferFloat('sinc', x), host: /* @__PURE__ */ hostMap(sincOf),
  diff: { kind: 'map', d: [(x, _y, { order }) => sincDerivative(x, order + 1)] },
})

const sincDerivative = (x: Tensor, order: number): Tensor => bind(sincRow, [x], { order })

/**
 * The modified Bessel function I₀(x).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { i0 } from '@bp/ops'
 * i0(tensor([0, 2])) // => tensor([1, 2.27959], float32)
 * ```
 */
export const i0 = (x: Tensor): Tensor => besselI(x, 0, false)

/**
 * e^(−|x|)·I₀(x), which does not overflow.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { i0e } from '@bp/ops'
 * i0e(tensor([0, 1000])) // => tensor([1, 0.0126172], float32)
 * ```
 */
export const i0e = (x: Tensor): Tensor => besselI(x, 0, true)

/**
 * The modified Bessel function I₁(x).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { i1 } from '@bp/ops'
 * i1(tensor([0, 2])) // => tensor([0, 1.59064], float32)
 * ```
 */
export const i1 = (x: Tensor): Tensor => besselI(x, 1, false)

/**
 * e^(−|x|)·I₁(x), which does not overflow.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { i1e } from '@bp/ops'
 * i1e(tensor([0, 1000])) // => tensor([0, 0.0126109], float32)
 * ```
 */
export const i1e = (x: Tensor): Tensor => besselI(x, 1, true)

/**
 * sin(πx)/(πx), and 1 at 0; its derivatives of every order are accurate there too.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { sinc } from '@bp/ops'
 * sinc(tensor([0, 0.5, 1])) // => tensor([1, 0.63662, 0], float32)
 * ```
 */
export const sinc = (x: Tensor): Tensor => sincDerivative(x, 0)
