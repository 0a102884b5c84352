// Emitters of ops that move, repeat, sum or place elements.

import type { DType } from '@bp/core'
import { convert, type FillParams } from '@bp/core/extend'
import type { PadParams, SliceParams } from '@bp/ops/extend'
import { type Builder, toTheEnd } from './builder.ts'
import { everyParams, everywhere, type Emission, type Emitters, fixedParams, fixedSizes } from './emit.ts'
import { isFixed, sameSize, type Size, zip } from './sizes.ts'

/** The target of a reshape: −1 for one size that is open, 0 for one that is the operand's at the same place. */
function reshapeTo(b: Builder, x: string, from: readonly Size[], to: readonly Size[], where: string): string {
  const open = to.flatMap((size, i) => isFixed(size) ? [] : i)
  const empty = to.some(size => size.includes(0))
  if (open.length <= 1 && !(empty && open.length === 1)) return b.add('Reshape', [x, b.list(to.map(([n], i) => i === open[0] ? -1 : n!))], empty ? { allowzero: 1 } : {})
  const same = (i: number): boolean => i < from.length && sameSize(from[i]!, to[i]!)
  const found = open.filter(i => !same(i))
  if (found.length <= 1 && !empty) return b.add('Reshape', [x, b.list(to.map(([n], i) => isFixed(to[i]!) ? n! : same(i) ? 0 : -1))])
  return b.add('Reshape', [x, b.dims.list(to, where)])
}

/** Repeats axes to the result's sizes; an axis that x already has keeps its size by a 1. */
function expandTo(b: Builder, x: string, from: readonly Size[], to: readonly Size[], where: string): string {
  const lead = to.length - from.length
  return b.add('Expand', [x, b.dims.list(to.map((size, i) => !isFixed(size) && from[i - lead] && !isFixed(from[i - lead]!) ? b.dims.open.fixed(1) : size), where)])
}

const isOne = (size: Size): boolean => size.every(n => n === 1)

/** Sums over what broadcasting would repeat. */
function sumTo(b: Builder, e: Emission): string {
  const from = e.xs[0]!.sizes
  const to = e.ys[0]!.sizes
  const lead = from.length - to.length
  const inner = to.flatMap((size, i) => isOne(size) && !isOne(from[lead + i]!) ? lead + i : [])
  const kept = inner.length > 0 ? b.reduce('ReduceSum', e.inputs[0]!, inner, true) : e.inputs[0]!
  return lead > 0 ? b.reduce('ReduceSum', kept, Array.from({ length: lead }, (_, i) => i), false) : kept
}

/** A place on an axis as Slice takes it: counted from the end where that is what stays the same. */
function placed(place: Size, size: Size): Size {
  const back = place.map((n, i) => n - size[i]!)
  return !isFixed(place) && isFixed(back) && back[0]! < 0 ? back : place
}

function slice(b: Builder, e: Emission): string {
  const all = everyParams<SliceParams>(e)
  const sizes = e.xs[0]!.sizes
  const toEnd = (i: number): boolean => all.every((p, k) => p.ends[i]! >= sizes[i]![k]!)
  const axes = sizes.flatMap((_, i) => toEnd(i) && all.every(p => p.starts[i] === 0 && p.steps[i] === 1) ? [] : i)
  if (axes.length === 0) return b.add('Identity', [e.inputs[0]!])
  const steps = axes.map(i => all.map(p => p.steps[i]!))
  const starts = axes.map(i => placed(all.map(p => p.starts[i]!), sizes[i]!))
  const ends = axes.map(i => toEnd(i) ? b.dims.open.fixed(toTheEnd) : placed(all.map(p => p.ends[i]!), sizes[i]!))
  return b.add('Slice', [e.inputs[0]!, b.dims.list(starts, e.where), b.dims.list(ends, e.where), b.list(axes), ...steps.every(isOne) ? [] : [b.dims.list(steps, e.where)]])
}

/** Zeros around and between. Those between come by padding each element on an axis of its own and cutting the last run. */
function pad(b: Builder, e: Emission): string {
  const all = everyParams<PadParams>(e)
  const { interior } = fixedParams<PadParams>({ ...e, node: { ...e.node, params: all.map(p => ({ interior: p.interior })) } })
  const { dtype, sizes } = e.xs[0]!
  const zero = b.scalar(0, dtype)
  let x = e.inputs[0]!
  const now = [...sizes]
  interior.forEach((between, axis) => {
    if (between === 0) return
    const rank = now.length
    const apart = b.add('Unsqueeze', [x, b.list([axis + 1])])
    const padded = b.add('Pad', [apart, b.list(Array.from({ length: 2 * (rank + 1) }, (_, i) => i === rank + 1 + axis + 1 ? between : 0)), zero])
    const size = now[axis]!.map(n => n * (between + 1))
    const to = now.with(axis, size)
    const joined = reshapeTo(b, padded, now.toSpliced(axis + 1, 0, b.dims.open.fixed(between + 1)), to, e.where)
    x = b.add('Slice', [joined, b.list([0]), b.list([-between]), b.list([axis])])
    now[axis] = size.map(n => n - between)
  })
  const around = [...sizes.map((_, i) => all.map(p => p.low[i]!)), ...sizes.map((_, i) => all.map(p => p.high[i]!))]
  return around.every(size => size.every(n => n === 0)) ? x : b.add('Pad', [x, b.dims.list(around, e.where), zero])
}

