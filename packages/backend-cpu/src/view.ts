// Kernels that move elements: broadcastTo, transpose, slice, pad, concat, flip; reshape and detach only share the storage.

import type { Shape } from '@bp/core'
import { broadcastStrides, collapse, stridesOf } from '@bp/core/extend'
import type { PadParams, SliceParams } from '@bp/ops/extend'
import { asNumbers, type CpuKernel, create } from './storage.ts'
import { snapshot } from './snapshot.ts'
import { around, forEachRow, readStrided, writeStrided } from './strided.ts'

/** The same storage under another shape. */
export const share: CpuKernel<unknown> = ([x]) => snapshot(x!.storage)

/** Axes of size 1 and leading axes repeated. */
export const broadcastTo: CpuKernel<{ readonly shape: Shape }> = ([x], _p, out) =>
  readStrided(x!.storage, 0, broadcastStrides(x!.shape, out.shape), out.shape, create(out))

/** Axes in another order. */
export const transpose: CpuKernel<{ readonly perm: readonly number[] }> = ([x], p, out) => {
  const strides = stridesOf(x!.shape)
  const nest = collapse(out.shape, [p.perm.map(axis => strides[axis]!), stridesOf(out.shape)])
  const o = create(out)
  const last = nest.sizes.length - 1
  const dense = nest.strides[0]!.indexOf(1)
  if (dense === last || dense < 0) return readStrided(x!.storage, 0, nest.strides[0]!, nest.sizes, o)
  // x runs along `dense`, the result along `last`: each plane of the two is exchanged in tiles, all other axes are walked
  const others = nest.sizes.map((_, axis) => axis).filter(axis => axis !== dense && axis !== last)
  const pick = (list: readonly number[]): number[] => [...others.map(axis => list[axis]!), 1]
  forEachRow({ sizes: pick(nest.sizes), strides: nest.strides.map(pick) }, (_row, at) => {
    exchange(asNumbers(x!.storage), at[0]!, nest.strides[0]![last]!, asNumbers(o), at[1]!, nest.strides[1]![dense]!, nest.sizes[dense]!, nest.sizes[last]!)
  })
  return o
}

/** o[i, j] = a[j, i] in tiles that touch few cache lines; `as` and `os` are the distances between rows. */
function exchange(a: Float64Array, ao: number, as: number, o: Float64Array, oo: number, os: number, rows: number, columns: number): void {
  const tile = 32
  for (let i0 = 0; i0 < rows; i0 += tile) {
    const rowEnd = Math.min(rows, i0 + tile)
    for (let j0 = 0; j0 < columns; j0 += tile) {
      const columnEnd = Math.min(columns, j0 + tile)
      for (let i = i0; i < rowEnd; i++) {
        for (let at = oo + i * os + j0, end = at + columnEnd - j0, from = ao + j0 * as + i; at < end; at++, from += as) o[at] = a[from]!
      }
    }
  }
}

/** Every step-th element from start to end along each axis. */
export const slice: CpuKernel<SliceParams> = ([x], p, out) => {
  const strides = stridesOf(x!.shape)
  const start = p.starts.reduce((sum, at, i) => sum + at * strides[i]!, 0)
  return readStrided(x!.storage, start, strides.map((stride, i) => stride * p.steps[i]!), out.shape, create(out))
}

/** Some axes reversed. */
export const flip: CpuKernel<{ readonly axes: readonly number[] }> = ([x], p, out) => {
  const strides = stridesOf(x!.shape)
  const start = p.axes.reduce((sum, axis) => sum + (x!.shape[axis]! - 1) * strides[axis]!, 0)
  return readStrided(x!.storage, start, strides.map((stride, i) => p.axes.includes(i) ? -stride : stride), out.shape, create(out))
}

/** Zeros around and between the elements of each axis. */
export const pad: CpuKernel<PadParams> = ([x], p, out) => {
  const strides = stridesOf(out.shape)
  const o = create(out)
  const start = p.low.reduce((sum, n, i) => sum + n * strides[i]!, 0)
  writeStrided(x!.storage, o, start, strides.map((stride, i) => stride * (p.interior[i]! + 1)), x!.shape)
  return o
}

/** The operands one after the other along an axis. */
export const concat: CpuKernel<{ readonly axis: number }> = (xs, p, out) => {
  const o = create(out)
  const strides = stridesOf(out.shape)
  let start = 0
  for (const x of xs) {
    writeStrided(x.storage, o, start * around(out, p.axis).inner, strides, x.shape)
    start += x.shape[p.axis]!
  }
  return o
}
