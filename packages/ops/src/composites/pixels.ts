// Moving elements between channels and space: pixel shuffling, channel shuffling, windows as columns and back.

import { type Tensor, tensor } from '@bp/core'
import { describe, fail, sizeOf } from '@bp/core/extend'
import { convSize } from '../rows/contract.ts'
import { scatterAdd, take } from '../rows/indexing.ts'
import { narrow, padInterior, reshape, transpose } from '../rows/view.ts'
import { batched, type Padding, paddingPairs, type PerAxis, perAxis, spatialAxes } from './spatial.ts'

function checkFactor(op: string, factor: number): void {
  if (!Number.isInteger(factor) || factor < 1) fail('value', op, `the factor must be a whole number ≥ 1, got ${factor}`)
}

/**
 * Blocks of r² channels laid out in space: [..., c·r², h, w] → [..., c, h·r, w·r] (Shi et al. 2016, "Real-Time Single Image
 * and Video Super-Resolution", §2.2), as `torch.nn.functional.pixel_shuffle`.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { pixelShuffle } from '@bp/ops'
 * pixelShuffle(tensor([[[1]], [[2]], [[3]], [[4]]]), 2) // => tensor([[[1, 2], [3, 4]]], float32)
 * ```
 */
export function pixelShuffle(x: Tensor, factor: number): Tensor {
  checkFactor('pixelShuffle', factor)
  const [c, h, w] = x.shape.slice(-3) as [number, number, number]
  const lead = x.shape.slice(0, -3)
  if (x.rank < 3 || c % factor ** 2 !== 0) fail('shape', 'pixelShuffle', `needs [..., c, h, w] with c a multiple of ${factor ** 2}, got ${describe(x)}`)
  const k = lead.length
  const blocks = reshape(x, [...lead, c / factor ** 2, factor, factor, h, w])
  return reshape(transpose(blocks, [...lead.keys(), k, k + 3, k + 1, k + 4, k + 2]), [...lead, c / factor ** 2, h * factor, w * factor])
}

/**
 * The inverse of {@link pixelShuffle}: [..., c, h·r, w·r] → [..., c·r², h, w].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { pixelUnshuffle } from '@bp/ops'
 * pixelUnshuffle(tensor([[[1, 2], [3, 4]]]), 2) // => tensor([[[1]], [[2]], [[3]], [[4]]], float32)
 * ```
 */
export function pixelUnshuffle(x: Tensor, factor: number): Tensor {
  checkFactor('pixelUnshuffle', factor)
  const [c, h, w] = x.shape.slice(-3) as [number, number, number]
  const lead = x.shape.slice(0, -3)
  if (x.rank < 3 || h % factor !== 0 || w % factor !== 0) fail('shape', 'pixelUnshuffle', `needs [..., c, h, w] with h and w multiples of ${factor}, got ${describe(x)}`)
  const k = lead.length
  const blocks = reshape(x, [...lead, c, h / factor, factor, w / factor, factor])
  return reshape(transpose(blocks, [...lead.keys(), k, k + 2, k + 4, k + 1, k + 3]), [...lead, c * factor ** 2, h / factor, w / factor])
}

/**
 * The channels of x: [n, c, …] dealt out like cards, one of each group in turn (Zhang et al. 2018, "ShuffleNet", §3.1).
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { channelShuffle } from '@bp/ops'
 * channelShuffle(tensor([[[1], [2], [3], [4]]]), 2) // => tensor([[[1], [3], [2], [4]]], float32)
 * ```
 */
export function channelShuffle(x: Tensor, groups: number): Tensor {
  const [n, c, ...rest] = x.shape as [number, number, ...number[]]
  if (x.rank < 3 || !Number.isInteger(groups) || groups < 1 || c % groups !== 0) fail('shape', 'channelShuffle', `needs [n, c, …] whose channels divide into ${groups} groups, got ${describe(x)}`)
  const dealt = transpose(reshape(x, [n, groups, c / groups, ...rest]), [0, 2, 1, ...rest.map((_, i) => i + 3)])
  return reshape(dealt, x.shape)
}

/** Options of {@link im2col} and {@link col2im}. */
export interface WindowOptions {
  /** The window: one number for all spatial axes of [n, c, …], or one for each, and then a batch axis is not needed. */
  readonly kernel: PerAxis
  readonly stride?: PerAxis
  readonly padding?: Padding
  readonly dilation?: PerAxis
}