function iota(b: Builder, e: Emission): string {
  const { dtype } = e.ys[0]!
  const size = everywhere<{ readonly length: number }>(e, p => p.length)
  const length = size[0]!
  if (isFixed(size)) return b.constant(dtype, [length], convert(Array.from({ length }, (_, i) => i), dtype))
  const count = b.add('Squeeze', [b.dims.list([size], e.where), b.list([0])])
  const counted = b.add('Range', [b.scalar(0, 'int64'), count, b.scalar(1, 'int64')])
  return dtype === 'int64' ? counted : b.cast(counted, dtype)
}

/** Adds values into zeros at indices along an axis, which ScatterND does along the first. */
function scatterAdd(b: Builder, e: Emission): string | null {
  const [{ axis }] = everyParams<{ readonly axis: number }>(e) as [{ readonly axis: number }]
  if (b.opset < 16) return null
  const [values, index] = e.inputs as [string, string]
  const depth = e.xs[1]!.sizes.length
  const rank = e.xs[0]!.sizes.length
  const along = Array.from({ length: depth }, (_, i) => axis + i)
  const rest = Array.from({ length: rank }, (_, i) => i).filter(i => !along.includes(i))
  const updates = axis === 0 ? values : b.add('Transpose', [values], { perm: [...along, ...rest] })
  const result = e.ys[0]!.sizes
  const zeros = b.add('Expand', [b.scalar(0, e.ys[0]!.dtype), b.dims.list([result[axis]!, ...result.filter((_, i) => i !== axis)], e.where)])
  const places = b.add('Unsqueeze', [b.cast(index, 'int64'), b.list([depth])])
  const added = b.add('ScatterND', [zeros, places, updates], { reduction: 'add' })
  if (axis === 0) return added
  return b.add('Transpose', [added], { perm: result.map((_, i) => i < axis ? i + 1 : i === axis ? 0 : i) })
}

/** Views, sources and indexing. */
export const views: Emitters = {
  reshape: (b, e) => reshapeTo(b, e.inputs[0]!, e.xs[0]!.sizes, e.ys[0]!.sizes, e.where),
  broadcastTo: (b, e) => expandTo(b, e.inputs[0]!, e.xs[0]!.sizes, e.ys[0]!.sizes, e.where),
  sumTo,
  transpose: (b, e) => b.add('Transpose', e.inputs, { perm: fixedParams<{ readonly perm: readonly number[] }>(e).perm }),
  slice, pad, iota, scatterAdd,
  concat: (b, e) => b.add('Concat', e.inputs, { axis: fixedParams<{ readonly axis: number }>(e).axis }),
  flip: (b, e) => {
    const { axes } = fixedParams<{ readonly axes: readonly number[] }>(e)
    if (axes.length === 0) return b.add('Identity', e.inputs)
    return b.add('Slice', [e.inputs[0]!, b.list(axes.map(() => -1)), b.list(axes.map(() => -toTheEnd)), b.list(axes), b.list(axes.map(() => -1))])
  },
  detach: (b, e) => b.add('Identity', e.inputs),
  alias: (b, e) => b.add('Identity', e.inputs),
  fill: (b, e) => {
    const all = everyParams<FillParams>(e)
    return b.fill(all.map(p => p.value), all[0]!.dtype, zip(all.map(p => p.shape)), e.where)
  },
  gather: (b, e) => b.add('Gather', e.inputs, { axis: fixedParams<{ readonly axis: number }>(e).axis }),
  amax: (b, e) => b.reduce('ReduceMax', e.inputs[0]!, fixedParams<{ readonly axes: readonly number[] }>(e).axes, true),
  argMax: (b, e) => b.cast(b.add('ArgMax', e.inputs, { axis: fixedParams<{ readonly axis: number }>(e).axis, keepdims: 0 }), 'int32'),
  argSort: (b, e) => {
    const { axis, descending } = fixedParams<{ readonly axis: number; readonly descending: boolean }>(e)
    const count = fixedSizes(e, [e.xs[0]!.sizes[axis]!])
    return b.cast(b.addMany('TopK', [e.inputs[0]!, b.list(count)], 2, { axis, largest: Number(descending), sorted: 1 })[1]!, 'int32')
  },
  cumSum: (b, e) => {
    const { axis, reverse } = fixedParams<{ readonly axis: number; readonly reverse: boolean }>(e)
    return b.add('CumSum', [e.inputs[0]!, b.scalar(axis, 'int64')], { reverse: Number(reverse) })
  },
}

