// Tensors in files: TensorProto to typed arrays and back, for every element type, checked before anything is allocated.

import { type DType, type Shape, type Tensor, tensor, type TypedArray } from '@bp/core'
import { allocate, fail, sizeOf } from '@bp/core/extend'
import { UnsupportedError } from '../import/errors.ts'
import { StringTensor } from '../import/value.ts'
import { bytesOf, fromBytes, fromCodes, toBytes } from './bytes.ts'
import { bitsOf, carrierOf, codeOf, elementType, type ElementType, isNarrow, type NarrowType } from './elementType.ts'
import { decodeTensor, encodeTensor, type Int64, type TensorProto, toBigInt, toNumber } from './proto.ts'

/** The element type of ONNX's number for it; throws an {@link UnsupportedError} that names `where` for complex numbers and unknown ones. */
export function typeOfCode(op: string, code: number, where: string): DType | NarrowType | 'string' {
  const type = elementType(code)
  if (type === null || type === 'complex64' || type === 'complex128') throw new UnsupportedError(op, `${where} has element type ${type ?? `number ${code}`}, which is unsupported. Convert the model to real numbers of a type that ONNX names`, 'dtype')
  return type
}

/** The same where numbers are needed. */
export function numberTypeOfCode(op: string, code: number, where: string): DType | NarrowType {
  const type = typeOfCode(op, code, where)
  return type === 'string' ? fail('data', op, `${where} has element type string where numbers are needed. The file is damaged`) : type
}

/** Elements as they stand in a file: a dtype, a shape, and data of just that many elements. */
export interface Literal {
  /** The element type where it is no dtype; `dtype` is its carrier's then. */
  readonly type?: NarrowType
  readonly dtype: DType
  readonly shape: Shape
  readonly data: TypedArray
}

/** What a file holds as a tensor: numbers or texts. */
export type Stored = Literal | StringTensor

/** Finds the bytes of a tensor whose data lies outside the model file. */
export type ExternalData = (path: string) => Uint8Array

/** Reads a tensor message of numbers. Throws a `data` error where its size and its data disagree, before anything is allocated. */
export function readTensor(op: string, t: TensorProto, where: string, external?: ExternalData): Literal {
  const stored = readStored(op, t, where, external)
  return stored instanceof StringTensor ? fail('data', op, `${where} holds strings where numbers are needed. The file is damaged`) : stored
}

/** Reads a tensor message of any element type, as {@link readTensor} does. */
export function readStored(op: string, t: TensorProto, where: string, external?: ExternalData): Stored {
  const type = typeOfCode(op, t.dataType ?? 0, where)
  const shape = ((t.dims ?? []) as Int64[]).map(toNumber)
  const size = sizeOf(shape)
  if (shape.some(n => !Number.isSafeInteger(n) || n < 0) || !Number.isSafeInteger(size)) fail('data', op, `${where} has the impossible shape [${shape.join(',')}]. The file is damaged`)
  if (t.segment) throw new UnsupportedError(op, `${where} is stored in segments, which is unsupported. Save the model again with a current version of onnx`)
  const location: number = t.dataLocation ?? 0
  if (type === 'string') {
    const texts = t.stringData ?? []
    if (location === 1 || texts.length !== size) mismatch(op, where, shape, size, location === 1 ? 0 : texts.length, 'strings')
    return new StringTensor(shape, decodeTexts(texts))
  }
  const raw = location === 1 ? externalBytes(op, t, where, external) : t.rawData?.length ? t.rawData : null
  if (raw) {
    if (raw.length !== bytesOf(type, size)) mismatch(op, where, shape, bytesOf(type, size), raw.length, 'bytes')
    return literal(type, shape, fromBytes(type, size, raw))
  }
  const list = fieldOf(t, type)
  const packed = bitsOf(type) < 8
  const want = packed ? bytesOf(type, size) : size
  if (list.length !== want) mismatch(op, where, shape, want, list.length, packed ? 'packed bytes' : 'elements')
  if (packed) return literal(type, shape, fromBytes(type, size, Uint8Array.from(list, toNumber)))
  return literal(type, shape, isNarrow(type) ? fromCodes(type, list.map(toBigInt)) : fromList(list, type))
}

/** Elements of a type that are already in its carrier's dtype. */
export const literal = (type: DType | NarrowType, shape: Shape, data: TypedArray): Literal => isNarrow(type) ? { type, dtype: carrierOf(type), shape, data } : { dtype: type, shape, data }

const decodeTexts = (texts: readonly Uint8Array[]): string[] => {
  const decoder = new TextDecoder()
  return texts.map(text => decoder.decode(text))
}

