// Computes what a model would compute from constants alone, once and for all.

import { isFloat } from '@bp/core/extend'
import { UnsupportedError } from '../import/errors.ts'
import { importOnnx, type ImportOptions } from '../import/import.ts'
import { StringTensor } from '../import/value.ts'
import { encodeModel, type ModelProto, type NodeProto } from '../proto/proto.ts'
import { type Stored, writeTensor } from '../proto/tensor.ts'
import { type Draft, graphsOf } from './draft.ts'
import { evaluated } from './evaluate.ts'
import { type Pass, random } from './simplify.ts'

/** Results may be larger than what they are computed from by this much, in bytes. */
const growth = 65_536

/** Folding in the graphs of a model. Nodes that read parameters are left alone where the model is still to be trained. */
export const folding = (model: ModelProto, options: ImportOptions, trainable: boolean): Pass => draft => {
  const known = new Set<string>()
  const nodes: NodeProto[] = []
  const foldable = (name: string): boolean => name === '' || known.has(name) || (draft.isConstant(name) && !(trainable && isParameter(draft, name)))
  for (const node of draft.nodes) {
    if (random.has(node.opType ?? '') || graphsOf(node).length > 0 || !(node.input ?? []).every(foldable)) continue
    if (node.opType === 'Constant' && draft.outputs.has(node.output![0]!)) continue
    for (const name of node.output!) known.add(name)
    nodes.push(node)
  }
  const wanted = [...known].filter(name => name !== '' && (draft.outputs.has(name) || draft.readersOf(name).some(reader => !nodes.includes(reader))))
  if (wanted.length === 0) return 0
  const values = evaluate(model, options, nodes, draft, wanted)
  const folded = new Set<NodeProto>()
  for (const [name, value] of values) {
    const node = draft.maker(name)!
    if (draft.outputs.has(name) || bytesOf(value) > sourcesOf(draft, node) + growth) continue
    draft.constants.set(name, writeTensor(name, value))
    folded.add(node)
  }
  draft.nodes = draft.nodes.filter(node => !folded.has(node) || node.output!.some(name => name !== '' && !draft.constants.has(name)))
  draft.changed()
  return folded.size
}

const bytesOf = (value: Stored): number => value instanceof StringTensor ? value.data.reduce((sum, text) => sum + 2 * text.length, 0) : value.data.byteLength

/** A float tensor with axes: what an import takes for a parameter. */
function isParameter(draft: Draft, name: string): boolean {
  const t = draft.constants.get(name)!
  const literal = draft.literal(t.name)
  return literal !== null && isFloat(literal.dtype) && literal.shape.length > 0
}

/** The bytes of the constants that a node is computed from. */
function sourcesOf(draft: Draft, node: NodeProto, seen = new Set<string>()): number {
  return (node.input ?? []).reduce((sum, name) => {
    if (name === '' || seen.has(name)) return sum
    seen.add(name)
    const literal = draft.literal(name)
    const maker = draft.maker(name)
    return sum + (literal ? literal.data.byteLength : maker ? sourcesOf(draft, maker, seen) : 0)
  }, 0)
}

/** Runs nodes on the constants of a graph; what is not supported, fails or is too large is missing, and stays in the graph. */
function evaluate(model: ModelProto, options: ImportOptions, nodes: readonly NodeProto[], draft: Draft, wanted: readonly string[]): Map<string, Stored> {
  const read = new Set(nodes.flatMap(({ input }) => input ?? []))
  const graph = { name: 'constants', node: [...nodes], initializer: [...draft.constants.values()].filter(({ name }) => read.has(name ?? '')), input: [], output: [] }
  try {
    return evaluated(importOnnx(encodeModel({ ...model, graph }), { ...options, outputs: wanted, checkShapes: false }), wanted)
  } catch (error) {
    if (error instanceof UnsupportedError) return new Map()
    throw error
  }
}
