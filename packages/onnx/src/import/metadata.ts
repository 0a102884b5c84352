// What a file says of itself, beside what it computes.

import { type GraphProto, type Int64, type ModelProto, toNumber } from '../proto/proto.ts'

/** What a file says of itself. What it leaves out is empty or 0. */
export interface ModelMetadata {
  /** The version of the file format. */
  readonly irVersion: number
  /** The version of each domain's operators, by domain; that of ONNX's own is `''`. */
  readonly opsets: Readonly<Record<string, number>>
  /** The program that wrote the file. */
  readonly producer: Producer
  /** Whose model it is, as a reversed name of the internet: `org.acme`. */
  readonly domain: string
  readonly modelVersion: number
  readonly doc: string
  /** What else its author noted, by keys of their own. */
  readonly properties: Readonly<Record<string, string>>
  readonly graph: { readonly name: string; readonly doc: string; readonly properties: Readonly<Record<string, string>> }
}

/** The program that wrote a file, as the file says; empty where it does not. */
export interface Producer {
  readonly name: string
  readonly version: string
}

const record = (entries: GraphProto['metadataProps'] | null): Readonly<Record<string, string>> => Object.fromEntries((entries ?? []).map(({ key, value }) => [key ?? '', value ?? '']))

/** What a decoded model says of itself. */
export function metadataOf(model: ModelProto): ModelMetadata {
  const graph: GraphProto | null = model.graph ?? null
  return {
    irVersion: toNumber(model.irVersion as Int64), opsets: Object.fromEntries((model.opsetImport ?? []).map(({ domain, version }) => [domain === 'ai.onnx' ? '' : domain ?? '', toNumber(version as Int64)])),
    producer: { name: model.producerName ?? '', version: model.producerVersion ?? '' }, domain: model.domain ?? '', modelVersion: toNumber(model.modelVersion as Int64), doc: model.docString ?? '',
    properties: record(model.metadataProps),
    graph: { name: graph?.name ?? '', doc: graph?.docString ?? '', properties: record(graph?.metadataProps) },
  }
}
