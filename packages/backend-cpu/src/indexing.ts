// Reading and adding by index along an axis; an index that is out of range is an error before anything is returned.

import { fail, sizeOf } from '@bp/core/extend'
import { asNumbers, type CpuKernel, type CpuStorage, create } from './storage.ts'

/** The index as places ≥ 0; negative ones count from the end. */
function places(op: string, index: CpuStorage, size: number, axis: number): Int32Array {
  const out = new Int32Array(index.length)
  for (let i = 0; i < out.length; i++) {
    const at = Number(index[i])
    if (at < -size || at >= size) fail('value', op, `index ${at} is out of range for axis ${axis} of size ${size}. ${size === 0 ? 'It has no elements to choose from' : `Use ${-size} to ${size - 1}`}`)
    out[i] = at < 0 ? at + size : at
  }
  return out
}

/** Slices of x along an axis, chosen by index. */
export const gather: CpuKernel<{ readonly axis: number }> = ([x, index], p, out) => {
  const o = asNumbers(create(out))
  const a = asNumbers(x!.storage)
  const size = x!.shape[p.axis]!
  const at = places('gather', index!.storage, size, p.axis)
  const outer = sizeOf(x!.shape.slice(0, p.axis))
  const inner = sizeOf(x!.shape.slice(p.axis + 1))
  for (let b = 0, k = 0; b < outer; b++) {
    for (let i = 0; i < at.length; i++) {
      const from = (b * size + at[i]!) * inner
      for (let j = 0; j < inner; j++) o[k++] = a[from + j]!
    }
  }
  return o
}

/** Zeros with slices of x added at the indices. */
export const scatterAdd: CpuKernel<{ readonly axis: number; readonly size: number }> = ([x, index], p, out) => {
  const o = asNumbers(create(out))
  const a = asNumbers(x!.storage)
  const at = places('scatterAdd', index!.storage, p.size, p.axis)
  const outer = sizeOf(out.shape.slice(0, p.axis))
  const inner = sizeOf(out.shape.slice(p.axis + 1))
  for (let b = 0, k = 0; b < outer; b++) {
    for (let i = 0; i < at.length; i++) {
      const to = (b * p.size + at[i]!) * inner
      for (let j = 0; j < inner; j++) o[to + j]! += a[k++]!
    }
  }
  return o
}
