// Normalisation and dropout, by the file's mode or by train() and eval().

import { add, full, mul, ones, type Tensor } from '@bp/core'
import { fail, normaliseAxis } from '@bp/core/extend'
import { abs, cast, concat, detach, div, equal, mean, narrow, pow, reciprocal, reshape, select, sqrt, square, standardise, sub, sum, variance } from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import { entries } from '../import/budget.ts'
import type { ModelNode } from '../import/load.ts'
import { toNumbers, toTensor } from '../import/value.ts'
import { perPart } from './geometry.ts'
import { type Context, only, onTensors, onValues, type Operator, type Operators } from './operator.ts'
import { generatorOf } from './random.ts'

/** A vector of one number a channel, laid along axis 1 of x: [n, c, …]. */
const perChannel = (x: Tensor, v: Tensor): Tensor => reshape(cast(v, x.dtype), [v.size, ...new Array<number>(Math.max(0, x.rank - 2)).fill(1)])

/** x in the precision in which its statistics are computed: short floats in float32, as `stash_type` says they shall. */
const stashed = (x: Tensor): Tensor => x.dtype === 'float16' ? cast(x, 'float32') : x

/** x times a scale plus a bias, where given. */
export function scaled(x: Tensor, scale: Tensor | undefined, bias: Tensor | undefined): Tensor {
  const y = scale ? mul(x, scale) : x
  return bias ? add(y, bias) : y
}

/** Whether a BatchNormalization node of the file uses the batch's statistics; every version says it in another way. */
function fileTrains(attributes: Attributes, node: ModelNode): boolean {
  if (node.opset >= 14) return attributes.int('training_mode', 0) !== 0
  if (node.opset < 7) return attributes.int('is_test', 0) === 0
  return node.outputs.slice(1).some(name => name !== '')
}

const batchNormalization: Operator = onTensors(5, ([x, scale, bias, mu, sigma2], attributes, node, context) => {
  only(node, 'spatial', attributes.int('spatial', 1), 1)
  const eps = attributes.float('epsilon', 1e-5)
  if (!(context.training ?? fileTrains(attributes, node))) {
    // one factor a channel, so that no element is divided
    const factor = div(perChannel(x!, scale!), sqrt(add(perChannel(x!, sigma2!), eps)))
    return scaled(sub(x!, perChannel(x!, mu!)), factor, perChannel(x!, bias!))
  }
  const axes = x!.shape.flatMap((_, i) => i === 1 ? [] : i)
  const y = scaled(standardise(x!, axes, eps), perChannel(x!, scale!), perChannel(x!, bias!))
  const momentum = attributes.float('momentum', 0.9)
  const value = cast(detach(x!), mu!.dtype)
  const follow = (running: Tensor, now: Tensor): Tensor => add(mul(running, momentum), mul(now, 1 - momentum))
  const statistics = [follow(mu!, mean(value, axes)), follow(sigma2!, variance(value, axes, { correction: 0 }))] as const
  if (context.training === true) statistics.forEach((now, i) => { context.update(3 + i, now) })
  return [y, ...statistics, ...statistics]
})

/** Normalises each channel of each example by itself. */
const instanceNormalization: Operator = onTensors(3, ([x, scale, bias], attributes) =>
  scaled(standardise(x!, x!.shape.flatMap((_, i) => i < 2 ? [] : i), attributes.float('epsilon', 1e-5)), perChannel(x!, scale!), perChannel(x!, bias!)))

/** Normalises groups of channels; before version 21 scale and bias are one a group, since then one a channel. */
const groupNormalization: Operator = onTensors(3, ([x, scale, bias], attributes, node) => {
  const groups = attributes.int('num_groups', 0)
  const [n, c, ...rest] = x!.shape as [number, number, ...number[]]
  if (groups < 1 || c % groups !== 0) fail('value', node.operator, `${c} channels do not divide into ${groups} groups`)
  const y = cast(standardise(reshape(node.opset < 21 ? x! : stashed(x!), [n, groups, x!.size / n / groups]), 2, attributes.float('epsilon', 1e-5)), x!.dtype)
  const [s, b] = [scale!, bias!].map(v => node.opset < 21 ? reshape(v, [groups, 1]) : perChannel(x!, v)) as [Tensor, Tensor]
  return node.opset < 21 ? reshape(scaled(y, s, b), x!.shape) : scaled(reshape(y, [n, c, ...rest]), s, b)
})

const fromAxis = (x: Tensor, attributes: Attributes, node: ModelNode): number[] => {
  const axis = normaliseAxis(node.operator, attributes.int('axis', -1), x.rank)
  return x.shape.flatMap((_, i) => i < axis ? [] : i)
}

/** x standardised over axes; its mean and the inverse of its deviation are made when asked for. */
export function layerNormalised(x: Tensor, axes: readonly number[], eps: number): { readonly y: Tensor; readonly statistics: () => [mean: Tensor, inverse: Tensor] } {
  const exact = stashed(x)
  return {
    y: cast(standardise(exact, axes, eps), x.dtype),
    statistics: () => [mean(exact, axes, true), reciprocal(sqrt(add(variance(exact, axes, { correction: 0, keepDims: true }), eps)))],
  }
}

