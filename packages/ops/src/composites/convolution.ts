// Convolution and pooling as users call them: padding by name, bias, windows, ceil mode.

import { add, full, mul, type Tensor } from '@bp/core'
import { bind, defineComposite, describe, fail } from '@bp/core/extend'
import { div } from '../rows/arithmetic.ts'
import { conv, type ConvGeometry, convInput, convSize } from '../rows/contract.ts'
import { type PoolGeometry, poolArgMaxRow, take } from '../rows/indexing.ts'
import { padInterior, reshape } from '../rows/view.ts'

/** One number for all spatial axes, or one for each. */
export type PerAxis = number | readonly number[]

/** Zeros around the input: a number, one per axis, pairs, or by name (`same` keeps the size at stride 1). */
export type Padding = PerAxis | readonly (readonly [number, number])[] | 'same' | 'valid'

/** Options of {@link convolve}. */
export interface ConvolveOptions {
  /** One number per output channel. */
  readonly bias?: Tensor | undefined
  readonly stride?: PerAxis
  readonly padding?: Padding
  readonly dilation?: PerAxis
  readonly groups?: number
}

function perAxis(op: string, what: string, value: PerAxis, axes: number, least: number): number[] {
  const list = typeof value === 'number' ? new Array<number>(axes).fill(value) : [...value]
  if (list.length !== axes) fail('value', op, `${what} needs one number or ${axes}, got [${list.join(',')}]`)
  const bad = list.find(n => !Number.isInteger(n) || n < least)
  if (bad !== undefined) fail('value', op, `${what} must be whole numbers ≥ ${least}, got ${bad}`)
  return list
}

function paddingPairs(op: string, padding: Padding, kernel: readonly number[], dilation: readonly number[]): [number, number][] {
  if (padding === 'valid') return kernel.map(() => [0, 0])
  if (padding === 'same') {
    return kernel.map((k, i) => {
      const total = dilation[i]! * (k - 1)
      return [Math.floor(total / 2), Math.ceil(total / 2)]
    })
  }
  const flat = Array.isArray(padding) && Array.isArray(padding[0])
    ? (padding as readonly (readonly [number, number])[]).flat()
    : perAxis(op, 'padding', padding as PerAxis, kernel.length, 0).flatMap(n => [n, n])
  const list = perAxis(op, 'padding', flat, 2 * kernel.length, 0)
  return kernel.map((_, i) => [list[2 * i]!, list[2 * i + 1]!])
}

const addBias = (y: Tensor, bias: Tensor | undefined): Tensor =>
  bias ? add(y, reshape(bias, [bias.size, ...new Array<number>(y.rank - 2).fill(1)])) : y

/**
 * Convolution (cross-correlation) of x: [n, c, …] with w: [o, c/groups, …] over 1, 2 or 3 spatial axes, as
 * `torch.nn.functional.conv1d` to `conv3d`.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { convolve } from '@bp/ops'
 * convolve(ones([1, 1, 3, 3]), ones([1, 1, 2, 2])) // => tensor([[[[4, 4], [4, 4]]]], float32)
 * ```
 */
export function convolve(x: Tensor, w: Tensor, options: ConvolveOptions = {}): Tensor {
  const axes = w.rank - 2
  const dilation = perAxis('conv', 'dilation', options.dilation ?? 1, axes, 1)
  const stride = perAxis('conv', 'stride', options.stride ?? 1, axes, 1)
  if (options.padding === 'same' && stride.some(n => n > 1)) fail('value', 'conv', "padding 'same' needs stride 1. Give the padding in numbers")
  const padding = paddingPairs('conv', options.padding ?? 0, w.shape.slice(2), dilation)
  const geometry: ConvGeometry = { stride, padding, dilation, groups: options.groups ?? 1 }
  return addBias(conv(x, w, geometry), options.bias)
}

/** Options of {@link convTranspose}. */
export interface ConvTransposeOptions extends ConvolveOptions {
  /** Added to one side of the output's size, where the stride leaves it open. */
  readonly outputPadding?: PerAxis
}

/**
 * The transpose of {@link convolve}, also called deconvolution: x: [n, c, …] with w: [c, o/groups, …] → [n, o, …], as
 * `torch.nn.functional.conv_transpose2d`.
 */
