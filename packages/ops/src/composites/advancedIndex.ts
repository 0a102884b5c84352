// Indexing as in NumPy and PyTorch: numbers, slices, new axes, an ellipsis, lists, and tensors of integers or truth values.

import { add, broadcastTo, mul, type Shape, Tensor } from '@bp/core'
import { broadcastShapes, describe, fail, sizeOf } from '@bp/core/extend'
import { cast, less, select } from '../rows/compare.ts'
import { take } from '../rows/indexing.ts'
import { flip, narrow, reshape, slice, transpose } from '../rows/view.ts'
import { constant, placesOf, putAt } from './places.ts'
import { nonzero } from './masks.ts'
import { unbind } from './stacking.ts'

/** From `start` up to `end` (exclusive) in steps, which may be negative; negative bounds count from the end. */
export interface IndexRange {
  readonly start?: number
  readonly end?: number
  readonly step?: number
}

/**
 * What one axis (or, for `null` and `'...'`, none or several) is indexed by: an entry, a range, a new axis of size 1, all axes
 * that are left, a list of entries, an int tensor of them, or a bool tensor that says which.
 */
export type IndexItem = number | IndexRange | null | '...' | readonly number[] | Tensor

/** An axis that is indexed by a tensor, and that tensor. */
interface Advanced {
  readonly axis: number
  readonly index: Tensor
}

const isTensor = (item: IndexItem): item is Tensor => item instanceof Tensor
const isList = (item: IndexItem): item is readonly number[] => Array.isArray(item)

/**
 * `x` indexed as `x[items…]` in PyTorch: basic items give a view, tensors and lists are broadcast with each other and choose
 * elements, and their axes come where they stood, or first where they stood apart. Values of bool tensors are read.
 *
 * Throws where an entry is out of range, or more axes are indexed than there are.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { index } from '@bp/ops'
 * const x = tensor([[1, 2, 3], [4, 5, 6]])
 * index(x, [1]) // => tensor([4, 5, 6], float32)
 * index(x, ['...', { step: -1 }]) // => tensor([[3, 2, 1], [6, 5, 4]], float32)
 * index(x, [[0, 1], [2, 0]]) // => tensor([3, 4], float32)
 * ```
 */
export function index(x: Tensor, items: readonly IndexItem[]): Tensor {
  const { view, advanced } = basic(x, spelledOut(x, items))
  return advanced.length === 0 ? view : gathered(view, advanced)
}

/**
 * `x` with `values`, which broadcast, in place of what `index(x, items)` reads, or added to it: PyTorch's `index_put`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { indexPut } from '@bp/ops'
 * indexPut(tensor([1, 2, 3]), [{ start: 1 }], tensor([10, 20])) // => tensor([1, 10, 20], float32)
 * ```
 */
export const indexPut = (x: Tensor, items: readonly IndexItem[], values: Tensor, { accumulate = false }: { readonly accumulate?: boolean } = {}): Tensor => putAt(x, index(placesOf(x), items), values, accumulate)

/** The items with lists and masks as int tensors and the ellipsis as whole ranges, one for each axis. */
function spelledOut(x: Tensor, items: readonly IndexItem[]): IndexItem[] {
  const tensors = items.flatMap((item): IndexItem[] => {
    if (isList(item)) return [constant(item, [item.length], x)]
    return isTensor(item) && item.dtype === 'bool' ? maskItems(x, item) : [item]
  })
  const used = tensors.filter(item => item !== null && item !== '...').length
  if (used > x.rank) fail('axis', 'index', `${used} axes are indexed, ${describe(x)} has ${x.rank}`)
  const rest = new Array<IndexItem>(x.rank - used).fill({})
  const ellipsis = tensors.indexOf('...')
  if (ellipsis < 0) return [...tensors, ...rest]
  if (tensors.lastIndexOf('...') !== ellipsis) fail('value', 'index', "only one '...' can stand in an index")
  return tensors.toSpliced(ellipsis, 1, ...rest)
}

