// The safetensors file format: named tensors behind a JSON header (https://github.com/huggingface/safetensors, format section).

import { type DType, type Tensor, tensor, type TypedArray } from '@bp/core'
import { allocate, bytesPerElement, describe, fail } from '@bp/core/extend'

/** What a file holds. */
export interface Safetensors {
  readonly tensors: Map<string, Tensor>
  readonly metadata: Readonly<Record<string, string>>
}

const names: readonly (readonly [file: string, dtype: DType])[] = [['F64', 'float64'], ['F32', 'float32'], ['F16', 'float16'], ['I64', 'int64'], ['I32', 'int32'], ['U8', 'uint8'], ['BOOL', 'bool']]

/** The reference reader's bound on the header. */
const maxHeader = 100_000_000

/**
 * Writes named tensors, largest alignment first and then by name, so that the same tensors give the same bytes.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { decodeSafetensors, encodeSafetensors } from '@bp/nn'
 * const bytes = encodeSafetensors({ w: tensor([1, 2]) }, { format: 'bp' })
 * decodeSafetensors(bytes).tensors.get('w') // => tensor([1, 2], float32)
 * ```
 */
export function encodeSafetensors(tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const all = tensors instanceof Map ? [...tensors as ReadonlyMap<string, Tensor>] : Object.entries(tensors as Readonly<Record<string, Tensor>>)
  const entries = all
    .map(([name, value]) => ({ name, value, bytes: value.size * bytesPerElement(value.dtype) }))
    .sort((a, b) => bytesPerElement(b.value.dtype) - bytesPerElement(a.value.dtype) || (a.name < b.name ? -1 : 1))
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : []
  let end = 0
  for (const { name, value, bytes } of entries) {
    header.push([name, { dtype: names.find(([, dtype]) => dtype === value.dtype)![0], shape: value.shape, data_offsets: [end, end += bytes] }])
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)))
  const length = Math.ceil(json.length / 8) * 8
  const out = new Uint8Array(8 + length + end).fill(0x20, 8, 8 + length)
  new DataView(out.buffer).setBigUint64(0, BigInt(length), true)
  out.set(json, 8)
  let at = 8 + length
  for (const { value, bytes } of entries) {
    const data = value.dataSync()
    out.set(new Uint8Array(data.buffer, data.byteOffset, bytes), at)
    at += bytes
  }
  return out
}

const refuse = (message: string): never => fail('data', 'safetensors', message)

/**
 * Reads named tensors. Everything the header says is checked against the file's length before anything is allocated; a file
 * that is truncated, overlaps, leaves holes or lies about sizes is refused with the tensor's name.
 */
export function decodeSafetensors(file: Uint8Array): Safetensors {
  const { header, start } = readHeader(file)
  const metadata = readMetadata(header.__metadata__)
  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__').map(([name, entry]) => readEntry(name, entry, file.length - start))
  checkCoverage(entries, file.length - start)
  const tensors = new Map<string, Tensor>()
  for (const { name, dtype, shape, begin, end } of entries) {
    const data = allocate(dtype, (end - begin) / bytesPerElement(dtype))
    // a copy, for the file's data may lie at any alignment
    new Uint8Array(data.buffer).set(file.subarray(start + begin, start + end))
    tensors.set(name, tensor(normaliseBool(data, dtype), { dtype, shape }))
  }
  return { tensors, metadata }
}

const normaliseBool = (data: TypedArray, dtype: DType): TypedArray => dtype === 'bool' ? (data as Uint8Array).map(value => value === 0 ? 0 : 1) : data

function readHeader(file: Uint8Array): { header: Record<string, unknown>; start: number } {
  if (file.length < 8) refuse(`the file has ${file.length} bytes and no header. It is truncated, or no safetensors file`)
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true))
  if (length > maxHeader || length > file.length - 8) refuse(`the header claims ${length} bytes, the file has ${file.length - 8} after its length. It is truncated, or no safetensors file`)
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file.subarray(8, 8 + length)))
  } catch (error) {
    return fail('data', 'safetensors', 'the header is no JSON. Write the file anew', { cause: error })
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) return refuse('the header must be a JSON object. Write the file anew')
  return { header: header as Record<string, unknown>, start: 8 + length }
}

function readMetadata(value: unknown): Record<string, string> {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Object.values(value).some(text => typeof text !== 'string')) return refuse('__metadata__ must map names to strings. Write the file anew')
  return value as Record<string, string>
}

interface Entry {
  readonly name: string
  readonly dtype: DType
  readonly shape: number[]
  readonly begin: number
  readonly end: number
}

const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0

function readEntry(name: string, entry: unknown, available: number): Entry {
  const { dtype: type, shape, data_offsets: offsets } = (entry ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown }
  const dtype = names.find(([file]) => file === type)?.[1] ?? refuse(`the tensor ${name} has dtype ${String(type)}; ${names.map(([file]) => file).join(', ')} can be read. Convert it before saving`)
  if (!Array.isArray(shape) || !shape.every(isCount)) return refuse(`the tensor ${name} has no valid shape. Write the file anew`)
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) return refuse(`the tensor ${name} has no valid data_offsets. Write the file anew`)
  const [begin, end] = offsets as [number, number]
  if (begin > end || end > available) refuse(`the tensor ${name} lies at bytes ${begin} to ${end} of ${available}. The file is truncated or damaged`)
  const bytes = shape.reduce((n, size) => n * size, bytesPerElement(dtype))
  if (bytes !== end - begin) refuse(`the tensor ${name} is ${describe({ shape, dtype })}, which takes ${bytes} bytes, but has ${end - begin}. The file is damaged`)
  return { name, dtype, shape, begin, end }
}

/** The tensors must fill the data without overlap or holes, as the format demands. */
function checkCoverage(entries: readonly Entry[], available: number): void {
  let at = 0
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at) refuse(`the tensor ${name} begins at byte ${begin}, where ${at} was due: tensors overlap or leave a hole. The file is damaged`)
    at = end
  }
  if (at !== available) refuse(`${available - at} bytes follow the last tensor. The file is damaged`)
}
