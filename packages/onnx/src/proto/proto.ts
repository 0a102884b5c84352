// The only file that touches onnx-proto: decoding after a scan, byte-stable encoding, and 64-bit numbers.

import { fail } from '@bp/core/extend'
import proto, { type onnx } from 'onnx-proto'
import { readExtras } from './extra.ts'
import { type Encoders, encodeWhole, hasExtras } from './whole.ts'
import { checkWire } from './wire.ts'

export type ModelProto = onnx.IModelProto
/** What `readExtras` finds of a graph stands beside what onnx-proto decodes; likewise in nodes and functions. */
export type GraphProto = onnx.IGraphProto & { metadataProps?: readonly onnx.IStringStringEntryProto[] }
export type NodeProto = onnx.INodeProto & { overload?: string }
export type FunctionProto = onnx.IFunctionProto & { overload?: string; attributeProto?: readonly AttributeProto[] }
export type AttributeProto = onnx.IAttributeProto
export type SparseTensorProto = onnx.ISparseTensorProto
export type TensorProto = onnx.ITensorProto
export type ValueInfoProto = onnx.IValueInfoProto
export type TypeProto = onnx.ITypeProto
export type TensorType = onnx.TypeProto.ITensor
export type Dimension = onnx.TensorShapeProto.IDimension

/** The number by which an attribute says what it holds. */
export const attributeType = (kind: 'FLOAT' | 'INT' | 'STRING' | 'TENSOR' | 'INTS' | 'STRINGS'): onnx.AttributeProto.AttributeType => proto.onnx.AttributeProto.AttributeType[kind]

/** A 64-bit number as onnx-proto gives it: an object of two halves where the package `long` is found, else a number. */
export type Int64 = number | { readonly low: number; readonly high: number } | null | undefined

/** A 64-bit number as the nearest JavaScript number. */
export function toNumber(value: Int64): number {
  if (typeof value === 'number') return value
  return value ? value.high * 4294967296 + (value.low >>> 0) : 0
}

/** A 64-bit number exactly; one that was rounded out of the range of int64 becomes the nearest that is in it. */
export function toBigInt(value: Int64): bigint {
  if (typeof value !== 'number') return value ? (BigInt(value.high) << 32n) | BigInt(value.low >>> 0) : 0n
  const exact = BigInt(value)
  const most = (1n << 63n) - 1n
  return exact > most ? most : exact < -most - 1n ? -most - 1n : exact
}

/** Decodes a model of at most so many messages. Throws a `data` error for bytes that are none. */
export function decodeModel(op: string, bytes: Uint8Array, messages?: number): ModelProto {
  const model = decode(op, bytes, 'Model', messages)
  readExtras(bytes, model, { attribute: part => proto.onnx.AttributeProto.decode(part), entry: part => proto.onnx.StringStringEntryProto.decode(part) })
  return model
}

/** Decodes a tensor, the content of a `.pb` file of test data. */
export const decodeTensor = (op: string, bytes: Uint8Array): TensorProto => decode(op, bytes, 'Tensor')

function decode(op: string, bytes: Uint8Array, message: 'Model' | 'Tensor', messages?: number): ModelProto & TensorProto {
  if (!((bytes as unknown) instanceof Uint8Array)) fail('data', op, `needs the bytes of the file as a Uint8Array, got ${typeof bytes}. Read it with readFile(path) or new Uint8Array(await response.arrayBuffer())`)
  checkWire(op, bytes, message, messages)
  try {
    return proto.onnx[`${message}Proto`].decode(bytes)
  } catch (cause) {
    return fail('data', op, `the bytes do not decode as ${message === 'Model' ? 'an ONNX model' : 'a TensorProto'}: ${String(cause)}. Get the file again from its source`, { cause })
  }
}

/** Encodes a model. The same message gives the same bytes, for fields are written in one order. */
export const encodeModel = (model: ModelProto): Uint8Array => hasExtras(model) ? encodeWhole(model, encoders) : encoders.model(model)

const encoders: Encoders = {
  model: message => Uint8Array.from(proto.onnx.ModelProto.encode(message).finish()),
  graph: message => proto.onnx.GraphProto.encode(message).finish(),
  function: message => proto.onnx.FunctionProto.encode(message).finish(),
  node: message => proto.onnx.NodeProto.encode(message).finish(),
  attribute: message => proto.onnx.AttributeProto.encode(message).finish(),
  entry: message => proto.onnx.StringStringEntryProto.encode(message).finish(),
}

/** Encodes a tensor. */
export const encodeTensor = (value: TensorProto): Uint8Array => Uint8Array.from(proto.onnx.TensorProto.encode(value).finish())
