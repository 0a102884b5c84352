// Finite differences along an axis, and the integrals that undo them.

import { add, mul, type Tensor } from '@bp/core'
import { describe, fail, isFloat, normaliseAxes, normaliseAxis, sameShape } from '@bp/core/extend'
import { div, neg, sub } from '../rows/arithmetic.ts'
import { cast, notEqual } from '../rows/compare.ts'
import { cumSum, sum } from '../rows/reduce.ts'
import { concat, narrow, reshape } from '../rows/view.ts'

/** Options of {@link diff}. */
export interface DiffOptions {
  /** How many times to take differences; 1 unless given. */
  readonly n?: number
  /** The last unless given. */
  readonly axis?: number
  /** Put before x along the axis. */
  readonly prepend?: Tensor | undefined
  /** Put after x along the axis. */
  readonly append?: Tensor | undefined
}

/**
 * xᵢ₊₁ − xᵢ along an axis, n times; of bool, whether they differ. Each time the axis is one shorter, until it is empty.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { diff } from '@bp/ops'
 * diff(tensor([1, 4, 9, 16])) // => tensor([3, 5, 7], float32)
 * diff(tensor([1, 4, 9, 16]), { n: 2 }) // => tensor([2, 2], float32)
 * ```
 */
export function diff(x: Tensor, { n = 1, axis = -1, prepend, append }: DiffOptions = {}): Tensor {
  const at = normaliseAxis('diff', axis, x.rank)
  if (!(Number.isInteger(n) && n >= 0)) fail('value', 'diff', `n must be a whole number ≥ 0, got ${n}`)
  if (n === 0) return x
  const parts = [prepend, x, append].filter(part => part !== undefined)
  let y = parts.length === 1 ? x : concat(parts, at)
  for (let i = Math.min(n, y.shape[at]!); i > 0; i--) {
    const [before, after] = neighbours(y, at)
    y = y.dtype === 'bool' ? notEqual(after, before) : sub(after, before)
  }
  return y
}

/** All elements of an axis but the last, and all but the first. */
function neighbours(x: Tensor, axis: number): [before: Tensor, after: Tensor] {
  const n = x.shape[axis]! - 1
  return [narrow(x, axis, 0, n), narrow(x, axis, 1, n)]
}

/** Options of {@link gradient}. */
export interface GradientOptions {
  /** Between neighbours: a number for all axes, or for each axis a number or the coordinates along it. 1 unless given. */
  readonly spacing?: number | readonly (number | Tensor)[]
  /** The axes to differentiate along; all unless given. */
  readonly axes?: number | readonly number[] | undefined
  /** The order of accuracy at both ends. */
  readonly edgeOrder?: 1 | 2
}

/**
 * The derivative of sampled values along each axis: second-order central differences inside, one-sided ones at the ends
 * (Fornberg 1988, "Generation of Finite Difference Formulas on Arbitrarily Spaced Grids"). One tensor of x's shape per axis.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { gradient } from '@bp/ops'
 * gradient(tensor([0, 1, 4, 9])) // => [tensor([1, 2, 4, 5], float32)]
 * gradient(tensor([0, 1, 9]), { spacing: [tensor([0, 1, 3])], edgeOrder: 2 }) // => [tensor([0, 2, 6], float32)]
 * ```
 */
export function gradient(x: Tensor, { spacing = 1, axes, edgeOrder = 1 }: GradientOptions = {}): Tensor[] {
  const list = typeof axes === 'object' ? axes.map(axis => normaliseAxis('gradient', axis, x.rank)) : normaliseAxes('gradient', axes, x.rank)
  const steps = typeof spacing === 'number' ? list.map(() => spacing) : spacing
  if (steps.length !== list.length) fail('value', 'gradient', `needs one spacing for each of the ${list.length} axes, got ${steps.length}`)
  return list.map((axis, i) => {
    if (x.shape[axis]! <= edgeOrder) fail('shape', 'gradient', `axis ${axis} of ${describe(x)} needs at least ${edgeOrder + 1} entries for edgeOrder ${edgeOrder}`)
    const step = steps[i]!
    return typeof step === 'number' ? evenGradient(x, axis, step, edgeOrder) : unevenGradient(x, axis, step, edgeOrder)
  })
}

