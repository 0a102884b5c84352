// Fields of ONNX that onnx-proto, which is of ONNX 1.10, drops when it decodes: found in the bytes, and added to what it decoded.

import type { AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto } from './proto.ts'
import { fieldsOf } from './wire.ts'

type Entry = NonNullable<GraphProto['metadataProps']>[number]

/** How the messages inside the added fields are decoded. */
interface Decoders {
  readonly attribute: (bytes: Uint8Array) => AttributeProto
  readonly entry: (bytes: Uint8Array) => Entry
}

/**
 * Adds to a decoded model the overloads of nodes and functions, the defaults of functions' attributes, and the metadata of graphs. The
 * bytes must have passed `checkWire`. Of a field that holds one message but stands in the file several times the last counts, as
 * it does for the decoder.
 */
export function readExtras(bytes: Uint8Array, model: ModelProto, decode: Decoders): void {
  const top = partsOf(bytes, [25], [7])
  inGraph(top.get(7)?.[0], model.graph, decode)
  top.get(25)?.forEach((part, i) => { inFunction(part, model.functions![i]!, decode) })
}

function inFunction(bytes: Uint8Array, f: FunctionProto, decode: Decoders): void {
  const parts = partsOf(bytes, [7, 11], [13])
  const defaults = parts.get(11)
  const overload = parts.get(13)?.[0]
  if (defaults?.length) f.attributeProto = defaults.map(decode.attribute)
  if (overload) f.overload = new TextDecoder().decode(overload)
  parts.get(7)?.forEach((part, i) => { inNode(part, f.node![i]!, decode) })
  defaults?.forEach((part, i) => { inAttribute(part, f.attributeProto![i]!, decode) })
}

function inGraph(bytes: Uint8Array | undefined, graph: GraphProto | null | undefined, decode: Decoders): void {
  if (!bytes || !graph) return
  const parts = partsOf(bytes, [1, 16])
  const metadata = parts.get(16)
  if (metadata?.length) graph.metadataProps = metadata.map(decode.entry)
  parts.get(1)?.forEach((part, i) => { inNode(part, graph.node![i]!, decode) })
}

function inNode(bytes: Uint8Array, node: NodeProto, decode: Decoders): void {
  const parts = partsOf(bytes, [5], [8])
  const overload = parts.get(8)?.[0]
  if (overload) node.overload = new TextDecoder().decode(overload)
  parts.get(5)?.forEach((part, i) => { inAttribute(part, node.attribute![i]!, decode) })
}

function inAttribute(bytes: Uint8Array, attribute: AttributeProto, decode: Decoders): void {
  if (attribute.g) inGraph(partsOf(bytes, [], [6]).get(6)?.[0], attribute.g, decode)
  if (attribute.graphs?.length) partsOf(bytes, [11]).get(11)?.forEach((part, i) => { inGraph(part, attribute.graphs![i], decode) })
}

/** The parts of a message by the number of their field: all of those that are `listed`, the last of those that are `single`. */
function partsOf(bytes: Uint8Array, listed: readonly number[], single: readonly number[] = []): Map<number, Uint8Array[]> {
  const parts = new Map<number, Uint8Array[]>(listed.map(field => [field, []]))
  for (const { field, content } of fieldsOf(bytes)) {
    if (single.includes(field)) parts.set(field, [content])
    else if (listed.includes(field)) parts.get(field)!.push(content)
  }
  return parts
}
