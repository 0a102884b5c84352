// Attention with everything that exporters of language models ask of it, and FlexAttention, whose graphs change scores and weights.

import { add, full, mul, type Tensor } from '@bp/core'
import { describe, fail, isFloat } from '@bp/core/extend'
import { any, cast, concat, div, greater, iota, less, lessEqual, logicalAnd, matmul, matmulTransposed, repeatInterleave, reshape, select, softmax, sub, tanh, transpose } from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import type { ModelNode } from '../import/load.ts'
import { narrowTo } from '../import/narrow.ts'
import { elementTypeOf, toTensor } from '../import/value.ts'
import { carrierOf, elementType } from '../proto/elementType.ts'
import { only, onTensors, onValues, type Operator, type Operators } from './operator.ts'

/** [n, length, heads·d] → [n, heads, length, d]; four axes are left as they are. */
export function splitHeads(x: Tensor, heads: number, node: ModelNode): Tensor {
  if (x.rank === 4) return x
  const [n, length, width] = x.shape as [number, number, number]
  if (x.rank !== 3 || heads < 1 || width % heads !== 0) fail('shape', node.operator, `needs [n, heads, length, d] or [n, length, heads·d], got ${describe(x)} of ${heads} head(s). The file does not fit its input`)
  return transpose(reshape(x, [n, length, heads, width / heads]), [0, 2, 1, 3])
}

/** The inverse of {@link splitHeads}. */
export function joinHeads(x: Tensor): Tensor {
  const [n, heads, length, d] = x.shape as [number, number, number, number]
  return reshape(transpose(x, [0, 2, 1, 3]), [n, length, heads * d])
}

/** Keys or values once for every query head: each serves a group of neighbouring ones (Ainslie et al. 2023, "GQA"). */
export function forHeads(x: Tensor, heads: number, node: ModelNode): Tensor {
  const own = x.shape[1]!
  if (own === 0 || heads % own !== 0) fail('shape', node.operator, `${heads} query heads do not divide among the ${own} of ${describe(x)}. The file does not fit its input`)
  return own === heads ? x : repeatInterleave(x, heads / own, 1)
}

/** q·kᵀ·scale; each operand takes the root of the scale, so that no product of short floats overflows. */
function scoresOf(q: Tensor, k: Tensor, scale: number): Tensor {
  const root = Math.sqrt(Math.abs(scale))
  return matmulTransposed(mul(q, Math.sign(scale) * root), mul(k, root))
}

/** The factor of the scores, 1/√d unless given. */
export const scaleOf = (q: Tensor, attributes: Attributes): number => attributes.has('scale') ? attributes.float('scale', 1) : 1 / Math.sqrt(q.shape.at(-1)!)

/** The softmax in the precision that an attribute names, else in the scores' own. */
function precise(scores: Tensor, attributes: Attributes, node: ModelNode, f: (scores: Tensor) => Tensor, fallback = scores.dtype): Tensor {
  const type = attributes.has('softmax_precision') ? elementType(attributes.int('softmax_precision', 1)) : fallback
  only(node, 'softmax_precision', type ?? '', 'float16', 'float32', 'float64', 'bfloat16')
  return f(cast(scores, carrierOf(type as 'float32' | 'bfloat16')))
}

/** Which keys queries may see by their places alone, as bools that broadcast to [n, heads, queries, keys]. */
function places(q: Tensor, k: Tensor, past: number, counts: Tensor | undefined, attributes: Attributes): Tensor[] {
  const [length, keys] = [q.shape[2]!, k.shape[2]!]
  const perBatch = counts && reshape(cast(counts, 'int32'), [counts.size, 1, 1, 1])
  const j = reshape(iota(keys, 'int32', q.backend), [1, keys])
  const before = perBatch ? sub(perBatch, length) : past
  const i = add(reshape(iota(length, 'int32', q.backend), [length, 1]), before)
  const [left, right] = [attributes.int('left_window_size', -1), attributes.int('right_window_size', -1)]
  return [
    ...attributes.int('is_causal', 0) !== 0 ? [lessEqual(j, i)] : [],
    ...left >= 0 ? [lessEqual(sub(i, j), left)] : [],
    ...right >= 0 ? [lessEqual(sub(j, i), right)] : [],
    ...perBatch ? [less(j, perBatch)] : [],
  ]
}

/** A mask as long as the keys: what it does not reach is not seen. */
function extended(mask: Tensor, keys: number): Tensor {
  const missing = keys - mask.shape.at(-1)!
  if (missing <= 0) return mask
  const rest = full(mask.shape.with(-1, missing), mask.dtype === 'bool' ? 0 : -Infinity, mask.dtype === 'bool' ? 'uint8' : mask.dtype, mask.backend)
  return concat([mask, cast(rest, mask.dtype)], -1)
}

