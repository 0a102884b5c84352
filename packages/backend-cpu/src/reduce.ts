// Reductions and scans: sumTo, amax, argMax, argSort, cumSum. Sums of floats are accumulated in double precision.

import type { Shape } from '@bp/core'
import { broadcastStrides, collapse, sizeOf, stridesOf } from '@bp/core/extend'
import { asBigInt, asNumbers, type CpuKernel, create, isBigInt } from './storage.ts'
import { around, forEachRow, readStrided } from './strided.ts'

/** The sum over the axes that broadcasting would repeat. */
export const sumTo: CpuKernel<{ readonly shape: Shape }> = ([x], _p, out) => {
  const o = create(out)
  const nest = collapse(x!.shape, [broadcastStrides(out.shape, x!.shape)])
  const n = nest.sizes.at(-1)!
  const step = nest.strides[0]!.at(-1)!
  if (isBigInt(x!.dtype)) {
    const a = asBigInt(x!.storage)
    forEachRow(nest, (r, at) => { for (let i = 0; i < n; i++) asBigInt(o)[at[0]! + i * step]! += a[r * n + i]! })
    return o
  }
  const total = x!.dtype === 'float64' ? o as Float64Array : new Float64Array(sizeOf(out.shape))
  forEachRow(nest, (r, at) => { addRow(asNumbers(x!.storage), r * n, n, total, at[0]!, step) })
  if (total !== o) asNumbers(o).set(total)
  return o
}

function addRow(a: Float64Array, start: number, n: number, total: Float64Array, at: number, step: number): void {
  if (step === 0) total[at]! += sumRange(a, start, n)
  else for (let i = 0; i < n; i++) total[at + i * step]! += a[start + i]!
}

/** Pairwise summation (Higham 1993): error grows with log n, and four sums at a time keep the adders busy. */
function sumRange(a: Float64Array, start: number, n: number): number {
  if (n > 4096) {
    const half = n >> 1
    return sumRange(a, start, half) + sumRange(a, start + half, n - half)
  }
  let s0 = 0, s1 = 0, s2 = 0, s3 = 0
  let i = start
  const end = start + n
  for (; i + 3 < end; i += 4) {
    s0 += a[i]!
    s1 += a[i + 1]!
    s2 += a[i + 2]!
    s3 += a[i + 3]!
  }
  for (; i < end; i++) s0 += a[i]!
  return s0 + s1 + (s2 + s3)
}

/** The largest element over some axes, kept at size 1; NaN where there is one. */
export const amax: CpuKernel<{ readonly axes: readonly number[] }> = ([x], _p, out) => {
  const a = asNumbers(x!.storage)
  // begins with the first element of each group, so that no value need stand for "none yet"
  const o = asNumbers(readStrided(a, 0, stridesOf(x!.shape), out.shape, create(out)))
  const nest = collapse(x!.shape, [broadcastStrides(out.shape, x!.shape)])
  const n = nest.sizes.at(-1)!
  const step = nest.strides[0]!.at(-1)!
  forEachRow(nest, (r, at) => {
    if (step === 0) raiseOne(a, r * n, n, o, at[0]!)
    else raiseEach(a, r * n, n, o, at[0]!, step)
  })
  return o
}

function raiseOne(a: Float64Array, start: number, n: number, o: Float64Array, at: number): void {
  let top = o[at]!
  for (let i = start, end = start + n; i < end; i++) {
    const value = a[i]!
    if (value > top || value !== value) top = value
  }
  o[at] = top
}

function raiseEach(a: Float64Array, start: number, n: number, o: Float64Array, at: number, step: number): void {
  for (let i = 0; i < n; i++) {
    const value = a[start + i]!
    if (value > o[at + i * step]! || value !== value) o[at + i * step] = value
  }
}

/** Whether `value` comes before `best` in descending order, NaN first. */
const beats = (value: number, best: number): boolean => value > best || (value !== value && best === best)

/** The place of the largest element along an axis, the first of several. */
export const argMax: CpuKernel<{ readonly axis: number }> = ([x], p, out) => {
  const o = create(out)
  const a = asNumbers(x!.storage)
  const { outer, size, inner } = around(x!, p.axis)
  for (let k = 0; k < outer * inner; k++) {
    const start = Math.floor(k / inner) * size * inner + k % inner
    let best = 0
    for (let i = 1; i < size; i++) if (beats(a[start + i * inner]!, a[start + best * inner]!)) best = i
    o[k] = best
  }
  return o
}

/** The places that sort an axis, equal elements in their order. */
export const argSort: CpuKernel<{ readonly axis: number; readonly descending: boolean }> = ([x], p, out) => {
  const o = create(out)
  const a = asNumbers(x!.storage)
  const { outer, size, inner } = around(x!, p.axis)
  const sign = p.descending ? -1 : 1
  for (let k = 0; k < outer * inner; k++) {
    const start = Math.floor(k / inner) * size * inner + k % inner
    const at = (i: number): number => a[start + i * inner]!
    const order = Array.from({ length: size }, (_, i) => i).sort((i, j) => beats(at(i), at(j)) ? sign : beats(at(j), at(i)) ? -sign : 0)
    for (let i = 0; i < size; i++) o[start + i * inner] = order[i]!
  }
  return o
}

/** Running sums along an axis, in double precision. */
export const cumSum: CpuKernel<{ readonly axis: number; readonly reverse: boolean }> = ([x], p, out) => {
  const o = create(out)
  const { outer, size, inner } = around(x!, p.axis)
  const big = isBigInt(x!.dtype)
  for (let k = 0; k < outer * inner; k++) {
    const start = Math.floor(k / inner) * size * inner + k % inner
    let sum = 0
    let bigSum = 0n
    for (let j = 0; j < size; j++) {
      const at = start + (p.reverse ? size - 1 - j : j) * inner
      if (big) asBigInt(o)[at] = bigSum += asBigInt(x!.storage)[at]!
      else asNumbers(o)[at] = sum += asNumbers(x!.storage)[at]!
    }
  }
  return o
}
