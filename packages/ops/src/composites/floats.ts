// What floating-point numbers are made of: sign, exponent and fraction, infinities and NaN.

import { mul, type Tensor, type TensorLike } from '@bp/core'
import { Aval, bind, defineOp, isFloat, toTensor } from '@bp/core/extend'
import { abs, div, inferFloat, neg, sub } from '../rows/arithmetic.ts'
import { cast, equal, less, logicalOr, notEqual, select } from '../rows/compare.ts'
import { trunc } from '../rows/division.ts'
import { pow } from '../rows/exponential.ts'
import { hostMap } from '../rows/specialHost.ts'

/** y = e, where x = m·2ᵉ with ½ ≤ |m| < 1; 0 for 0, infinities and NaN */
export const exponentRow = /* @__PURE__ */ defineOp({
  name: 'exponent', arity: 1, fuse: 'map', infer: ([x]) => new Aval(inferFloat('frexp', x).shape, 'int32'), diff: { kind: 'zero' },
  host: /* @__PURE__ */ hostMap(exponentOf),
})

function exponentOf(x: number): number {
  const a = Math.abs(x)
  if (!(a > 0) || a === Infinity) return 0
  if (a < 2 ** -1000) return exponentOf(a * 2 ** 54) - 54
  // the logarithm may be rounded across a power of two
  const e = Math.floor(Math.log2(a)) + 1
  const fraction = a * 2 ** -e
  return fraction >= 1 ? e + 1 : fraction < 0.5 ? e - 1 : e
}

/**
 * x as m·2ᵉ with ½ ≤ |m| < 1: the fraction m, and the exponent e as int32. Zeros, infinities and NaN are their own
 * fraction.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { frexp } from '@bp/ops'
 * frexp(tensor([10, -0.25])) // => [tensor([0.625, -0.5], float32), tensor([4, -1], int32)]
 * ```
 */
export function frexp(x: Tensor): [fraction: Tensor, exponent: Tensor] {
  const exponent = bind(exponentRow, [x], undefined)
  const half = div(exponent, 2)
  // in two steps, for 2^−e may overflow
  return [ldexp(ldexp(x, neg(half)), sub(half, exponent)), exponent]
}

/**
 * x·2ᵉ.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { ldexp } from '@bp/ops'
 * ldexp(tensor([0.625, -0.5]), tensor([4, -1])) // => tensor([10, -0.25], float32)
 * ```
 */
export function ldexp(x: Tensor, exponent: TensorLike): Tensor {
  const e = toTensor(exponent, x)
  return mul(x, pow(2, isFloat(e.dtype) ? e : cast(e, x.dtype)))
}

/**
 * aᵇ computed in float64, whatever the operands are.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { floatPower } from '@bp/ops'
 * floatPower(tensor([2, 3], { dtype: 'int32' }), -1) // => tensor([0.5, 0.333333333333], float64)
 * ```
 */
export function floatPower(a: TensorLike, b: TensorLike): Tensor {
  const double = (x: TensorLike): TensorLike => typeof x === 'number' ? x : cast(x, 'float64')
  return pow(double(a), double(b))
}

/**
 * Whether the sign bit is set: below 0, or −0. Of NaN the sign is not told apart.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { signBit } from '@bp/ops'
 * signBit(tensor([-1, -0, 0, 1])) // => tensor([true, true, false, false], bool)
 * ```
 */
export function signBit(x: Tensor): Tensor {
  const negative = less(x, 0)
  return isFloat(x.dtype) ? logicalOr(negative, equal(div(1, x), -Infinity)) : negative
}

/**
 * |a| with the sign of b, elementwise with broadcasting; −0 counts as negative.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { copysign } from '@bp/ops'
 * copysign(tensor([1, -2]), tensor([-3, 4])) // => tensor([-1, 2], float32)
 * ```
 */
export function copysign(a: TensorLike, b: TensorLike): Tensor {
  const like = toTensor(b, a)
  const size = abs(toTensor(a, like))
  return select(signBit(like), neg(size), size)
}

/**
 * Whether x is NaN.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { isNan } from '@bp/ops'
 * isNan(tensor([1, NaN])) // => tensor([false, true], bool)
 * ```
 */
export const isNan = (x: Tensor): Tensor => notEqual(x, x)

/**
 * Whether x is ∞ or −∞.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { isInf } from '@bp/ops'
 * isInf(tensor([1, -Infinity, NaN])) // => tensor([false, true, false], bool)
 * ```
 */
export const isInf = (x: Tensor): Tensor => isFloat(x.dtype) ? equal(abs(x), Infinity) : notEqual(x, x)

/**
 * Whether x is a number, neither infinite nor NaN.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { isFinite } from '@bp/ops'
 * isFinite(tensor([1, -Infinity, NaN])) // => tensor([true, false, false], bool)
 * ```
 */
export const isFinite = (x: Tensor): Tensor => isFloat(x.dtype) ? less(abs(x), Infinity) : equal(x, x)

/** Options of {@link nanToNum}. */
export interface NanToNumOptions {
  readonly nan?: number
  /** Stands for ∞; the dtype's largest number unless given. */
  readonly posInf?: number
  /** Stands for −∞; the dtype's lowest number unless given. */
  readonly negInf?: number
}

/**
 * x with finite numbers for NaN (0 unless given) and infinities. The derivative is 1 where x was finite, else 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { nanToNum } from '@bp/ops'
 * nanToNum(tensor([1, NaN, Infinity]), { posInf: 9 }) // => tensor([1, 0, 9], float32)
 * ```
 */
export function nanToNum(x: Tensor, { nan = 0, posInf, negInf }: NanToNumOptions = {}): Tensor {
  if (!isFloat(x.dtype)) return x
  const largest = x.dtype === 'float64' ? Number.MAX_VALUE : x.dtype === 'float32' ? (2 - 2 ** -23) * 2 ** 127 : 65504
  const finite = select(equal(x, Infinity), posInf ?? largest, select(equal(x, -Infinity), negInf ?? -largest, x))
  return select(isNan(x), nan, finite)
}

/**
 * What follows the point, with the sign of x.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { frac } from '@bp/ops'
 * frac(tensor([1.25, -1.25])) // => tensor([0.25, -0.25], float32)
 * ```
 */
export const frac = (x: Tensor): Tensor => sub(x, trunc(x))
