// Initialisers: how a parameter's first values are drawn. Each gives a tensor of a shape, which a parameter takes by `assign`;
// `zeros`, `ones` and `full` of @bp/core are those that draw nothing.

import { add, type DType, mul, type Shape, type Tensor, tensor } from '@bp/core'
import { fail, sizeOf } from '@bp/core/extend'
import { clamp, erf, erfinv, type Generator, sub } from '@bp/ops'
import { defaultGenerator } from './random.ts'

/** Options of every initialiser that draws. */
export interface InitOptions {
  /** Where the numbers come from; the default generator unless given. */
  readonly generator?: Generator | undefined
  readonly dtype?: DType | undefined
}

/** The inputs and outputs that a weight [out, in, …kernel] connects: what initialisers scale by. */
export function fans(shape: Shape): { fanIn: number; fanOut: number } {
  if (shape.length < 2) fail('shape', 'fans', `needs a weight with at least two axes, got [${shape.join(',')}]. Use uniform or normal for vectors`)
  const kernel = sizeOf(shape.slice(2))
  return { fanIn: shape[1]! * kernel, fanOut: shape[0]! * kernel }
}

/** What follows a weight, for {@link calculateGain}; `leakyRelu` has a slope. */
export type Nonlinearity = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu' | 'selu'

/**
 * The factor by which a weight must be larger so that what follows it does not shrink the signal: 1, but 5/3 for tanh, √2 for relu,
 * √(2/(1 + slope²)) for leakyRelu (slope 0.01 unless given) and ¾ for selu, as PyTorch has them.
 *
 * @example
 * ```ts
 * import { calculateGain } from '@bp/nn'
 * calculateGain('tanh') // => ≈ 1.66667
 * ```
 */
export function calculateGain(nonlinearity: Nonlinearity, slope = 0.01): number {
  switch (nonlinearity) {
    case 'linear':
    case 'sigmoid': return 1
    case 'tanh': return 5 / 3
    case 'relu': return Math.SQRT2
    case 'leakyRelu': return Math.sqrt(2 / (1 + slope * slope))
    case 'selu': return 3 / 4
  }
}

/**
 * Even in [−bound, bound), or between two bounds.
 *
 * @example
 * ```ts
 * import { Linear, uniform } from '@bp/nn'
 * const layer = new Linear(3, 2)
 * layer.weight.assign(uniform(layer.weight.shape, [0, 1]))
 * ```
 */
export function uniform(shape: Shape, bound: number | readonly [low: number, high: number], { generator = defaultGenerator(), dtype = 'float32' }: InitOptions = {}): Tensor {
  const [low, high] = typeof bound === 'number' ? [-bound, bound] : bound
  return generator.uniform(shape, { low, high, dtype })
}

/** Normal with a standard deviation, and mean 0 unless given. */
export const normal = (shape: Shape, std: number, { generator = defaultGenerator(), dtype = 'float32', mean = 0 }: InitOptions & { readonly mean?: number } = {}): Tensor =>
  generator.normal(shape, { std, mean, dtype })

/** Options of {@link truncNormal}. */
export interface TruncNormalOptions extends InitOptions {
  /** 0 unless given. */
  readonly mean?: number
  /** 1 unless given. */
  readonly std?: number
  /** The least value; −2 unless given. */
  readonly low?: number
  /** The greatest value; 2 unless given. */
  readonly high?: number
}

/** Normal, but within bounds: the inverse of the distribution function at even numbers (Devroye 1986, "Non-Uniform Random Variate Generation", §II.2). */
export function truncNormal(shape: Shape, { mean = 0, std = 1, low = -2, high = 2, ...options }: TruncNormalOptions = {}): Tensor {
  if (!(low < high && std > 0)) fail('value', 'truncNormal', `needs low below high and a positive std, got ${low}, ${high} and ${std}`)
  const spread = std * Math.SQRT2
  const unit = uniform(shape, [0, 1], options)
  const share = (x: number): Tensor => erf(tensor((x - mean) / spread, { dtype: unit.dtype, backend: unit.backend }))
  const [least, most] = [share(low), share(high)]
  return clamp(add(mul(erfinv(add(mul(unit, sub(most, least)), least)), spread), mean), low, high)
}

/** Options of the initialisers of Xavier Glorot. */
export interface XavierOptions extends InitOptions {
  /** A factor for what follows, by {@link calculateGain}; 1 unless given. */
  readonly gain?: number
}

/** Even with variance 2/(fanIn + fanOut) (Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", eq. 16). */
export function xavierUniform(shape: Shape, options: XavierOptions = {}): Tensor {
  const { fanIn, fanOut } = fans(shape)
  return uniform(shape, (options.gain ?? 1) * Math.sqrt(6 / (fanIn + fanOut)), options)
}

/** Normal with variance 2/(fanIn + fanOut) (Glorot & Bengio 2010). */
export function xavierNormal(shape: Shape, options: XavierOptions = {}): Tensor {
  const { fanIn, fanOut } = fans(shape)
  return normal(shape, (options.gain ?? 1) * Math.sqrt(2 / (fanIn + fanOut)), options)
}

/** Options of the initialisers of Kaiming He. */
export interface KaimingOptions extends InitOptions {
  /** The slope of the leaky relu that follows; 0, a relu, unless given. PyTorch's layers use √5. */
  readonly slope?: number
  /** Whether the signal keeps its size on the way forward (`fanIn`, unless given) or back (`fanOut`). */
  readonly mode?: 'fanIn' | 'fanOut'
  /** What follows; `leakyRelu` unless given. */
  readonly nonlinearity?: Nonlinearity
}

const kaimingStd = (shape: Shape, { slope = 0, mode = 'fanIn', nonlinearity = 'leakyRelu' }: KaimingOptions): number => calculateGain(nonlinearity, slope) / Math.sqrt(fans(shape)[mode])

/**
 * Even with variance gain²/fan (He et al. 2015, "Delving Deep into Rectifiers", eq. 14).
 *
 * @example
 * ```ts
 * import { Conv2d, kaimingUniform } from '@bp/nn'
 * const layer = new Conv2d(3, 8, 3)
 * layer.weight.assign(kaimingUniform(layer.weight.shape, { mode: 'fanOut', nonlinearity: 'relu' }))
 * ```
 */
export const kaimingUniform = (shape: Shape, options: KaimingOptions = {}): Tensor => uniform(shape, Math.sqrt(3) * kaimingStd(shape, options), options)

/** Normal with variance gain²/fan (He et al. 2015). */
export const kaimingNormal = (shape: Shape, options: KaimingOptions = {}): Tensor => normal(shape, kaimingStd(shape, options), options)
