// Builds small model files for tests, well formed or not.

import proto, { type onnx } from 'onnx-proto'

/** A node without attributes. */
export const node = (opType: string, input: string[], output: string[]): onnx.INodeProto => ({ opType, input, output })

/** A Constant node with a float32 tensor. */
export const constantNode = (name: string, dims: number[], floatData: number[]): onnx.INodeProto =>
  ({ opType: 'Constant', output: [name], attribute: [{ name: 'value', type: proto.onnx.AttributeProto.AttributeType.TENSOR, t: { dims, dataType: 1, floatData } }] })

/** A float32 initialiser. */
export const initialiser = (name: string, dims: number[], floatData: number[]): onnx.ITensorProto => ({ name, dims, dataType: 1, floatData })

/** A float32 input or output. */
export const value = (name: string, shape: (string | number)[]): onnx.IValueInfoProto =>
  ({ name, type: { tensorType: { elemType: 1, shape: { dim: shape.map(size => typeof size === 'string' ? { dimParam: size } : { dimValue: size }) } } } })

export const graphOf = (nodes: onnx.INodeProto[], input: onnx.IValueInfoProto[], output: onnx.IValueInfoProto[], initializer: onnx.ITensorProto[] = []): onnx.IGraphProto =>
  ({ name: 'g', node: nodes, input, output, initializer })

/** The bytes of a model of one operator set. */
export const modelBytes = (graph: onnx.IGraphProto | null, opset = 17): Uint8Array =>
  Uint8Array.from(proto.onnx.ModelProto.encode({ irVersion: 8, opsetImport: [{ domain: '', version: opset }], ...graph ? { graph } : {} }).finish())
