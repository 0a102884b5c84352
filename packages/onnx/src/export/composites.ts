// Emitters of composites that ONNX has as one operator; the rest are written as their decompositions.

import { Float } from './builder.ts'
import { type Emitter, type Emitters, fixedParams, fixedSizes } from './emit.ts'
import { avgPool, maxPool } from './pools.ts'
import { isFixed } from './sizes.ts'
import { convert, sizeOf } from '@bp/core/extend'

/** A scale of ones is written for so many elements; for more, the normalisation is written as what it is made of. */
const mostOnes = 2 ** 20

const same = (operator: string): Emitter => (b, e) => b.add(operator, e.inputs)

const alongAxis = (operator: string): Emitter => (b, e) => b.add(operator, e.inputs, { axis: fixedParams<{ readonly axis: number }>(e).axis })

/** The parameters of `standardise`. */
export interface Standardise {
  readonly axes: readonly number[]
  readonly eps: number
}

/** The first of the last axes that are standardised; `null` where they are not the last ones. */
export function trailingAxis(axes: readonly number[], rank: number): number | null {
  const first = rank - axes.length
  return axes.length > 0 && axes.every((axis, i) => axis === first + i) ? first : null
}

/** Composites. */
export const compositeEmitters: Emitters = {
  softmax: alongAxis('Softmax'), logSoftmax: alongAxis('LogSoftmax'),
  logSumExp: (b, e) => {
    const { axes } = fixedParams<{ readonly axes: readonly number[] }>(e)
    return axes.length === 0 ? null : b.reduce('ReduceLogSumExp', e.inputs[0]!, axes, true)
  },
  gelu: (b, e) => b.opset < 20 ? null : b.add('Gelu', e.inputs, { approximate: fixedParams<{ readonly approximate: string }>(e).approximate }),
  softplus: same('Softplus'),
  elu: (b, e) => b.add('Elu', e.inputs, { alpha: new Float(fixedParams<{ readonly alpha: number }>(e).alpha) }),
  leakyRelu: (b, e) => b.add('LeakyRelu', e.inputs, { alpha: new Float(fixedParams<{ readonly slope: number }>(e).slope) }),
  mish: (b, e) => b.opset < 18 ? null : b.add('Mish', e.inputs),
  hardSigmoid: (b, e) => b.add('HardSigmoid', e.inputs, { alpha: new Float(1 / 6), beta: new Float(0.5) }),
  hardSwish: (b, e) => b.opset < 14 ? null : b.add('HardSwish', e.inputs),
  maxPool, avgPool,
  standardise: (b, e) => {
    const { axes, eps } = fixedParams<Standardise>(e)
    const first = trailingAxis(axes, e.xs[0]!.sizes.length)
    if (first === null || b.opset < 17) return null
    const { dtype, sizes } = e.xs[0]!
    if (!sizes.slice(first).every(isFixed)) return null
    const shape = fixedSizes(e, sizes.slice(first))
    if (sizeOf(shape) > mostOnes) return null
    const ones = b.constant(dtype, shape, convert(new Array<number>(sizeOf(shape)).fill(1), dtype))
    return b.add('LayerNormalization', [e.inputs[0]!, ones], { axis: first - sizes.length, epsilon: new Float(eps) })
  },
}
