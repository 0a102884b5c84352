// Reductions: sums and maxima over any axes, one run of neighbouring axes after the other.

import type { DType, Shape } from '@bp/core'
import { type Kernel, sizeOf } from '@bp/core/extend'
import type { Device } from '../device/device.ts'
import type { Value } from '../device/storage.ts'
import { argMax } from './reduceArgMax.ts'
import { type Fold, foldAxis, maxima, type Span, sums, wide } from './reduceFold.ts'
import { filled } from './source.ts'

/** Neighbouring axes that are all kept or all reduced, as one. */
interface Run {
  size: number
  readonly reduced: boolean
}

/** A shape as runs, kept and reduced in turn; axes of size 1 are in none. */
function runsOf(shape: Shape, reduced: (axis: number) => boolean): Run[] {
  const runs: Run[] = []
  shape.forEach((size, axis) => {
    if (size === 1) return
    const last = runs.at(-1)
    if (last?.reduced === reduced(axis)) last.size *= size
    else runs.push({ size, reduced: reduced(axis) })
  })
  return runs
}

const spanOf = (runs: readonly Run[], at: number): Span => {
  const sizes = runs.map(({ size }) => size)
  return { outer: sizeOf(sizes.slice(0, at)), size: sizes[at]!, inner: sizeOf(sizes.slice(at + 1)) }
}

/** The axis that some axes of a shape are together; `null` where others stand between them. */
export function oneSpan(shape: Shape, reduced: (axis: number) => boolean): Span | null {
  const runs = runsOf(shape, reduced)
  const at = runs.findIndex(run => run.reduced)
  if (at < 0) return { outer: sizeOf(shape), size: 1, inner: 1 }
  return runs.some((run, i) => run.reduced && i !== at) ? null : spanOf(runs, at)
}

/** Folds axes of `x`, the longest run first, so that what later stages read is small. */
export function foldAxes(device: Device, fold: Fold, x: Value, shape: Shape, reduced: (axis: number) => boolean, dtype: DType): Value {
  let runs = runsOf(shape, reduced)
  let y = x
  for (let left = runs.filter(run => run.reduced).length; left > 0; left--) {
    const at = runs.reduce((best, run, i) => run.reduced && (best < 0 || run.size > runs[best]!.size) ? i : best, -1)
    const z = foldAxis(device, fold, y, spanOf(runs, at), left === 1 ? dtype : wide(dtype))
    if (y !== x) device.discard(y)
    y = z
    runs = runs.filter((_, i) => i !== at)
  }
  return y
}

const sumTo = (device: Device): Kernel<Value, { readonly shape: Shape }> => ([x], p, out) => {
  if (x!.storage.length === 0) return filled(device, out, 0)
  const lead = x!.shape.length - p.shape.length
  return foldAxes(device, sums, x!.storage, x!.shape, axis => axis < lead || (p.shape[axis - lead] === 1 && x!.shape[axis] !== 1), out.dtype)
}

const amax = (device: Device): Kernel<Value, { readonly axes: readonly number[] }> => ([x], p, out) =>
  x!.storage.length === 0 ? device.empty(out) : foldAxes(device, maxima, x!.storage, x!.shape, axis => p.axes.includes(axis), out.dtype)

/** The kernels of this file. */
export const reductions = (device: Device) => ({ sumTo: sumTo(device), amax: amax(device), argMax: argMax(device) })
