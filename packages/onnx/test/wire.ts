// Builds model files part by part, for tests of functions and of fields that onnx-proto does not write.

import proto, { type onnx } from 'onnx-proto'

/** Parts of a message, one after another. */
export function join(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** A number in groups of seven bits, the lowest first. */
export function varint(n: number): number[] {
  const out: number[] = []
  for (; n >= 128; n = Math.floor(n / 128)) out.push(n % 128 + 128)
  return [...out, n]
}

/** A field whose content is preceded by its length. */
export function field(number: number, content: Uint8Array | string): Uint8Array {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  return Uint8Array.from([...varint(number * 8 + 2), ...varint(bytes.length), ...bytes])
}

/** Messages as onnx-proto writes them. */
export const encoded = (model: onnx.IModelProto): Uint8Array => Uint8Array.from(proto.onnx.ModelProto.encode(model).finish())
export const encodedGraph = (graph: onnx.IGraphProto): Uint8Array => Uint8Array.from(proto.onnx.GraphProto.encode(graph).finish())
export const encodedNode = (node: onnx.INodeProto): Uint8Array => Uint8Array.from(proto.onnx.NodeProto.encode(node).finish())
export const encodedFunction = (f: onnx.IFunctionProto): Uint8Array => Uint8Array.from(proto.onnx.FunctionProto.encode(f).finish())
export const encodedAttribute = (attribute: onnx.IAttributeProto): Uint8Array => Uint8Array.from(proto.onnx.AttributeProto.encode(attribute).finish())
export const encodedEntry = (key: string, value: string): Uint8Array => Uint8Array.from(proto.onnx.StringStringEntryProto.encode({ key, value }).finish())

/** A function of the domain `acme`, which reads operator set 17 and its own domain. */
export const functionOf = (name: string, input: string[], output: string[], node: onnx.INodeProto[], attribute: string[] = []): onnx.IFunctionProto =>
  ({ domain: 'acme', name, input, output, node, attribute, opsetImport: [{ domain: '', version: 17 }, { domain: 'acme', version: 1 }] })

/** An attribute, of a type by its name, whose value is that of an attribute of the function in which its node stands. */
export const reference = (name: string, refAttrName: string, type: keyof typeof proto.onnx.AttributeProto.AttributeType = 'FLOAT'): onnx.IAttributeProto => ({ name, refAttrName, type: proto.onnx.AttributeProto.AttributeType[type] })
