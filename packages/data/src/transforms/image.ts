// Transforms of images that move pixels without changing them, and the ones that make arrays of numbers of them.

import { describe, fail } from '@bp/core/extend'
import { type NdArray, ndarray } from '../array.ts'
import { bothOf, floatSizesOf, type Size, sizesOf, window } from './pixels.ts'
import type { Transform } from './transform.ts'

/**
 * Bytes u8[h,w,c] as f32[c,h,w] in [0, 1] (torchvision's `ToTensor`); u8[h,w] as one channel.
 *
 * @example
 * ```ts
 * import { ndarray, RandomStream, toFloat } from '@bp/data'
 * const image = ndarray(Uint8Array.of(0, 51, 255, 0), [1, 2, 2])
 * Array.from(toFloat()(image, new RandomStream(0)).data, Number).map(x => x.toFixed(1)) // => [0.0, 1.0, 0.2, 0.0]
 * ```
 */
export const toFloat = (): Transform<NdArray> => x => {
  const [h, w, c = 1] = x.shape
  if (x.dtype !== 'uint8' || h === undefined || w === undefined || x.shape.length > 3) return fail('dtype', 'toFloat', `needs bytes u8[h,w,c] or u8[h,w], got ${describe(x)}`)
  const bytes = x.data as Uint8Array
  const data = new Float32Array(bytes.length)
  const size = h * w
  for (let k = 0; k < c; k++) for (let i = 0; i < size; i++) data[k * size + i] = bytes[i * c + k]! / 255
  return ndarray(data, [c, h, w])
}

/**
 * (x − mean) / std by channel, of f32[c,h,w]; one number stands for all channels.
 *
 * @example
 * ```ts
 * import { ndarray, normalize, RandomStream } from '@bp/data'
 * normalize([0.5], [0.25])(ndarray([0, 0.5, 1, 0.75], [1, 2, 2]), new RandomStream(0)).data // => -2,0,2,1
 * ```
 */
export function normalize(mean: number | readonly number[], std: number | readonly number[]): Transform<NdArray> {
  return x => {
    const [c, h, w] = floatSizesOf('normalize', x)
    const pick = (values: number | readonly number[], k: number): number => typeof values === 'number' ? values : values[k]!
    for (const values of [mean, std]) if (typeof values !== 'number' && values.length !== c) fail('shape', 'normalize', `has numbers for ${values.length} channels, the image has ${c}. Give one a channel`)
    const data = new Float32Array(x.data.length)
    for (let k = 0; k < c; k++) {
      const centre = pick(mean, k)
      const scale = pick(std, k)
      for (let i = k * h * w; i < (k + 1) * h * w; i++) data[i] = (Number(x.data[i]) - centre) / scale
    }
    return ndarray(data, x.shape)
  }
}

/** Options of {@link randomCrop}. */
export interface CropOptions {
  /** Pixels added at each edge beforehand; 0 unless given. */
  readonly padding?: number
  /** What they hold; 0 unless given. */
  readonly fill?: number
}

/**
 * A part of [c,h,w] of the size given, from anywhere in it.
 *
 * @example
 * ```ts
 * import { ndarray, randomCrop, RandomStream } from '@bp/data'
 * randomCrop(28, { padding: 2 })(ndarray(new Float32Array(784), [1, 28, 28]), new RandomStream(0)).shape // => [1, 28, 28]
 * ```
 */
export function randomCrop(size: Size, { padding = 0, fill = 0 }: CropOptions = {}): Transform<NdArray> {
  const [h, w] = bothOf(size)
  return (x, random) => {
    const [, height, width] = sizesOf('randomCrop', x)
    const [down, right] = [height + 2 * padding - h, width + 2 * padding - w]
    if (down < 0 || right < 0) fail('shape', 'randomCrop', `no part of ${h} × ${w} pixels lies in ${describe(x)}${padding > 0 ? ` padded by ${padding}` : ''}. Give more padding, or resize first`)
    return window(x, random.int(down + 1) - padding, random.int(right + 1) - padding, h, w, fill)
  }
}

/** The middle part of [c,h,w], filled up with zeros where it is larger. */
export function centerCrop(size: Size): Transform<NdArray> {
  const [h, w] = bothOf(size)
  return x => {
    const [, height, width] = sizesOf('centerCrop', x)
    return window(x, Math.round((height - h) / 2), Math.round((width - w) / 2), h, w)
  }
}

/** [c,h,w] mirrored left to right with probability p; 0.5 unless given. */
export const randomHorizontalFlip = (p = 0.5): Transform<NdArray> => (x, random) => {
  const [, , w] = sizesOf('randomHorizontalFlip', x)
  if (!random.bernoulli(p)) return x
  const data = x.data.slice()
  for (let from = 0; from < data.length; from += w) data.subarray(from, from + w).reverse()
  return { ...x, data }
}

/** [c,h,w] turned upside down with probability p; 0.5 unless given. */
export const randomVerticalFlip = (p = 0.5): Transform<NdArray> => (x, random) => {
  const [c, h, w] = sizesOf('randomVerticalFlip', x)
  if (!random.bernoulli(p)) return x
  const data = x.data.slice()
  for (let k = 0; k < c; k++) for (let i = 0; i < h; i++) data.set(x.data.subarray((k * h + i) * w, (k * h + i + 1) * w) as never, (k * h + h - 1 - i) * w)
  return { ...x, data }
}

/** Options of {@link randomErasing}. */
export interface ErasingOptions {
  /** 0.5 unless given. */
  readonly p?: number
  /** The part of the area that is erased, from and to; 0.02 to 0.33 unless given. */
  readonly scale?: readonly [number, number]
  /** Height by width of what is erased, from and to; 0.3 to 3.3 unless given. */
  readonly ratio?: readonly [number, number]
  /** What stands there afterwards; 0 unless given. */
  readonly value?: number
}

/** A rectangle of [c,h,w] erased with probability p (Zhong et al. 2020, "Random Erasing Data Augmentation"; torchvision's defaults). */
export function randomErasing({ p = 0.5, scale = [0.02, 0.33], ratio = [0.3, 3.3], value = 0 }: ErasingOptions = {}): Transform<NdArray> {
  return (x, random) => {
    const [c, height, width] = sizesOf('randomErasing', x)
    if (!random.bernoulli(p)) return x
    // ten times, as torchvision, until one lies in the image
    for (let attempt = 0; attempt < 10; attempt++) {
      const area = height * width * random.uniform(...scale)
      const aspect = Math.exp(random.uniform(Math.log(ratio[0]), Math.log(ratio[1])))
      const h = Math.round(Math.sqrt(area * aspect))
      const w = Math.round(Math.sqrt(area / aspect))
      if (h >= height || w >= width) continue
      const top = random.int(height - h + 1)
      const left = random.int(width - w + 1)
      const data = x.data.slice() as Float32Array
      for (let k = 0; k < c; k++) for (let i = top; i < top + h; i++) data.fill(value, (k * height + i) * width + left, (k * height + i) * width + left + w)
      return { ...x, data }
    }
    return x
  }
}
