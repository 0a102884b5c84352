// Discrete Fourier transforms of any length, as products with small matrices, so that they differentiate and compile.

import { add, full, mul, type Tensor, tensor } from '@bp/core'
import { concat, matmul, narrow, neg, reshape, sub, transpose } from '@bp/ops'
import { entries } from '../import/budget.ts'

/** A complex tensor by its parts; `im` is `null` where it is real. */
export interface Complex {
  readonly re: Tensor
  readonly im: Tensor | null
}

/* Up to this length, one product is the fastest; beyond it, a length with no factor below is transformed by a convolution. */
const mostDirect = 48
const mostPrime = 512

/**
 * X[k] = Σₙ x[n]·e^(∓2πikn/N) along the last axis, of any length N ≥ 1; `sign` −1 is the transform, 1 its inverse before the
 * division by N. N = r·m is done as m-point and r-point transforms (Cooley & Tukey 1965); large primes as a convolution
 * (Bluestein 1970).
 */
export function fourier(x: Complex, sign: 1 | -1): Complex {
  const n = x.re.shape.at(-1)!
  if (n <= mostDirect) return times(x, matrix(n, n, n, sign, x.re))
  const r = factorOf(n)
  if (r === 1) return n <= mostPrime ? times(x, matrix(n, n, n, sign, x.re)) : chirped(x, n, sign)
  const m = n / r
  const lead = x.re.shape.slice(0, -1)
  // n = r·j + i and k = k₁ + m·k₂:  X = Σᵢ e^(2πi·i·k₂/r) e^(2πi·i·k₁/N) Σⱼ x e^(2πi·j·k₁/m)
  const order = [...lead.keys(), lead.length + 1, lead.length]
  const split = parts(x, part => transpose(reshape(part, [...lead, m, r]), order))
  const inner = fourier(split, sign)
  const outer = product(matrix(r, r, r, sign, x.re), scale(inner, matrix(r, m, n, sign, x.re)))
  return parts(outer, part => reshape(part, [...lead, n]))
}

/** The largest divisor up to the square root. */
function factorOf(n: number): number {
  for (let r = Math.floor(Math.sqrt(n)); r > 1; r--) if (n % r === 0) return r
  return 1
}

/** e^(sign·2πi·jk/n) for j below `rows`, k below `columns`. */
function matrix(rows: number, columns: number, n: number, sign: 1 | -1, like: Tensor): Complex {
  const angles = Array.from({ length: entries('DFT', rows * columns) }, (_, at) => sign * 2 * Math.PI * (Math.floor(at / columns) * (at % columns) % n) / n)
  return unit(angles, [rows, columns], like)
}

/** Numbers of length 1 by their angles. */
const unit = (angles: readonly number[], shape: readonly number[], { dtype, backend }: Tensor): { readonly re: Tensor; readonly im: Tensor } => ({
  re: tensor(angles.map(Math.cos), { shape, dtype, backend }), im: tensor(angles.map(Math.sin), { shape, dtype, backend }),
})

/** The same of both parts, for what is linear. */
export const parts = ({ re, im }: Complex, f: (part: Tensor) => Tensor): Complex => ({ re: f(re), im: im && f(im) })

/** (a + ib)·(c + id) = ac − bd + i(ad + bc), where `f` is any product. */
function multiplied(a: Complex, b: Complex, f: (a: Tensor, b: Tensor) => Tensor): Complex {
  const re = f(a.re, b.re)
  const [cross, other] = [b.im && f(a.re, b.im), a.im && f(a.im, b.re)]
  return { re: a.im && b.im ? sub(re, f(a.im, b.im)) : re, im: cross && other ? add(cross, other) : cross ?? other }
}

const product = (a: Complex, b: Complex): Complex => multiplied(a, b, matmul)

const scale = (a: Complex, b: Complex): Complex => multiplied(a, b, mul)

const times = (x: Complex, w: Complex): Complex => {
  const lead = x.re.shape.slice(0, -1)
  if (lead.length > 0) return product(x, w)
  return parts(product(parts(x, part => reshape(part, [1, part.size])), w), part => reshape(part, [part.size]))
}

/** X[k] = w[k] Σₙ (x[n]·w[n])·w̄[k − n] with w[n] = e^(∓πin²/N), for kn = (k² + n² − (k − n)²)/2: a circular convolution. */
function chirped(x: Complex, n: number, sign: 1 | -1): Complex {
  const size = 2 ** Math.ceil(Math.log2(2 * n - 1))
  const angle = (i: number): number => sign * Math.PI * (i * i % (2 * n)) / n
  entries('DFT', size + n)
  const chirp = unit(Array.from({ length: n }, (_, i) => angle(i)), [n], x.re)
  const places = Array.from({ length: size }, (_, i) => Math.min(i, size - i))
  const turned = unit(places.map(i => i < n ? -angle(i) : 0), [size], x.re)
  const inside = tensor(places.map(i => i < n ? 1 : 0), { dtype: x.re.dtype, backend: x.re.backend })
  const filter = fourier(parts(turned, part => mul(part, inside)), -1)
  const signal = parts(scale(x, chirp), part => extended(part, -1, size))
  const convolved = parts(fourier(scale(fourier(signal, -1), filter), 1), part => narrow(mul(part, 1 / size), -1, 0, n))
  return scale(convolved, chirp)
}

/** An axis cut, or filled up with zeros, to a size. */
export function extended(x: Tensor, axis: number, size: number): Tensor {
  const at = axis < 0 ? axis + x.rank : axis
  const n = x.shape[at]!
  if (n >= size) return n === size ? x : narrow(x, at, 0, size)
  return concat([x, full(x.shape.with(at, size - n), 0, x.dtype, x.backend)], at)
}

/** The conjugate. */
export const conjugate = ({ re, im }: Complex): Complex => ({ re, im: im && neg(im) })
