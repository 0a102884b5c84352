// Attention of onnxruntime's own domain: whole layers, heads that share keys and write their cache, and rotary positions.

import { add, full, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { cast, concat, greaterEqual, iota, less, lessEqual, logicalAnd, matmul, maximum, narrow, notEqual, reshape, select, stack, sub, take } from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import { unsupported } from '../import/errors.ts'
import type { ModelNode } from '../import/load.ts'
import { toNumbers, toTensor } from '../import/value.ts'
import { attend, joinHeads, scaleOf, splitHeads } from './attention.ts'
import { only, onTensors, onValues, type Operator, type Operators } from './operator.ts'
import { overwritten, rotated } from './rotary.ts'

/** What hides keys: bools that broadcast to [n, heads, length, keys], and numbers that are added to scores. */
interface Hiding {
  readonly seen: Tensor[]
  readonly bias: Tensor | undefined
}

/**
 * A mask of whole numbers: the length of each sequence [n], its end and its start [2·n], or 1 for each key that may be seen as
 * [n, keys] or [n, length, keys]; other keys get a large negative number added.
 */
function hiding(mask: Tensor | undefined, extra: Tensor | undefined, q: Tensor, keys: number, attributes: Attributes, node: ModelNode): Hiding {
  if (!mask) return { seen: [], bias: extra }
  const n = q.shape[0]!
  if (mask.rank === 1 && (mask.size === n || mask.size === 2 * n)) {
    const j = iota(keys, 'int32', q.backend)
    const bound = (i: number): Tensor => reshape(cast(narrow(mask, 0, i * n, n), 'int32'), [n, 1, 1, 1])
    return { seen: [less(j, bound(0)), ...mask.size === n ? [] : [greaterEqual(j, bound(1))]], bias: extra }
  }
  if (mask.rank !== 2 && mask.rank !== 3) return unsupported(node.operator, `a mask ${describe(mask)}`)
  const open = notEqual(reshape(mask, [n, 1, mask.rank === 2 ? 1 : mask.shape[1]!, keys]), 0)
  const low = cast(select(open, 0, attributes.float('mask_filter_value', -10000)), q.dtype)
  return { seen: [], bias: extra ? add(low, extra) : low }
}

/** Keys up to the place of each query, which stands after so many others, as bools; none where `unidirectional` is not set. */
function causal(q: Tensor, keys: number, past: number, attributes: Attributes): Tensor[] {
  if (attributes.int('unidirectional', 0) === 0) return []
  const length = q.shape[2]!
  return [lessEqual(iota(keys, 'int32', q.backend), add(reshape(iota(length, 'int32', q.backend), [length, 1]), past))]
}

/** Part i of queries, keys and values that stand beside each other: [n, length, heads, parts, d] → [n, length, heads·d]. */
function part(x: Tensor, i: number): Tensor {
  const [n, length, heads, , d] = x.shape as [number, number, number, number, number]
  return reshape(narrow(x, 3, i, 1), [n, length, heads * d])
}

/** Queries, keys and values in any of the forms that they are given in. */
function operands(query: Tensor, key: Tensor | undefined, value: Tensor | undefined, node: ModelNode): readonly [Tensor, Tensor, Tensor] {
  if (query.rank === 5) return [part(query, 0), part(query, 1), part(query, 2)]
  if (key?.rank === 5) return [query, part(key, 0), part(key, 1)]
  return key && value ? [query, key, value] : fail('data', node.operator, `keys or values are missing beside ${describe(query)}. The file is damaged`)
}

const multiHeadAttention: Operator = onTensors(1, ([query, key, value, bias, mask, extra, pastK, pastV, sharedLength], attributes, node) => {
  if (sharedLength) unsupported(node.operator, 'a cache that is shared by past and present')
  if ((node.outputs[3] ?? '') !== '') unsupported(node.operator, 'the output qk')
  const heads = attributes.int('num_heads', 0)
  const parts = operands(query!, key, value, node)
  let at = 0
  const [q, newK, newV] = parts.map(x => {
    const width = x.rank === 3 ? x.shape[2]! : x.shape[1]! * x.shape[3]!
    at += width
    return splitHeads(bias && x.rank === 3 ? add(x, narrow(bias, 0, at - width, width)) : x, heads, node)
  }) as [Tensor, Tensor, Tensor]
  const [k, v] = pastK && pastV ? [concat([pastK, newK], 2), concat([pastV, newV], 2)] : [newK, newV]
  const { seen, bias: added } = hiding(mask, extra, q, k.shape[2]!, attributes, node)
  const { y } = attend({ q, k, v, scale: scaleOf(q, attributes), cap: 0, seen: [...seen, ...causal(q, k.shape[2]!, pastK?.shape[2] ?? 0, attributes)], bias: added }, attributes, node)
  return [joinHeads(y), k, v]
})

/** A whole layer: x is turned into queries, keys and values by one product; past and present hold keys and values as one. */
const layer: Operator = onTensors(2, ([x, weights, bias, mask, past, extra, sharedLength], attributes, node) => {
  if (sharedLength || attributes.int('past_present_share_buffer', 0) !== 0) unsupported(node.operator, 'a cache that is shared by past and present')
  only(node, 'do_rotary', attributes.int('do_rotary', 0), 0)
  const heads = attributes.int('num_heads', 0)
  const product = matmul(x!, weights!)
  const all = bias ? add(product, bias) : product
  const width = all.shape[2]!
  const widths = attributes.ints('qkv_hidden_sizes') ?? [width / 3, width / 3, width / 3]
  let at = 0
  const [q, newK, newV] = widths.map(own => splitHeads(narrow(all, 2, (at += own) - own, own), heads, node)) as [Tensor, Tensor, Tensor]
  const before = (i: number): Tensor[] => past ? [reshape(narrow(past, 0, i, 1), past.shape.slice(1))] : []
  const [k, v] = [concat([...before(0), newK], 2), concat([...before(1), newV], 2)]
  const { seen, bias: added } = hiding(mask, extra, q, k.shape[2]!, attributes, node)
  const { y } = attend({ q, k, v, scale: scaleOf(q, attributes), cap: 0, seen: [...seen, ...causal(q, k.shape[2]!, past?.shape[3] ?? 0, attributes)], bias: added }, attributes, node)
  return [joinHeads(y), ...(node.outputs[1] ?? '') === '' ? [] : [stack([k, v])]]
})

/**
 * Heads that share keys, causal, with a cache that holds a sequence of its own length in each entry of the batch: `seqlens_k` is that
 * length, the new keys included, less one. The cache is as long as the longest of them, or as it was.
 */
const groupQueryAttention: Operator = onValues(1, (inputs, attributes, node) => {
  if (!inputs[5] || !inputs[6]) return fail('data', node.operator, 'the lengths of the sequences are missing. The file is damaged')
  for (const i of [11, 12, 13, 14, 15]) if (inputs[i]) unsupported(node.operator, `input ${i}`)
  for (const name of ['smooth_softmax', 'sliding_window_cache', 'qk_output']) only(node, name, Math.max(0, attributes.int(name, 0)), 0)
  const [query, key, value, pastK, pastV, counts, , cosines, sines, positions, extra] = inputs.map(input => input && toTensor(input))
  const [heads, own] = [attributes.int('num_heads', 0), attributes.int('kv_num_heads', 0)]
  const d = query!.shape[2]! / (key ? heads : heads + 2 * own)
  const cut = (from: number, count: number): Tensor => narrow(query!, 2, from * d, count * d)
  const packed = key && value ? [query!, key, value] : [cut(0, heads), cut(heads, own), cut(heads + own, own)]
  const [q0, k0, newV] = packed.map((x, i) => splitHeads(x, i === 0 ? heads : own, node)) as [Tensor, Tensor, Tensor]
  const [n, , length] = q0.shape as [number, number, number]
  const total = reshape(add(cast(counts!, 'int32'), 1), [n, 1])
  const start = maximum(sub(total, length), 0)
  const places = add(start, reshape(iota(length, 'int32', q0.backend), [1, length]))
  const turn = (x: Tensor): Tensor => {
    if (attributes.int('do_rotary', 0) === 0) return x
    if (!cosines || !sines) return fail('data', node.operator, 'the tables of rotary positions are missing. The file is damaged')
    const at = (table: Tensor): Tensor => take(table, positions ?? places)
    return rotated(x, at(cosines), at(sines), { heads: 0, width: 2 * cosines.shape[1]!, interleaved: attributes.int('rotary_interleaved', 0) !== 0 }, node)
  }
  const [q, newK] = [turn(q0), turn(k0)]
  const size = Math.max(pastK?.shape[2] ?? 0, toNumbers(inputs[6])[0]!)
  const cache = (past: Tensor | undefined, x: Tensor): Tensor => {
    const held = past?.shape[2] ?? 0
    const room = full([n, own, size - held, x.shape[3]!], 0, x.dtype, x.backend)
    return overwritten(past ? concat([past, room], 2) : room, x, reshape(start, [n]), 2)
  }
  const [k, v] = [cache(pastK, newK), cache(pastV, newV)]
  const j = iota(size, 'int32', q.backend)
  const i = reshape(places, [n, 1, length, 1])
  const window = attributes.int('local_window_size', -1)
  const seen = [
    less(j, reshape(total, [n, 1, 1, 1])),
    ...attributes.int('causal', 1) === 0 ? [] : [lessEqual(j, i)], ...window < 0 ? [] : [less(sub(i, j), window)],
  ].reduce((a, b) => logicalAnd(a, b))
  const { y } = attend({ q, k, v, scale: scaleOf(q, attributes), cap: attributes.float('softcap', 0), seen: [seen], bias: extra }, attributes, node)
  return [joinHeads(y), k, v]
})

/** Rotary positions whose tables are looked up by the place of each row, or from the one place that is given on. */
const rotaryEmbedding: Operator = onTensors(4, ([x, positions, cosines, sines], attributes, node) => {
  only(node, 'is_packed_batching', attributes.int('is_packed_batching', 0), 0)
  const [n, length] = x!.rank === 4 ? [x!.shape[0]!, x!.shape[2]!] : [x!.shape[0]!, x!.shape[1]!]
  const places = positions!.size === 1 && n * length !== 1 ? add(reshape(cast(positions!, 'int32'), [1, 1]), reshape(iota(length, 'int32', x!.backend), [1, length])) : reshape(positions!, [n, length])
  const width = 2 * cosines!.shape[1]!
  const heads = attributes.int('num_heads', 0) || (x!.rank === 3 ? x!.shape[2]! / width : 0)
  return rotated(x!, take(cosines!, places), take(sines!, places), { heads, width, interleaved: attributes.int('interleaved', 0) !== 0 }, node)
})

/** Attention of the domain by name. */
export const microsoftAttention: Operators = {
  'com.microsoft:MultiHeadAttention': multiHeadAttention, 'com.microsoft:Attention': layer, 'com.microsoft:GroupQueryAttention': groupQueryAttention,
  'com.microsoft:RotaryEmbedding': rotaryEmbedding,
}
