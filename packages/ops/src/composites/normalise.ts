// Normalisation of batches, instances, groups and neighbouring channels, with running statistics handed in and out.

import { add, mul, type Tensor, type TensorLike } from '@bp/core'
import { bind, defineComposite, describe, fail, normaliseAxes } from '@bp/core/extend'
import { div, sub } from '../rows/arithmetic.ts'
import { pow, sqrt } from '../rows/exponential.ts'
import { detach, narrow, padInterior, reshape } from '../rows/view.ts'
import { square } from './activations.ts'
import { mean, standardise, type StandardiseParams, varMean } from './statistics.ts'

/** Scale and shift, one number a channel, and what is added to the variance. */
export interface AffineOptions {
  readonly weight?: Tensor | undefined
  readonly bias?: Tensor | undefined
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number
}

/** Options of {@link batchNorm}. */
export interface BatchNormOptions extends AffineOptions {
  readonly runningMean?: Tensor | undefined
  readonly runningVar?: Tensor | undefined
  /** Whether to use the batch's statistics, and let the running ones follow; false unless given. */
  readonly training?: boolean
  /** How far each batch moves the running statistics, a number or a scalar; 0.1 unless given. */
  readonly momentum?: TensorLike
}

/** Options of {@link instanceNorm}. */
export interface InstanceNormOptions extends AffineOptions {
  readonly runningMean?: Tensor | undefined
  readonly runningVar?: Tensor | undefined
  /** Whether to use each instance's own statistics, and let the running ones follow; true unless given. */
  readonly useInputStats?: boolean
  /** How far each batch moves the running statistics; 0.1 unless given. */
  readonly momentum?: number
}

/** What {@link batchNorm} and {@link instanceNorm} give: the result, and the running statistics that follow from it. */
export interface Normalised {
  readonly y: Tensor
  /** The new running mean; what was given where it does not change. A constant to differentiation. */
  readonly runningMean: Tensor | undefined
  /** The new running variance, of the unbiased kind; what was given where it does not change. A constant to differentiation. */
  readonly runningVar: Tensor | undefined
}

/** A vector of one number a channel, laid along axis 1 of x: [n, c, …]. */
function perChannel(op: string, what: string, v: Tensor, x: Tensor): Tensor {
  if (v.rank !== 1 || v.size !== x.shape[1]) fail('shape', op, `${what} must be one number for each of the ${x.shape[1]} channels of ${describe(x)}, got ${describe(v)}`)
  return reshape(v, [v.size, ...new Array<number>(x.rank - 2).fill(1)])
}

function affine(op: string, x: Tensor, { weight, bias }: AffineOptions): Tensor {
  const y = weight ? mul(x, perChannel(op, 'the weight', weight, x)) : x
  return bias ? add(y, perChannel(op, 'the bias', bias, x)) : y
}

function checkChannels(op: string, x: Tensor): void {
  if (x.rank < 2) fail('shape', op, `needs [n, c, …], got ${describe(x)}`)
}

/** y = (x − mean)/√(variance + ε) with statistics that are given. */
function byRunning(op: string, x: Tensor, mu: Tensor | undefined, sigma2: Tensor | undefined, eps: number): Tensor {
  if (!mu || !sigma2) return fail('value', op, 'needs runningMean and runningVar unless it uses the statistics of x')
  return div(sub(x, perChannel(op, 'runningMean', mu, x)), sqrt(add(perChannel(op, 'runningVar', sigma2, x), eps)))
}

/** The running statistics, moved towards those of x over axes, of which `summary` makes one number a channel. */
function followed(x: Tensor, axes: readonly number[], { runningMean, runningVar }: Pick<BatchNormOptions, 'runningMean' | 'runningVar'>, momentum: TensorLike, summary: (now: Tensor) => Tensor): Omit<Normalised, 'y'> {
  if (!runningMean && !runningVar) return { runningMean, runningVar }
  const [spread, centre] = varMean(detach(x), axes)
  return { runningMean: runningMean && follow(runningMean, summary(centre), momentum), runningVar: runningVar && follow(runningVar, summary(spread), momentum) }
}

const follow = (running: Tensor, now: Tensor, momentum: TensorLike): Tensor => detach(add(mul(running, typeof momentum === 'number' ? 1 - momentum : sub(1, momentum)), mul(now, momentum)))

/**
 * Normalises each channel of x: [n, c, …] over all else (Ioffe & Szegedy 2015, "Batch Normalization", alg. 1): by the batch's
 * statistics in training, else by the running ones. As `torch.nn.functional.batch_norm`, but the new running statistics are
 * returned, where PyTorch overwrites the given ones.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { batchNorm } from '@bp/ops'
 * const { y, runningMean } = batchNorm(tensor([[1], [3]]), { training: true, runningMean: tensor([0]), runningVar: tensor([1]), eps: 0 })
 * y // => tensor([[-1], [1]], float32)
 * runningMean // => tensor([0.2], float32)
 * ```
 */
export function batchNorm(x: Tensor, options: BatchNormOptions = {}): Normalised {
  const { runningMean, runningVar, training = false, momentum = 0.1, eps = 1e-5 } = options
  if (x.size === 0) return { y: x, runningMean, runningVar }
  checkChannels('batchNorm', x)
  if (!training) return { y: affine('batchNorm', byRunning('batchNorm', x, runningMean, runningVar, eps), options), runningMean, runningVar }
  if (x.size === x.shape[1]) fail('shape', 'batchNorm', `one value a channel has no variance, got ${describe(x)}. Use a larger batch, or the running statistics: training: false, or eval() of a layer`)
  const axes = x.shape.flatMap((_, i) => i === 1 ? [] : i)
  return { y: affine('batchNorm', standardise(x, axes, eps), options), ...followed(x, axes, options, momentum, now => now) }
}

