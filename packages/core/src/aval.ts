// The abstract value of a tensor: shape and dtype without data; what inference speaks and unsaved residuals become.

import type { DType } from './dtype.ts'
import { sameShape, type Shape } from './shape.ts'

/** What is known of a tensor before it has data. A tensor gives its own through `.aval`. */
export interface Abstract {
  readonly shape: Shape
  readonly dtype: DType
  readonly aval: Aval
}

/** Shape and dtype, shared between all tensors that an op makes alike, so that equality is mostly `===`. */
export class Aval implements Abstract {
  readonly shape: Shape
  readonly dtype: DType

  constructor(shape: Shape, dtype: DType) {
    this.shape = shape
    this.dtype = dtype
  }

  get aval(): this {
    return this
  }
}

/** The abstract value with the shape and dtype given; `like` itself where it already has both. */
export function withShape(like: Abstract, shape: Shape): Aval {
  return sameShape(like.shape, shape) ? like.aval : new Aval(shape, like.dtype)
}
