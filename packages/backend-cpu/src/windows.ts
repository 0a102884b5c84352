// Sliding windows over up to three spatial axes: unfolding them into columns, folding columns back, and the places of maxima.

import { fail, sizeOf } from '@bp/core/extend'
import type { ConvGeometry, PoolGeometry } from '@bp/ops/extend'
import { asNumbers, type CpuKernel, create } from './storage.ts'

type Triple = [number, number, number]

/** Three entries, those in front filled in: every convolution is seen as three-dimensional. */
function triple(list: readonly number[], fill: number): Triple {
  if (list.length > 3) fail('shape', 'conv', `windows have 1 to 3 spatial axes here, got ${list.length}. Fold some into the batch`)
  return [...new Array<number>(3 - list.length).fill(fill), ...list] as Triple
}

interface Axis {
  readonly size: number
  readonly kernel: number
  readonly places: number
  readonly stride: number
  readonly low: number
  readonly dilation: number
}

type Geometry = Pick<ConvGeometry, 'stride' | 'padding' | 'dilation'>

function axesOf(size: readonly number[], kernel: readonly number[], places: readonly number[], p: Geometry): [Axis, Axis, Axis] {
  const sizes = triple(size, 1), kernels = triple(kernel, 1), counts = triple(places, 1)
  const strides = triple(p.stride, 1), lows = triple(p.padding.map(([low]) => low), 0), dilations = triple(p.dilation, 1)
  return sizes.map((n, i) => ({ size: n, kernel: kernels[i]!, places: counts[i]!, stride: strides[i]!, low: lows[i]!, dilation: dilations[i]! })) as [Axis, Axis, Axis]
}

/** Where an offset of the window is inside the input: places from `first` up to `end`. */
function range({ size, places, stride, low, dilation }: Axis, offset: number): { first: number; end: number; start: number } {
  const start = offset * dilation - low
  const first = Math.max(0, Math.ceil(-start / stride))
  const end = Math.min(places, Math.floor((size - 1 - start) / stride) + 1)
  return { first, end, start }
}

/** The windows of one group of channels. */
export interface Windows {
  /** How many places the window has. */
  readonly count: number
  /** A scratch array of channels × kernel rows and `count` columns, reused between calls. */
  columns(): Float64Array
  /** For each channel and offset in the window, a row of what lies there at each place; zeros outside. */
  unfold(x: Float64Array, start: number): { readonly data: Float64Array; readonly start: number }
  /** Adds columns back to where they were taken from. */
  fold(columns: Float64Array, x: Float64Array, start: number): void
}

let scratch = new Float64Array(0)

/** The windows of a kernel over `channels` channels of the given size. */
export function windowsOf(channels: number, size: readonly number[], kernel: readonly number[], places: readonly number[], p: Geometry): Windows {
  const axes = axesOf(size, kernel, places, p)
  const [d, h, w] = axes
  const count = sizeOf(places)
  const length = channels * sizeOf(kernel) * count
  // a kernel of one element at every place reads the input as it is
  const plain = axes.every(axis => axis.kernel === 1 && axis.stride === 1 && axis.low === 0 && axis.places === axis.size)
  const columns = (): Float64Array => {
    if (scratch.length < length) scratch = new Float64Array(length)
    return scratch.subarray(0, length)
  }
  /** Visits, for each row of columns, each line of places along the last axis that touches the input. */
  const lines = (visit: (column: number, x: number, n: number) => void): void => {
    let row = 0
    for (let c = 0; c < channels; c++) {
      for (let kd = 0; kd < d.kernel; kd++) {
        for (let kh = 0; kh < h.kernel; kh++) {
          for (let kw = 0; kw < w.kernel; kw++, row++) {
            const rd = range(d, kd), rh = range(h, kh), rw = range(w, kw)
            if (rw.end <= rw.first) continue
            for (let pd = rd.first; pd < rd.end; pd++) {
              const plane = (c * d.size + pd * d.stride + rd.start) * h.size
              for (let ph = rh.first; ph < rh.end; ph++) {
                const line = (plane + ph * h.stride + rh.start) * w.size
                visit(row * count + (pd * h.places + ph) * w.places + rw.first, line + rw.first * w.stride + rw.start, rw.end - rw.first)
              }
            }
          }
        }
      }
    }
  }
  return {
    count,
    columns,
    unfold(x, start) {
      if (plain) return { data: x, start }
      const to = columns()
      to.fill(0)
      lines((column, at, n) => { copyLine(x, start + at, w.stride, to, column, n) })
      return { data: to, start: 0 }
    },
    fold(from, x, start) {
      lines((column, at, n) => { addLine(from, column, x, start + at, w.stride, n) })
    },
  }
}

function copyLine(x: Float64Array, at: number, stride: number, to: Float64Array, column: number, n: number): void {
  for (let i = 0; i < n; i++) to[column + i] = x[at + i * stride]!
}

function addLine(from: Float64Array, column: number, x: Float64Array, at: number, stride: number, n: number): void {
  for (let i = 0; i < n; i++) x[at + i * stride]! += from[column + i]!
}

/** For each window the flat place of its largest element. */
export const poolArgMax: CpuKernel<PoolGeometry> = ([x], p, out) => {
  const o = create(out)
  const a = asNumbers(x!.storage)
  const size = x!.shape.slice(2)
  const [d, h, w] = axesOf(size, p.kernel, out.shape.slice(2), p)
  const planes = x!.shape[0]! * x!.shape[1]!
  const plane = sizeOf(size)
  let k = 0
  for (let c = 0; c < planes; c++) {
    for (let pd = 0; pd < d.places; pd++) {
      for (let ph = 0; ph < h.places; ph++) {
        for (let pw = 0; pw < w.places; pw++) o[k++] = largest(a, c * plane, d, h, w, pd * d.stride - d.low, ph * h.stride - h.low, pw * w.stride - w.low)
      }
    }
  }
  return o
}

/** The flat place of the largest element of one window, the first of several; NaN wins, what lies outside never does. */
function largest(a: Float64Array, start: number, d: Axis, h: Axis, w: Axis, z0: number, y0: number, x0: number): number {
  let best = -1
  let top = -Infinity
  for (let kd = 0; kd < d.kernel; kd++) {
    const z = z0 + kd * d.dilation
    if (z < 0 || z >= d.size) continue
    for (let kh = 0; kh < h.kernel; kh++) {
      const y = y0 + kh * h.dilation
      if (y < 0 || y >= h.size) continue
      const line = start + (z * h.size + y) * w.size
      for (let kw = 0; kw < w.kernel; kw++) {
        const x = x0 + kw * w.dilation
        if (x < 0 || x >= w.size) continue
        const value = a[line + x]!
        if (best < 0 || value > top || (value !== value && top === top)) {
          best = line + x
          top = value
        }
      }
    }
  }
  return best >= 0 ? best : fail('value', 'maxPool', 'a window lies wholly in the padding. Use padding of at most half the window')
}
