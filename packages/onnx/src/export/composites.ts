// Emitters of composites that ONNX has as one operator; the rest are written as their decompositions.

import { convert, sizeOf } from '@bp/core/extend'
import type { AttentionParams, StandardiseParams } from '@bp/ops/extend'
import { type Builder, Float } from './builder.ts'
import { type Emission, type Emitter, type Emitters, fixedParams, fixedSizes } from './emit.ts'
import { avgPool, maxPool } from './pools.ts'
import { gridSample, interpolate, margin } from './sampling.ts'
import { isFixed, sameSize } from './sizes.ts'

/** A scale of ones is written for so many elements; for more, the normalisation is written as what it is made of. */
const mostOnes = 2 ** 20

const same = (operator: string): Emitter => (b, e) => b.add(operator, e.inputs)

const alongAxis = (operator: string): Emitter => (b, e) => b.add(operator, e.inputs, { axis: fixedParams<{ readonly axis: number }>(e).axis })

/** The first of the last axes that are standardised; `null` where they are not the last ones. */
export function trailingAxis(axes: readonly number[], rank: number): number | null {
  const first = rank - axes.length
  return axes.length > 0 && axes.every((axis, i) => axis === first + i) ? first : null
}

/** What standardises the last axes, with a scale of ones; `null` where it is of other axes, or their sizes are open. */
function normalisation(operator: string, least: number): Emitter {
  return (b, e) => {
    const { axes, eps } = fixedParams<StandardiseParams>(e)
    const { dtype, sizes } = e.xs[0]!
    const first = trailingAxis(axes, sizes.length)
    if (first === null || b.opset < least || !sizes.slice(first).every(isFixed)) return null
    const shape = fixedSizes(e, sizes.slice(first))
    if (sizeOf(shape) > mostOnes) return null
    const ones = b.constant(dtype, shape, convert(new Array<number>(sizeOf(shape)).fill(1), dtype))
    return b.add(operator, [e.inputs[0]!, ones], { axis: first - sizes.length, epsilon: new Float(eps) })
  }
}

/** Attention of four axes. A mask is laid out over queries and keys, which ONNX Runtime does not broadcast. */
function attention(b: Builder, e: Emission): string | null {
  const { causal, scale } = fixedParams<AttentionParams>(e)
  const [q, k, v] = e.xs as [Emission['xs'][number], Emission['xs'][number], Emission['xs'][number]]
  const alike = q.sizes.length === 4 && [k, v].every(x => x.sizes.length === 4 && sameSize(x.sizes[0]!, q.sizes[0]!) && sameSize(x.sizes[1]!, q.sizes[1]!))
  if (b.opset < 23 || !alike || scale <= 0) return null
  const [mask, places] = [e.xs[3], [q.sizes[2]!, k.sizes[2]!]]
  const whole = !mask || (mask.sizes.length >= 2 && places.every((size, i) => sameSize(mask.sizes.at(i - 2)!, size)))
  const masks = whole ? e.inputs.slice(3) : [b.add('Expand', [e.inputs[3]!, b.dims.list(places, e.where)])]
  return b.add('Attention', [...e.inputs.slice(0, 3), ...masks], { is_causal: Number(causal), scale: new Float(scale) })
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
  maxPool, avgPool, interpolate, gridSample, margin, attention,
  standardise: normalisation('LayerNormalization', 17), rmsNorm: normalisation('RMSNormalization', 23),
}
