// Elementwise functions of two and three operands: angles, lengths, mixtures, and the larger or smaller that is a number.

import { add, mul, type Tensor, type TensorLike } from '@bp/core'
import { bindPair, defineOp, inferElementwise, toTensor } from '@bp/core/extend'
import { abs, div, inferNumber, maximum, minimum, neg, sign, sub } from '../rows/arithmetic.ts'
import { cast, equal, less, lessEqual, logicalAnd, logicalOr, notEqual, select } from '../rows/compare.ts'
import { sqrt } from '../rows/exponential.ts'
import { atan } from '../rows/trigonometric.ts'
import { copysign, signBit } from './floats.ts'

/** y = the angle of the point (b, a),   ∂y/∂a = b/(a² + b²),   ∂y/∂b = −a/(a² + b²) */
export const atan2Row = /* @__PURE__ */ defineOp({
  name: 'atan2', arity: 2, fuse: 'map', saves: 'x', infer: ([a, b]) => inferElementwise('atan2', a, b),
  diff: { kind: 'map', d: [
    (a, b) => div(b, add(mul(a, a), mul(b, b))),
    (a, b) => neg(div(a, add(mul(a, a), mul(b, b)))),
  ] },
  decompose: ([a, b]) => {
    const [p, q] = [abs(a), abs(b)]
    const diagonal = logicalAnd(equal(p, q), notEqual(p, 0))
    const steep = select(diagonal, Math.PI / 4, select(logicalAnd(equal(p, 0), equal(q, 0)), 0, atan(div(p, q))))
    return copysign(select(signBit(b), sub(Math.PI, steep), steep), a)
  },
})

/** y = √(a² + b²),   ∂y/∂a = a/y,   ∂y/∂b = b/y */
export const hypotRow = /* @__PURE__ */ defineOp({
  name: 'hypot', arity: 2, fuse: 'map', saves: 'xy', infer: ([a, b]) => inferElementwise('hypot', a, b),
  diff: { kind: 'map', d: [(a, _b, y) => div(a, y), (_a, b, y) => div(b, y)] },
  decompose: ([a, b]) => {
    const [p, q] = [abs(a), abs(b)]
    const [long, short] = [maximum(p, q), minimum(p, q)]
    const ratio = div(short, long)
    const infinite = logicalOr(equal(p, Infinity), equal(q, Infinity))
    return select(infinite, Infinity, select(equal(long, 0), long, mul(long, sqrt(add(1, mul(ratio, ratio))))))
  },
})

/**
 * The angle in (−π, π] from the positive horizontal axis to the point (b, a), elementwise with broadcasting: atan(a/b) in
 * the right quadrant.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { atan2 } from '@bp/ops'
 * atan2(tensor([1, 1]), tensor([1, -1])) // => tensor([0.785398, 2.35619], float32)
 * ```
 */
export const atan2 = (a: TensorLike, b: TensorLike): Tensor => bindPair(atan2Row, a, b)

/**
 * √(a² + b²), elementwise with broadcasting, without overflow; its derivative at (0, 0) is NaN.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { hypot } from '@bp/ops'
 * hypot(tensor([3, 3e30]), tensor([4, 4e30])) // => tensor([5, 5e+30], float32)
 * ```
 */
export const hypot = (a: TensorLike, b: TensorLike): Tensor => bindPair(hypotRow, a, b)

/**
 * The larger of a and b; the number where one of them is NaN, unlike maximum. Of equal ones, a has the gradient.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { fmax } from '@bp/ops'
 * fmax(tensor([1, NaN]), tensor([3, 2])) // => tensor([3, 2], float32)
 * ```
 */
export function fmax(a: TensorLike, b: TensorLike): Tensor {
  const other = toTensor(b, a)
  return select(logicalOr(lessEqual(other, a), notEqual(other, other)), a, other)
}

/**
 * The smaller of a and b; the number where one of them is NaN, unlike minimum. Of equal ones, a has the gradient.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { fmin } from '@bp/ops'
 * fmin(tensor([1, NaN]), tensor([3, 2])) // => tensor([1, 2], float32)
 * ```
 */
