// Pooling layers over one, two and three spatial axes, with and without a batch axis.

import type { Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { adaptiveAvgPool, adaptiveMaxPool, avgPool, type AvgPoolOptions, lpPool, mean, type PerAxis, type PoolOptions, reshape } from '@bp/ops'
import { perAxis } from '@bp/ops/extend'
import { FunctionModule } from './function.ts'

/** Options of the layers that pool means. */
export type AvgPoolLayerOptions = Omit<AvgPoolOptions, 'kernel' | 'dilation'>

class AvgPool extends FunctionModule {
  constructor(axes: number, size: PerAxis, options: AvgPoolLayerOptions) {
    const kernel = perAxis(`AvgPool${axes}d`, 'kernel', size, axes, 1)
    super(x => avgPool(x, { ...options, kernel }))
  }
}

/** The mean of each window of [n, c, l] or [c, l]; the stride is the window's size unless given. */
export class AvgPool1d extends AvgPool {
  constructor(size: PerAxis, options: AvgPoolLayerOptions = {}) {
    super(1, size, options)
  }
}

/** {@link AvgPool1d} over [n, c, h, w] or [c, h, w]. */
export class AvgPool2d extends AvgPool {
  constructor(size: PerAxis, options: AvgPoolLayerOptions = {}) {
    super(2, size, options)
  }
}

/** {@link AvgPool1d} over [n, c, d, h, w] or [c, d, h, w]. */
export class AvgPool3d extends AvgPool {
  constructor(size: PerAxis, options: AvgPoolLayerOptions = {}) {
    super(3, size, options)
  }
}

class LPPool extends FunctionModule {
  constructor(axes: number, p: number, size: PerAxis, options: Pick<PoolOptions, 'stride' | 'ceilMode'>) {
    const kernel = perAxis(`LPPool${axes}d`, 'kernel', size, axes, 1)
    super(x => lpPool(x, p, { ...options, kernel }))
  }
}

/** (Σ xᵖ)^(1/p) over each window of [n, c, l] or [c, l]. */
export class LPPool1d extends LPPool {
  constructor(p: number, size: PerAxis, options: Pick<PoolOptions, 'stride' | 'ceilMode'> = {}) {
    super(1, p, size, options)
  }
}

/** {@link LPPool1d} over [n, c, h, w] or [c, h, w]. */
export class LPPool2d extends LPPool {
  constructor(p: number, size: PerAxis, options: Pick<PoolOptions, 'stride' | 'ceilMode'> = {}) {
    super(2, p, size, options)
  }
}

/** {@link LPPool1d} over [n, c, d, h, w] or [c, d, h, w]. */
export class LPPool3d extends LPPool {
  constructor(p: number, size: PerAxis, options: Pick<PoolOptions, 'stride' | 'ceilMode'> = {}) {
    super(3, p, size, options)
  }
}

/** The sizes that adaptive pooling comes to: one number for all axes, or one for each, `null` to keep an axis. */
type AxisSizes = number | null | readonly (number | null)[]

class AdaptiveAvgPool extends FunctionModule {
  constructor(axes: number, size: AxisSizes) {
    const sizes = sizesOf(`AdaptiveAvgPool${axes}d`, axes, size)
    super(x => adaptiveAvgPool(x, sizes))
  }
}

/** One size for each axis. */
export function sizesOf(layer: string, axes: number, size: AxisSizes): readonly (number | null)[] {
  const sizes = typeof size === 'object' && size !== null ? size : new Array<number | null>(axes).fill(size)
  return sizes.length === axes ? sizes : fail('value', layer, `needs one size or ${axes}, got [${sizes.join(',')}]`)
}

/** The mean of each of as many windows as the size says, evenly laid over [n, c, l] or [c, l]. */
export class AdaptiveAvgPool1d extends AdaptiveAvgPool {
  constructor(size: AxisSizes) {
    super(1, size)
  }
}

/** {@link AdaptiveAvgPool1d} over [n, c, h, w] or [c, h, w]. */
export class AdaptiveAvgPool2d extends AdaptiveAvgPool {
  constructor(size: AxisSizes) {
    super(2, size)
  }
}

/** {@link AdaptiveAvgPool1d} over [n, c, d, h, w] or [c, d, h, w]. */
export class AdaptiveAvgPool3d extends AdaptiveAvgPool {
  constructor(size: AxisSizes) {
    super(3, size)
  }
}

/** Throws where there is nothing to pool over. */
const spatial = (layer: string, x: Tensor): number[] => x.rank > 2 ? x.shape.slice(2).map((_, i) => i + 2) : fail('shape', layer, `needs [n, c, …] with at least one spatial axis, got ${describe(x)}`)

/**
 * The mean of each channel over all spatial axes: [n, c, …] → [n, c] (Lin et al. 2014, "Network In Network", §3.2).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { GlobalAvgPool } from '@bp/nn'
 * new GlobalAvgPool().forward(tensor([[[1, 3], [2, 6]]])) // => tensor([[2, 4]], float32)
 * ```
 */
export class GlobalAvgPool extends FunctionModule {
  constructor() {
    super(x => mean(x, spatial('GlobalAvgPool', x)))
  }
}

/** The largest element of each channel over all spatial axes: [n, c, …] → [n, c]; the first of several takes the gradient. */
export class GlobalMaxPool extends FunctionModule {
  constructor() {
    super(x => reshape(adaptiveMaxPool(x, spatial('GlobalMaxPool', x).map(() => 1)), x.shape.slice(0, 2)))
  }
}
