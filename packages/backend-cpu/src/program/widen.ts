// float16 in programs: computed and kept in float32, each result rounded to what float16 holds.

import { Aval, castRow, defineOp, type Graph, type GraphNode, type Id, inferElementwise } from '@bp/core/extend'
import { decodeFloat16, encodeFloat16 } from '@bp/core'

/** y = x rounded to the nearest float16, in float32. Lowering alone binds it. */
const roundHalfRow = /* @__PURE__ */ defineOp({ name: 'roundHalf', arity: 1, fuse: 'map', infer: ([x]) => inferElementwise('roundHalf', x, x), diff: { kind: 'zero' } })

/** Ops whose results are operands, or as exact. */
const exact: ReadonlySet<string> = new Set(['neg', 'abs', 'relu', 'sign', 'floor', 'round', 'maximum', 'minimum', 'amax', 'select', 'gather'])

const isHalf = ({ dtype }: Aval): boolean => dtype === 'float16'
const wide = (aval: Aval): Aval => isHalf(aval) ? new Aval(aval.shape, 'float32') : aval

/**
 * The graph with float32 in place of float16 inside: loops and kernels have vectors for it, and a rounding costs little beside.
 * Inputs, outputs and variables of float16 are converted at the ends. Values keep their numbers; the numbers of a value are those
 * of the op by itself, for kernels of float16 compute in float32 and round once too.
 */
export function widen(graph: Graph): Graph {
  const { inputs, constants, variables, live } = graph
  if (![...inputs, ...constants, ...variables, ...live].some(({ aval }) => isHalf(aval)) && !graph.nodes.some(({ avals }) => avals.some(isHalf))) return graph
  const nodes: GraphNode[] = []
  const known = new Map<Id, Aval>()
  /** What stands for a value: itself unless it came from outside, or is a cast of what is float32 already. */
  const stands = new Map<Id, Id>()
  const of = (id: Id): Id => stands.get(id) ?? id
  let next = 0
  for (const { id, aval } of [...inputs, ...constants, ...variables, ...live]) known.set(id, aval)
  for (const { outputs, avals } of graph.nodes) outputs.forEach((id, i) => known.set(id, avals[i]!))
  for (const id of known.keys()) next = Math.max(next, id + 1)
  const push = (row: GraphNode['row'], params: unknown, from: readonly Id[], avals: readonly Aval[], like?: GraphNode, outputs = avals.map(() => next++)): Id[] => {
    nodes.push({ row, params, inputs: from, outputs, avals, ...like?.fence !== undefined && { fence: like.fence } })
    return outputs
  }
  const castTo = (id: Id, aval: Aval, like?: GraphNode): Id => push(castRow, { dtype: aval.dtype }, [id], [aval], like)[0]!
  for (const { id, aval } of [...inputs, ...constants, ...variables]) if (isHalf(aval)) stands.set(id, castTo(id, wide(aval)))
  for (const { id, aval } of live) if (isHalf(aval)) stands.set(id, push(roundHalfRow, undefined, [id], [wide(aval)])[0]!)
  for (const node of graph.nodes) {
    const { row, outputs, avals } = node
    const from = node.inputs.map(of)
    const [x] = node.inputs
    const params = withWideDtype(node.params)
    if (row === castRow && known.get(x!)!.dtype === 'float16' && avals[0]!.dtype === 'float32') stands.set(outputs[0]!, from[0]!)
    else if (row === castRow && isHalf(avals[0]!) && known.get(x!)!.dtype === 'bool') push(row, params, from, avals.map(wide), node, [...outputs])
    else if (row === castRow && known.get(x!)!.dtype === 'float32' && isHalf(avals[0]!)) push(roundHalfRow, undefined, from, avals.map(wide), node, [...outputs])
    // what moves elements, or makes whole numbers and bools, has nothing to round
    else if (row.fuse === 'view' || exact.has(row.name) || !avals.some(isHalf)) push(row, params, from, avals.map(wide), node, [...outputs])
    else if (row.fuse === 'source' && 'value' in (params as object)) push(row, { ...params as object, value: decodeFloat16(encodeFloat16([(params as { value: number }).value]))[0] }, from, avals.map(wide), node, [...outputs])
    else {
      const made = push(row, params, from, avals.map(wide), node)
      avals.forEach((aval, i) => {
        if (isHalf(aval)) push(roundHalfRow, undefined, [made[i]!], [wide(aval)], node, [outputs[i]!])
        else stands.set(outputs[i]!, made[i]!)
      })
    }
  }
  const last = graph.nodes.at(-1)
  const leave = (id: Id): Id => isHalf(known.get(id)!) ? castTo(of(id), known.get(id)!, last) : of(id)
  return {
    ...graph, nodes,
    live: live.map(entry => ({ ...entry, aval: wide(entry.aval) })),
    outputs: graph.outputs.map(leave),
    updates: graph.updates.map(update => ({ ...update, id: leave(update.id) })),
  }
}

/** An op that is told the dtype of its result. */
const withWideDtype = (params: unknown): unknown =>
  typeof params === 'object' && params !== null && 'dtype' in params && params.dtype === 'float16' ? { ...params, dtype: 'float32' } : params
