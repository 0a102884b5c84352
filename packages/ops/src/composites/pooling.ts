// Pooling over sliding windows: the largest element, the mean, the p-norm, and the way back from the largest.

import { full, mul, type Tensor } from '@bp/core'
import { bind, defineComposite, describe, fail, sameShape, sizeOf } from '@bp/core/extend'
import { div, sub } from '../rows/arithmetic.ts'
import { cast, equal, select } from '../rows/compare.ts'
import { conv, convSize } from '../rows/contract.ts'
import { pow } from '../rows/exponential.ts'
import { type PoolGeometry, poolArgMaxRow, take } from '../rows/indexing.ts'
import { unpool } from '../rows/pool.ts'
import { iota } from '../rows/source.ts'
import { padInterior, reshape } from '../rows/view.ts'
import { batched, type Padding, paddingPairs, type PerAxis, perAxis, spatialAxes } from './spatial.ts'

/** Options of {@link maxPool} and {@link avgPool}. */
export interface PoolOptions {
  /** The window: one number for all spatial axes of [n, c, …], or one for each, and then a batch axis is not needed. */
  readonly kernel: PerAxis
  /** How far it moves; the window's size unless given. */
  readonly stride?: PerAxis | undefined
  readonly padding?: Padding
  readonly dilation?: PerAxis
  /** Lets a last window start inside the input and reach over its end. */
  readonly ceilMode?: boolean
}

function poolGeometry(op: string, x: Tensor, options: PoolOptions): PoolGeometry {
  const axes = x.rank - 2
  const kernel = perAxis(op, 'kernel', options.kernel, axes, 1)
  const stride = perAxis(op, 'stride', options.stride ?? kernel, axes, 1)
  const dilation = perAxis(op, 'dilation', options.dilation ?? 1, axes, 1)
  const padding = paddingPairs(op, options.padding ?? 0, kernel, dilation)
  const late = options.ceilMode ? padding.map(([low, high], i): [number, number] => [low, high + overhang(x.shape[i + 2]!, kernel[i]!, stride[i]!, [low, high], dilation[i]!)]) : padding
  return { kernel, stride, padding: late, dilation }
}

/** How far a last window that starts before the end of the input (and its padding before) reaches over. */
function overhang(size: number, kernel: number, stride: number, [low, high]: [number, number], dilation: number): number {
  const span = dilation * (kernel - 1) + 1
  const windows = Math.ceil((size + low + high - span) / stride) + 1
  const kept = (windows - 1) * stride >= size + low ? windows - 1 : windows
  return Math.max(0, (kept - 1) * stride + span - size - low - high)
}

/** y = the largest element of each window; x̄ = ȳ added at its place */
export const maxPoolRow = /* @__PURE__ */ defineComposite({
  name: 'maxPool', arity: 1,
  decompose: ([x], p: PoolGeometry) => take(reshape(x, [x.size]), bind(poolArgMaxRow, [x], p)),
})

/** The parameters of `avgPool`. */
export interface AvgPoolParams extends PoolGeometry {
  /** Zeros around the input that count as elements; the rest of `padding` does not. */
  readonly counted: readonly (readonly [number, number])[]
}

/** y = the mean of each window, over the elements that count */
export const avgPoolRow = /* @__PURE__ */ defineComposite({
  name: 'avgPool', arity: 1,
  decompose: ([x], p: AvgPoolParams) => uniform(p) ? mul(windowSums(x, p), 1 / sizeOf(p.kernel)) : div(windowSums(x, p), counts(x, p)),
})

const windowOfOnes = (x: Tensor, p: PoolGeometry): Tensor => full([1, 1, ...p.kernel], 1, x.dtype, x.backend)

/** The sum of each window, each channel by itself. */
function windowSums(x: Tensor, p: PoolGeometry): Tensor {
  const [n, c, ...spatial] = x.shape as [number, number, ...number[]]
  const total = conv(reshape(x, [n * c, 1, ...spatial]), windowOfOnes(x, p), { stride: p.stride, padding: p.padding, dilation: p.dilation, groups: 1 })
  return reshape(total, [n, c, ...total.shape.slice(2)])
}

