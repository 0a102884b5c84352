// Rotary positions from tables of cosines and sines, and caches of keys and values written in place.

import { broadcastTo, type Tensor } from '@bp/core'
import { describe, fail, normaliseAxis } from '@bp/core/extend'
import { cast, clamp, concat, greaterEqual, iota, less, logicalAnd, narrow, remainder, reshape, select, sub, take, takeAlong, unsqueeze } from '@bp/ops'
import { turned } from '@bp/ops/extend'
import type { ModelNode } from '../import/load.ts'
import { Known, toNumbers, toTensor } from '../import/value.ts'
import { only, onTensors, onValues, type Operator, type Operators } from './operator.ts'

/**
 * Turns the first features of every head of x, [n, heads, length, d] or [n, length, heads·d], by angles whose cosines and sines are given
 * for each place as [n, length, width/2] (Su et al. 2021, "RoFormer", eq. 34).
 */
export function rotated(x: Tensor, cosines: Tensor, sines: Tensor, { heads, width: given, interleaved }: { readonly heads: number; readonly width: number; readonly interleaved: boolean }, node: ModelNode): Tensor {
  const packed = x.rank === 3
  if (x.rank !== 4 && !(packed && heads > 0 && x.shape[2]! % heads === 0)) fail('shape', node.operator, `needs [n, heads, length, d] or [n, length, heads·d], got ${describe(x)} of ${heads} head(s). The file does not fit its input`)
  const whole = packed ? reshape(x, [x.shape[0]!, x.shape[1]!, heads, x.shape[2]! / heads]) : x
  const d = whole.shape[3]!
  const width = given || d
  const [c, s] = [cosines, sines].map(table => unsqueeze(table, packed ? 2 : 1)) as [Tensor, Tensor]
  if (width > d || c.shape[3] !== width / 2 || s.shape[3] !== width / 2) fail('shape', node.operator, `turns ${width} of ${d} features, which takes tables of ${width / 2}, got ${describe(cosines)} and ${describe(sines)}. The file does not fit its input`)
  const y = turned(narrow(whole, 3, 0, width), c, s, interleaved)
  return reshape(width === d ? y : concat([y, narrow(whole, 3, width, d - width)], 3), x.shape)
}

/** The operator; with positions the tables are looked up by them. */
const rotaryEmbedding: Operator = onTensors(3, ([x, cosines, sines, positions], attributes, node) => {
  const at = (table: Tensor): Tensor => positions ? take(table, positions) : table
  return rotated(x!, at(cosines!), at(sines!), { heads: attributes.int('num_heads', 0), width: attributes.int('rotary_embedding_dim', 0), interleaved: attributes.int('interleaved', 0) !== 0 }, node)
})

/** A cache with an update along an axis, for each entry of the batch from a place of its own on; around its end where circular. */
export function overwritten(cache: Tensor, news: Tensor, start: Tensor | undefined, axis: number, circular = false): Tensor {
  const [size, count] = [cache.shape[axis]!, news.shape[axis]!]
  if (count === 0) return cache
  const along = (v: Tensor, i: number): Tensor => reshape(v, cache.shape.map((_, k) => k === i ? v.size : 1))
  const entries = along(iota(size, 'int32', cache.backend), axis)
  const from = start ? along(cast(start, 'int32'), 0) : 0
  const place = circular ? remainder(sub(entries, from), size) : sub(entries, from)
  const source = broadcastTo(clamp(place, 0, count - 1), cache.shape)
  return select(logicalAnd(greaterEqual(place, 0), less(place, count)), takeAlong(news, source, axis), cache)
}

/** The operator that writes keys and values into their cache. */
const written: Operator = onValues(2, ([past, update, at], attributes, node) => {
  const [cache, news] = [toTensor(past!), toTensor(update!)]
  const mode = attributes.string('mode', 'linear')
  only(node, 'mode', mode, 'linear', 'circular')
  const axis = normaliseAxis(node.operator, attributes.int('axis', -2), cache.rank)
  const [size, count] = [cache.shape[axis]!, news.shape[axis]!]
  if (axis === 0 || count > size) fail('shape', node.operator, `writes ${describe(news)} into ${describe(cache)} along axis ${axis}. The axis must not be the batch's, and have room`)
  if (mode === 'linear' && (at === undefined || at instanceof Known) && (at ? toNumbers(at) : []).some(start => start < 0 || start + count > size)) fail('value', node.operator, `writes ${count} entries beyond the ${size} of ${describe(cache)}`)
  return overwritten(cache, news, at && toTensor(at), axis, mode === 'circular')
})

/** Rotary positions and caches by name. */
export const rotary: Operators = { RotaryEmbedding: rotaryEmbedding, TensorScatter: written }
