// Initialisers: how a parameter's first values are drawn.

import { type DType, type Shape, type Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import type { Generator } from '@bp/ops'
import { defaultGenerator } from './random.ts'

/** Options of every initialiser. */
export interface InitOptions {
  readonly generator?: Generator | undefined
  readonly dtype?: DType | undefined
}

/** The inputs and outputs that a weight [out, in, …kernel] connects: what initialisers scale by. */
export function fans(shape: Shape): { fanIn: number; fanOut: number } {
  if (shape.length < 2) fail('shape', 'fans', `needs a weight with at least two axes, got [${shape.join(',')}]. Use uniform or normal for vectors`)
  const kernel = shape.slice(2).reduce((a, b) => a * b, 1)
  return { fanIn: shape[1]! * kernel, fanOut: shape[0]! * kernel }
}

/** Even in [−bound, bound). */
export const uniform = (shape: Shape, bound: number, { generator = defaultGenerator(), dtype = 'float32' }: InitOptions = {}): Tensor =>
  generator.uniform(shape, { low: -bound, high: bound, dtype })

/** Normal with mean 0. */
export const normal = (shape: Shape, std: number, { generator = defaultGenerator(), dtype = 'float32' }: InitOptions = {}): Tensor =>
  generator.normal(shape, { std, dtype })

/** Even with variance 2/(fanIn + fanOut) (Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", eq. 16). */
export function xavierUniform(shape: Shape, options: InitOptions & { readonly gain?: number } = {}): Tensor {
  const { fanIn, fanOut } = fans(shape)
  return uniform(shape, (options.gain ?? 1) * Math.sqrt(6 / (fanIn + fanOut)), options)
}

/** Normal with variance 2/(fanIn + fanOut) (Glorot & Bengio 2010). */
export function xavierNormal(shape: Shape, options: InitOptions & { readonly gain?: number } = {}): Tensor {
  const { fanIn, fanOut } = fans(shape)
  return normal(shape, (options.gain ?? 1) * Math.sqrt(2 / (fanIn + fanOut)), options)
}

/** Options of the Kaiming initialisers. */
export interface KaimingOptions extends InitOptions {
  /** The slope of the leaky relu that follows; 0 is a relu. PyTorch's layers use √5. */
  readonly slope?: number
}

const kaimingStd = (shape: Shape, slope: number): number => Math.sqrt(2 / (1 + slope * slope) / fans(shape).fanIn)

/** Even with variance 2/((1 + slope²)·fanIn) (He et al. 2015, "Delving Deep into Rectifiers", eq. 14). */
export const kaimingUniform = (shape: Shape, options: KaimingOptions = {}): Tensor => uniform(shape, Math.sqrt(3) * kaimingStd(shape, options.slope ?? 0), options)

/** Normal with variance 2/((1 + slope²)·fanIn) (He et al. 2015). */
export const kaimingNormal = (shape: Shape, options: KaimingOptions = {}): Tensor => normal(shape, kaimingStd(shape, options.slope ?? 0), options)
