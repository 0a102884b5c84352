// The values of a running model: tensors, and literals that are known before any tensor is made, such as shapes.

import { type DType, type Shape, Tensor, tensor, type TypedArray } from '@bp/core'
import { type Abstract, Aval, describe, fail } from '@bp/core/extend'
import { UnsupportedError } from './errors.ts'

/**
 * A small array known in JavaScript: shapes, axes, scalar constants. Arithmetic on shapes is done on these, so that it
 * reads no tensor, works in `trace`, and needs no int64 from a backend.
 */
export class Known implements Abstract {
  readonly aval: Aval
  readonly data: TypedArray
  private made: Tensor | null = null

  constructor(dtype: DType, shape: Shape, data: TypedArray) {
    this.aval = new Aval(shape, dtype)
    this.data = data
  }

  get shape(): Shape {
    return this.aval.shape
  }

  get dtype(): DType {
    return this.aval.dtype
  }

  /** The same as a tensor, made when first asked for. */
  get tensor(): Tensor {
    this.made ??= tensor(this.data, { shape: this.shape, dtype: this.dtype })
    return this.made
  }
}

/** A list of values. Operators that take no sequence find nothing in it that they could read. */
export class Sequence implements Abstract {
  readonly items: readonly Value[]

  constructor(items: readonly Value[]) {
    this.items = items
  }

  get aval(): never {
    return fail('data', 'importOnnx', `got a sequence of ${this.items.length} where a tensor is needed. The file is damaged`)
  }

  get shape(): never {
    return this.aval
  }

  get dtype(): never {
    return this.aval
  }

  get data(): never {
    return this.aval
  }

  get tensor(): never {
    return this.aval
  }
}

/** What flows along the edges of a model. */
export type Value = Tensor | Known | Sequence

/** A value as a tensor. */
export const toTensor = (value: Value): Tensor => value instanceof Tensor ? value : value.tensor

/** A value's elements as numbers. A tensor is read, which throws where it is being traced or its backend cannot at once. */
export const toNumbers = (value: Value): number[] => Array.from<number | bigint, number>(value instanceof Tensor ? readable(value).dataSync() : value.data, Number)

/** The same tensor, whose values a shape or a choice depends on; throws where it has none, because it is being traced. */
export function readable(x: Tensor): Tensor {
  if (!x.storage) throw new UnsupportedError('importOnnx', `the values of ${describe(x)} decide a shape or a choice, and are not known while a program is traced. Run the model outside of compile, trace, jvp and vmap`)
  return x
}

const largestInt64 = (1n << 63n) - 1n

/** A list of whole numbers as int64, as ONNX passes shapes around; what exceeds it, as 2⁶³ − 1 does once rounded, is held at its end. */
export const int64s = (values: readonly number[], shape: Shape = [values.length]): Known =>
  new Known('int64', shape, BigInt64Array.from(values, value => value >= 2 ** 63 ? largestInt64 : value <= -(2 ** 63) ? -largestInt64 - 1n : BigInt(Math.trunc(value))))
