// Images of digits: split once into training and test images, picked, and made batches of.

import { tensor, type Tensor } from '@bp/core'
import { Generator } from '@bp/ops'

/** Images of 28 × 28 pixels in [0, 1], and what they show. */
export interface Images {
  readonly pixels: Float32Array
  readonly labels: Int32Array
}

/** Training and test images; none is in both. */
export interface Split {
  readonly train: Images
  readonly test: Images
}

/** Pixels of an image. */
export const pixelsPerImage = 28 * 28

const trainCount = 8500
/** The split has a seed of its own, so that every run is judged on the same images. */
const splitSeed = 2026

/** Deals the images into training and test by a fixed shuffle. */
export function split(all: Images, count = trainCount): Split {
  const order = new Generator(splitSeed).permutation(all.labels.length)
  return { train: pick(all, order.slice(0, count)), test: pick(all, order.slice(count)) }
}

/** The images at the given places, copied. */
export function pick({ pixels, labels }: Images, places: readonly number[]): Images {
  const out = { pixels: new Float32Array(places.length * pixelsPerImage), labels: new Int32Array(places.length) }
  places.forEach((place, i) => {
    out.pixels.set(pixels.subarray(place * pixelsPerImage, (place + 1) * pixelsPerImage), i * pixelsPerImage)
    out.labels[i] = labels[place]!
  })
  return out
}

/** Images as a batch for the network: f32[n,1,28,28] and i32[n]. */
export function toBatch({ pixels, labels }: Images): readonly [x: Tensor, y: Tensor] {
  return [tensor(pixels, { shape: [labels.length, 1, 28, 28] }), tensor(labels)]
}

/** Consecutive runs of at most `size` images. */
export function* inBatches(images: Images, size: number): Iterable<Images> {
  for (let at = 0; at < images.labels.length; at += size) {
    const end = Math.min(at + size, images.labels.length)
    yield { pixels: images.pixels.subarray(at * pixelsPerImage, end * pixelsPerImage), labels: images.labels.subarray(at, end) }
  }
}
