// What transforms of images share: the form of an image, and copies of parts of it.

import type { TypedArray } from '@bp/core'
import { allocate, describe, fail } from '@bp/core/extend'
import { copyInto, type NdArray } from '../array.ts'

/** Channels, height and width of an image [c,h,w]. */
export function sizesOf(op: string, x: NdArray): readonly [c: number, h: number, w: number] {
  if (x.shape.length !== 3) fail('shape', op, `needs an image [c,h,w], got ${describe(x)}. Put toFloat() before it`)
  return x.shape as unknown as readonly [number, number, number]
}

/** The same of an image of float32. */
export function floatSizesOf(op: string, x: NdArray): readonly [c: number, h: number, w: number] {
  if (x.dtype !== 'float32') fail('dtype', op, `needs an image f32[c,h,w], got ${describe(x)}. Put toFloat() before it`)
  return sizesOf(op, x)
}

/** A height and width: one number for both, or two. */
export type Size = number | readonly [height: number, width: number]

/** Both of a size. */
export const bothOf = (size: Size): readonly [number, number] => typeof size === 'number' ? [size, size] : size

/** The window of h × w pixels whose first is (top, left), which may reach over the edges; `fill` stands there. */
export function window(x: NdArray, top: number, left: number, h: number, w: number, fill = 0): NdArray {
  const [channels, height, width] = x.shape as readonly [number, number, number]
  const data: TypedArray = allocate(x.dtype, channels * h * w)
  if (fill !== 0) (data as Float32Array).fill(fill)
  const first = Math.max(0, left)
  const last = Math.min(width, left + w)
  for (let c = 0; c < channels; c++) {
    for (let i = Math.max(0, -top); i < Math.min(h, height - top); i++) {
      const from = (c * height + top + i) * width
      if (first < last) copyInto(data, x.data.subarray(from + first, from + last), (c * h + i) * w + first - left)
    }
  }
  return { data, shape: [channels, h, w], dtype: x.dtype }
}