function mismatch(op: string, where: string, shape: Shape, want: number, got: number, unit: string): never {
  return fail('data', op, `${where} has shape [${shape.join(',')}], which needs ${want} ${unit}, but holds ${got}. The file is damaged or was written wrongly; export the model again`)
}

function fieldOf(t: TensorProto, type: DType | NarrowType): readonly Int64[] {
  if (type === 'float32') return t.floatData ?? []
  if (type === 'float64') return t.doubleData ?? []
  if (type === 'int64') return (t.int64Data ?? []) as Int64[]
  // all others, short floats as their bits
  return ((type === 'uint32' || type === 'uint64' ? t.uint64Data : t.int32Data) ?? []) as Int64[]
}

function fromList(list: readonly Int64[], dtype: DType): TypedArray {
  const out = allocate(dtype, list.length)
  if (out instanceof BigInt64Array) for (let i = 0; i < list.length; i++) out[i] = toBigInt(list[i])
  else for (let i = 0; i < list.length; i++) out[i] = dtype === 'bool' ? Number(toNumber(list[i]) !== 0) : toNumber(list[i])
  return out
}

function externalBytes(op: string, t: TensorProto, where: string, external: ExternalData | undefined): Uint8Array {
  const entries = new Map((t.externalData ?? []).map(({ key, value }) => [key ?? '', value ?? '']))
  const path = entries.get('location') ?? ''
  if (path === '') fail('data', op, `${where} is stored outside the file, but it does not say where. The file is damaged`)
  if (/^[\\/]|^[a-z]+:|\0/i.test(path) || path.split(/[\\/]/).includes('..')) fail('data', op, `${where} is stored at ${JSON.stringify(path)}, outside the model's folder. Only paths below it are followed; move the data there`)
  if (!external) fail('data', op, `${where} is stored in ${JSON.stringify(path)} beside the model. Pass { externalData: path => bytes } to read it`)
  const file = external(path)
  const offset = Number(entries.get('offset') ?? 0)
  const length = Number(entries.get('length') ?? file.length - offset)
  if (!(offset >= 0 && length >= 0 && offset + length <= file.length)) fail('data', op, `${where} is stored at bytes ${offset} to ${offset + length} of ${JSON.stringify(path)}, which has ${file.length}. The files do not belong together, or one is truncated`)
  return file.subarray(offset, offset + length)
}

/** Writes elements as a tensor message: numbers always as raw little-endian bytes. */
export function writeTensor(name: string, stored: Stored): TensorProto {
  const { shape } = stored
  if (stored instanceof StringTensor) return { dims: [...shape], dataType: codeOf('string'), name, stringData: stored.data.map(text => new TextEncoder().encode(text)) }
  const type = stored.type ?? stored.dtype
  return { dims: [...shape], dataType: codeOf(type), name, rawData: toBytes(type, stored.data) }
}

/**
 * The tensor in a serialised `TensorProto`, such as the `.pb` files of ONNX's test data. Element types that are no dtypes come in
 * the dtype that carries them: int8 in int32, bfloat16 in float32 and so on. Throws a `data` error where the bytes are none, and an
 * {@link UnsupportedError} for complex numbers; strings are read by {@link decodeValueProto}.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { decodeTensorProto, encodeTensorProto } from '@bp/onnx'
 * decodeTensorProto(encodeTensorProto(tensor([1, 2]))) // => tensor([1, 2], float32)
 * ```
 */
export function decodeTensorProto(bytes: Uint8Array): Tensor {
  const message = decodeTensor('decodeTensorProto', bytes)
  const { dtype, shape, data } = readTensor('decodeTensorProto', message, message.name ? `the tensor ${JSON.stringify(message.name)}` : 'the tensor')
  return tensor(data, { dtype, shape })
}

/**
 * A tensor as a serialised `TensorProto`; the inverse of {@link decodeTensorProto}. With a `type` that is no dtype the tensor must be
 * in its carrier's dtype, and its elements of the type.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { decodeTensorProto, encodeTensorProto } from '@bp/onnx'
 * const bytes = encodeTensorProto(tensor([1, -8], { dtype: 'int32' }), 'q', 'int4')
 * decodeTensorProto(bytes) // => tensor([1, -8], int32)
 * ```
 */
export function encodeTensorProto(x: Tensor | StringTensor, name = '', type?: ElementType): Uint8Array {
  if (x instanceof StringTensor) return encodeTensor(writeTensor(name, x))
  if (type !== undefined && type !== x.dtype && !(isNarrow(type) && carrierOf(type) === x.dtype)) fail('dtype', 'encodeTensorProto', `${x.dtype} does not carry ${type}. Cast the tensor first`)
  return encodeTensor(writeTensor(name, literal(type !== undefined && isNarrow(type) ? type : x.dtype, x.shape, x.dataSync())))
}