/** Whether every window has the same number of elements that count. */
const uniform = (p: AvgPoolParams): boolean => p.padding.every(([low, high], i) => low === p.counted[i]![0] && high === p.counted[i]![1])

/** For each window, how many of its elements count: the windows summed over ones where they do. */
function counts(x: Tensor, p: AvgPoolParams): Tensor {
  const inner = full([1, 1, ...x.shape.slice(2).map((size, i) => size + p.counted[i]![0] + p.counted[i]![1])], 1, x.dtype, x.backend)
  const low = p.padding.map(([before], i) => before - p.counted[i]![0])
  const high = p.padding.map(([, after], i) => after - p.counted[i]![1])
  const counted = padInterior(inner, [0, 0, ...low], [0, 0, ...high], inner.shape.map(() => 0))
  return conv(counted, windowOfOnes(x, p), { stride: p.stride, padding: p.padding.map(() => [0, 0] as const), dilation: p.dilation, groups: 1 })
}

/**
 * The largest element of each window of x: [n, c, …]; the first of several takes the gradient. Padding never wins. With a
 * list as `kernel`, x may be [c, …].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maxPool } from '@bp/ops'
 * maxPool(tensor([[[1, 3, 2, 4]]]), { kernel: 2 }) // => tensor([[[3, 4]]], float32)
 * ```
 */
export const maxPool = (x: Tensor, options: PoolOptions): Tensor =>
  batched(x, spatialAxes('maxPool', x, options.kernel), z => bind(maxPoolRow, [z], poolGeometry('maxPool', z, options)))

/**
 * {@link maxPool} and, as int32, where in its channel's spatial axes, counted row by row, each largest element lies: what
 * {@link maxUnpool} takes.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maxPoolWithIndices } from '@bp/ops'
 * maxPoolWithIndices(tensor([[[1, 3, 2, 4]]]), { kernel: 2 })[1] // => tensor([[[1, 3]]], int32)
 * ```
 */
export const maxPoolWithIndices = (x: Tensor, options: PoolOptions): [values: Tensor, indices: Tensor] =>
  batched(x, spatialAxes('maxPool', x, options.kernel), (z): [Tensor, Tensor] => {
    const places = bind(poolArgMaxRow, [z], poolGeometry('maxPool', z, options))
    return [take(reshape(z, [z.size]), places), sub(places, planeStarts(places, sizeOf(z.shape.slice(2))))]
  })

/** For each plane of `like`: [n, c, …], where one of `size` elements begins among all, as int32 [n, c, 1, …]. */
export function planeStarts({ shape, rank, backend }: Tensor, size: number): Tensor {
  const [n, c] = shape as [number, number]
  return reshape(mul(iota(n * c, 'int32', backend), size), [n, c, ...new Array<number>(rank - 2).fill(1)])
}

/** Options of {@link avgPool}. */
export interface AvgPoolOptions extends PoolOptions {
  /** Whether the zeros of `padding` count as elements; true unless given, as in PyTorch. */
  readonly countIncludePad?: boolean
  /** Divides each window's sum instead of the number of its elements. */
  readonly divisorOverride?: number | undefined
}

/**
 * The mean of each window of x: [n, c, …]. With a list as `kernel`, x may be [c, …].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { avgPool } from '@bp/ops'
 * avgPool(tensor([[[1, 3, 2, 4]]]), { kernel: 2 }) // => tensor([[[2, 3]]], float32)
 * ```
 */
export const avgPool = (x: Tensor, options: AvgPoolOptions): Tensor => batched(x, spatialAxes('avgPool', x, options.kernel), z => {
  const geometry = poolGeometry('avgPool', z, options)
  const sizes = z.shape.slice(2).map((size, i) => convSize(size, geometry.kernel[i]!, geometry.stride[i]!, geometry.padding[i]!, geometry.dilation[i]!))
  if (sizes.some(size => size < 1)) fail('shape', 'avgPool', `the window [${geometry.kernel.join(',')}] is larger than the padded input ${describe(x)}. Pad more, or use a smaller window`)
  if (options.divisorOverride === 0) fail('value', 'avgPool', 'divisorOverride must not be 0. Leave it out to divide by the number of elements')
  if (options.divisorOverride !== undefined) return div(windowSums(z, geometry), options.divisorOverride)
  const counted = options.countIncludePad ?? true ? poolGeometry('avgPool', z, { ...options, ceilMode: false }).padding : geometry.padding.map(() => [0, 0] as const)
  return bind(avgPoolRow, [z], { ...geometry, counted })
})