/** A mask of several axes is an index for each of them. */
function maskItems(x: Tensor, mask: Tensor): IndexItem[] {
  if (mask.rank === 0) fail('shape', 'index', `a mask must have an axis, got ${describe(mask)} for ${describe(x)}. Use select`)
  return unbind(nonzero(mask), 1)
}

/** Everything but tensors, applied; and the axes that tensors index then. */
function basic(x: Tensor, items: readonly IndexItem[]): { view: Tensor; advanced: Advanced[] } {
  let view = x
  let axis = 0
  const advanced: Advanced[] = []
  for (const item of items) {
    if (item === null) view = reshape(view, view.shape.toSpliced(axis++, 0, 1))
    else if (typeof item === 'number') view = entry(view, axis, item)
    else if (isTensor(item)) advanced.push({ axis: axis++, index: item })
    else view = ranged(view, axis++, item as IndexRange)
  }
  return { view, advanced }
}

function entry(x: Tensor, axis: number, at: number): Tensor {
  const size = x.shape[axis]!
  if (!Number.isInteger(at) || at < -size || at >= size) fail('value', 'index', `axis ${axis} of ${describe(x)} has no entry ${at}. Use ${-size} to ${size - 1}`)
  return reshape(narrow(x, axis, at < 0 ? at + size : at, 1), x.shape.toSpliced(axis, 1))
}

function ranged(x: Tensor, axis: number, { start, end, step = 1 }: IndexRange): Tensor {
  const size = x.shape[axis]!
  if (!Number.isInteger(step) || step === 0) fail('value', 'index', `a step must be a whole number other than 0, got ${step}`)
  // backwards from start down to end is forwards on the flipped axis
  const mirrored = (at: number | undefined): number | undefined => at === undefined ? undefined : size - 1 - (at < 0 ? Math.max(-1, at + size) : Math.min(at, size))
  const whole = step > 0 ? x : flip(x, axis)
  const [from, to] = step > 0 ? [start, end] : [mirrored(start), mirrored(end)]
  if (from === undefined && to === undefined && Math.abs(step) === 1) return whole
  const fill = (value: number, other: number): number[] => x.shape.map((_, i) => i === axis ? value : other).slice(0, axis + 1)
  return slice(whole, fill(Math.max(0, from === undefined ? 0 : from < 0 && step > 0 ? from + size : from), 0), x.shape.slice(0, axis + 1).map((n, i) => i !== axis ? n : to === undefined ? n : Math.max(0, to < 0 && step > 0 ? to + size : to)), fill(Math.abs(step), 1))
}

/** The elements that broadcast index tensors name together. */
function gathered(x: Tensor, advanced: readonly Advanced[]): Tensor {
  const [first] = advanced
  if (advanced.length === 1) return take(x, first!.index, first!.axis)
  const axes = advanced.map(({ axis }) => axis)
  const shape = advanced.reduce<Shape>((all, { index: i }) => broadcastShapes('index', all, i.shape), [])
  const rest = x.shape.map((_, i) => i).filter(axis => !axes.includes(axis))
  const front = transpose(x, [...axes, ...rest])
  const sizes = axes.map(axis => x.shape[axis]!)
  const flat = advanced.reduce<Tensor | null>((sum, { index: i }, k) => {
    const at = cast(i, 'int32')
    const place = mul(broadcastTo(select(less(at, 0), add(at, sizes[k]!), at), shape), sizeOf(sizes.slice(k + 1)))
    return sum ? add(sum, place) : place
  }, null)!
  const y = take(reshape(front, [sizeOf(sizes), ...rest.map(axis => x.shape[axis]!)]), flat, 0)
  const together = axes.every((axis, i) => axis === axes[0]! + i)
  if (!together || axes[0] === 0) return y
  // the chosen axes go where they stood
  const chosen = shape.map((_, i) => i)
  const others = rest.map((_, i) => shape.length + i)
  return transpose(y, [...others.slice(0, axes[0]), ...chosen, ...others.slice(axes[0])])
}
