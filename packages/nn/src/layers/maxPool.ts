// Pooling layers that keep the largest element of each window, which can say where it lay.

import type { Tensor } from '@bp/core'
import {
  adaptiveMaxPool, adaptiveMaxPoolWithIndices, fractionalMaxPool, fractionalMaxPoolWithIndices, type FractionalPoolOptions, type Generator, maxPool,
  maxPoolWithIndices, maxUnpool, type MaxUnpoolOptions, type PerAxis, type PoolOptions,
} from '@bp/ops'
import { perAxis } from '@bp/ops/extend'
import { Module } from '../module.ts'
import { defaultGenerator } from '../random.ts'
import { sizesOf } from './pool.ts'

/** A pooling that can also give the places of what it kept. */
class Largest extends Module {
  private readonly values: (x: Tensor) => Tensor
  private readonly both: (x: Tensor) => [values: Tensor, indices: Tensor]

  constructor(values: (x: Tensor) => Tensor, both: (x: Tensor) => [values: Tensor, indices: Tensor]) {
    super()
    this.values = values
    this.both = both
  }

  override forward(x: Tensor): Tensor {
    return this.values(x)
  }

  /** The result, and as int32 where in its channel's spatial axes, counted row by row, each element lay: PyTorch's `return_indices`. */
  withIndices(x: Tensor): [values: Tensor, indices: Tensor] {
    return this.both(x)
  }
}

class MaxPool extends Largest {
  constructor(axes: number, size: PerAxis, options: Omit<PoolOptions, 'kernel'>) {
    const all = { ...options, kernel: perAxis(`MaxPool${axes}d`, 'kernel', size, axes, 1) }
    super(x => maxPool(x, all), x => maxPoolWithIndices(x, all))
  }
}

/** The largest element of each window of [n, c, l] or [c, l]; the stride is the window's size unless given. */
export class MaxPool1d extends MaxPool {
  constructor(size: PerAxis, options: Omit<PoolOptions, 'kernel'> = {}) {
    super(1, size, options)
  }
}

/** {@link MaxPool1d} over [n, c, h, w] or [c, h, w]. */
export class MaxPool2d extends MaxPool {
  constructor(size: PerAxis, options: Omit<PoolOptions, 'kernel'> = {}) {
    super(2, size, options)
  }
}

/** {@link MaxPool1d} over [n, c, d, h, w] or [c, d, h, w]. */
export class MaxPool3d extends MaxPool {
  constructor(size: PerAxis, options: Omit<PoolOptions, 'kernel'> = {}) {
    super(3, size, options)
  }
}

class AdaptiveMaxPool extends Largest {
  constructor(axes: number, size: number | null | readonly (number | null)[]) {
    const sizes = sizesOf(`AdaptiveMaxPool${axes}d`, axes, size)
    super(x => adaptiveMaxPool(x, sizes), x => adaptiveMaxPoolWithIndices(x, sizes))
  }
}

/** The largest element of each of as many windows as the size says, evenly laid over [n, c, l] or [c, l]; `null` keeps an axis. */
export class AdaptiveMaxPool1d extends AdaptiveMaxPool {
  constructor(size: number | null | readonly (number | null)[]) {
    super(1, size)
  }
}

/** {@link AdaptiveMaxPool1d} over [n, c, h, w] or [c, h, w]. */
export class AdaptiveMaxPool2d extends AdaptiveMaxPool {
  constructor(size: number | null | readonly (number | null)[]) {
    super(2, size)
  }
}

/** {@link AdaptiveMaxPool1d} over [n, c, d, h, w] or [c, d, h, w]. */
export class AdaptiveMaxPool3d extends AdaptiveMaxPool {
  constructor(size: number | null | readonly (number | null)[]) {
    super(3, size)
  }
}

/** Options of {@link FractionalMaxPool2d}: one of the first two. */
export interface FractionalMaxPoolOptions extends Pick<FractionalPoolOptions, 'outputSize' | 'outputRatio' | 'randomSamples'> {
  /** Where the windows' places come from, unless `randomSamples` give them; the default generator unless given. */
  readonly generator?: Generator
}

class FractionalMaxPool extends Largest {
  constructor(axes: number, size: PerAxis, options: FractionalMaxPoolOptions) {
    const kernel = perAxis(`FractionalMaxPool${axes}d`, 'kernel', size, axes, 1)
    const all = (): FractionalPoolOptions => ({ ...options, kernel, generator: options.generator ?? defaultGenerator() })
    super(x => fractionalMaxPool(x, all()), x => fractionalMaxPoolWithIndices(x, all()))
  }
}

/** The largest element of each of overlapping windows a fractional distance apart, laid out at random over [n, c, h, w] or [c, h, w] (Graham 2014). */
export class FractionalMaxPool2d extends FractionalMaxPool {
  constructor(size: PerAxis, options: FractionalMaxPoolOptions) {
    super(2, size, options)
  }
}

/** {@link FractionalMaxPool2d} over [n, c, d, h, w] or [c, d, h, w]. */
export class FractionalMaxPool3d extends FractionalMaxPool {
  constructor(size: PerAxis, options: FractionalMaxPoolOptions) {
    super(3, size, options)
  }
}

class MaxUnpool extends Module<[x: Tensor, indices: Tensor, outputSize?: readonly number[]]> {
  private readonly options: MaxUnpoolOptions

  constructor(axes: number, size: PerAxis, options: Pick<MaxUnpoolOptions, 'stride' | 'padding'>) {
    super()
    this.options = { ...options, kernel: perAxis(`MaxUnpool${axes}d`, 'kernel', size, axes, 1) }
  }

  override forward(x: Tensor, indices: Tensor, outputSize?: readonly number[]): Tensor {
    return maxUnpool(x, indices, { ...this.options, outputSize })
  }
}

/**
 * Puts what {@link MaxPool1d} kept back at its places in [n, c, l] or [c, l], among zeros.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { MaxPool1d, MaxUnpool1d } from '@bp/nn'
 * const [values, indices] = new MaxPool1d(2).withIndices(tensor([[[1, 3, 2, 4]]]))
 * new MaxUnpool1d(2).forward(values, indices) // => tensor([[[0, 3, 0, 4]]], float32)
 * ```
 */
export class MaxUnpool1d extends MaxUnpool {
  constructor(size: PerAxis, options: Pick<MaxUnpoolOptions, 'stride' | 'padding'> = {}) {
    super(1, size, options)
  }
}

/** {@link MaxUnpool1d} over [n, c, h, w] or [c, h, w]. */
export class MaxUnpool2d extends MaxUnpool {
  constructor(size: PerAxis, options: Pick<MaxUnpoolOptions, 'stride' | 'padding'> = {}) {
    super(2, size, options)
  }
}

/** {@link MaxUnpool1d} over [n, c, d, h, w] or [c, d, h, w]. */
export class MaxUnpool3d extends MaxUnpool {
  constructor(size: PerAxis, options: Pick<MaxUnpoolOptions, 'stride' | 'padding'> = {}) {
    super(3, size, options)
  }
}