/**
 * (Σ xᵖ)^(1/p) over each window of x: [n, c, …], as `torch.nn.functional.lp_pool1d` to `lp_pool3d`: the sum for p = 1,
 * nearer the largest as p grows; NaN where the sum is negative. The derivative where the sum is 0 is 0. With `ceilMode`,
 * the sum of a window that reaches over the end is scaled up to a whole window's.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { lpPool } from '@bp/ops'
 * lpPool(tensor([[[3, 4, 6, 8]]]), 2, { kernel: 2 }) // => tensor([[[5, 10]]], float32)
 * ```
 */
export function lpPool(x: Tensor, p: number, options: PoolOptions): Tensor {
  if (!(p > 0 && p < Infinity)) fail('value', 'lpPool', `p must be a positive number, got ${p}. Use maxPool for the limit at infinity`)
  const kernel = perAxis('lpPool', 'kernel', options.kernel, spatialAxes('lpPool', x, options.kernel), 1)
  const sums = mul(avgPool(pow(x, p), { ...options, kernel }), sizeOf(kernel))
  const none = equal(sums, 0)
  return select(none, 0, pow(select(none, 1, sums), 1 / p))
}

/** Options of {@link maxUnpool}. */
export interface MaxUnpoolOptions {
  /** The window of the pooling that is undone. */
  readonly kernel: PerAxis
  /** How far it moved; the window's size unless given. */
  readonly stride?: PerAxis | undefined
  readonly padding?: PerAxis
  /** The spatial sizes before pooling, where the windows leave them open. */
  readonly outputSize?: readonly number[] | undefined
}

/**
 * Zeros of the size that was pooled, with x: [n, c, …] (or [c, …]) at the places that {@link maxPoolWithIndices} found, as
 * `torch.nn.functional.max_unpool1d` to `max_unpool3d`. Throws where an index lies outside its plane.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maxPoolWithIndices, maxUnpool } from '@bp/ops'
 * const [values, indices] = maxPoolWithIndices(tensor([[[1, 3, 2, 4]]]), { kernel: 2 })
 * maxUnpool(values, indices, { kernel: 2 }) // => tensor([[[0, 3, 0, 4]]], float32)
 * ```
 */
export function maxUnpool(x: Tensor, indices: Tensor, options: MaxUnpoolOptions): Tensor {
  if (!sameShape(x.shape, indices.shape)) fail('shape', 'maxUnpool', `the values ${describe(x)} and the indices ${describe(indices)} must have one shape`)
  const axes = spatialAxes('maxUnpool', x, options.outputSize ?? options.kernel)
  const kernel = perAxis('maxUnpool', 'kernel', options.kernel, axes, 1)
  const stride = perAxis('maxUnpool', 'stride', options.stride ?? kernel, axes, 1)
  const padding = perAxis('maxUnpool', 'padding', options.padding ?? 0, axes, 0)
  const least = x.shape.slice(-axes).map((n, i) => (n - 1) * stride[i]! - 2 * padding[i]! + kernel[i]!)
  const size = options.outputSize ?? least
  const off = size.findIndex((n, i) => Math.abs(n - least[i]!) >= stride[i]!)
  if (off >= 0 && options.outputSize) fail('value', 'maxUnpool', `outputSize [${size.join(',')}] must be less than a stride from [${least.join(',')}], where axis ${off} is not`)
  return batched(x, axes, z => {
    const [n, c, ...pooled] = z.shape as [number, number, ...number[]]
    const planes = [n * c, sizeOf(pooled)]
    return reshape(unpool(reshape(z, planes), reshape(cast(indices, 'int32'), planes), sizeOf(size)), [n, c, ...size])
  })
}
