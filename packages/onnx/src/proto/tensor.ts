// Tensors in files: dtypes by ONNX's numbers, and TensorProto to typed arrays and back, checked before anything is allocated.

import { type DType, type Shape, type Tensor, tensor, type TypedArray } from '@bp/core'
import { allocate, bytesPerElement, fail, sizeOf } from '@bp/core/extend'
import { UnsupportedError } from '../import/errors.ts'
import { decodeTensor, encodeTensor, type Int64, type TensorProto, toBigInt, toNumber } from './proto.ts'

/** ONNX's numbers for the dtypes that the framework has. */
export const dtypeCodes: Readonly<Record<DType, number>> = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float16: 10, float64: 11 }

const dtypeByCode = new Map(Object.entries(dtypeCodes).map(([dtype, code]) => [code, dtype as DType]))

const otherTypes = ['undefined', '', '', 'int8', 'uint16', 'int16', '', '', 'string', '', 'float16', '', 'uint32', 'uint64', 'complex64', 'complex128', 'bfloat16',
  'float8e4m3fn', 'float8e4m3fnuz', 'float8e5m2', 'float8e5m2fnuz', 'uint4', 'int4', 'float4e2m1']

/** The dtype of ONNX's number for it, or `null` where the framework has none such. */
export const knownDType = (code: number): DType | null => dtypeByCode.get(code) ?? null

/** ONNX's name of an element type. */
export const typeName = (code: number): string => knownDType(code) ?? otherTypes[code] ?? `number ${code}`

/** The dtype of ONNX's number for it; throws an {@link UnsupportedError} that names `where` for the rest. */
export function dtypeOfCode(op: string, code: number, where: string): DType {
  const dtype = knownDType(code)
  if (dtype === null) throw new UnsupportedError(op, `${where} has element type ${typeName(code)}, which is unsupported. Convert the model to float32, float64, float16, int64, int32, uint8 or bool`, 'dtype')
  return dtype
}

/** Elements as they stand in a file: a dtype, a shape, and data of just that many elements. */
export interface Literal {
  readonly dtype: DType
  readonly shape: Shape
  readonly data: TypedArray
}

/** Finds the bytes of a tensor whose data lies outside the model file. */
export type ExternalData = (path: string) => Uint8Array

/** Reads a tensor message. Throws a `data` error where its size and its data disagree, before anything is allocated. */
export function readTensor(op: string, t: TensorProto, where: string, external?: ExternalData): Literal {
  const dtype = dtypeOfCode(op, t.dataType ?? 0, where)
  const shape = ((t.dims ?? []) as Int64[]).map(toNumber)
  const size = sizeOf(shape)
  if (shape.some(n => !Number.isSafeInteger(n) || n < 0) || !Number.isSafeInteger(size)) fail('data', op, `${where} has the impossible shape [${shape.join(',')}]. The file is damaged`)
  if (t.segment) throw new UnsupportedError(op, `${where} is stored in segments, which is unsupported. Save the model again with a current version of onnx`)
  const location: number = t.dataLocation ?? 0
  const raw = location === 1 ? externalBytes(op, t, where, external) : t.rawData?.length ? t.rawData : null
  if (raw) {
    if (raw.length !== size * bytesPerElement(dtype)) mismatch(op, where, shape, size * bytesPerElement(dtype), raw.length, 'bytes')
    return { dtype, shape, data: fromRaw(raw, dtype) }
  }
  const list = fieldOf(t, dtype)
  if (list.length !== size) mismatch(op, where, shape, size, list.length, 'elements')
  return { dtype, shape, data: fromList(list, dtype) }
}

function mismatch(op: string, where: string, shape: Shape, want: number, got: number, unit: string): never {
  return fail('data', op, `${where} has shape [${shape.join(',')}], which needs ${want} ${unit}, but holds ${got}. The file is damaged or was written wrongly; export the model again`)
}

/** Little-endian bytes to elements, copied first because they may lie at any offset. */
function fromRaw(raw: Uint8Array, dtype: DType): TypedArray {
  const out = allocate(dtype, raw.length / bytesPerElement(dtype))
  const bytes = new Uint8Array(out.buffer)
  bytes.set(raw)
  if (!littleEndian) {
    const width = bytesPerElement(dtype)
    for (let i = 0; i < bytes.length; i += width) bytes.subarray(i, i + width).reverse()
  }
  if (dtype === 'bool') for (let i = 0; i < bytes.length; i++) bytes[i] = bytes[i] ? 1 : 0
  return out
}

const littleEndian = /* @__PURE__ */ isLittleEndian()

function isLittleEndian(): boolean {
  return new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
}

function fieldOf(t: TensorProto, dtype: DType): readonly Int64[] {
  if (dtype === 'float32') return t.floatData ?? []
  if (dtype === 'float64') return t.doubleData ?? []
  // float16 comes as its bits
  return ((dtype === 'int64' ? t.int64Data : t.int32Data) ?? []) as Int64[]
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

/** Writes elements as a tensor message, always as raw little-endian bytes. */
export function writeTensor(name: string, { dtype, shape, data }: Literal): TensorProto {
  const rawData = new Uint8Array(data.byteLength)
  rawData.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  if (!littleEndian) for (let i = 0, width = bytesPerElement(dtype); i < rawData.length; i += width) rawData.subarray(i, i + width).reverse()
  return { dims: [...shape], dataType: dtypeCodes[dtype], name, rawData }
}

/**
 * The tensor in a serialised `TensorProto`, such as the `.pb` files of ONNX's test data. Throws a `data` error where the
 * bytes are none, and an {@link UnsupportedError} for element types that the framework has not.
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

/** A tensor as a serialised `TensorProto`; the inverse of {@link decodeTensorProto}. */
export const encodeTensorProto = (x: Tensor, name = ''): Uint8Array => encodeTensor(writeTensor(name, { dtype: x.dtype, shape: x.shape, data: x.dataSync() }))
