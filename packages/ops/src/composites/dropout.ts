// Dropout of elements and of whole channels, and the variants for self-normalising networks.

import { add, mul, type Shape, type Tensor } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { sub } from '../rows/arithmetic.ts'
import { cast } from '../rows/compare.ts'
import type { Generator } from './random.ts'

/** Options of {@link dropout} and its variants. */
export interface DropoutOptions {
  /** Where false, x comes back as it is; true unless given. */
  readonly training?: boolean
  /** Needed where something is drawn: in training, with 0 < p < 1. */
  readonly generator?: Generator
}

/**
 * x with each element zeroed with probability p and the others divided by 1 − p, so that the mean stays (Srivastava et al.
 * 2014). Throws where p is not in [0, 1], or training lacks a generator.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { dropout, Generator } from '@bp/ops'
 * dropout(ones([4]), 0.5, { generator: new Generator(1) }).shape // => [4]
 * dropout(ones([4]), 0.5, { training: false }) // => tensor([1, 1, 1, 1], float32)
 * ```
 */
export const dropout = (x: Tensor, p = 0.5, options: DropoutOptions = {}): Tensor => scaled('dropout', x, x.shape, p, options)

/**
 * {@link dropout} of whole channels: one draw for each entry of the first two axes of x, [n, c, …] (Tompson et al. 2015):
 * PyTorch's dropout1d, 2d and 3d.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { featureDropout } from '@bp/ops'
 * featureDropout(ones([1, 2, 2]), 1) // => tensor([[[0, 0], [0, 0]]], float32)
 * ```
 */
export const featureDropout = (x: Tensor, p = 0.5, options: DropoutOptions = {}): Tensor => scaled('featureDropout', x, channelsOf('featureDropout', x, p, options), p, options)

/**
 * Dropout to selu's lower limit instead of to 0, rescaled so that mean and variance of a standard normal x stay
 * (Klambauer et al. 2017, "Self-Normalizing Neural Networks").
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { alphaDropout } from '@bp/ops'
 * alphaDropout(tensor([1, 2]), 0.5, { training: false }) // => tensor([1, 2], float32)
 * ```
 */
export const alphaDropout = (x: Tensor, p = 0.5, options: DropoutOptions = {}): Tensor => shifted('alphaDropout', x, x.shape, p, options)

/**
 * {@link alphaDropout} of whole channels: one draw for each entry of the first two axes of x.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { featureAlphaDropout } from '@bp/ops'
 * featureAlphaDropout(tensor([1, 2]), 0.5, { training: false }) // => tensor([1, 2], float32)
 * ```
 */
export const featureAlphaDropout = (x: Tensor, p = 0.5, options: DropoutOptions = {}): Tensor => shifted('featureAlphaDropout', x, channelsOf('featureAlphaDropout', x, p, options), p, options)

function channelsOf(op: string, x: Tensor, p: number, { training = true }: DropoutOptions): Shape {
  if (training && p > 0 && x.rank < 2) fail('shape', op, `needs axes for samples and channels, got ${describe(x)}. Add one with unsqueeze(x, 0)`)
  return x.shape.map((size, axis) => axis < 2 ? size : 1)
}

function scaled(op: string, x: Tensor, shape: Shape, p: number, options: DropoutOptions): Tensor {
  const kept = keep(op, x, shape, p, options)
  return typeof kept === 'number' ? constant(x, kept) : mul(x, mul(kept, 1 / (1 - p)))
}

/** −λα of selu: what a dropped element becomes. */
const limit = -1.7580993408473766

function shifted(op: string, x: Tensor, shape: Shape, p: number, options: DropoutOptions): Tensor {
  const kept = keep(op, x, shape, p, options)
  if (typeof kept === 'number') return constant(x, kept)
  const scale = 1 / Math.sqrt((limit * limit * p + 1) * (1 - p))
  return add(mul(mul(x, kept), scale), mul(sub(sub(1, kept), p), limit * scale))
}

const constant = (x: Tensor, kept: 0 | 1): Tensor => kept === 1 ? x : mul(x, 0)

/** 1 for what is kept and 0 for what is dropped: one number where nothing is drawn. */
function keep(op: string, x: Tensor, shape: Shape, p: number, { training = true, generator }: DropoutOptions): Tensor | 0 | 1 {
  if (!(p >= 0 && p <= 1)) fail('value', op, `p must be between 0 and 1, got ${p}`)
  if (!training || p === 0) return 1
  if (p === 1) return 0
  if (!generator) return fail('value', op, 'training draws what to drop. Pass { generator: new Generator(seed) }, or { training: false }')
  return cast(generator.bernoulli(1 - p, shape), x.dtype)
}
