// The hyperbolic functions and their inverses.

import { add, mul, type Tensor } from '@bp/core'
import { bind, defineOp } from '@bp/core/extend'
import { abs, div, inferFloat, sign, sub, neg } from '../rows/arithmetic.ts'
import { less, select } from '../rows/compare.ts'
import { exp, expm1, log, log1p, sqrt } from '../rows/exponential.ts'

/* Beyond this, √(x² ± 1) is x to double precision. */
const large = 2 ** 28

/** log(2x) without overflow. */
const logTwice = (x: Tensor): Tensor => add(log(x), Math.LN2)

/** y = arsinh x = sign x · log(|x| + √(x² + 1)),   dy/dx = 1/√(x² + 1) */
export const asinhRow = /* @__PURE__ */ defineOp({
  name: 'asinh', arity: 1, fuse: 'map', saves: 'x', infer: ([x]) => inferFloat('asinh', x),
  diff: { kind: 'map', d: [x => div(1, sqrt(add(1, mul(x, x))))] },
  decompose: ([x]) => {
    const a = abs(x)
    const square = mul(a, a)
    return mul(sign(x), select(less(large, a), logTwice(a), log1p(add(a, div(square, add(1, sqrt(add(1, square))))))))
  },
})

/** y = arcosh x = log(x + √(x² − 1)),   dy/dx = 1/√(x² − 1) */
export const acoshRow = /* @__PURE__ */ defineOp({
  name: 'acosh', arity: 1, fuse: 'map', saves: 'x', infer: ([x]) => inferFloat('acosh', x),
  diff: { kind: 'map', d: [x => div(1, mul(sqrt(sub(x, 1)), sqrt(add(x, 1))))] },
  decompose: ([x]) => {
    const above = sub(x, 1)
    return select(less(large, x), logTwice(x), log1p(add(above, mul(sqrt(above), sqrt(add(x, 1))))))
  },
})

/**
 * The hyperbolic sine, exact near 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { sinh } from '@bp/ops'
 * sinh(tensor([0, 1])) // => tensor([0, 1.1752], float32)
 * ```
 */
export const sinh = (x: Tensor): Tensor => sub(mul(0.5, expm1(x)), mul(0.5, expm1(neg(x))))

/**
 * The hyperbolic cosine.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cosh } from '@bp/ops'
 * cosh(tensor([0, 1])) // => tensor([1, 1.54308], float32)
 * ```
 */
export const cosh = (x: Tensor): Tensor => add(mul(0.5, exp(x)), mul(0.5, exp(neg(x))))

/**
 * The inverse of {@link sinh}, exact near 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { asinh } from '@bp/ops'
 * asinh(tensor([0, -1])) // => tensor([0, -0.881374], float32)
 * ```
 */
export const asinh = (x: Tensor): Tensor => bind(asinhRow, [x], undefined)

/**
 * The inverse of {@link cosh} for x ≥ 1, NaN below; its derivative at 1 is ∞.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { acosh } from '@bp/ops'
 * acosh(tensor([1, 2])) // => tensor([0, 1.31696], float32)
 * ```
 */
export const acosh = (x: Tensor): Tensor => bind(acoshRow, [x], undefined)

/**
 * The inverse of tanh on [−1, 1], log((1 + x)/(1 − x))/2; ±∞ at the ends, NaN outside.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { atanh } from '@bp/ops'
 * atanh(tensor([0, 0.5])) // => tensor([0, 0.549306], float32)
 * ```
 */
export const atanh = (x: Tensor): Tensor => mul(0.5, sub(log1p(x), log1p(neg(x))))
