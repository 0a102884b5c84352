// Values chosen out of a tensor: one element with its place, or a value whose gradient all equal elements share.

import { add, type Tensor } from '@bp/core'
import { isFloat } from '@bp/core/extend'
import { abs, div, sub } from '../rows/arithmetic.ts'
import { cast, equal, logicalAnd, logicalOr, select } from '../rows/compare.ts'
import { droppedShape, sum } from '../rows/reduce.ts'
import { detach, reshape } from '../rows/view.ts'
import { takeAlong } from './along.ts'
import { isNan } from './floats.ts'

/** The elements of x at one place of each line along an axis, and the places; `place` holds the axis at size 1. */
export function pick(x: Tensor, place: Tensor, axis: number, keepDims: boolean): [values: Tensor, indices: Tensor] {
  const values = takeAlong(x, place, axis)
  if (keepDims) return [values, place]
  const shape = droppedShape(x, [axis])
  return [reshape(values, shape), reshape(place, shape)]
}

/** Where x equals the value, NaN among NaN. */
export const attains = (x: Tensor, value: Tensor): Tensor => logicalOr(equal(x, value), logicalAnd(isNan(x), isNan(value)))

/** `value` as it is, with the derivative of `slope`, which must equal it but for rounding; none where that is infinite. */
export function withSlopeOf(value: Tensor, slope: Tensor): Tensor {
  return add(detach(value), select(equal(abs(slope), Infinity), 0, sub(slope, detach(slope))))
}

/** A scalar that some elements of x are equal to, with its gradient shared evenly among them. */
export function sharedAmong(x: Tensor, value: Tensor): Tensor {
  if (!isFloat(x.dtype)) return value
  const same = attains(x, detach(value))
  return withSlopeOf(value, div(sum(select(same, x, 0)), sum(cast(same, x.dtype))))
}
