// Making tensors from JavaScript values.

import { Aval } from './aval.ts'
import { type Backend, defaultBackend } from './backend.ts'
import { allocate, convert, type DType, dtypeOf, type TypedArray } from './dtype.ts'
import { fail } from './errors.ts'
import { checkShape, type Shape, sizeOf } from './shape.ts'
import { Tensor } from './tensor.ts'

/** Numbers, booleans or bigints, nested to any depth, every level of one length. */
export type NestedInput = number | boolean | bigint | readonly NestedInput[]

/** Options of {@link tensor}. */
export interface TensorOptions {
  /** The element type; what the data suggests unless given: float32 for numbers, bool for booleans, int64 for bigints. */
  readonly dtype?: DType
  /** The shape of flat data; one axis unless given. */
  readonly shape?: Shape
  /** Makes the tensor a leaf whose gradient `backward` accumulates. */
  readonly requiresGrad?: boolean
  /** Where to put it; the backend in `use` unless given. */
  readonly backend?: Backend
}

/**
 * A tensor with a copy of the data given: a number, nested arrays, or a typed array; a `Uint16Array` holds bits of float16.
 *
 * Throws where nested arrays are ragged and where the shape does not fit the data.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * tensor([[1, 2], [3, 4]]) // => tensor([[1, 2], [3, 4]], float32)
 * tensor(new Float64Array(4), { shape: [2, 2] }).dtype // => float64
 * ```
 */
export function tensor(data: NestedInput | TypedArray | Uint8ClampedArray, options: TensorOptions = {}): Tensor {
  const flat = ArrayBuffer.isView(data) ? { values: data, shape: [data.length] } : flattenNested(data)
  const shape = options.shape ?? flat.shape
  if (sizeOf(checkShape('tensor', shape)) !== flat.values.length) {
    fail('shape', 'tensor', `${flat.values.length} elements do not fill [${shape.join(',')}], which has ${sizeOf(shape)}. Give a shape with that many elements`)
  }
  const dtype = options.dtype ?? (ArrayBuffer.isView(flat.values) ? dtypeOf(flat.values) : suggest(flat.values))
  const backend = options.backend ?? defaultBackend()
  const aval = new Aval([...shape], dtype)
  const out = new Tensor(aval, backend.write(toTyped(flat.values, dtype), aval), backend)
  if (options.requiresGrad) out.requiresGrad = true
  return out
}

/**
 * The same value on another backend, as a new leaf: no gradient flows back between backends.
 *
 * @example
 * ```ts
 * import { tensor, to } from '@bp/core'
 * import { cpu } from '@bp/backend-cpu'
 * await to(tensor([1, 2]), cpu()) // => tensor([1, 2], float32)
 * ```
 */
export async function to(x: Tensor, backend: Backend): Promise<Tensor> {
  return x.backend === backend ? x : new Tensor(x.aval, backend.write(await x.data(), x.aval), backend)
}

type Flat = readonly (number | boolean | bigint)[]

const suggest = (values: Flat): DType =>
  typeof values[0] === 'boolean' ? 'bool' : typeof values[0] === 'bigint' ? 'int64' : 'float32'

function toTyped(values: TypedArray | Uint8ClampedArray | Flat, dtype: DType): TypedArray {
  if (ArrayBuffer.isView(values) && !(values instanceof Uint8ClampedArray) && values.constructor === allocate(dtype, 0).constructor && dtype !== 'bool') return values // float16: the bits themselves
  return convert(values, dtype)
}

function flattenNested(data: NestedInput): { values: Flat; shape: number[] } {
  const shape: number[] = []
  for (let level: NestedInput = data; Array.isArray(level); level = level[0] as NestedInput) {
    shape.push(level.length)
    if (level.length === 0) break
  }
  const values: (number | boolean | bigint)[] = []
  const walk = (node: NestedInput, axis: number, path: string): void => {
    const isArray = Array.isArray(node)
    if (isArray !== axis < shape.length || (isArray && node.length !== shape[axis])) {
      const got = isArray ? `${node.length} elements` : typeof node
      const want = axis < shape.length ? `${shape[axis]} elements` : 'a number'
      fail('shape', 'tensor', `nested arrays must be regular: data${path} is ${got}, where data${path.replace(/\d+/g, '0')} has ${want}. Pad or split the data`)
    }
    if (isArray) (node as readonly NestedInput[]).forEach((child, i) => { walk(child, axis + 1, `${path}[${i}]`) })
    else values.push(node as number | boolean | bigint)
  }
  walk(data, 0, '')
  return { values, shape }
}