export function convTranspose(x: Tensor, w: Tensor, options: ConvTransposeOptions = {}): Tensor {
  const axes = w.rank - 2
  const kernel = w.shape.slice(2)
  const stride = perAxis('convTranspose', 'stride', options.stride ?? 1, axes, 1)
  const dilation = perAxis('convTranspose', 'dilation', options.dilation ?? 1, axes, 1)
  const extra = perAxis('convTranspose', 'outputPadding', options.outputPadding ?? 0, axes, 0)
  const padding = paddingPairs('convTranspose', options.padding ?? 0, kernel, dilation)
  const size = x.shape.slice(2).map((n, i) => (n - 1) * stride[i]! - padding[i]![0] - padding[i]![1] + dilation[i]! * (kernel[i]! - 1) + extra[i]! + 1)
  const y = convInput(x, w, { stride, padding, dilation, groups: options.groups ?? 1, size })
  return addBias(y, options.bias)
}

/** Options of {@link maxPool} and {@link avgPool}. */
export interface PoolOptions {
  /** The window. */
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
  if (axes < 1) fail('shape', op, `needs [n, c, …] with at least one spatial axis, got ${describe(x)}`)
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
  decompose: ([x], p: AvgPoolParams) => {
    const [n, c, ...spatial] = x.shape as [number, number, ...number[]]
    const ones = full([1, 1, ...p.kernel], 1, x.dtype, x.backend)
    const windows = { stride: p.stride, padding: p.padding, dilation: p.dilation, groups: 1 }
    const total = conv(reshape(x, [n * c, 1, ...spatial]), ones, windows)
    const y = reshape(total, [n, c, ...total.shape.slice(2)])
    return uniform(p) ? mul(y, 1 / p.kernel.reduce((a, b) => a * b, 1)) : div(y, counts(x, p, ones))
  },
})

/** Whether every window has the same number of elements that count. */
const uniform = (p: AvgPoolParams): boolean => p.padding.every(([low, high], i) => low === p.counted[i]![0] && high === p.counted[i]![1])

/** For each window, how many of its elements count: the windows summed over ones where they do. */
function counts(x: Tensor, p: AvgPoolParams, ones: Tensor): Tensor {
  const inner = full([1, 1, ...x.shape.slice(2).map((size, i) => size + p.counted[i]![0] + p.counted[i]![1])], 1, x.dtype, x.backend)
  const low = p.padding.map(([before], i) => before - p.counted[i]![0])
  const high = p.padding.map(([, after], i) => after - p.counted[i]![1])
  const counted = padInterior(inner, [0, 0, ...low], [0, 0, ...high], inner.shape.map(() => 0))
  return conv(counted, ones, { stride: p.stride, padding: p.padding.map(() => [0, 0] as const), dilation: p.dilation, groups: 1 })
}

/**
 * The largest element of each window of x: [n, c, …]; the first of several takes the gradient. Padding never wins.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { maxPool } from '@bp/ops'
 * maxPool(tensor([[[1, 3, 2, 4]]]), { kernel: 2 }) // => tensor([[[3, 4]]], float32)
 * ```
 */
export const maxPool = (x: Tensor, options: PoolOptions): Tensor => bind(maxPoolRow, [x], poolGeometry('maxPool', x, options))

/** Options of {@link avgPool}. */
export interface AvgPoolOptions extends PoolOptions {
  /** Whether the zeros of `padding` count as elements; true unless given, as in PyTorch. */
  readonly countIncludePad?: boolean
}

/**
 * The mean of each window of x: [n, c, …].
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { avgPool } from '@bp/ops'
 * avgPool(tensor([[[1, 3, 2, 4]]]), { kernel: 2 }) // => tensor([[[2, 3]]], float32)
 * ```
 */
export function avgPool(x: Tensor, options: AvgPoolOptions): Tensor {
  const geometry = poolGeometry('avgPool', x, options)
  const counted = options.countIncludePad ?? true ? poolGeometry('avgPool', x, { ...options, ceilMode: false }).padding : geometry.padding.map(() => [0, 0] as const)
  const sizes = x.shape.slice(2).map((size, i) => convSize(size, geometry.kernel[i]!, geometry.stride[i]!, geometry.padding[i]!, geometry.dilation[i]!))
  if (sizes.some(size => size < 1)) fail('shape', 'avgPool', `the window [${geometry.kernel.join(',')}] is larger than the padded input ${describe(x)}. Pad more, or use a smaller window`)
  return bind(avgPoolRow, [x], { ...geometry, counted })
}