/** (xᵢ₊₁ − xᵢ₋₁)/2h inside; (x₁ − x₀)/h, or (−3x₀ + 4x₁ − x₂)/2h, at the start, mirrored at the end. */
function evenGradient(x: Tensor, axis: number, h: number, edgeOrder: 1 | 2): Tensor {
  const n = x.shape[axis]!
  const at = (i: number, length = 1): Tensor => narrow(x, axis, i, length)
  const edge = (x0: Tensor, x1: Tensor, x2: () => Tensor): Tensor => edgeOrder === 1 ? sub(x1, x0) : sub(mul(2, x1), add(mul(1.5, x0), mul(0.5, x2())))
  const inside = n > 2 ? [mul(0.5, sub(at(2, n - 2), at(0, n - 2)))] : []
  return div(concat([edge(at(0), at(1), () => at(2)), ...inside, neg(edge(at(n - 1), at(n - 2), () => at(n - 3)))], axis), h)
}

/** The derivative at three coordinates, d₁ and then d₂ apart, of the parabola through them. */
function unevenGradient(x: Tensor, axis: number, coordinates: Tensor, edgeOrder: 1 | 2): Tensor {
  const n = x.shape[axis]!
  if (!sameShape(coordinates.shape, [n])) fail('shape', 'gradient', `the coordinates of axis ${axis} must be [${n}], got ${describe(coordinates)}`)
  const d = reshape(diff(cast(coordinates, x.dtype)), x.shape.map((_, i) => i === axis ? n - 1 : 1))
  const at = (i: number, length = 1): Tensor => narrow(x, axis, i, length)
  const step = (i: number, length = 1): Tensor => narrow(d, axis, i, length)
  const slope = (i: number, length = 1): Tensor => div(sub(at(i + 1, length), at(i, length)), step(i, length))
  const bend = (i: number, length = 1): Tensor => div(sub(slope(i + 1, length), slope(i, length)), add(step(i, length), step(i + 1, length)))
  const inside = n > 2 ? [add(slope(0, n - 2), mul(step(0, n - 2), bend(0, n - 2)))] : []
  const first = edgeOrder === 1 ? slope(0) : sub(slope(0), mul(step(0), bend(0)))
  const last = edgeOrder === 1 ? slope(n - 2) : add(slope(n - 2), mul(step(n - 2), bend(n - 3)))
  return concat([first, ...inside, last], axis)
}

/** Options of {@link trapezoid} and {@link cumulativeTrapezoid}. */
export interface TrapezoidOptions {
  /** The coordinates: one axis, or a shape that broadcasts with y's but for the axis of integration, which is as long. */
  readonly x?: Tensor | undefined
  /** The distance of neighbours where no coordinates are given; 1 unless given. */
  readonly dx?: number
  /** The last unless given. */
  readonly axis?: number
}

/**
 * The integral of sampled values along an axis by the trapezoidal rule, Σ (xᵢ₊₁ − xᵢ)(yᵢ + yᵢ₊₁)/2.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { trapezoid } from '@bp/ops'
 * trapezoid(tensor([1, 2, 3])) // => tensor(4, float32)
 * trapezoid(tensor([1, 2, 3]), { x: tensor([0, 2, 6]) }) // => tensor(13, float32)
 * ```
 */
export function trapezoid(y: Tensor, options: TrapezoidOptions = {}): Tensor {
  const [parts, axis] = areas('trapezoid', y, options)
  return sum(parts, axis)
}

/**
 * The running integral of sampled values along an axis by the trapezoidal rule, one entry shorter than the axis.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { cumulativeTrapezoid } from '@bp/ops'
 * cumulativeTrapezoid(tensor([1, 2, 3])) // => tensor([1.5, 4], float32)
 * ```
 */
export function cumulativeTrapezoid(y: Tensor, options: TrapezoidOptions = {}): Tensor {
  const [parts, axis] = areas('cumulativeTrapezoid', y, options)
  return cumSum(parts, axis)
}

/** The area of each strip, and the axis made non-negative. */
function areas(op: string, y: Tensor, { x, dx = 1, axis = -1 }: TrapezoidOptions): [Tensor, number] {
  const at = normaliseAxis(op, axis, y.rank)
  const n = y.shape[at]!
  if (!isFloat(y.dtype)) fail('dtype', op, `needs floating-point values, got ${describe(y)}. Convert them with cast(y, 'float32')`)
  if (n === 0) return [y, at]
  const [before, after] = neighbours(y, at)
  if (!x) return [mul(add(before, after), dx / 2), at]
  const coordinates = x.rank === 1 ? reshape(x, y.shape.map((_, i) => i === at ? x.size : 1)) : reshape(x, [...new Array<number>(Math.max(0, y.rank - x.rank)).fill(1), ...x.shape])
  const along = coordinates.rank - y.rank + at
  if (coordinates.shape[along] !== n) fail('shape', op, `the coordinates ${describe(x)} must have ${n} entries along axis ${at} of ${describe(y)}`)
  return [mul(mul(add(before, after), diff(coordinates, { axis: along })), 0.5), along]
}
