// Writes models with the fields that onnx-proto, which is of ONNX 1.10, has no place for: those that `readExtras` reads.

import type { AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto } from './proto.ts'

type Entry = NonNullable<GraphProto['metadataProps']>[number]

/** How messages are encoded without the added fields. */
export interface Encoders {
  readonly model: (message: ModelProto) => Uint8Array
  readonly graph: (message: GraphProto) => Uint8Array
  readonly function: (message: FunctionProto) => Uint8Array
  readonly node: (message: NodeProto) => Uint8Array
  readonly attribute: (message: AttributeProto) => Uint8Array
  readonly entry: (message: Entry) => Uint8Array
}

const isGiven = (text: string | undefined): boolean => text !== undefined && text !== ''

/** Whether anything in a model stands in a field that onnx-proto drops. */
export const hasExtras = ({ graph, functions }: ModelProto): boolean =>
  inGraph(graph) || (functions ?? []).some((f: FunctionProto) => isGiven(f.overload) || (f.attributeProto?.length ?? 0) > 0 || inNodes(f.node))

const inGraph = (graph: GraphProto | null | undefined): boolean => !!graph && ((graph.metadataProps?.length ?? 0) > 0 || inNodes(graph.node))

const inNodes = (nodes: readonly NodeProto[] | null | undefined): boolean =>
  (nodes ?? []).some(({ overload, attribute }) => isGiven(overload) || (attribute ?? []).some(({ g, graphs }) => inGraph(g) || (graphs ?? []).some(inGraph)))

/** A model's bytes: each message as it is encoded without what it holds of these fields, which follows it. */
export function encodeWhole(model: ModelProto, encode: Encoders): Uint8Array {
  const graph = (message: GraphProto): Uint8Array => joined(encode.graph({ ...message, node: [] }), ...(message.node ?? []).map(part => field(1, node(part))), ...(message.metadataProps ?? []).map(part => field(16, encode.entry(part))))
  const attribute = (message: AttributeProto): Uint8Array => joined(encode.attribute({ ...message, g: null, graphs: [] }), ...message.g ? [field(6, graph(message.g))] : [], ...(message.graphs ?? []).map(part => field(11, graph(part))))
  const node = (message: NodeProto): Uint8Array => joined(encode.node({ ...message, attribute: [] }), ...(message.attribute ?? []).map(part => field(5, attribute(part))), ...text(8, message.overload))
  const own = (message: FunctionProto): Uint8Array =>
    joined(encode.function({ ...message, node: [] }), ...(message.node ?? []).map(part => field(7, node(part))), ...(message.attributeProto ?? []).map(part => field(11, attribute(part))), ...text(13, message.overload))
  return joined(encode.model({ ...model, graph: null, functions: [] }), ...model.graph ? [field(7, graph(model.graph))] : [], ...(model.functions ?? []).map(part => field(25, own(part))))
}

const text = (number: number, value: string | undefined): Uint8Array[] => value ? [field(number, new TextEncoder().encode(value))] : []

/** A field whose content is preceded by its length. */
const field = (number: number, content: Uint8Array): Uint8Array => joined(Uint8Array.from([...varint(number * 8 + 2), ...varint(content.length)]), content)

/** A number in groups of seven bits, the lowest first. */
function varint(n: number): number[] {
  const out: number[] = []
  for (; n >= 128; n = Math.floor(n / 128)) out.push(n % 128 + 128)
  return [...out, n]
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
