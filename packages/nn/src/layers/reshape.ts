// Layers that move elements about: to other shapes, to windows, between channels and space, to other sizes.

import type { Shape } from '@bp/core'
import { channelShuffle, col2im, flatten, im2col, interpolate, type InterpolateOptions, type PerAxis, pixelShuffle, pixelUnshuffle, unflatten, type WindowOptions } from '@bp/ops'
import { FunctionModule } from './function.ts'

/** Gives back what it gets; takes the place of a layer that is not wanted. */
export class Identity extends FunctionModule {
  constructor() {
    super(x => x)
  }
}

/**
 * Joins the axes from `start` to `end` into one; the batch stays unless told otherwise.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { Flatten } from '@bp/nn'
 * new Flatten().forward(ones([2, 3, 4])).shape // => [2, 12]
 * ```
 */
export class Flatten extends FunctionModule {
  constructor(start = 1, end = -1) {
    super(x => flatten(x, start, end))
  }
}

/**
 * Divides an axis into several; one size may be −1.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { Unflatten } from '@bp/nn'
 * new Unflatten(1, [3, 4]).forward(ones([2, 12])).shape // => [2, 3, 4]
 * ```
 */
export class Unflatten extends FunctionModule {
  constructor(axis: number, sizes: Shape) {
    super(x => unflatten(x, axis, sizes))
  }
}

/** One number for both axes of an image; as many as there are for other things. */
const sides = (size: PerAxis): readonly number[] => typeof size === 'number' ? [size, size] : size

/** Sliding windows as columns: [n, c, h, w] or [c, h, w] → [n, c·kernel, windows]; over as many axes as a list as `kernel` has. */
export class Unfold extends FunctionModule {
  constructor(kernel: PerAxis, options: Omit<WindowOptions, 'kernel'> = {}) {
    super(x => im2col(x, { ...options, kernel: sides(kernel) }))
  }
}

/** Adds columns up to an image of the given spatial sizes: the transpose of {@link Unfold}. */
export class Fold extends FunctionModule {
  constructor(size: PerAxis, kernel: PerAxis, options: Omit<WindowOptions, 'kernel'> = {}) {
    super(x => col2im(x, sides(size), { ...options, kernel }))
  }
}

/** Blocks of r² channels laid out in space: [..., c·r², h, w] → [..., c, h·r, w·r] (Shi et al. 2016). */
export class PixelShuffle extends FunctionModule {
  constructor(factor: number) {
    super(x => pixelShuffle(x, factor))
  }
}

/** The inverse of {@link PixelShuffle}. */
export class PixelUnshuffle extends FunctionModule {
  constructor(factor: number) {
    super(x => pixelUnshuffle(x, factor))
  }
}

/** Deals out channels, one of each group in turn (Zhang et al. 2018, "ShuffleNet"). */
export class ChannelShuffle extends FunctionModule {
  constructor(groups: number) {
    super(x => channelShuffle(x, groups))
  }
}

/**
 * [n, c, …] with other spatial sizes, by any mode of `interpolate`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { Upsample } from '@bp/nn'
 * new Upsample({ scaleFactor: 2, mode: 'linear', alignCorners: true }).forward(tensor([[[0, 3]]])) // => tensor([[[0, 1, 2, 3]]], float32)
 * ```
 */
export class Upsample extends FunctionModule {
  constructor(options: InterpolateOptions) {
    super(x => interpolate(x, options))
  }
}

/** {@link Upsample} of images by the nearest element. */
export class UpsamplingNearest2d extends Upsample {
  constructor(options: Pick<InterpolateOptions, 'size' | 'scaleFactor'>) {
    super({ ...options, mode: 'nearest' })
  }
}

/** {@link Upsample} of images by bilinear weights, with the corners kept in place. */
export class UpsamplingBilinear2d extends Upsample {
  constructor(options: Pick<InterpolateOptions, 'size' | 'scaleFactor'>) {
    super({ ...options, mode: 'bilinear', alignCorners: true })
  }
}
