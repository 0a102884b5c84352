// The values of a running model: tensors, and literals that are known before any tensor is made, such as shapes.

import { BpError, type DType, type Shape, Tensor, tensor, type TypedArray } from '@bp/core'
import { type Abstract, Aval, cast, describe, fail, outside, sizeOf } from '@bp/core/extend'
import { carrierOf, type ElementType, type NarrowType } from '../proto/elementType.ts'
import { UnsupportedError } from './errors.ts'

/** Values of more elements than this are tensors rather than known. */
export const knownLimit = 4096

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

/**
 * A tensor of an element type that is no dtype, in the dtype that carries it. Operators that only see tensors compute on the carrier;
 * the runner then gives the result the type again (see `settle`).
 */
export class Carried implements Abstract {
  readonly type: NarrowType
  /** In the carrier's dtype; every element is one of the type. */
  readonly carrier: Tensor | Known

  constructor(type: NarrowType, carrier: Tensor | Known) {
    if (carrier.dtype !== carrierOf(type)) fail('dtype', 'importOnnx', `${type} is carried by ${carrierOf(type)}, got ${describe(carrier)}`)
    this.type = type
    this.carrier = carrier
  }

  get aval(): Aval {
    return this.carrier.aval
  }

  get shape(): Shape {
    return this.carrier.shape
  }

  get dtype(): DType {
    return this.carrier.dtype
  }

  get tensor(): Tensor {
    return toTensor(this.carrier)
  }
}

/** What is no tensor of numbers, where one is asked for, is an error that says what it is. */
abstract class NoNumbers implements Abstract {
  protected abstract readonly what: string
  abstract readonly shape: Shape

  get aval(): never {
    return fail('data', 'importOnnx', `got ${this.what} where a tensor of numbers is needed. The file is damaged`)
  }

  get dtype(): never {
    return this.aval
  }

  get tensor(): never {
    return this.aval
  }
}

/** A list of values. Operators that take no sequence find nothing in it that they could read. */
export class Sequence extends NoNumbers {
  readonly items: readonly Value[]

  constructor(items: readonly Value[]) {
    super()
    this.items = items
  }

  protected get what(): string {
    return `a sequence of ${this.items.length}`
  }

  get shape(): never {
    return this.aval
  }
}

/** A value or none. */
export class Optional extends NoNumbers {
  readonly value: Value | null

  constructor(value: Value | null) {
    super()
    this.value = value
  }

  protected readonly what = 'an optional value'

  get shape(): never {
    return this.aval
  }
}

/** A tensor of texts, in row-major order. */
export class StringTensor extends NoNumbers {
  readonly shape: Shape
  readonly data: readonly string[]

  constructor(shape: Shape, data: readonly string[]) {
    super()
    this.shape = shape
    this.data = data
  }

  protected get what(): string {
    return `strings of shape [${this.shape.join(',')}]`
  }
}

/**
 * What is known of a value that a model makes of data, while only its shapes are told: see `abstract.ts`. No operator gets to see one.
 */
export class Unknown extends NoNumbers {
  /** The element type, where it is known. */
  readonly type: ElementType | null
  /** The sizes, `null` each where it depends on data; `null` where even their number does. */
  readonly sizes: readonly (number | null)[] | null

  constructor(type: ElementType | null = null, sizes: readonly (number | null)[] | null = null) {
    super()
    this.type = type
    this.sizes = sizes
  }

  protected readonly what = 'a value of unknown shape'

  get shape(): never {
    return this.aval
  }
}

/** What flows along the edges of a model. */
export type Value = Tensor | Known | Carried | Sequence | Optional | StringTensor | Unknown

/** A value as a tensor, the carrier of one that is carried. */
export const toTensor = (value: Value): Tensor => value instanceof Tensor ? value : value.tensor

/** The element type of a tensor. */
export const elementTypeOf = (value: Value): ElementType => value instanceof Carried ? value.type : value instanceof StringTensor ? 'string' : value.dtype

/** The same elements, moved or computed anew in the carrier's dtype, as a value of the element type that another has; for operators that collect or take apart. */
export const ofTypeOf = (like: Value, carrier: Tensor | Known): Tensor | Known | Carried => like instanceof Carried ? new Carried(like.type, carrier) : carrier

/** What a file holds as a tensor, as a value. */
export function fromStored(stored: { readonly type?: NarrowType; readonly dtype: DType; readonly shape: Shape; readonly data: TypedArray } | StringTensor): Known | Carried | StringTensor {
  if (stored instanceof StringTensor) return stored
  const known = new Known(stored.dtype, stored.shape, stored.data)
  return stored.type ? new Carried(stored.type, known) : known
}

/** What carries a value, or the value itself. */
export const carrierIn = (value: Value): Exclude<Value, Carried> => value instanceof Carried ? value.carrier : value

/** Tensors of more elements are not read number by number. */
const mostRead = 2 ** 24

/** A value's elements as numbers. A tensor is read, which throws where it is being traced or its backend cannot at once. */
export function toNumbers(value: Value): number[] {
  const carrier = carrierIn(value)
  if (sizeOf(carrier.shape) > mostRead) throw new BpError('memory', 'importOnnx', `${describe(carrier)} is to be read number by number; ${mostRead} are the most. Where it decides a shape or a choice, the file is damaged`)
  if (carrier.dtype === 'float16') return toNumbers(outside(() => cast(readable(toTensor(carrier)), 'float32')))
  return Array.from<number | bigint, number>(carrier instanceof Known ? carrier.data : readable(toTensor(carrier)).dataSync(), Number)
}

/** The same tensor, whose values a shape or a choice depends on; throws where it has none, because it is being traced. */
export function readable(x: Tensor): Tensor {
  if (!x.storage) throw new UnsupportedError('importOnnx', `the values of ${describe(x)} decide a shape or a choice, and are not known while a program is traced. Run the model outside of compile, trace, jvp and vmap`)
  return x
}

const largestInt64 = (1n << 63n) - 1n

/** A list of whole numbers as int64, as ONNX passes shapes around; what exceeds it, as 2⁶³ − 1 does once rounded, is held at its end. */
export const int64s = (values: readonly number[], shape: Shape = [values.length]): Known =>
  new Known('int64', shape, BigInt64Array.from(values, value => value >= 2 ** 63 ? largestInt64 : value <= -(2 ** 63) ? -largestInt64 - 1n : BigInt(Math.trunc(value))))
