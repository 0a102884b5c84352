// Turning, moving, scaling and shearing images.

import { fail } from '@bp/core/extend'
import { type NdArray, ndarray } from '../array.ts'
import { floatSizesOf } from './pixels.ts'
import type { Transform } from './transform.ts'

/** From and to; one number for −x to x. */
export type Range = number | readonly [number, number]

/** Options of {@link randomAffine}. */
export interface AffineOptions {
  /** Degrees, counter-clockwise as torchvision's rotation. */
  readonly degrees?: Range
  /** The most that it moves, as parts of height and width. */
  readonly translate?: readonly [vertical: number, horizontal: number]
  readonly scale?: readonly [number, number]
  /** Degrees by which the rows shift against each other. */
  readonly shear?: Range
  /** What stands where nothing was; 0 unless given. */
  readonly fill?: number
}

const between = (range: Range): readonly [number, number] => typeof range === 'number' ? [-range, range] : range

/**
 * f32[c,h,w] put through a random affine map around its middle, bilinear.
 *
 * @example
 * ```ts
 * import { ndarray, randomAffine, RandomStream } from '@bp/data'
 * const image = ndarray([1, 2, 3, 4], [1, 2, 2])
 * const quarter = randomAffine({ degrees: [90, 90] })(image, new RandomStream(0))
 * Array.from(quarter.data, Number).map(x => x.toFixed(1)) // => [2.0, 4.0, 1.0, 3.0]
 * ```
 */
export function randomAffine({ degrees = 0, translate = [0, 0], scale = [1, 1], shear = 0, fill = 0 }: AffineOptions = {}): Transform<NdArray> {
  if (!(scale[0] > 0)) fail('value', 'randomAffine', `scale must be above 0, got [${scale.join(', ')}]`)
  return (x, random) => {
    const [, h, w] = floatSizesOf('randomAffine', x)
    const angle = random.uniform(...between(degrees)) * Math.PI / 180
    const [down, right] = [random.uniform(-translate[0], translate[0]) * h, random.uniform(-translate[1], translate[1]) * w]
    const size = random.uniform(...scale)
    const slant = Math.tan(random.uniform(...between(shear)) * Math.PI / 180)
    // the inverse of shearing, then turning and scaling; rows count downwards
    const [cos, sin] = [Math.cos(angle) / size, Math.sin(angle) / size]
    return sample(x, [cos - slant * sin, -sin - slant * cos, sin, cos], down, right, fill)
  }
}

/** f32[c,h,w] turned by a random angle, counter-clockwise, in degrees; a number is that far to both sides. */
export const randomRotation = (degrees: Range, { fill = 0 }: { readonly fill?: number } = {}): Transform<NdArray> => randomAffine({ degrees, fill })

/** The output at (u, v) from the middle, moved back, is the input at column xx·u + xy·v and row yx·u + yy·v from it. */
function sample(x: NdArray, [xx, xy, yx, yy]: readonly [number, number, number, number], down: number, right: number, fill: number): NdArray {
  const [channels, h, w] = x.shape as readonly [number, number, number]
  const data = new Float32Array(x.data.length)
  const input = x.data as Float32Array
  const pixel = (k: number, row: number, column: number): number => row >= 0 && row < h && column >= 0 && column < w ? input[(k * h + row) * w + column]! : fill
  const [middleY, middleX] = [(h - 1) / 2, (w - 1) / 2]
  for (let i = 0; i < h; i++) {
    for (let j = 0; j < w; j++) {
      const v = i - middleY - down
      const u = j - middleX - right
      const column = xx * u + xy * v + middleX
      const row = yx * u + yy * v + middleY
      const left = Math.floor(column)
      const top = Math.floor(row)
      const fx = column - left
      const fy = row - top
      const nw = (1 - fy) * (1 - fx), ne = (1 - fy) * fx, sw = fy * (1 - fx), se = fy * fx
      const inside = left >= 0 && top >= 0 && left + 1 < w && top + 1 < h
      for (let k = 0; k < channels; k++) {
        const at = (k * h + top) * w + left
        data[(k * h + i) * w + j] = inside
          ? nw * input[at]! + ne * input[at + 1]! + sw * input[at + w]! + se * input[at + w + 1]!
          : nw * pixel(k, top, left) + ne * pixel(k, top, left + 1) + sw * pixel(k, top + 1, left) + se * pixel(k, top + 1, left + 1)
      }
    }
  }
  return ndarray(data, x.shape)
}
