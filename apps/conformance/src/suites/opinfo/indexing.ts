// Functions that read and write by index or mask.

import { Tensor } from '@bp/core'
import { atLeast1d, embedding, embeddingBag, type EmbeddingOptions, index, indexAdd, indexCopy, indexFill, type IndexItem, type IndexList, indexPut, indexReduce, indexSelect, iota, maskedFill, maskedScatter, maskedSelect, putFlat, reshape, scatter, type ScatterReduction, takeAlong, takeAlongAxis, takeFlat } from '@bp/ops'
import { Unsupported } from '../../compare.ts'
import type { Adapter, Arguments, Slice, Value } from './arguments.ts'

/** A Python index: a list that holds more than numbers and truth values was a tuple, an item an axis; else it indexes one axis. */
function itemsOf(value: Value | undefined): IndexItem[] {
  if (Array.isArray(value) && !value.every(isEntry)) return (value as readonly Value[]).map(itemOf)
  return [itemOf(value ?? null)]
}

const isEntry = (value: Value): value is number | boolean => typeof value === 'number' || typeof value === 'boolean'

const isSlice = (value: Value): value is Slice => typeof value === 'object' && value !== null && 'slice' in value && !Array.isArray(value)

function itemOf(value: Value): IndexItem {
  if (value === null || isEntry(value) || value instanceof Tensor) return value
  if (value === '...' || value === 'Ellipsis') return '...'
  if (Array.isArray(value)) return (value as readonly Value[]).map(entryOf)
  if (isSlice(value)) {
    const [start, end, step] = value.slice
    return { start: start ?? null, end: end ?? null, step: step ?? null }
  }
  throw new Unsupported(`index ${JSON.stringify(value)}`)
}

function entryOf(value: Value): IndexList[number] {
  if (isEntry(value)) return value
  if (Array.isArray(value)) return (value as readonly Value[]).map(entryOf)
  throw new Unsupported(`index entry ${JSON.stringify(value)}`)
}

const placesLike = (x: Tensor): Tensor => reshape(iota(x.size, 'int32', x.backend), x.shape)

const reduction = (call: Arguments, place: number, names: Readonly<Record<string, ScatterReduction>>): ScatterReduction => {
  const name = call.text(place, 'reduce', '')
  return names[name] ?? (() => { throw new Unsupported(`reduce ${name}`) })()
}

const reductions: Readonly<Record<string, ScatterReduction>> = { sum: 'sum', prod: 'prod', mean: 'mean', amax: 'amax', amin: 'amin' }

/** An index of more axes than a scalar input has, and the same for the input. */
const gather: Adapter = call => {
  const [x, i] = [call.input, call.tensor(2, 'index')]
  call.flag(3, 'sparse_grad')
  const axis = call.number(1, 'dim')
  if (x.rank === 0) return reshape(takeAlong(atLeast1d(x), atLeast1d(i), 0), i.shape)
  // an empty index may have any rank
  return i.rank < x.rank && i.size === 0 ? takeAlong(x, reshape(i, x.shape.map(() => 0)), 0) : takeAlong(x, i, axis)
}

/** The index and the table, whichever comes first. */
function tableOf(call: Arguments): [Tensor, Tensor] {
  const [a, b] = [call.input, call.tensor(1, 'weight')]
  return a.dtype.startsWith('int') ? [a, b] : [b, a]
}

function tableOptions(call: Arguments, place: number): EmbeddingOptions {
  const paddingIdx = call.maybeNumber(place, 'padding_idx')
  const maxNorm = call.maybeNumber(3, 'max_norm')
  return { ...paddingIdx !== undefined && { paddingIdx }, ...maxNorm !== undefined && { maxNorm }, normType: call.number(4, 'norm_type', 2) }
}

/** The adapters of this family. */
export const indexing: Readonly<Record<string, Adapter>> = {
  __getitem__: call => index(call.input, itemsOf(call.value(1, 'index'))),
  gather,
  index_add: call => indexAdd(call.input, call.number(1, 'dim'), call.tensor(2, 'index'), call.tensor(3, 'source'), call.number(4, 'alpha', 1)),
  index_copy: call => indexCopy(call.input, call.number(1, 'dim'), call.tensor(2, 'index'), call.tensor(3, 'source')),
  index_fill: call => indexFill(call.input, call.number(1, 'dim'), call.tensor(2, 'index'), call.operand(3, 'value')),
  index_put: call => {
    const [x, items, accumulate] = [call.input, call.tensors(1, 'indices'), call.flag(3, 'accumulate')]
    const places = Array.from(index(placesLike(x), items).dataSync() as Int32Array)
    if (!accumulate && new Set(places).size < places.length) throw new Unsupported('an index that repeats, where PyTorch gives gradients to values that were overwritten')
    return indexPut(x, items, call.tensor(2, 'values'), { accumulate })
  },
  index_reduce: call => indexReduce(call.input, call.number(1, 'dim'), call.tensor(2, 'index'), call.tensor(3, 'source'), reduction(call, 4, reductions), call.flag(5, 'include_self', true)),
  index_select: call => indexSelect(call.input, call.number(1, 'dim'), call.tensor(2, 'index')),
  masked_fill: call => maskedFill(call.input, call.tensor(1, 'mask'), call.operand(2, 'value')),
  masked_scatter: call => maskedScatter(call.input, call.tensor(1, 'mask'), call.tensor(2, 'source')),
  masked_select: call => maskedSelect(call.input, call.tensor(1, 'mask')),
  'nn.functional.embedding': call => {
    call.flag(6, 'sparse')
    return embedding(...tableOf(call), { ...tableOptions(call, 2), scaleGradByFreq: call.flag(5, 'scale_grad_by_freq') })
  },
  'nn.functional.embedding_bag': call => {
    call.flag(7, 'sparse')
    const offsets = call.maybeTensor(2, 'offsets')
    const perSampleWeights = call.maybeTensor(8, 'per_sample_weights')
    const mode = call.text(6, 'mode', 'mean')
    if (mode !== 'sum' && mode !== 'mean' && mode !== 'max') throw new Unsupported(`mode ${mode}`)
    return embeddingBag(...tableOf(call), {
      ...offsets && { offsets }, ...perSampleWeights && { perSampleWeights }, ...tableOptions(call, 10),
      mode, scaleGradByFreq: call.flag(5, 'scale_grad_by_freq'), includeLastOffset: call.flag(9, 'include_last_offset'),
    })
  },
  put: call => putFlat(call.input, call.tensor(1, 'index'), call.tensor(2, 'source'), call.flag(3, 'accumulate')),
  scatter: call => {
    const reduce = call.text(4, 'reduce', '')
    return scatter(call.input, call.number(1, 'dim'), call.tensor(2, 'index'), call.operand(3, 'src'), reduce === '' ? {} : { reduce: reduction(call, 4, { add: 'sum', multiply: 'prod' }) })
  },
  scatter_add: call => scatter(call.input, call.number(1, 'dim'), call.tensor(2, 'index'), call.tensor(3, 'src'), { reduce: 'sum' }),
  scatter_reduce: call => scatter(call.input, call.number(1, 'dim'), call.tensor(2, 'index'), call.tensor(3, 'src'), { reduce: reduction(call, 4, reductions), includeSelf: call.flag(5, 'include_self', true) }),
  take: call => takeFlat(call.input, call.tensor(1, 'index')),
  take_along_dim: call => takeAlongAxis(call.input, call.tensor(1, 'indices'), call.maybeNumber(2, 'dim')),
}
