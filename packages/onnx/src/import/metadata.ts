// What a file says about itself besides its graph: names, versions, words.

import { type Int64, type ModelProto, toNumber } from '../proto/proto.ts'

/** What a file says about itself, besides its producer; a module that is exported again says it again. */
export interface ModelMetadata {
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
}

/** The metadata of a model; what it does not say is left out. */
export function readMetadata({ graph, domain, modelVersion, docString, metadataProps }: ModelProto): ModelMetadata {
  const version = toNumber(modelVersion as Int64)
  return {
    ...graph?.name && { name: graph.name }, ...domain && { domain }, ...version !== 0 && { modelVersion: version }, ...docString && { doc: docString },
    ...graph?.docString && { graphDoc: graph.docString }, ...metadataProps?.length && { metadata: Object.fromEntries(metadataProps.map(({ key, value }) => [key ?? '', value ?? ''])) },
  }
}
