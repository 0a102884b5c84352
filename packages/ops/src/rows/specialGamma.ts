// The logarithm of the gamma function and its derivatives, to double precision.

import { add, type Tensor } from '@bp/core'
import { bind, defineOp, fail, toFloat } from '@bp/core/extend'
import { inferFloat } from './arithmetic.ts'
import { hostMap, sinPi } from './specialHost.ts'

/* (−1)ⁿ(ζ(n) − 1)/n from n = 2 on: the series of log Γ(2 + z) about 2 (Abramowitz & Stegun 1964, 6.1.33). */
const aboutTwo = [
  0.3224670334241132, -0.0673523010531981, 0.020580808427784546, -0.007385551028673986, 0.0028905103307415234, -0.001192753911703261,
  0.0005096695247430425, -0.00022315475845357939, 9.945751278180853e-5, -4.492623673813314e-5, 2.050721277567069e-5, -9.439488275268397e-6,
  4.374866789907488e-6, -2.039215753801366e-6, 9.55141213040742e-7, -4.492469198764566e-7, 2.1207184805554665e-7, -1.0043224823968099e-7,
  4.7698101693639804e-8, -2.2711094608943164e-8, 1.0838659214896955e-8, -5.183475041970047e-9, 2.4836745438024785e-9, -1.1921401405860912e-9,
  5.731367241678862e-10, -2.7595228851242334e-10,
]

const oneMinusEuler = 0.42278433509846713

/** The Bernoulli numbers B₂, B₄, … */
const bernoulli = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330, 854513 / 138, -236364091 / 2730, 8553103 / 6]

/** log Γ(2 + z) for |z| ≤ ½ */
const nearTwo = (z: number): number => z * (oneMinusEuler + z * aboutTwo.reduceRight((sum, c) => sum * z + c, 0))

/**
 * log |Γ(x)|: the series about 2, to which recurrence leads from (0, 10), Stirling's series beyond, and the reflection
 * Γ(x)Γ(1 − x) = π/sin πx on the left (Abramowitz & Stegun 1964, 6.1.15, 6.1.17, 6.1.41). Exact to rounding near its
 * zeros at 1 and 2; near those on the left, to rounding of 1.
 */
