// Builds small model files for tests, well formed or not.

import proto, { type onnx } from 'onnx-proto'

/** A node without attributes. */
export const node = (opType: string, input: string[], output: string[]): onnx.INodeProto => ({ opType, input, output })

/** What an attribute is set to: a whole number is an INT, any other a FLOAT. */
export type Setting = string | number | readonly number[] | onnx.IGraphProto

const kinds = proto.onnx.AttributeProto.AttributeType

/** An attribute; lists are of whole numbers. */
export function attribute(name: string, setting: Setting): onnx.IAttributeProto {
  if (typeof setting === 'string') return { name, type: kinds.STRING, s: new TextEncoder().encode(setting) }
  if (typeof setting === 'number') return Number.isInteger(setting) ? { name, type: kinds.INT, i: setting } : { name, type: kinds.FLOAT, f: setting }
  return isList(setting) ? { name, type: kinds.INTS, ints: [...setting] } : { name, type: kinds.GRAPH, g: setting }
}

const isList = (setting: readonly number[] | onnx.IGraphProto): setting is readonly number[] => Array.isArray(setting)

/** A node with attributes. */
export const nodeWith = (opType: string, input: string[], output: string[], settings: Readonly<Record<string, Setting>>): onnx.INodeProto =>
  ({ ...node(opType, input, output), attribute: Object.entries(settings).map(([name, setting]) => attribute(name, setting)) })

/** An int64 initialiser; a scalar where the shape is empty. */
export const whole = (name: string, numbers: readonly number[], dims: number[] = [numbers.length]): onnx.ITensorProto => ({ name, dims, dataType: 7, int64Data: [...numbers] })

/** A Constant node with a float32 tensor. */
export const constantNode = (name: string, dims: number[], floatData: number[]): onnx.INodeProto =>
  ({ opType: 'Constant', output: [name], attribute: [{ name: 'value', type: kinds.TENSOR, t: { dims, dataType: 1, floatData } }] })

/** A float32 initialiser. */
export const initialiser = (name: string, dims: number[], floatData: number[]): onnx.ITensorProto => ({ name, dims, dataType: 1, floatData })

/** A float32 input or output. */
export const value = (name: string, shape: (string | number)[]): onnx.IValueInfoProto =>
  ({ name, type: { tensorType: { elemType: 1, shape: { dim: shape.map(size => typeof size === 'string' ? { dimParam: size } : { dimValue: size }) } } } })

export const graphOf = (nodes: onnx.INodeProto[], input: onnx.IValueInfoProto[], output: onnx.IValueInfoProto[], initializer: onnx.ITensorProto[] = []): onnx.IGraphProto =>
  ({ name: 'g', node: nodes, input, output, initializer })

/** The bytes of a model of one operator set, and of versions of other domains. */
export const modelBytes = (graph: onnx.IGraphProto | null, opset = 17, producerName = '', domains: Readonly<Record<string, number>> = {}): Uint8Array =>
  Uint8Array.from(proto.onnx.ModelProto.encode({ irVersion: 8, producerName, opsetImport: Object.entries({ '': opset, ...domains }).map(([domain, version]) => ({ domain, version })), ...graph ? { graph } : {} }).finish())