export function fmin(a: TensorLike, b: TensorLike): Tensor {
  const other = toTensor(b, a)
  return select(logicalOr(lessEqual(a, other), notEqual(other, other)), a, other)
}

/**
 * start + weight·(end − start), exact at weights 0 and 1.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { lerp } from '@bp/ops'
 * lerp(tensor([0, 1]), tensor([10, 2]), 0.25) // => tensor([2.5, 1.25], float32)
 * ```
 */
export function lerp(start: Tensor, end: Tensor, weight: TensorLike): Tensor {
  const w = toTensor(weight, start)
  const way = sub(end, start)
  return select(less(abs(w), 0.5), add(start, mul(w, way)), sub(end, mul(way, sub(1, w))))
}

/**
 * x + value·a·b.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { addcmul } from '@bp/ops'
 * addcmul(tensor([1, 1]), tensor([2, 3]), tensor([4, 5]), 0.5) // => tensor([5, 8.5], float32)
 * ```
 */
export const addcmul = (x: Tensor, a: Tensor, b: Tensor, value = 1): Tensor => add(x, mul(value, mul(a, b)))

/**
 * x + value·a/b.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { addcdiv } from '@bp/ops'
 * addcdiv(tensor([1, 1]), tensor([2, 3]), tensor([4, 2]), 2) // => tensor([2, 4], float32)
 * ```
 */
export const addcdiv = (x: Tensor, a: Tensor, b: Tensor, value = 1): Tensor => add(x, mul(value, div(a, b)))

/**
 * 0 where x < 0, 1 where x > 0, and `values` where x is 0.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { heaviside } from '@bp/ops'
 * heaviside(tensor([-2, 0, 3]), 0.5) // => tensor([0, 0.5, 1], float32)
 * ```
 */
export const heaviside = (x: Tensor, values: TensorLike): Tensor => select(equal(x, 0), values, cast(less(0, x), x.dtype))

/**
 * x itself, as unary plus is; throws for bool.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { positive } from '@bp/ops'
 * positive(tensor([1, -2])) // => tensor([1, -2], float32)
 * ```
 */
export function positive(x: Tensor): Tensor {
  inferNumber('positive', x)
  return x
}

/**
 * The real part: x itself, for there are only real tensors.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { real } from '@bp/ops'
 * real(tensor([1, -2])) // => tensor([1, -2], float32)
 * ```
 */
export const real = (x: Tensor): Tensor => x

/**
 * The complex conjugate: x itself, for there are only real tensors.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { conj } from '@bp/ops'
 * conj(tensor([1, -2])) // => tensor([1, -2], float32)
 * ```
 */
export const conj = (x: Tensor): Tensor => x

/**
 * The angle of x as a complex number: π below 0, else 0. NaN stays NaN.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { angle } from '@bp/ops'
 * angle(tensor([-2, 3])) // => tensor([3.14159, 0], float32)
 * ```
 */
export const angle = (x: Tensor): Tensor => select(notEqual(x, x), x, select(less(x, 0), toTensor(Math.PI, x), 0))

/**
 * The direction of x in the complex plane, which for real numbers is its sign.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { sgn } from '@bp/ops'
 * sgn(tensor([1, -2])) // => tensor([1, -1], float32)
 * ```
 */
export const sgn = (x: Tensor): Tensor => sign(x)

/**
 * Degrees to radians.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { deg2rad } from '@bp/ops'
 * deg2rad(tensor([180, 90])) // => tensor([3.14159, 1.5708], float32)
 * ```
 */
export const deg2rad = (x: Tensor): Tensor => mul(x, Math.PI / 180)

/**
 * Radians to degrees.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { rad2deg } from '@bp/ops'
 * rad2deg(tensor([Math.PI, 0])) // => tensor([180, 0], float32)
 * ```
 */
export const rad2deg = (x: Tensor): Tensor => mul(x, 180 / Math.PI)
