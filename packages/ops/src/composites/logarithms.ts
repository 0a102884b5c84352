// Exponentials and logarithms to other bases, and the products and sums of logarithms that would cancel or overflow.

import { add, mul, type Tensor, type TensorLike } from '@bp/core'
import { bind, bindPair, defineOp, inferElementwise } from '@bp/core/extend'
import { abs, div, inferFloat, maximum, neg, sub } from '../rows/arithmetic.ts'
import { equal, less, lessEqual, logicalAnd, select } from '../rows/compare.ts'
import { exp, log, log1p, pow, sigmoid } from '../rows/exponential.ts'
import { clamp } from './activations.ts'

/** y = x·log z, 0 where x = 0,   ∂y/∂x = log z (0 where x = 0 and z ≤ 0),   ∂y/∂z = x/z */
export const xlogyRow = /* @__PURE__ */ defineOp({
  name: 'xlogy', arity: 2, fuse: 'map', saves: 'x', infer: ([x, z]) => inferElementwise('xlogy', x, z),
  diff: { kind: 'map', d: [
    (x, z) => select(logicalAnd(equal(x, 0), lessEqual(z, 0)), 0, log(z)),
    (x, z) => div(x, z),
  ] },
  decompose: ([x, z]) => select(logicalAnd(equal(x, 0), equal(z, z)), 0, mul(x, log(z))),
})

/** y = x·log(1 + z), 0 where x = 0,   ∂y/∂x = log(1 + z) (0 where x = 0 and z ≤ −1),   ∂y/∂z = x/(1 + z) */
export const xlog1pyRow = /* @__PURE__ */ defineOp({
  name: 'xlog1py', arity: 2, fuse: 'map', saves: 'x', infer: ([x, z]) => inferElementwise('xlog1py', x, z),
  diff: { kind: 'map', d: [
    (x, z) => select(logicalAnd(equal(x, 0), lessEqual(z, -1)), 0, log1p(z)),
    (x, z) => div(x, add(1, z)),
  ] },
  decompose: ([x, z]) => select(logicalAnd(equal(x, 0), equal(z, z)), 0, mul(x, log1p(z))),
})

/** y = log(eᵃ + eᵇ) = max + log(1 + e^−|a − b|),   ∂y/∂a = σ(a − b),   ∂y/∂b = σ(b − a) */
export const logAddExpRow = /* @__PURE__ */ defineOp({
  name: 'logAddExp', arity: 2, fuse: 'map', saves: 'x', infer: ([a, b]) => inferElementwise('logAddExp', a, b),
  diff: { kind: 'map', d: [(a, b) => share(a, b, 1), (a, b) => share(b, a, 1)] },
  decompose: ([a, b]) => select(equal(a, b), add(a, Math.LN2), add(maximum(a, b), log1p(exp(neg(abs(sub(a, b))))))),
})

/** y = log₂(2ᵃ + 2ᵇ),   ∂y/∂a = σ((a − b)·log 2),   ∂y/∂b = σ((b − a)·log 2) */
export const logAddExp2Row = /* @__PURE__ */ defineOp({
  name: 'logAddExp2', arity: 2, fuse: 'map', saves: 'x', infer: ([a, b]) => inferElementwise('logAddExp2', a, b),
  diff: { kind: 'map', d: [(a, b) => share(a, b, Math.LN2), (a, b) => share(b, a, Math.LN2)] },
  decompose: ([a, b]) => select(equal(a, b), add(a, 1), add(maximum(a, b), div(log1p(pow(2, neg(abs(sub(a, b))))), Math.LN2))),
})

/** The share of a in the sum; of two equal infinities, half. */
function share(a: Tensor, b: Tensor, scale: number): Tensor {
  const difference = sub(a, b)
  return sigmoid(mul(scale, select(equal(difference, difference), difference, select(equal(a, b), 0, difference))))
}

