// optimiseOnnx: the same model with less to compute.

import { fail } from '@bp/core/extend'
import type { ImportOptions } from '../import/import.ts'
import { decodeModel, encodeModel, type GraphProto, type Int64, toNumber } from '../proto/proto.ts'
import { Draft, graphsOf } from './draft.ts'
import { folding } from './fold.ts'
import { intoOperators } from './operators.ts'
import { type Inferred, inferredOf } from './inferred.ts'
import { chains, dead, type Pass, pointless, repeats, shapes } from './simplify.ts'
import { intoWeights } from './weights.ts'

/** Options of {@link optimiseOnnx}. */
export interface OptimiseOptions extends Pick<ImportOptions, 'externalData' | 'operators'> {
  /** Whether the model is still to be trained: parameters are then left as they are. False unless given. */
  readonly trainable?: boolean
}

/** What {@link optimiseOnnx} has made. */
export interface Optimised {
  readonly bytes: Uint8Array
  /** How often each rewriting was done, by its name; those that were not are left out. */
  readonly rewrites: ReadonlyMap<string, number>
}

/** Rewritings open the way for others; a model settles within a few rounds. */
const rounds = 16

/** And what is inferred of it anew settles within a few more. */
const times = 6

/**
 * Rewrites a model so that it computes the same with less: what constants alone decide is computed now, nodes that nothing needs,
 * that pass their input on or that repeat another are dropped, normalisations, sums and products with constants go into the
 * weights of the convolution before them, and patterns become the operator that ONNX has for them. Needs a backend, see `use`.
 *
 * @example
 * ```ts
 * import { BatchNorm2d, Conv2d, Sequential } from '@bp/nn'
 * import { exportOnnx, importOnnx, optimiseOnnx } from '@bp/onnx'
 * const bytes = exportOnnx(new Sequential(new Conv2d(3, 8, 3), new BatchNorm2d(8)), [{ shape: [1, 3, 8, 8] }])
 * const { bytes: small, rewrites } = optimiseOnnx(bytes)
 * Array.from(rewrites) // => [[normalisation into weights, 1]]
 * importOnnx(small).namedParameters().map(([name]) => name).length // => 2
 * ```
 */
export function optimiseOnnx(bytes: Uint8Array, options: OptimiseOptions = {}): Optimised {
  const rewrites = new Map<string, number>()
  let made = bytes
  // what was computed lets more be inferred
  for (let time = 0; time < times; time++) {
    const once = rewritten(made, options)
    made = once.bytes
    for (const [name, count] of once.rewrites) rewrites.set(name, (rewrites.get(name) ?? 0) + count)
    if (once.rewrites.size === 0) break
  }
  return { bytes: made, rewrites }
}

function rewritten(bytes: Uint8Array, { trainable = false, ...options }: OptimiseOptions): Optimised {
  const model = decodeModel('optimiseOnnx', bytes)
  if (!model.graph) fail('data', 'optimiseOnnx', 'the file holds no graph. Is it an ONNX model?')
  const opset = (model.opsetImport ?? []).find(({ domain }) => !domain || domain === 'ai.onnx')
  const passes: Readonly<Record<string, Pass>> = {
    'constants computed': folding(model, options, trainable), 'nodes without effect': pointless, 'shapes computed': shapes, 'chains joined': chains, 'repeated nodes': repeats,
    ...trainable ? {} : intoWeights, ...intoOperators, 'unused nodes': dead,
  }
  const rewrites = new Map<string, number>()
  const known = inferredOf(bytes, model.graph, options)
  for (const graph of graphsIn(model.graph)) {
    const draft = new Draft(graph, toNumber(opset?.version as Int64), ranksOf(graph), graph === model.graph ? known : nothing, options.externalData)
    let before = -1
    let total = 0
    for (let round = 0; round < rounds && total !== before; round++) {
      before = total
      for (const [name, pass] of Object.entries(passes)) {
        const count = pass(draft)
        total += count
        if (count > 0) rewrites.set(name, (rewrites.get(name) ?? 0) + count)
      }
    }
    draft.finish()
  }
  return { bytes: encodeModel(model), rewrites }
}

const nothing: Inferred = { values: new Map(), fixed: false }

/** A graph after those inside its nodes. */
const graphsIn = (graph: GraphProto): GraphProto[] => [...(graph.node ?? []).flatMap(node => graphsOf(node).flatMap(graphsIn)), graph]

/** How many axes the values of a graph have, as far as the file says. */
const ranksOf = (graph: GraphProto): ReadonlyMap<string, number> => new Map([...graph.input ?? [], ...graph.output ?? [], ...graph.valueInfo ?? []].flatMap(({ name, type }) => {
  const shape = type?.tensorType?.shape
  return shape ? [[name ?? '', (shape.dim ?? []).length] as const] : []
}))
