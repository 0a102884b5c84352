// Resizing images, smoothed where they become smaller.

import { allocate, convert, describe, fail, isFloat } from '@bp/core/extend'
import { type NdArray } from '../array.ts'
import { bothOf, type Size } from './pixels.ts'
import type { Transform } from './transform.ts'

/** Options of {@link resize}. */
export interface ResizeOptions {
  /** Which axes are height and width: the last two of [c,h,w], or the first two of [h,w,c], which is taken for bytes unless given. */
  readonly layout?: 'chw' | 'hwc'
}

/**
 * An image in another size, bilinear, with a filter as wide as the step where it becomes smaller (PyTorch's `antialias: true`).
 *
 * @example
 * ```ts
 * import { ndarray, RandomStream, resize } from '@bp/data'
 * resize([1, 2])(ndarray([0, 1, 2, 3, 4, 5, 6, 7], [1, 2, 4]), new RandomStream(0)).shape // => [1, 1, 2]
 * ```
 */
export function resize(size: Size, { layout }: ResizeOptions = {}): Transform<NdArray> {
  const [height, width] = bothOf(size)
  return x => resized(x, height, width, layout ?? (x.dtype === 'uint8' ? 'hwc' : 'chw'))
}

/** The same at once. */
export function resized(x: NdArray, height: number, width: number, layout: 'chw' | 'hwc'): NdArray {
  if (x.shape.length !== 3 || !isFloat(x.dtype) && x.dtype !== 'uint8' || x.dtype === 'float16') fail('shape', 'resize', `needs an image f32[c,h,w] or u8[h,w,c], got ${describe(x)}`)
  if (!(height > 0 && width > 0)) fail('value', 'resize', `the size must be above 0, got ${height} × ${width}`)
  const axis = layout === 'chw' ? 1 : 0
  if (x.shape[axis] === height && x.shape[axis + 1] === width) return x
  const across = alongAxis(x.data as ArrayLike<number>, x.shape, axis + 1, width)
  const wide = x.shape.with(axis + 1, width)
  const data = alongAxis(across, wide, axis, height)
  // bytes are rounded to the nearest
  return { data: x.dtype === 'uint8' ? Uint8Array.from(data, value => Math.floor(value + 0.5)) : x.dtype === 'float32' ? data : convert(data, x.dtype), shape: wide.with(axis, height), dtype: x.dtype }
}

/** yⱼ = Σᵢ w(i, j) xᵢ along one axis, w a triangle around the middle of j, normalised. */
function alongAxis(x: ArrayLike<number>, shape: readonly number[], axis: number, count: number): Float32Array {
  const length = shape[axis]!
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1)
  const outer = shape.slice(0, axis).reduce((a, b) => a * b, 1)
  const out = allocate('float32', outer * count * inner) as Float32Array
  const step = length / count
  const reach = Math.max(step, 1)
  for (let j = 0; j < count; j++) {
    const centre = step * (j + 0.5)
    const from = Math.max(0, Math.floor(centre - reach + 0.5))
    const to = Math.min(length, Math.floor(centre + reach + 0.5))
    const weights = Array.from({ length: to - from }, (_, i) => Math.max(0, 1 - Math.abs((from + i + 0.5 - centre) / reach)))
    const total = weights.reduce((a, b) => a + b, 0)
    for (let o = 0; o < outer; o++) {
      for (let k = 0; k < inner; k++) {
        let sum = 0
        for (let i = from; i < to; i++) sum += weights[i - from]! * x[(o * length + i) * inner + k]!
        out[(o * count + j) * inner + k] = sum / total
      }
    }
  }
  return out
}
