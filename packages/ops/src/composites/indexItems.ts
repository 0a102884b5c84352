// The items of an index: numbers, ranges, new axes, an ellipsis, lists and tensors, and the view that all but tensors make.

import { full, Tensor, tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { flip, reshape, slice } from '../rows/view.ts'
import { nonzero } from './masks.ts'
import { unbind } from './stacking.ts'

/** From `start` up to `end` (exclusive) in steps, which may be negative; negative bounds count from the end: Python's slice. */
export interface IndexRange {
  readonly start?: number | null
  readonly end?: number | null
  readonly step?: number | null
}

/** Entries of an axis, or truth values for them, nested to any depth. */
export type IndexList = readonly (number | boolean | IndexList)[]

/**
 * What one axis (or, for `null` and `'...'`, none or several) is indexed by: an entry, a range, a new axis of size 1, all axes
 * that are left, a list of entries, an integer tensor of them, or a list or tensor of truth values that says which. A single
 * truth value makes a new axis of one entry, or of none.
 */
export type IndexItem = number | boolean | IndexRange | null | '...' | IndexList | Tensor

/** What an axis is indexed by, lists made tensors: the axes of a mask stand together. */
type Item = number | IndexRange | null | Tensor

/** An axis that is indexed by an integer tensor, and that tensor. */
export interface Advanced {
  readonly axis: number
  readonly index: Tensor
}

/** Everything but tensors, applied as one view; and the axes of it that tensors index. */
export function viewed(x: Tensor, items: readonly IndexItem[]): { readonly view: Tensor; readonly advanced: readonly Advanced[] } {
  const flipped: number[] = []
  const starts: number[] = []
  const ends: number[] = []
  const steps: number[] = []
  const shape: number[] = []
  const advanced: Advanced[] = []
  for (const item of spelledOut(x, items)) {
    const axis = starts.length
    if (item === null) shape.push(1)
    else if (item instanceof Tensor) {
      const indices = item.dtype === 'bool' ? masked(x, axis, item) : [item]
      advanced.push(...indices.map((one, i) => ({ axis: shape.length + i, index: one })))
      const covered = x.shape.slice(axis, axis + axesOf(item))
      shape.push(...covered.length === 0 ? [1] : covered)
      starts.push(...covered.map(() => 0))
      ends.push(...covered)
      steps.push(...covered.map(() => 1))
    } else {
      const { start, end, step } = typeof item === 'number' ? entry(x, axis, item) : ranged(x, axis, item)
      if (step < 0) flipped.push(axis)
      starts.push(start)
      ends.push(end)
      steps.push(Math.abs(step))
      if (typeof item !== 'number') shape.push(Math.ceil((end - start) / Math.abs(step)))
    }
  }
  const turned = flipped.length > 0 ? flip(x, flipped) : x
  const whole = starts.every((start, i) => start === 0 && ends[i] === x.shape[i] && steps[i] === 1)
  return { view: reshape(whole ? turned : slice(turned, starts, ends, steps), shape), advanced }
}

/** How many axes an item indexes. */
const axesOf = (item: Item): number => item === null ? 0 : item instanceof Tensor && item.dtype === 'bool' ? item.rank : 1

/** The items with lists as tensors and the ellipsis as whole ranges, so that every axis has its item. */
function spelledOut(x: Tensor, items: readonly IndexItem[]): Item[] {
  const [before, after, ...more] = parts(items).map(part => part.map((item): Item => typeof item === 'boolean' || Array.isArray(item) ? listed(x, item) : item as Item))
  if (more.length > 0) fail('value', 'index', "only one '...' can stand in an index")
  const used = [...before!, ...after ?? []].reduce((sum: number, item) => sum + axesOf(item), 0)
  if (used > x.rank) fail('axis', 'index', `${used} axes are indexed, ${describe(x)} has ${x.rank}. Leave items out, or reshape first`)
  return [...before!, ...new Array<IndexRange>(x.rank - used).fill({}), ...after ?? []]
}

/** The items between the ellipses. */
function parts(items: readonly IndexItem[]): IndexItem[][] {
  const out: IndexItem[][] = [[]]
  for (const item of items) {
    if (item === '...') out.push([])
    else out.at(-1)!.push(item)
  }
  return out
}

function listed({ backend }: Tensor, list: boolean | IndexList): Tensor {
  let first: IndexList[number] | undefined = list
  while (typeof first === 'object') first = first[0]
  return tensor(list, { dtype: typeof first === 'boolean' ? 'bool' : 'int32', backend })
}

/** A mask as an index of each axis that it covers; a single truth value as one of a new axis, which it keeps or not. */
function masked(x: Tensor, axis: number, mask: Tensor): Tensor[] {
  const covered = x.shape.slice(axis, axis + mask.rank)
  if (covered.join() !== mask.shape.join()) fail('shape', 'index', `the mask ${describe(mask)} must have the sizes [${covered.join(',')}] of the axes from ${axis} on of ${describe(x)}. Slice or broadcast it`)
  return mask.rank === 0 ? [full([mask.item()], 0, 'int32', x.backend)] : unbind(nonzero(mask), 1)
}

/** Where a range begins and ends (never before it begins) on its axis; counted from the back where the step is negative. */
interface Bounds {
  readonly start: number
  readonly end: number
  readonly step: number
}

function entry(x: Tensor, axis: number, at: number): Bounds {
  const size = x.shape[axis]!
  if (!Number.isInteger(at) || at < -size || at >= size) fail('value', 'index', `axis ${axis} of ${describe(x)} has no entry ${at}. ${size === 0 ? 'It has none at all' : `Use ${-size} to ${size - 1}`}`)
  const start = at < 0 ? at + size : at
  return { start, end: start + 1, step: 1 }
}

function ranged(x: Tensor, axis: number, { start, end, step }: IndexRange): Bounds {
  const size = x.shape[axis]!
  const by = step ?? 1
  if (!Number.isInteger(by) || by === 0) fail('value', 'index', `a step must be a whole number other than 0, got ${by}`)
  for (const bound of [start, end]) if (bound != null && Number.isNaN(bound)) fail('value', 'index', 'a bound is NaN. Use whole numbers')
  /** A bound as a place on the axis, or, where the step is negative, on the flipped axis. */
  const place = (bound: number | null | undefined, otherwise: number): number => {
    if (bound == null) return otherwise
    const from = Math.trunc(bound < 0 ? bound + size : bound)
    return Math.min(size, Math.max(0, by > 0 ? from : size - 1 - from))
  }
  const first = place(start, 0)
  return { start: first, end: Math.max(first, place(end, size)), step: by }
}