/**
 * Normalises each channel of each example of x: [n, c, …] by itself (Ulyanov et al. 2016, "Instance Normalization", eq. 1), as
 * `torch.nn.functional.instance_norm`. The new running statistics, means over the batch, are returned.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { instanceNorm } from '@bp/ops'
 * instanceNorm(tensor([[[1, 3], [10, 30]]]), { eps: 0 }).y // => tensor([[[-1, 1], [-1, 1]]], float32)
 * ```
 */
export function instanceNorm(x: Tensor, options: InstanceNormOptions = {}): Normalised {
  const { runningMean, runningVar, useInputStats = true, momentum = 0.1, eps = 1e-5 } = options
  checkChannels('instanceNorm', x)
  if (!useInputStats) return { y: affine('instanceNorm', byRunning('instanceNorm', x, runningMean, runningVar, eps), options), runningMean, runningVar }
  const axes = x.shape.flatMap((_, i) => i < 2 ? [] : i)
  if (axes.every(axis => x.shape[axis] === 1)) fail('shape', 'instanceNorm', `one value an instance has no variance, got ${describe(x)}. Use more than one spatial element, or useInputStats: false`)
  return { y: affine('instanceNorm', standardise(x, axes, eps), options), ...followed(x, axes, options, momentum, now => mean(now, 0)) }
}

/**
 * Normalises groups of channels of each example of x: [n, c, …] (Wu & He 2018, "Group Normalization", eq. 1), then scales and
 * shifts each channel.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { groupNorm } from '@bp/ops'
 * groupNorm(tensor([[1, 3, 10, 30]]), 2, { eps: 0 }) // => tensor([[-1, 1, -1, 1]], float32)
 * ```
 */
export function groupNorm(x: Tensor, groups: number, options: AffineOptions = {}): Tensor {
  checkChannels('groupNorm', x)
  const [n, c, ...rest] = x.shape as [number, number, ...number[]]
  if (!Number.isInteger(groups) || groups < 1 || c % groups !== 0) fail('value', 'groupNorm', `${c} channels of ${describe(x)} do not divide into ${groups} groups`)
  const y = standardise(reshape(x, [n, groups, rest.reduce((a, b) => a * b, c / groups)]), 2, options.eps ?? 1e-5)
  return affine('groupNorm', reshape(y, x.shape), options)
}

/** y = x/√(mean x² + ε) over axes */
export const rmsNormRow = /* @__PURE__ */ defineComposite({
  name: 'rmsNorm', arity: 1,
  decompose: ([x], { axes, eps }: StandardiseParams) => div(x, sqrt(add(mean(square(x), axes, true), eps))),
})

/**
 * x/√(mean x² + ε) over the last `axes` axes, then scaled (Zhang & Sennrich 2019, "Root Mean Square Layer Normalization",
 * eq. 4). `eps` is the dtype's machine epsilon unless given, as in PyTorch.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { rmsNorm } from '@bp/ops'
 * rmsNorm(tensor([3, 3, 3]), 1, tensor([1, 2, 3])) // => tensor([1, 2, 3], float32)
 * ```
 */
export function rmsNorm(x: Tensor, axes: number, weight?: Tensor, eps: number = x.dtype === 'float64' ? Number.EPSILON : 2 ** -23): Tensor {
  if (!Number.isInteger(axes) || axes < 1 || axes > x.rank) fail('axis', 'rmsNorm', `axes must be between 1 and ${x.rank}, the rank of ${describe(x)}, got ${axes}`)
  const y = bind(rmsNormRow, [x], { axes: normaliseAxes('rmsNorm', Array.from({ length: axes }, (_, i) => i - axes), x.rank), eps })
  return weight ? mul(y, weight) : y
}

/** Options of {@link localResponseNorm}. */
export interface LocalResponseNormOptions {
  /** 1e-4 unless given. */
  readonly alpha?: number
  /** 0.75 unless given. */
  readonly beta?: number
  /** 1 unless given. */
  readonly k?: number
}

/**
 * x/(k + α·mean x² over `size` neighbouring channels)^β for x: [n, c, …] (Krizhevsky et al. 2012, "ImageNet Classification",
 * §3.3), as `torch.nn.functional.local_response_norm`; beyond the first and last channel there are zeros.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { localResponseNorm } from '@bp/ops'
 * localResponseNorm(tensor([[[2], [4]]]), 1, { alpha: 1, beta: 1, k: 0 }) // => tensor([[[0.5], [0.25]]], float32)
 * ```
 */
export function localResponseNorm(x: Tensor, size: number, { alpha = 1e-4, beta = 0.75, k = 1 }: LocalResponseNormOptions = {}): Tensor {
  if (x.rank < 3) fail('shape', 'localResponseNorm', `needs [n, c, …] with at least one spatial axis, got ${describe(x)}`)
  if (!Number.isInteger(size) || size < 1) fail('value', 'localResponseNorm', `size must be a whole number ≥ 1, got ${size}`)
  const before = Math.floor(size / 2)
  const at = (n: number): number[] => x.shape.map((_, i) => i === 1 ? n : 0)
  const padded = padInterior(square(x), at(before), at(size - 1 - before), at(0))
  const total = Array.from({ length: size }, (_, i) => narrow(padded, 1, i, x.shape[1]!)).reduce((a, b) => add(a, b))
  return div(x, pow(add(mul(total, alpha / size), k), beta))
}
