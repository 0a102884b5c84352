// What a file says about itself besides its graph: names, versions, words.

import { type GraphProto, type Int64, type ModelProto, toNumber } from '../proto/proto.ts'

/** What a file says about itself, besides its producer. What it does not say is left out. */
export interface ModelMetadata {
  /** The version of the file format; 0 where the file does not say. */
  readonly irVersion: number
  /** The version of each domain's operators; ONNX's own domain is `''`. */
  readonly opsets: Readonly<Record<string, number>>
  /** The name of the graph. */
  readonly name?: string
  /** Whose model it is. */
  readonly domain?: string
  readonly modelVersion?: number
  /** What the model is, in words. */
  readonly doc?: string
  /** What the graph is, in words. */
  readonly graphDoc?: string
  /** Texts by name. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Texts by name, of the graph. */
  readonly graphMetadata?: Readonly<Record<string, string>>
}

const texts = (entries: NonNullable<GraphProto['metadataProps']>): Readonly<Record<string, string>> => Object.fromEntries(entries.map(({ key, value }) => [key ?? '', value ?? '']))

/** The metadata of a model; what it does not say is left out. */
export function readMetadata({ irVersion, opsetImport, graph, domain, modelVersion, docString, metadataProps }: ModelProto): ModelMetadata {
  const version = toNumber(modelVersion as Int64)
  const ofGraph = (graph as GraphProto | null | undefined)?.metadataProps
  return {
    irVersion: toNumber(irVersion as Int64), opsets: Object.fromEntries((opsetImport ?? []).map(({ domain, version }) => [domain === 'ai.onnx' ? '' : domain ?? '', toNumber(version as Int64)])),
    ...graph?.name && { name: graph.name }, ...domain && { domain }, ...version !== 0 && { modelVersion: version }, ...docString && { doc: docString },
    ...graph?.docString && { graphDoc: graph.docString }, ...metadataProps?.length && { metadata: texts(metadataProps) }, ...ofGraph?.length && { graphMetadata: texts(ofGraph) },
  }
}
