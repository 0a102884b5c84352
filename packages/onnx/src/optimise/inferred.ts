// What can be told of a model's values without running it, for rewritings that need it.

import { BpError } from '@bp/core'
import type { ImportOptions } from '../import/import.ts'
import { inferShapes } from '../import/inferShapes.ts'
import type { ValueShape } from '../import/shapes.ts'
import type { GraphProto } from '../proto/proto.ts'
import { graphsOf } from './draft.ts'

/** What is known of the values of a model's own graph. */
export interface Inferred {
  readonly values: ReadonlyMap<string, ValueShape>
  /** Whether the inputs leave no size open, so that every size that is told holds. */
  readonly fixed: boolean
}

/** The names of the values inside the nodes of a graph. */
const inside = (graph: GraphProto): string[] => (graph.node ?? []).flatMap(graphsOf).flatMap(inner => [...[...inner.input ?? [], ...inner.initializer ?? []].map(({ name }) => name ?? ''), ...(inner.node ?? []).flatMap(({ output }) => output ?? []), ...inside(inner)])

/** Infers what it can; nothing of a model that contradicts itself or needs what is unsupported. */
export function inferredOf(bytes: Uint8Array, graph: GraphProto, options: ImportOptions): Inferred {
  const ambiguous = new Set(inside(graph))
  try {
    const { values, at } = inferShapes(bytes, options)
    return { values: new Map([...values].filter(([name]) => !ambiguous.has(name))), fixed: Object.keys(at).length === 0 && (graph.input ?? []).every(({ type }) => type?.tensorType?.shape) }
  } catch (error) {
    if (error instanceof BpError) return { values: new Map(), fixed: false }
    throw error
  }
}