function logGamma(x: number): number {
  if (x < 0.5) {
    if (x > -0.5) return nearTwo(x) - Math.log1p(x) - Math.log(Math.abs(x))
    return x === Math.floor(x) ? Infinity : Math.log(Math.PI / Math.abs(sinPi(x))) - logGamma(1 - x)
  }
  if (x < 1.5) return nearTwo(x - 1) - Math.log1p(x - 1)
  if (x >= 10) return x === Infinity ? x : (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + stirling(x)
  let [z, product] = [x, 1]
  while (z > 2.5) product *= --z
  return nearTwo(z - 2) + Math.log(product)
}

/** Σ B₂ₖ/(2k(2k − 1)x²ᵏ⁻¹) */
const stirling = (x: number): number => bernoulli.slice(0, 8).reduceRight((sum, b, i) => sum / (x * x) + b / ((2 * i + 2) * (2 * i + 1)), 0) / x

/** The parameters of {@link polygammaRow}. */
export interface PolygammaParams {
  /** Which derivative of the digamma function. */
  readonly n: number
}

/** ψ⁽ⁿ⁾(x), by reflection where x < 0: (−1)ⁿψ⁽ⁿ⁾(1 − x) − ψ⁽ⁿ⁾(x) = dⁿ/dxⁿ π·cot πx (Abramowitz & Stegun 1964, 6.4.7). */
function polygammaOf(x: number, { n }: PolygammaParams): number {
  if (Number.isNaN(x)) return x
  if (x === 0) return n === 0 ? -1 / x : n % 2 === 1 ? Infinity : -Infinity
  if (x > 0) return n === 0 ? digammaOf(x) : (n % 2 === 1 ? 1 : -1) * factorial(n) * hurwitz(n + 1, x)
  if (x === Math.floor(x)) return n === 0 ? NaN : n % 2 === 1 ? Infinity : -Infinity
  return (n % 2 === 0 ? 1 : -1) * polygammaOf(1 - x, { n }) - cotangent(n, x)
}

/** ψ(x) for x > 0: log x − 1/2x − Σ B₂ₖ/(2k·x²ᵏ), after recurrence to x ≥ 10 (Abramowitz & Stegun 1964, 6.3.5, 6.3.18). */
function digammaOf(x: number): number {
  let shifted = 0
  for (; x < 10; x++) shifted -= 1 / x
  return shifted + Math.log(x) - 0.5 / x - bernoulli.slice(0, 8).reduceRight((sum, b, i) => (sum + b / (2 * i + 2)) / (x * x), 0)
}

/** ζ(s, x) = Σ (x + k)⁻ˢ for x > 0 and whole s > 1, its tail by Euler and Maclaurin's sum (DLMF 25.11.28). */
function hurwitz(s: number, x: number): number {
  let sum = 0
  for (; x < s + 9; x++) sum += x ** -s
  const power = x ** -s
  let [term, tail] = [power * s / x, 0]
  bernoulli.forEach((b, i) => {
    tail += term * b / factorial(2 * i + 2)
    term *= (s + 2 * i + 1) * (s + 2 * i + 2) / (x * x)
  })
  return sum + (x === Infinity ? 0 : power * x / (s - 1) + power / 2 + tail)
}

/** dⁿ/dxⁿ π·cot πx, as a polynomial in c = cot πx: d/dx P(c) = −π(1 + c²)P′(c). */
function cotangent(n: number, x: number): number {
  const c = sinPi(x + 0.5) / sinPi(x)
  let polynomial = [0, Math.PI]
  for (let k = 0; k < n; k++) {
    const next = new Array<number>(polynomial.length + 1).fill(0)
    polynomial.forEach((a, i) => {
      if (i > 0) next[i - 1]! -= Math.PI * i * a
      next[i + 1]! -= Math.PI * i * a
    })
    polynomial = next
  }
  return polynomial.reduceRight((sum, a) => sum * c + a)
}

function factorial(n: number): number {
  let product = 1
  for (let k = 2; k <= n; k++) product *= k
  return product
}

/** y = log |Γ(x)|,   dy/dx = ψ(x) */
export const lgammaRow = /* @__PURE__ */ defineOp({
  name: 'lgamma', arity: 1, fuse: 'map', saves: 'x', infer: ([x]) => inferFloat('lgamma', x), host: /* @__PURE__ */ hostMap(logGamma),
  diff: { kind: 'map', d: [x => digamma(x)] },
})

/** y = ψ⁽ⁿ⁾(x),   dy/dx = ψ⁽ⁿ⁺¹⁾(x) */
export const polygammaRow = /* @__PURE__ */ defineOp({
  name: 'polygamma', arity: 1, fuse: 'map', saves: 'x', infer: ([x], _p: PolygammaParams) => inferFloat('polygamma', x), host: /* @__PURE__ */ hostMap(polygammaOf),
  diff: { kind: 'map', d: [(x, _y, { n }) => polygamma(n + 1, x)] },
})

/**
 * log |Γ(x)|; ∞ at 0 and the negative whole numbers.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { lgamma } from '@bp/ops'
 * lgamma(tensor([0.5, 5])) // => tensor([0.572365, 3.17805], float32)
 * ```
 */
export const lgamma = (x: Tensor): Tensor => bind(lgammaRow, [toFloat(x)], undefined)

/**
 * ψ(x), the derivative of log Γ(x); ∓∞ at ±0, NaN at the negative whole numbers.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { digamma } from '@bp/ops'
 * digamma(tensor([1, 10])) // => tensor([-0.577216, 2.25175], float32)
 * ```
 */
export const digamma = (x: Tensor): Tensor => polygamma(0, x)

/**
 * ψ⁽ⁿ⁾(x), the n-th derivative of {@link digamma}; throws where n is no whole number ≥ 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { polygamma } from '@bp/ops'
 * polygamma(1, tensor([1, 2])) // => tensor([1.64493, 0.644934], float32)
 * ```
 */
export function polygamma(n: number, x: Tensor): Tensor {
  if (!Number.isInteger(n) || n < 0) fail('value', 'polygamma', `n must be a whole number ≥ 0, got ${n}`)
  return bind(polygammaRow, [x], { n })
}

/**
 * The logarithm of the multivariate gamma function of dimension p, log Γₚ(x) = p(p − 1)/4 · log π + Σᵢ log Γ(x − i/2) for
 * i < p (Muirhead 1982, theorem 2.1.12). Throws where p is no whole number ≥ 1.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { mvlgamma } from '@bp/ops'
 * mvlgamma(tensor([3, 4]), 2) // => tensor([1.55019, 3.5651], float32)
 * ```
 */
export function mvlgamma(x: Tensor, p: number): Tensor {
  if (!Number.isInteger(p) || p < 1) fail('value', 'mvlgamma', `p must be a whole number ≥ 1, got ${p}`)
  const terms = Array.from({ length: p }, (_, i) => lgamma(add(x, -i / 2)))
  return add(terms.reduce((a, b) => add(a, b)), p * (p - 1) / 4 * Math.log(Math.PI))
}
