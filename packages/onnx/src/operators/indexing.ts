// Reading and writing elements by index: GatherElements, GatherND, ScatterElements, ScatterND.

import { add, mul, onesLike, type Tensor } from '@bp/core'
import { describe, fail, normaliseAxis, sizeOf, stridesOf } from '@bp/core/extend'
import { cast, iota, less, narrow, putAlong, reshape, scatterAdd, select, take, takeAlong } from '@bp/ops'
import type { ModelNode } from '../import/load.ts'
import { only, onTensors, type Operators } from './operator.ts'

/** Index tuples along the last axis as places in the flattened axes of `sizes`; negative ones count from the end. */
function places(index: Tensor, sizes: readonly number[]): Tensor {
  const strides = stridesOf(sizes)
  const lead = index.shape.slice(0, -1)
  return sizes.map((size, i) => {
    const at = reshape(cast(narrow(index, -1, i, 1), 'int32'), lead)
    return mul(select(less(at, 0), add(at, size), at), strides[i]!)
  }).reduce((a, b) => add(a, b))
}

function gatherND(x: Tensor, index: Tensor, batch: number, node: ModelNode): Tensor {
  const depth = index.shape.at(-1) ?? fail('shape', node.operator, `the index ${describe(index)} must have at least one axis`)
  const sizes = x.shape.slice(batch, batch + depth)
  if (sizes.length !== depth) fail('shape', node.operator, `the index ${describe(index)} names ${depth} axes, ${describe(x)} has ${x.rank - batch}`)
  const batches = sizeOf(x.shape.slice(0, batch))
  const rest = x.shape.slice(batch + depth)
  const within = places(index, sizes)
  const flat = batch === 0 ? within : add(reshape(within, [batches, within.size / batches]), reshape(mul(iota(batches), sizeOf(sizes)), [batches, 1]))
  return reshape(take(reshape(x, [batches * sizeOf(sizes), ...rest]), reshape(flat, [flat.size])), [...index.shape.slice(0, -1), ...rest])
}

function scatterND(x: Tensor, index: Tensor, updates: Tensor, mode: 'none' | 'add'): Tensor {
  const depth = index.shape.at(-1)!
  const sizes = x.shape.slice(0, depth)
  const rest = x.shape.slice(depth)
  const at = places(index, sizes)
  const flat = reshape(at, [at.size])
  const put = (values: Tensor): Tensor => reshape(scatterAdd(reshape(values, [flat.size, ...rest]), flat, sizeOf(sizes)), x.shape)
  return mode === 'add' ? add(x, put(updates)) : select(less(0, put(onesLike(updates))), put(updates), x)
}

/** Indexing operators by name. */
export const indexing: Operators = {
  GatherElements: onTensors(2, ([x, index], attributes) => takeAlong(x!, index!, attributes.int('axis', 0))),
  GatherND: onTensors(2, ([x, index], attributes, node) => gatherND(x!, index!, attributes.int('batch_dims', 0), node)),
  ScatterElements: onTensors(3, ([x, index, updates], attributes, node) => {
    const reduction = attributes.string('reduction', 'none')
    only(node, 'reduction', reduction, 'none', 'add')
    const axis = normaliseAxis(node.operator, attributes.int('axis', 0), x!.rank)
    return putAlong(x!, index!, updates!, axis, reduction === 'add' ? 'add' : 'set')
  }),
  Scatter: onTensors(3, ([x, index, updates], attributes) => putAlong(x!, index!, updates!, attributes.int('axis', 0))),
  ScatterND: onTensors(3, ([x, index, updates], attributes, node) => {
    const reduction = attributes.string('reduction', 'none')
    only(node, 'reduction', reduction, 'none', 'add')
    return scatterND(x!, index!, updates!, reduction as 'none' | 'add')
  }),
}
