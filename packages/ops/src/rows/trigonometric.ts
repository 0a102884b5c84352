// Trigonometric functions and their inverses, in radians.

import { add, mul, type Tensor } from '@bp/core'
import { bind, defineOp, toFloat } from '@bp/core/extend'
import { div, inferFloat, neg, sub } from './arithmetic.ts'
import { sqrt } from './exponential.ts'

/** y = sin x,   dy/dx = cos x */
export const sinRow = /* @__PURE__ */ defineOp({
  name: 'sin', arity: 1, fuse: 'map', saves: 'x', infer: ([x]) => inferFloat('sin', x),
  diff: { kind: 'map', d: [x => cos(x)] },
})

/** y = cos x,   dy/dx = −sin x */
export const cosRow = /* @__PURE__ */ defineOp({
  name: 'cos', arity: 1, fuse: 'map', saves: 'x', infer: ([x]) => inferFloat('cos', x),
  diff: { kind: 'map', d: [x => neg(sin(x))] },
})

/** y = tan x,   dy/dx = 1 + y² */
export const tanRow = /* @__PURE__ */ defineOp({
  name: 'tan', arity: 1, fuse: 'map', precision: 'full', saves: 'y', infer: ([x]) => inferFloat('tan', x),
  diff: { kind: 'map', d: [(_x, y) => add(1, mul(y, y))] },
})

/** y = arcsin x,   dy/dx = 1/√(1 − x²) */
export const asinRow = /* @__PURE__ */ defineOp({
  name: 'asin', arity: 1, fuse: 'map', precision: 'full', saves: 'x', infer: ([x]) => inferFloat('asin', x),
  diff: { kind: 'map', d: [x => div(1, sqrt(sub(1, mul(x, x))))] },
})

/** y = arccos x,   dy/dx = −1/√(1 − x²) */
export const acosRow = /* @__PURE__ */ defineOp({
  name: 'acos', arity: 1, fuse: 'map', precision: 'full', saves: 'x', infer: ([x]) => inferFloat('acos', x),
  diff: { kind: 'map', d: [x => div(-1, sqrt(sub(1, mul(x, x))))] },
})

/** y = arctan x,   dy/dx = 1/(1 + x²) */
export const atanRow = /* @__PURE__ */ defineOp({
  name: 'atan', arity: 1, fuse: 'map', saves: 'x', infer: ([x]) => inferFloat('atan', x),
  diff: { kind: 'map', d: [x => div(1, add(1, mul(x, x)))] },
})

/**
 * sin x.
 *
 * @example
 * ```ts
 * import { grad, tensor } from '@bp/core'
 * import { sin } from '@bp/ops'
 * grad(sin)(tensor(0)) // => tensor(1, float32)
 * ```
 */
export const sin = (x: Tensor): Tensor => bind(sinRow, [toFloat(x)], undefined)

/** cos x. */
export const cos = (x: Tensor): Tensor => bind(cosRow, [toFloat(x)], undefined)

/** tan x. */
export const tan = (x: Tensor): Tensor => bind(tanRow, [toFloat(x)], undefined)

/** arcsin x, in [−π/2, π/2]; NaN outside [−1, 1]. */
export const asin = (x: Tensor): Tensor => bind(asinRow, [toFloat(x)], undefined)

/** arccos x, in [0, π]; NaN outside [−1, 1]. */
export const acos = (x: Tensor): Tensor => bind(acosRow, [toFloat(x)], undefined)

/** arctan x, in (−π/2, π/2). */
export const atan = (x: Tensor): Tensor => bind(atanRow, [toFloat(x)], undefined)