/** The windows over spatial axes of given sizes: how much is padded, and for each axis where each window's elements lie. */
interface Windows {
  readonly kernel: readonly number[]
  readonly padding: readonly (readonly [number, number])[]
  readonly counts: readonly number[]
  /** For each axis [kernel, count] places in the padded axis. */
  readonly places: readonly Tensor[]
}

function windowsOf(op: string, like: Tensor, sizes: readonly number[], options: WindowOptions): Windows {
  const axes = sizes.length
  const kernel = perAxis(op, 'kernel', options.kernel, axes, 1)
  const stride = perAxis(op, 'stride', options.stride ?? 1, axes, 1)
  const dilation = perAxis(op, 'dilation', options.dilation ?? 1, axes, 1)
  const padding = paddingPairs(op, options.padding ?? 0, kernel, dilation)
  const counts = sizes.map((n, i) => convSize(n, kernel[i]!, stride[i]!, padding[i]!, dilation[i]!))
  if (counts.some(n => n < 1)) fail('shape', op, `the window [${kernel.join(',')}] is larger than the padded spatial sizes [${sizes.join(',')}]. Pad more, or use a smaller window`)
  const places = kernel.map((k, i) => {
    const list = Array.from({ length: k * counts[i]! }, (_, j) => Math.floor(j / counts[i]!) * dilation[i]! + j % counts[i]! * stride[i]!)
    return tensor(Int32Array.from(list), { shape: [k, counts[i]!], backend: like.backend })
  })
  return { kernel, padding, counts, places }
}

/**
 * Sliding windows as columns: x: [n, c, …], or with a list as `kernel` [c, …], → [n, c·kernel, windows], as
 * `torch.nn.functional.unfold`, over any number of spatial axes. A convolution is a matrix product with it.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { im2col } from '@bp/ops'
 * im2col(tensor([[[1, 2, 3]]]), { kernel: 2 }) // => tensor([[[1, 2], [2, 3]]], float32)
 * ```
 */
export const im2col = (x: Tensor, options: WindowOptions): Tensor => batched(x, spatialAxes('im2col', x, options.kernel), z => {
  const [n, c, ...sizes] = z.shape as [number, number, ...number[]]
  const { kernel, padding, counts, places } = windowsOf('im2col', x, sizes, options)
  const padded = padInterior(z, [0, 0, ...padding.map(([low]) => low)], [0, 0, ...padding.map(([, high]) => high)], z.shape.map(() => 0))
  const windows = places.reduce((y, index, i) => take(y, index, 2 + 2 * i), padded)
  const order = [0, 1, ...sizes.map((_, i) => 2 + 2 * i), ...sizes.map((_, i) => 3 + 2 * i)]
  return reshape(transpose(windows, order), [n, c * sizeOf(kernel), sizeOf(counts)])
})

/**
 * The transpose of {@link im2col}: columns [n, c·kernel, windows], or [c·kernel, windows], added up where windows overlap, as
 * `torch.nn.functional.fold`, over spatial axes of the given sizes.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { col2im } from '@bp/ops'
 * col2im(tensor([[[1, 2], [20, 30]]]), [3], { kernel: 2 }) // => tensor([[[1, 22, 30]]], float32)
 * ```
 */
export function col2im(columns: Tensor, size: readonly number[], options: WindowOptions): Tensor {
  const { kernel, padding, counts, places } = windowsOf('col2im', columns, size, options)
  const [rows, windows] = columns.shape.slice(-2)
  if (columns.rank < 2 || columns.rank > 3 || rows! % sizeOf(kernel) !== 0 || windows !== sizeOf(counts)) {
    fail('shape', 'col2im', `needs [n, c·${sizeOf(kernel)}, ${sizeOf(counts)}] for windows [${kernel.join(',')}] over [${size.join(',')}], got ${describe(columns)}`)
  }
  return batched(columns, 1, z => {
    const n = z.shape[0]!
    const c = rows! / sizeOf(kernel)
    const split = reshape(z, [n, c, ...kernel, ...counts])
    const pairs = transpose(split, [0, 1, ...size.flatMap((_, i) => [2 + i, 2 + size.length + i])])
    const padded = places.reduce((y, index, i) => scatterAdd(y, index, size[i]! + padding[i]![0] + padding[i]![1], 2 + i), pairs)
    return size.reduce((y, m, i) => narrow(y, 2 + i, padding[i]![0], m), padded)
  })
}