/** y = −x·log x for x ≥ 0, −∞ below,   dy/dx = −1 − log x */
export const entrRow = /* @__PURE__ */ defineOp({
  name: 'entr', arity: 1, fuse: 'map', saves: 'x', infer: ([x]) => inferFloat('entr', x),
  diff: { kind: 'map', d: [x => sub(-1, log(x))] },
  decompose: ([x]) => select(less(x, 0), -Infinity, select(equal(x, 0), 0, neg(mul(x, log(x))))),
})

/** y = log(x/(1 − x)), about ½ from 2x − 1, in which it is odd,   dy/dx = 1/(x(1 − x)) */
export const logitRow = /* @__PURE__ */ defineOp({
  name: 'logit', arity: 1, fuse: 'map', saves: 'x', infer: ([x]) => inferFloat('logit', x),
  diff: { kind: 'map', d: [x => div(1, mul(x, sub(1, x)))] },
  decompose: ([x]) => {
    const u = sub(mul(2, x), 1)
    return select(less(abs(u), 0.5), sub(log1p(u), log1p(neg(u))), sub(log(x), log1p(neg(x))))
  },
})

/**
 * 2ˣ.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { exp2 } from '@bp/ops'
 * exp2(tensor([3, -1])) // => tensor([8, 0.5], float32)
 * ```
 */
export const exp2 = (x: Tensor): Tensor => pow(2, x)

/**
 * The logarithm to base 2.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { log2 } from '@bp/ops'
 * log2(tensor([8, 0.5])) // => tensor([3, -1], float32)
 * ```
 */
export const log2 = (x: Tensor): Tensor => div(log(x), Math.LN2)

/**
 * The logarithm to base 10.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { log10 } from '@bp/ops'
 * log10(tensor([1, 1000])) // => tensor([0, 3], float32)
 * ```
 */
export const log10 = (x: Tensor): Tensor => div(log(x), Math.LN10)

/**
 * log(eᵃ + eᵇ), elementwise with broadcasting, without overflow.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { logAddExp } from '@bp/ops'
 * logAddExp(tensor([0, 1000]), tensor([0, 1000])) // => tensor([0.693147, 1000.69], float32)
 * ```
 */
export const logAddExp = (a: TensorLike, b: TensorLike): Tensor => bindPair(logAddExpRow, a, b)

/**
 * log₂(2ᵃ + 2ᵇ), elementwise with broadcasting, without overflow.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { logAddExp2 } from '@bp/ops'
 * logAddExp2(tensor([0, 2000]), tensor([0, 2000])) // => tensor([1, 2001], float32)
 * ```
 */
export const logAddExp2 = (a: TensorLike, b: TensorLike): Tensor => bindPair(logAddExp2Row, a, b)

/**
 * x·log y, and 0 where x is 0 whatever y is (but NaN): a term of a cross-entropy.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { xlogy } from '@bp/ops'
 * xlogy(tensor([0, 2]), tensor([0, 3])) // => tensor([0, 2.19722], float32)
 * ```
 */
export const xlogy = (x: TensorLike, y: TensorLike): Tensor => bindPair(xlogyRow, x, y)

/**
 * x·log(1 + y), and 0 where x is 0 whatever y is (but NaN).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { xlog1py } from '@bp/ops'
 * xlog1py(tensor([0, 2]), tensor([-1, 2])) // => tensor([0, 2.19722], float32)
 * ```
 */
export const xlog1py = (x: TensorLike, y: TensorLike): Tensor => bindPair(xlog1pyRow, x, y)

/**
 * −x·log x, one term of an entropy: 0 at 0, −∞ below.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { entr } from '@bp/ops'
 * entr(tensor([0, 0.5, -1])) // => tensor([0, 0.346574, -Infinity], float32)
 * ```
 */
export const entr = (x: Tensor): Tensor => bind(entrRow, [x], undefined)

/**
 * log(x/(1 − x)), the inverse of sigmoid; x is first cut to [eps, 1 − eps] where eps is given.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { logit } from '@bp/ops'
 * logit(tensor([0.5, 0.9])) // => tensor([0, 2.19722], float32)
 * ```
 */
export const logit = (x: Tensor, eps?: number): Tensor => bind(logitRow, [eps === undefined ? x : clamp(x, eps, 1 - eps)], undefined)
