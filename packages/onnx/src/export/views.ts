// Emitters of ops that move, repeat, sum or place elements.

import { convert, fail, type FillParams } from '@bp/core/extend'
import type { PadParams, SliceParams } from '@bp/ops/extend'
import { type Builder, toTheEnd } from './builder.ts'
import { everyParams, everywhere, type Emission, type Emitters, fixedParams } from './emit.ts'
import type { Part } from './origins.ts'
import type { TwinAval } from './twin.ts'
import { isFixed, isOne, sameSize, type Size, zip } from './sizes.ts'

/** The operand with other axes. Of several reshapes in a row one is left, or none. */
export function reshapeTo(b: Builder, operand: string, { dtype, sizes }: TwinAval, to: readonly Size[], where: string): string {
  const { x, from } = b.origins.unshaped(operand, sizes)
  if (from.length === to.length && from.every((size, i) => sameSize(size, to[i]!))) return x
  return b.origins.shaped(writeReshape(b, x, { dtype, sizes: from }, to, where), x, from)
}

/** The target of a reshape: −1 for one size that is open, 0 for one that is the operand's at the same place. */
function writeReshape(b: Builder, x: string, { dtype, sizes: from }: TwinAval, to: readonly Size[], where: string): string {
  const open = to.flatMap((size, i) => isFixed(size) ? [] : i)
  const empty = to.some(size => size.includes(0))
  if (empty && b.opset < 14) return b.add('Expand', [b.scalar(0, dtype), b.dims.list(to, where)])
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

/** A range of an axis; one that lies where a value was joined with others is that value. */
export function cut(b: Builder, part: Part, where: string): string {
  const { x, axis, size, start, end } = part
  const joined = b.origins.partOf(part)
  if (joined !== null) return joined
  const ends = sameSize(end, size) ? b.list([toTheEnd]) : b.dims.list([placed(end, size)], where)
  return b.origins.cut(b.add('Slice', [x, b.dims.list([placed(start, size)], where), ends, b.list([axis])]), part)
}

function slice(b: Builder, e: Emission): string {
  const all = everyParams<SliceParams>(e)
  const sizes = e.xs[0]!.sizes
  const toEnd = (i: number): boolean => all.every((p, k) => p.ends[i]! >= sizes[i]![k]!)
  const axes = sizes.flatMap((_, i) => toEnd(i) && all.every(p => p.starts[i] === 0 && p.steps[i] === 1) ? [] : i)
  if (axes.length === 0) return e.inputs[0]!
  const [axis] = axes as [number]
  if (axes.length === 1 && all.every(p => p.steps[axis] === 1)) {
    return cut(b, { x: e.inputs[0]!, axis, size: sizes[axis]!, start: all.map(p => p.starts[axis]!), end: all.map((p, i) => Math.min(p.ends[axis]!, sizes[axis]![i]!)) }, e.where)
  }
  const steps = axes.map(i => all.map(p => p.steps[i]!))
  const starts = axes.map(i => placed(all.map(p => p.starts[i]!), sizes[i]!))
  const ends = axes.map(i => toEnd(i) ? b.dims.open.fixed(toTheEnd) : placed(all.map(p => p.ends[i]!), sizes[i]!))
  return b.add('Slice', [e.inputs[0]!, b.dims.list(starts, e.where), b.dims.list(ends, e.where), b.list(axes), ...steps.every(isOne) ? [] : [b.dims.list(steps, e.where)]])
}

/** Parts along an axis as one; parts that were cut from one value in order are that value. */
export function concatOf(b: Builder, parts: readonly string[], axis: number, sizes: readonly Size[]): string {
  if (parts.length === 1) return parts[0]!
  return b.origins.wholeOf(parts, axis) ?? b.origins.joined(b.add('Concat', parts, { axis }), { parts, axis, sizes })
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
    const joined = reshapeTo(b, padded, { dtype, sizes: now.toSpliced(axis + 1, 0, b.dims.open.fixed(between + 1)) }, to, e.where)
    x = b.add('Slice', [joined, b.list([0]), b.list([-between]), b.list([axis])])
    now[axis] = size.map(n => n - between)
  })
  const around = [...sizes.map((_, i) => all.map(p => p.low[i]!)), ...sizes.map((_, i) => all.map(p => p.high[i]!))]
  return around.every(size => size.every(n => n === 0)) ? x : b.add('Pad', [x, b.dims.list(around, e.where), zero])
}

/** So many consecutive numbers are written out; more are a Range. */
const mostWritten = 2 ** 16

function iota(b: Builder, e: Emission): string {
  const { dtype } = e.ys[0]!
  const size = everywhere<{ readonly length: number }>(e, p => p.length)
  const length = size[0]!
  if (isFixed(size) && length <= mostWritten) return b.constant(dtype, [length], convert(Array.from({ length }, (_, i) => i), dtype))
  const count = isFixed(size) ? b.scalar(length, 'int64') : b.add('Squeeze', [b.dims.list([size], e.where), b.list([0])])
  const counted = b.add('Range', [b.scalar(0, 'int64'), count, b.scalar(1, 'int64')])
  return b.cast(counted, 'int64', dtype)
}

