// Walking arrays by strides: transposition, slicing and reduction.

import { type Aval, collapse, type Nest, sizeOf } from '@bp/core/extend'
import type { Shape } from '@bp/core'
import type { CpuStorage } from './storage.ts'

/**
 * Visits the rows of a loop nest: `row` gets the number of the row and each operand's offset there. The array of offsets
 * is one and the same, updated in place.
 */
export function forEachRow({ sizes, strides }: Nest, row: (index: number, offsets: readonly number[]) => void): void {
  if (sizeOf(sizes) === 0) return
  const last = sizes.length - 2
  const count = last < 0 ? 1 : sizes[last]!
  const steps = strides.map(list => last < 0 ? 0 : list[last]!)
  const place = new Array<number>(Math.max(0, last)).fill(0)
  const offsets = strides.map(() => 0)
  const rows = sizeOf(sizes.slice(0, -1))
  for (let r = 0; r < rows;) {
    for (let i = 0; i < count; i++, r++) {
      row(r, offsets)
      for (let k = 0; k < steps.length; k++) offsets[k]! += steps[k]!
    }
    for (let k = 0; k < steps.length; k++) offsets[k]! -= count * steps[k]!
    for (let axis = last - 1; axis >= 0; axis--) {
      place[axis]!++
      const done = place[axis] === sizes[axis]
      const jump = done ? 1 - sizes[axis]! : 1
      for (let k = 0; k < strides.length; k++) offsets[k]! += jump * strides[k]![axis]!
      if (!done) break
      place[axis] = 0
    }
  }
}

/** Fills a dense `to` from `from` read by strides. */
export function readStrided(from: CpuStorage, start: number, strides: readonly number[], shape: Shape, to: CpuStorage): CpuStorage {
  const nest = collapse(shape, [strides])
  const n = nest.sizes.at(-1)!
  const step = nest.strides[0]!.at(-1)!
  forEachRow(nest, (row, offsets) => { copyRow(from, start + offsets[0]!, step, to, row * n, 1, n) })
  return to
}

/** Writes a dense `from` into `to` by strides. */
export function writeStrided(from: CpuStorage, to: CpuStorage, start: number, strides: readonly number[], shape: Shape): void {
  const nest = collapse(shape, [strides])
  const n = nest.sizes.at(-1)!
  const step = nest.strides[0]!.at(-1)!
  forEachRow(nest, (row, offsets) => { copyRow(from, row * n, 1, to, start + offsets[0]!, step, n) })
}

function copyRow(from: CpuStorage, at: number, step: number, to: CpuStorage, place: number, stride: number, n: number): void {
  const a = from as Float64Array
  const o = to as Float64Array
  if (step === 1 && stride === 1 && n > 32) o.set(a.subarray(at, at + n), place)
  else if (step === 0) o.fill(a[at]!, place, place + n)
  else for (let i = 0; i < n; i++) o[place + i * stride] = a[at + i * step]!
}

/** A reduction's view of its operand: `outer` × `size` × `inner` around one axis. */
export function around({ shape }: Pick<Aval, 'shape'>, axis: number): { outer: number; size: number; inner: number } {
  return { outer: sizeOf(shape.slice(0, axis)), size: shape[axis]!, inner: sizeOf(shape.slice(axis + 1)) }
}
