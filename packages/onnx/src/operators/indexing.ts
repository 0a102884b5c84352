// Reading and writing elements by index: GatherElements, GatherND, ScatterElements, ScatterND, NonZero.

import { add, broadcastTo, mul, type Tensor } from '@bp/core'
import { describe, fail, sizeOf, stridesOf } from '@bp/core/extend'
import { cast, iota, less, narrow, nonzero, reshape, scatter, scatterAdd, type ScatterReduction, select, take, takeAlong, transpose } from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import type { ModelNode } from '../import/load.ts'
import { readable } from '../import/value.ts'
import { only, onTensors, type Operator, type Operators } from './operator.ts'

/** Index tuples along the last axis as places in the flattened axes of `sizes`; negative ones count from the end. */
function places(index: Tensor, sizes: readonly number[]): Tensor {
  const strides = stridesOf(sizes)
  const lead = index.shape.slice(0, -1)
  return sizes.map((size, i) => {
    const at = reshape(cast(narrow(index, -1, i, 1), 'int32'), lead)
    const place = select(less(at, 0), add(at, size), at)
    return strides[i] === 1 ? place : mul(place, strides[i]!)
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

/**
 * Without a reduction the standard leaves open what several updates of one place give. They add up here, for PyTorch writes
 * `index_put` with `accumulate` so, onto zeros.
 */
function scatterND(x: Tensor, index: Tensor, updates: Tensor, reduce: ScatterReduction | undefined): Tensor {
  const depth = index.shape.at(-1)!
  const sizes = x.shape.slice(0, depth)
  const rest = sizeOf(x.shape.slice(depth))
  const at = places(index, sizes)
  if (reduce === 'sum' && depth === 1) return add(x, scatterAdd(updates, at, x.shape[0]!))
  if (reduce === 'sum') return reshape(add(reshape(x, [sizeOf(sizes), rest]), scatterAdd(reshape(updates, [at.size, rest]), reshape(at, [at.size]), sizeOf(sizes))), x.shape)
  const each = broadcastTo(reshape(at, [at.size, 1]), [at.size, rest])
  const y = scatter(reshape(x, [sizeOf(sizes), rest]), 0, each, reshape(updates, [at.size, rest]), { reduce: reduce ?? 'sum', includeSelf: reduce !== undefined })
  return reshape(y, x.shape)
}

/** Reductions by ONNX's names. */
const reductions: Readonly<Record<string, ScatterReduction | undefined>> = { none: undefined, add: 'sum', mul: 'prod', max: 'amax', min: 'amin' }

function reductionOf(attributes: Attributes, node: ModelNode): ScatterReduction | undefined {
  const name = attributes.string('reduction', 'none')
  only(node, 'reduction', name, ...Object.keys(reductions))
  return reductions[name]
}

/** The index of each element that is not 0, a column each. */
const nonZero: Operator = onTensors(1, ([x]) => cast(transpose(nonzero(readable(x!))), 'int64'))

const scatterElements: Operator = onTensors(3, ([x, index, updates], attributes, node) => {
  const reduce = reductionOf(attributes, node)
  return scatter(x!, attributes.int('axis', 0), index!, updates!, { ...reduce && { reduce } })
})

/** Indexing operators by name. */
export const indexing: Operators = {
  GatherElements: onTensors(2, ([x, index], attributes) => takeAlong(x!, index!, attributes.int('axis', 0))),
  GatherND: onTensors(2, ([x, index], attributes, node) => gatherND(x!, index!, attributes.int('batch_dims', 0), node)),
  ScatterElements: scatterElements, Scatter: scatterElements,
  ScatterND: onTensors(3, ([x, index, updates], attributes, node) => scatterND(x!, index!, updates!, reductionOf(attributes, node))),
  NonZero: nonZero,
}