/** Adds values into zeros at indices along an axis, which ScatterND does along the first. */
function scatterAdd(b: Builder, e: Emission): string {
  const [{ axis }] = everyParams<{ readonly axis: number }>(e) as [{ readonly axis: number }]
  if (b.opset < 16) return fail('value', 'exportOnnx', `${e.where} needs operator set 16 or newer, where ScatterND adds up, got ${b.opset}`)
  const [values, index] = e.inputs as [string, string]
  const depth = e.xs[1]!.sizes.length
  const rank = e.xs[0]!.sizes.length
  const along = Array.from({ length: depth }, (_, i) => axis + i)
  const rest = Array.from({ length: rank }, (_, i) => i).filter(i => !along.includes(i))
  const updates = axis === 0 ? values : b.add('Transpose', [values], { perm: [...along, ...rest] })
  const at = e.xs[1]!
  const places = b.cast(reshapeTo(b, index, at, [...at.sizes, b.dims.open.fixed(1)], e.where), e.xs[1]!.dtype, 'int64')
  const result = e.ys[0]!.sizes
  const zeros = b.add('Expand', [b.scalar(0, e.ys[0]!.dtype), b.dims.list([result[axis]!, ...result.filter((_, i) => i !== axis)], e.where)])
  const added = b.add('ScatterND', [zeros, places, updates], { reduction: 'add' })
  if (axis === 0) return added
  return b.add('Transpose', [added], { perm: result.map((_, i) => i < axis ? i + 1 : i === axis ? 0 : i) })
}

/** What TopK is to sort: NaN counts as the largest number, which it leaves open. */
function ordered(b: Builder, e: Emission): string {
  const { dtype } = e.xs[0]!
  const [x] = e.inputs as [string]
  const guard = b.operandsOf(x, 'Where')
  if (guard && b.operandsOf(guard[0]!, 'IsNaN')?.[0] === guard[2]) return x
  return dtype.startsWith('float') ? b.add('Where', [b.add('IsNaN', [x]), b.scalar(Infinity, dtype), x]) : x
}

/** Values at their places in zeros, each line by itself. */
function unpool(b: Builder, e: Emission): string {
  const [x, index] = e.xs as [Emission['xs'][number], Emission['xs'][number]]
  const zeros = b.add('Expand', [b.scalar(0, x.dtype), b.dims.list(e.ys[0]!.sizes, e.where)])
  return b.add('ScatterElements', [zeros, b.cast(e.inputs[1]!, index.dtype, 'int64'), e.inputs[0]!], { axis: 1 })
}

/** Views, sources and indexing. */
export const views: Emitters = {
  reshape: (b, e) => reshapeTo(b, e.inputs[0]!, e.xs[0]!, e.ys[0]!.sizes, e.where),
  broadcastTo: (b, e) => expandTo(b, e.inputs[0]!, e.xs[0]!.sizes, e.ys[0]!.sizes, e.where),
  sumTo,
  transpose: (b, e) => b.add('Transpose', e.inputs, { perm: fixedParams<{ readonly perm: readonly number[] }>(e).perm }),
  slice, pad, iota, scatterAdd, unpool,
  concat: (b, e) => {
    const { axis } = fixedParams<{ readonly axis: number }>(e)
    return concatOf(b, e.inputs, axis, e.xs.map(({ sizes }) => sizes[axis]!))
  },
  flip: (b, e) => {
    const { axes } = fixedParams<{ readonly axes: readonly number[] }>(e)
    if (axes.length === 0) return e.inputs[0]!
    return b.add('Slice', [e.inputs[0]!, b.list(axes.map(() => -1)), b.list(axes.map(() => -toTheEnd)), b.list(axes), b.list(axes.map(() => -1))])
  },
  detach: (_b, e) => e.inputs[0]!,
  alias: (_b, e) => e.inputs[0]!,
  fill: (b, e) => {
    const all = everyParams<FillParams>(e)
    const y = b.fill(all.map(p => p.value), all[0]!.dtype, zip(all.map(p => p.shape)), e.where)
    if (all.every(p => p.value === 0)) b.origins.zeros.add(y)
    return y
  },
  gather: (b, e) => b.add('Gather', e.inputs, { axis: fixedParams<{ readonly axis: number }>(e).axis }),
  amax: (b, e) => {
    const { axes } = fixedParams<{ readonly axes: readonly number[] }>(e)
    const { dtype } = e.xs[0]!
    const number = dtype === 'bool' ? 'uint8' : dtype
    return b.cast(b.reduce('ReduceMax', b.cast(e.inputs[0]!, dtype, number), axes, true), number, dtype)
  },
  argMax: (b, e) => b.cast(b.add('ArgMax', e.inputs, { axis: fixedParams<{ readonly axis: number }>(e).axis, keepdims: 0 }), 'int64', 'int32'),
  argSort: (b, e) => {
    const { axis, descending } = fixedParams<{ readonly axis: number; readonly descending: boolean }>(e)
    return b.cast(b.addMany('TopK', [ordered(b, e), b.dims.list([e.xs[0]!.sizes[axis]!], e.where)], 2, { axis, largest: Number(descending), sorted: 1 })[1]!, 'int64', 'int32')
  },
  cumSum: (b, e) => {
    const { axis, reverse } = fixedParams<{ readonly axis: number; readonly reverse: boolean }>(e)
    return b.add('CumSum', [e.inputs[0]!, b.scalar(axis, 'int64')], { reverse: Number(reverse) })
  },
}

