// Exponentials, logarithms, roots and powers, and the functions made of them.

import { add, mul, type Tensor, type TensorLike } from '@bp/core'
import { type Abstract, type Aval, bind, bindPair, defineOp, inferElementwise, toFloat } from '@bp/core/extend'
import { div, inferFloat, inferNumber, neg, sub } from './arithmetic.ts'
import { cast, equal, less, lessEqual, select } from './compare.ts'

/** y = eˣ,   dy/dx = y */
export const expRow = /* @__PURE__ */ defineOp({
  name: 'exp', arity: 1, fuse: 'map', precision: 'full', saves: 'y', infer: ([x]) => inferFloat('exp', x),
  diff: { kind: 'map', d: [(_x, y) => y] },
})

/** y = log x,   dy/dx = 1/x */
export const logRow = /* @__PURE__ */ defineOp({
  name: 'log', arity: 1, fuse: 'map', precision: 'full', saves: 'x', infer: ([x]) => inferFloat('log', x),
  diff: { kind: 'map', d: [x => div(1, x)] },
})

/** y = eˣ − 1,   dy/dx = y + 1 */
export const expm1Row = /* @__PURE__ */ defineOp({
  name: 'expm1', arity: 1, fuse: 'map', precision: 'full', saves: 'y', infer: ([x]) => inferFloat('expm1', x),
  diff: { kind: 'map', d: [(_x, y) => add(y, 1)] },
})

/** y = log(1 + x),   dy/dx = 1/(1 + x) */
export const log1pRow = /* @__PURE__ */ defineOp({
  name: 'log1p', arity: 1, fuse: 'map', precision: 'full', saves: 'x', infer: ([x]) => inferFloat('log1p', x),
  diff: { kind: 'map', d: [x => div(1, add(1, x))] },
})

/** y = √x,   dy/dx = 1/(2y) */
export const sqrtRow = /* @__PURE__ */ defineOp({
  name: 'sqrt', arity: 1, fuse: 'map', saves: 'y', infer: ([x]) => inferFloat('sqrt', x),
  diff: { kind: 'map', d: [(_x, y) => div(0.5, y)] },
})

/** y = tanh x,   dy/dx = 1 − y² */
export const tanhRow = /* @__PURE__ */ defineOp({
  name: 'tanh', arity: 1, fuse: 'map', saves: 'y', infer: ([x]) => inferFloat('tanh', x),
  diff: { kind: 'map', d: [(_x, y) => sub(1, mul(y, y))] },
})

/** y = 1/(1 + e⁻ˣ),   dy/dx = y(1 − y) */
export const sigmoidRow = /* @__PURE__ */ defineOp({
  name: 'sigmoid', arity: 1, fuse: 'map', saves: 'y', infer: ([x]) => inferFloat('sigmoid', x),
  diff: { kind: 'map', d: [(_x, y) => mul(y, sub(1, y))] },
})

/** y = 2/√π ∫₀ˣ e^(−t²) dt,   dy/dx = 2/√π · e^(−x²) */
export const erfRow = /* @__PURE__ */ defineOp({
  name: 'erf', arity: 1, fuse: 'map', saves: 'x', infer: ([x]) => inferFloat('erf', x),
  diff: { kind: 'map', d: [x => mul(2 / Math.sqrt(Math.PI), exp(neg(mul(x, x))))] },
})

/** y = max(x, 0),   dy/dx = 1 where y > 0, else 0: PyTorch's value at the kink */
export const reluRow = /* @__PURE__ */ defineOp({
  name: 'relu', arity: 1, fuse: 'map', saves: 'y', infer: ([x]) => inferNumber('relu', x),
  diff: { kind: 'map', d: [(_x, y) => cast(less(0, y), y.dtype)] },
})

/** y = aᵇ,   ∂y/∂a = b·aᵇ⁻¹ (0 where b = 0),   ∂y/∂b = y·log a (0 where a = 0 and b ≥ 0) */
export const powRow = /* @__PURE__ */ defineOp({
  name: 'pow', arity: 2, fuse: 'map', precision: 'full', saves: 'xy', infer: ([a, b]) => inferFloats('pow', a, b),
  diff: { kind: 'map', d: [
    (a, b) => select(equal(b, 0), 0, mul(b, pow(a, sub(b, 1)))),
    (a, b, y) => mul(y, select(equal(a, 0), select(lessEqual(0, b), 0, log(a)), log(select(equal(a, 0), 1, a)))),
  ] },
})

function inferFloats(op: string, a: Abstract, b: Abstract): Aval {
  inferFloat(op, a)
  return inferElementwise(op, a, b)
}

/**
 * eˣ.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { exp } from '@bp/ops'
 * exp(tensor([0, 1])) // => tensor([1, 2.71828], float32)
 * ```
 */
export const exp = (x: Tensor): Tensor => bind(expRow, [toFloat(x)], undefined)

/**
 * The natural logarithm; −∞ at 0, NaN below.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { log } from '@bp/ops'
 * log(tensor([1, 10])) // => tensor([0, 2.30259], float32)
 * ```
 */
export const log = (x: Tensor): Tensor => bind(logRow, [toFloat(x)], undefined)

/** eˣ − 1, exact near 0. */
export const expm1 = (x: Tensor): Tensor => bind(expm1Row, [toFloat(x)], undefined)

/** log(1 + x), exact near 0. */
export const log1p = (x: Tensor): Tensor => bind(log1pRow, [toFloat(x)], undefined)

/**
 * √x; NaN below 0. Its derivative at 0 is ∞.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { sqrt } from '@bp/ops'
 * sqrt(tensor([4, 9])) // => tensor([2, 3], float32)
 * ```
 */
export const sqrt = (x: Tensor): Tensor => bind(sqrtRow, [toFloat(x)], undefined)

/**
 * The hyperbolic tangent.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { tanh } from '@bp/ops'
 * tanh(tensor([0, 1])) // => tensor([0, 0.761594], float32)
 * ```
 */
export const tanh = (x: Tensor): Tensor => bind(tanhRow, [toFloat(x)], undefined)

/**
 * The logistic function 1/(1 + e⁻ˣ), accurate in both tails.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { sigmoid } from '@bp/ops'
 * sigmoid(tensor([0, 2])) // => tensor([0.5, 0.880797], float32)
 * ```
 */
export const sigmoid = (x: Tensor): Tensor => bind(sigmoidRow, [toFloat(x)], undefined)

/**
 * The error function.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { erf } from '@bp/ops'
 * erf(tensor([0, 1])) // => tensor([0, 0.842701], float32)
 * ```
 */
export const erf = (x: Tensor): Tensor => bind(erfRow, [toFloat(x)], undefined)

/**
 * max(x, 0), the rectified linear unit; derivative 0 at 0, NaN stays NaN.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { relu } from '@bp/ops'
 * relu(tensor([-1, 2])) // => tensor([0, 2], float32)
 * ```
 */
export const relu = (x: Tensor): Tensor => bind(reluRow, [x], undefined)

/**
 * a to the power b, elementwise with broadcasting; NaN where a < 0 and b is not whole.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { pow } from '@bp/ops'
 * pow(tensor([2, 3]), 2) // => tensor([4, 9], float32)
 * ```
 */
export const pow = (a: TensorLike, b: TensorLike): Tensor => bindPair(powRow, a, b)