/** x/√(mean x² + ε) over axes (Zhang and Sennrich 2019), and the inverse of the divisor. */
export function rmsNormalised(x: Tensor, axes: readonly number[], eps: number): { readonly y: Tensor; readonly inverse: () => Tensor } {
  const exact = stashed(x)
  const divisor = sqrt(add(mean(square(exact), axes, true), eps))
  return { y: cast(div(exact, divisor), x.dtype), inverse: () => reciprocal(divisor) }
}

/** PyTorch leaves the scale out where a layer has none, though the standard asks for it. */
const layerNormalization: Operator = onTensors(1, ([x, scale, bias], attributes, node) => {
  const { y, statistics } = layerNormalised(x!, fromAxis(x!, attributes, node), attributes.float('epsilon', 1e-5))
  return [scaled(y, scale, bias), ...node.outputs.length < 2 ? [] : statistics()]
})

/** The result has the scale's type; the inverse of the divisor is asked for by onnxruntime's form alone. */
const rmsNormalization: Operator = onTensors(2, ([x, scale], attributes, node) => {
  const { y, inverse } = rmsNormalised(x!, fromAxis(x!, attributes, node), attributes.float('epsilon', 1e-5))
  return [mul(cast(y, scale!.dtype), scale!), ...node.outputs.length < 2 ? [] : [inverse()]]
})

/** x/(bias + α/size · Σ x² over `size` neighbouring channels)^β (Krizhevsky et al. 2012, §3.3). */
const localResponse: Operator = onTensors(1, ([x], attributes, node) => {
  const size = attributes.int('size', 1)
  const channels = x!.shape[1]!
  // what lies beyond all channels adds nothing
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)].map(n => Math.max(0, Math.min(n, channels - 1))) as [number, number]
  const margin = (n: number): Tensor => full(x!.shape.with(1, n), 0, x!.dtype, x!.backend)
  const padded = concat([margin(before), square(x!), margin(after)], 1)
  const around = Array.from({ length: entries(node.operator, perPart * (before + 1 + after)) / perPart }, (_, i) => narrow(padded, 1, i, channels)).reduce((a, b) => add(a, b))
  return div(x!, pow(add(mul(around, attributes.float('alpha', 1e-4) / size), attributes.float('bias', 1)), attributes.float('beta', 0.75)))
})

const lpNormalization: Operator = onTensors(1, ([x], attributes, node) => {
  const p = attributes.int('p', 2)
  only(node, 'p', p, 1, 2)
  const axis = normaliseAxis(node.operator, attributes.int('axis', -1), x!.rank)
  const length = p === 1 ? sum(abs(x!), axis, true) : sqrt(sum(square(x!), axis, true))
  return div(x!, select(equal(length, 0), 1, length))
})

const meanVariance: Operator = onTensors(1, ([x], attributes) => {
  const axes = attributes.ints('axes') ?? [0, 2, 3]
  return div(sub(x!, mean(x!, axes, true)), add(sqrt(variance(x!, axes, { correction: 0, keepDims: true })), 1e-9))
})

/** Whether a Dropout node drops, and how often. */
function dropping(inputs: Parameters<Operator>[0], attributes: Attributes, node: ModelNode, context: Context): number {
  const ratio = node.opset >= 12 ? inputs[1] ? toNumbers(inputs[1])[0]! : 0.5 : attributes.float('ratio', 0.5)
  const file = node.opset >= 12 ? inputs[2] !== undefined && toNumbers(inputs[2])[0] !== 0 : node.opset < 7 && attributes.int('is_test', 0) === 0
  return context.training ?? file ? ratio : 0
}

const dropout: Operator = onValues(1, (inputs, attributes, node, context) => {
  const x = toTensor(inputs[0]!)
  const ratio = dropping(inputs, attributes, node, context)
  const mask = (keep: Tensor): Tensor => cast(keep, node.opset < 10 ? x.dtype : 'bool')
  if (ratio === 0) return (node.outputs[1] ?? '') === '' ? x : [x, mask(ones(x.shape, 'uint8'))]
  const keep = generatorOf(node, attributes).bernoulli(1 - ratio, x.shape)
  return [mul(select(keep, x, 0), 1 / (1 - ratio)), mask(keep)]
})

/** Normalisation and dropout by name. */
export const norm: Operators = {
  BatchNormalization: batchNormalization, InstanceNormalization: instanceNormalization, GroupNormalization: groupNormalization,
  LayerNormalization: layerNormalization, RMSNormalization: rmsNormalization, SimplifiedLayerNormalization: rmsNormalization, LRN: localResponse, LpNormalization: lpNormalization,
  MeanVarianceNormalization: meanVariance, Dropout: dropout,
}