/** What attention is made of: queries [n, heads, length, d], keys and values [n, own heads, keys, …]. */
export interface Attending {
  readonly q: Tensor
  readonly k: Tensor
  readonly v: Tensor
  readonly scale: number
  /** The cap of scores; 0 for none. */
  readonly cap: number
  /** Which keys a query may see, as bools that broadcast to [n, heads, length, keys]; all of them must allow it. */
  readonly seen: readonly Tensor[]
  /** What is added to the scores. */
  readonly bias?: Tensor | undefined
}

/** Attention and what lies on the way to it. */
export interface Attended {
  readonly y: Tensor
  /** The scores as they are, capped, and with what is added or hidden. */
  readonly raw: Tensor
  readonly capped: Tensor
  readonly masked: Tensor
  readonly weights: Tensor
}

/**
 * softmax(c·tanh(q·kᵀ·scale/c) + bias)·v (Vaswani et al. 2017, eq. 1; the cap c of scores as in Gemma Team 2024, "Gemma 2", §2). A query that
 * may see no key gets zeros.
 */
export function attend({ q, k, v, scale, cap, seen: conditions, bias }: Attending, attributes: Attributes, node: ModelNode): Attended {
  const heads = q.shape[1]!
  const raw = scoresOf(q, forHeads(k, heads, node), scale)
  const capped = cap === 0 ? raw : mul(tanh(div(raw, cap)), cap)
  const seen = conditions.reduce<Tensor | undefined>((a, b) => a ? logicalAnd(a, b) : b, undefined)
  const moved = bias ? add(capped, bias) : capped
  const masked = seen ? select(seen, moved, -Infinity) : moved
  const open = bias ? seen ? logicalAnd(seen, greater(bias, -Infinity)) : greater(bias, -Infinity) : seen
  // rows without a key are computed on zeros, so that no NaN arises, backwards either
  const sees = open && any(open, -1, true)
  const shares = precise(sees ? select(sees, masked, 0) : masked, attributes, node, softmax)
  const weights = cast(sees ? select(sees, shares, 0) : shares, q.dtype)
  return { y: matmul(weights, cast(forHeads(v, heads, node), q.dtype)), raw, capped, masked, weights }
}

/** The operator, with the keys and values of steps before. */
const attention: Operator = onTensors(3, ([q0, k0, v0, mask, pastK, pastV, counts], attributes, node) => {
  if ((pastK === undefined) !== (pastV === undefined)) fail('data', node.operator, 'past keys and past values come together or not at all. The file is damaged')
  const own = attributes.int('kv_num_heads', 0)
  const q = splitHeads(q0!, attributes.int('q_num_heads', 0), node)
  const [newK, newV] = [splitHeads(k0!, own, node), splitHeads(v0!, own, node)]
  const [k, v] = pastK && pastV ? [concat([pastK, newK], 2), concat([pastV, newV], 2)] : [newK, newV]
  const whole = mask && extended(isFloat(mask.dtype) ? cast(mask, q.dtype) : cast(mask, 'bool'), k.shape[2]!)
  const bias = whole && isFloat(whole.dtype) ? whole : undefined
  const seen = [...places(q, k, pastK?.shape[2] ?? 0, counts, attributes), ...whole && !bias ? [whole] : []]
  const { y, raw, capped, masked, weights } = attend({ q, k, v, scale: scaleOf(q, attributes), cap: attributes.float('softcap', 0), seen, bias }, attributes, node)
  const mode = attributes.int('qk_matmul_output_mode', 0)
  only(node, 'qk_matmul_output_mode', mode, 0, 1, 2, 3)
  return [q0!.rank === 3 ? joinHeads(y) : y, k, v, [raw, capped, masked, weights][mode]]
})

/** softmax(q·kᵀ·scale)·v, where graphs of the file may change the scores and the weights (Dong et al. 2024, "Flex Attention"). */
const flexAttention: Operator = onValues(3, (inputs, attributes, node, context) => {
  const [q, k, v] = inputs.map(value => value && toTensor(value))
  const changed = (name: string, x: Tensor): Tensor => node.graphs.has(name) ? toTensor(context.run(name, [x])[0]!) : x
  const heads = q!.shape[1]!
  const scores = scoresOf(q!, forHeads(k!, heads, node), scaleOf(q!, attributes))
  const weights = precise(scores, attributes, node, x => changed('prob_mod', softmax(changed('score_mod', x))), q!.dtype === 'float64' ? 'float64' : 'float32')
  const y = matmul(cast(weights, q!.dtype), forHeads(v!, heads, node))
  const type = elementTypeOf(inputs[0]!)
  return type === 'bfloat16' ? narrowTo(type, y) : y
})

/** Attention by name. */
export const attentions: Operators = { Attention: attention, 'ai.onnx.preview:FlexAttention': flexAttention }
