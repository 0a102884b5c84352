// Kernels that move elements: broadcastTo, transpose, slice, pad, concat, flip; reshape and detach only share the storage.

import type { Shape } from '@bp/core'
import { stridesOf } from '@bp/core/extend'
import type { PadParams, SliceParams } from '@bp/ops/extend'
import { type CpuKernel, create } from './storage.ts'
import { around, broadcastStrides, readStrided, writeStrided } from './strided.ts'

/** The same storage under another shape. */
export const share: CpuKernel<unknown> = ([x]) => x!.storage

export const broadcastTo: CpuKernel<{ readonly shape: Shape }> = ([x], _p, out) =>
  readStrided(x!.storage, 0, broadcastStrides(x!.shape, out.shape), out.shape, create(out))

export const transpose: CpuKernel<{ readonly perm: readonly number[] }> = ([x], p, out) => {
  const strides = stridesOf(x!.shape)
  return readStrided(x!.storage, 0, p.perm.map(axis => strides[axis]!), out.shape, create(out))
}

export const slice: CpuKernel<SliceParams> = ([x], p, out) => {
  const strides = stridesOf(x!.shape)
  const start = p.starts.reduce((sum, at, i) => sum + at * strides[i]!, 0)
  return readStrided(x!.storage, start, strides.map((stride, i) => stride * p.steps[i]!), out.shape, create(out))
}

export const flip: CpuKernel<{ readonly axes: readonly number[] }> = ([x], p, out) => {
  const strides = stridesOf(x!.shape)
  const start = p.axes.reduce((sum, axis) => sum + (x!.shape[axis]! - 1) * strides[axis]!, 0)
  return readStrided(x!.storage, start, strides.map((stride, i) => p.axes.includes(i) ? -stride : stride), out.shape, create(out))
}

export const pad: CpuKernel<PadParams> = ([x], p, out) => {
  const strides = stridesOf(out.shape)
  const o = create(out)
  const start = p.low.reduce((sum, n, i) => sum + n * strides[i]!, 0)
  writeStrided(x!.storage, o, start, strides.map((stride, i) => stride * (p.interior[i]! + 1)), x!.shape)
  return o
}

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
