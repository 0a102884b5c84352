// Fractional max pooling: windows a fractional step apart, laid out by random numbers.

import { add, full, mul, type Tensor } from '@bp/core'
import { describe, fail, sameShape, sizeOf, stridesOf } from '@bp/core/extend'
import { sub } from '../rows/arithmetic.ts'
import { cast } from '../rows/compare.ts'
import { iota } from '../rows/source.ts'
import { concat, detach, narrow, reshape } from '../rows/view.ts'
import { largestOf } from './adaptivePool.ts'
import type { Generator } from './random.ts'
import { batched, type PerAxis, perAxis } from './spatial.ts'

/** Options of {@link fractionalMaxPool}. */
export interface FractionalPoolOptions {
  /** The window, over two spatial axes, or over three where it is a list of three or the input has five axes. */
  readonly kernel: PerAxis
  /** The sizes to pool to; else give `outputRatio`. */
  readonly outputSize?: PerAxis | undefined
  /** The sizes to pool to as fractions of the input's, between 0 and 1. */
  readonly outputRatio?: PerAxis | undefined
  /** Numbers in [0, 1) that lay out the windows: [n, c, axes], the width's first over two axes, the depth's over three. */
  readonly randomSamples?: Tensor | undefined
  /** Draws `randomSamples` where those are not given. */
  readonly generator?: Generator | undefined
}

interface Plan {
  readonly axes: number
  readonly kernel: readonly number[]
  readonly to: readonly number[]
}

function planOf(op: string, x: Tensor, { kernel, outputSize, outputRatio }: FractionalPoolOptions): Plan {
  const lists = [kernel, outputSize, outputRatio].filter(value => typeof value === 'object')
  const axes = lists[0]?.length ?? x.rank - 2
  if (axes < 2 || axes > 3 || x.rank < axes + 1 || x.rank > axes + 2) fail('shape', op, `needs [n, c, …] with 2 or 3 spatial axes, or with a list as kernel [c, …], got ${describe(x)}`)
  const sizes = x.shape.slice(-axes)
  const window = perAxis(op, 'kernel', kernel, axes, 1)
  if ((outputSize === undefined) === (outputRatio === undefined)) fail('value', op, 'needs either outputSize or outputRatio')
  const to = outputRatio === undefined ? perAxis(op, 'outputSize', outputSize!, axes, 1) : sizes.map((n, i) => {
    const ratio = typeof outputRatio === 'number' ? outputRatio : outputRatio[i]!
    return ratio > 0 && ratio < 1 ? Math.floor(n * ratio) : fail('value', op, `outputRatio must be between 0 and 1, got ${ratio}`)
  })
  const bad = to.findIndex((m, i) => m < 1 || m + window[i]! - 1 > sizes[i]!)
  if (bad >= 0) fail('value', op, `cannot lay ${to[bad]} windows of ${window[bad]} over axis ${bad} of size ${sizes[bad]} of ${describe(x)}. Use a smaller window or output`)
  return { axes, kernel: window, to }
}

/**
 * Where the windows of an axis start, for random numbers u: [n, c]: ⌊(i + u)·α⌋ − ⌊u·α⌋ with α = (size − kernel)/(m − 1), the
 * last at the end (Graham 2014, "Fractional Max-Pooling", §2, pseudorandom sequences). As int32 [n, c, m].
 */
function starts(u: Tensor, size: number, kernel: number, m: number): Tensor {
  const end = full([...u.shape, 1], size - kernel, 'int32', u.backend)
  if (m === 1) return end
  const alpha = (size - kernel) / (m - 1)
  const at = reshape(u, [...u.shape, 1])
  const steps = cast(mul(add(iota(m - 1, u.dtype, u.backend), at), alpha), 'int32')
  return concat([sub(steps, cast(mul(at, alpha), 'int32')), end], 2)
}

/**
 * The largest element of each of overlapping windows whose distance is a fraction, laid over x: [n, c, …] by random numbers,
 * as `torch.nn.functional.fractional_max_pool2d` and `fractional_max_pool3d`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { fractionalMaxPool } from '@bp/ops'
 * const x = tensor([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]])
 * fractionalMaxPool(x, { kernel: 2, outputSize: 2, randomSamples: tensor([[[0.5, 0.5]]]) }) // => tensor([[[[5, 6], [8, 9]]]], float32)
 * ```
 */
export const fractionalMaxPool = (x: Tensor, options: FractionalPoolOptions): Tensor => fractionalMaxPoolWithIndices(x, options)[0]

/**
 * {@link fractionalMaxPool} and, as int32, where in its channel's spatial axes, counted row by row, each largest element lies.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { fractionalMaxPoolWithIndices, Generator } from '@bp/ops'
 * const x = tensor([[[[1, 2], [3, 4]]]])
 * fractionalMaxPoolWithIndices(x, { kernel: 2, outputSize: 1, generator: new Generator(7) })[1] // => tensor([[[[3]]]], int32)
 * ```
 */
export function fractionalMaxPoolWithIndices(x: Tensor, options: FractionalPoolOptions): [values: Tensor, indices: Tensor] {
  const op = 'fractionalMaxPool'
  const { axes, kernel, to } = planOf(op, x, options)
  return batched(x, axes, z => {
    const [n, c, ...sizes] = z.shape as [number, number, ...number[]]
    const u = options.randomSamples ?? options.generator?.uniform([n, c, axes], { dtype: z.dtype })
      ?? fail('value', op, 'needs randomSamples, or a generator to draw them: new Generator(seed)')
    if (!sameShape(u.shape, [n, c, axes])) fail('shape', op, `randomSamples must be [${n},${c},${axes}] for ${describe(x)}, got ${describe(u)}`)
    const strides = stridesOf(sizes)
    const places = sizes.map((size, i) => {
      // PyTorch draws for the width first where there are two axes, and in order where there are three
      const sample = reshape(narrow(detach(u), 2, axes === 2 ? 1 - i : i, 1), [n, c])
      const start = reshape(starts(sample, size, kernel[i]!, to[i]!), [n, c, ...to.map((m, j) => i === j ? m : 1), ...to.map(() => 1)])
      const within = reshape(iota(kernel[i]!, 'int32', z.backend), kernel.map((k, j) => i === j ? k : 1))
      return mul(add(start, within), strides[i]!)
    })
    const all = places.reduce((a, b) => add(a, b))
    return largestOf(z, reshape(all, [n, c, ...to, sizeOf(kernel)]))
  })
}
