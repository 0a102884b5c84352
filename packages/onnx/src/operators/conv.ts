// Convolution and pooling: Conv, ConvTranspose, MaxPool, AveragePool, LpPool and their global forms.

import { add, type Tensor } from '@bp/core'
import { describe, fail, sizeOf } from '@bp/core/extend'
import { abs, amax, avgPool, cast, convolve, convTranspose, div, maxPool, maxPoolWithIndices, mean, mul, pad, pow, remainder, sub, vectorNorm } from '@bp/ops'
import { planeStarts } from '@bp/ops/extend'
import type { Attributes } from '../import/attributes.ts'
import type { ModelNode } from '../import/load.ts'
import { windowPadding } from './geometry.ts'
import { only, onTensors, type Operator, type Operators, perAxis } from './operator.ts'

interface Windows {
  readonly kernel: readonly number[]
  readonly stride: readonly number[]
  readonly dilation: readonly number[]
  readonly padding: readonly [number, number][]
}

/** The windows that a node's attributes describe, over the spatial axes of x: [n, c, …]. */
function windowsOf(x: Tensor, kernel: readonly number[], attributes: Attributes, node: ModelNode): Windows {
  const spatial = x.shape.slice(2)
  if (spatial.length < 1) fail('shape', node.operator, `needs [n, c, …] with at least one spatial axis, got ${describe(x)}`)
  const ones = spatial.map(() => 1)
  const list = (name: string): readonly number[] => perAxis(node, name, attributes.ints(name) ?? ones, spatial.length, x)
  perAxis(node, 'kernel_shape', kernel, spatial.length, x)
  const stride = list('strides')
  const dilation = list('dilations')
  return { kernel, stride, dilation, padding: windowPadding(spatial, kernel, stride, dilation, attributes, node) }
}

const kernelShape = (attributes: Attributes, node: ModelNode): number[] =>
  attributes.ints('kernel_shape') ?? fail('data', node.operator, 'it has no kernel_shape. The file is damaged')

/** The convolution that a node's attributes describe. */
export function convolved(x: Tensor, w: Tensor, bias: Tensor | undefined, attributes: Attributes, node: ModelNode): Tensor {
  const { stride, dilation, padding } = windowsOf(x, w.shape.slice(2), attributes, node)
  return convolve(crop(x, padding), w, { bias, stride, dilation, padding: atLeastZero(padding), groups: attributes.int('group', 1) })
}

/** Negative padding removes elements. */
const crop = (x: Tensor, padding: readonly [number, number][]): Tensor =>
  padding.flat().every(n => n >= 0) ? x : pad(x, [[0, 0], [0, 0], ...padding.map(([low, high]): [number, number] => [Math.min(0, low), Math.min(0, high)])])

const atLeastZero = (padding: readonly [number, number][]): [number, number][] => padding.map(([low, high]) => [Math.max(0, low), Math.max(0, high)])

const transposed: Operator = onTensors(2, ([x, w, bias], attributes, node) => {
  const kernel = w!.shape.slice(2)
  const spatial = x!.shape.slice(2)
  const ones = spatial.map(() => 1)
  const stride = perAxis(node, 'strides', attributes.ints('strides') ?? ones, spatial.length, x!)
  const dilation = perAxis(node, 'dilations', attributes.ints('dilations') ?? ones, spatial.length, x!)
  const extra = perAxis(node, 'output_padding', attributes.ints('output_padding') ?? ones.map(() => 0), spatial.length, x!)
  const full = spatial.map((n, i) => (n - 1) * stride[i]! + (kernel[i]! - 1) * dilation[i]! + 1)
  const wanted = wantedSizes(spatial, stride, attributes)
  const groups = attributes.int('group', 1)
  if (wanted) {
    const upper = attributes.string('auto_pad', 'NOTSET') === 'SAME_UPPER'
    return fit(convTranspose(x!, w!, { bias, stride, dilation, outputPadding: extra, groups }), wanted, upper)
  }
  const padding = windowPadding(spatial, kernel, stride, dilation, attributes, node)
  if (full.every((n, i) => n + extra[i]! > padding[i]![0] + padding[i]![1])) return convTranspose(x!, w!, { bias, stride, dilation, padding, outputPadding: extra, groups })
  return fail('shape', node.operator, `the padding removes all of the result of ${describe(x!)} and ${describe(w!)}`)
})

/** The spatial sizes that `output_shape` or `auto_pad` ask of ConvTranspose. */
function wantedSizes(spatial: readonly number[], stride: readonly number[], attributes: Attributes): number[] | null {
  const given = attributes.ints('output_shape')
  if (given) return given.slice(-spatial.length)
  return attributes.string('auto_pad', 'NOTSET').startsWith('SAME') ? spatial.map((n, i) => n * stride[i]!) : null
}

/** Crops spatial axes to sizes, the odd element at the end where `upper`, else at the start; what is missing are zeros at the end. */
function fit(y: Tensor, sizes: readonly number[], upper: boolean): Tensor {
  const widths = sizes.map((size, i): [number, number] => {
    const total = y.shape[i + 2]! - size
    if (total < 0) return [0, -total]
    const half = Math.floor(total / 2)
    return upper ? [-half, half - total] : [half - total, -half]
  })
  return pad(y, [[0, 0], [0, 0], ...widths])
}

const largest: Operator = onTensors(1, ([x], attributes, node) => {
  const windows = windowsOf(x!, kernelShape(attributes, node), attributes, node)
  const ceilMode = attributes.int('ceil_mode', 0) !== 0
  const computed = x!.dtype === 'float32' || x!.dtype === 'float64' ? x! : cast(x!, x!.dtype === 'float16' ? 'float32' : 'float64')
  if ((node.outputs[1] ?? '') === '') return cast(maxPool(computed, { ...windows, ceilMode }), x!.dtype)
  const order = attributes.int('storage_order', 0)
  only(node, 'storage_order', order, 0, 1)
  const [values, places] = maxPoolWithIndices(computed, { ...windows, ceilMode })
  const spatial = x!.shape.slice(2)
  return [cast(values, x!.dtype), cast(add(order === 0 ? places : columnMajor(places, spatial), planeStarts(places, sizeOf(spatial))), 'int64')]
})

/** Places counted along the last axis first, counted along the first axis first. */
function columnMajor(places: Tensor, sizes: readonly number[]): Tensor {
  let rest = places
  let stride = sizeOf(sizes)
  return sizes.toReversed().map(size => {
    const coordinate = remainder(rest, size)
    rest = div(sub(rest, coordinate), size)
    stride /= size
    return mul(coordinate, stride)
  }).reduce((a, b) => add(a, b))
}

/** The means over the windows that a node's attributes describe. */
export function averaged(x: Tensor, attributes: Attributes, node: ModelNode): Tensor {
  const windows = windowsOf(x, kernelShape(attributes, node), attributes, node)
  return avgPool(x, { ...windows, ceilMode: attributes.int('ceil_mode', 0) !== 0, countIncludePad: attributes.int('count_include_pad', 0) !== 0 })
}

/** (Σ |x|ᵖ)^(1/p) over each window. */
const lpPool: Operator = onTensors(1, ([x], attributes, node) => {
  const windows = windowsOf(x!, kernelShape(attributes, node), attributes, node)
  const p = attributes.int('p', 2)
  const sums = avgPool(pow(abs(x!), p), { ...windows, ceilMode: attributes.int('ceil_mode', 0) !== 0, divisorOverride: 1 })
  return pow(sums, 1 / p)
})

const overSpace = (f: (x: Tensor, axes: readonly number[], keepDims: boolean) => Tensor): Operator =>
  onTensors(1, ([x]) => f(x!, x!.shape.flatMap((_, i) => i < 2 ? [] : i), true))

const globalLp: Operator = onTensors(1, ([x], attributes) => vectorNorm(x!, { p: attributes.int('p', 2), axes: x!.shape.flatMap((_, i) => i < 2 ? [] : i), keepDims: true }))

/** Convolution and pooling by name. */
export const conv: Operators = {
  Conv: onTensors(2, ([x, w, bias], attributes, node) => convolved(x!, w!, bias, attributes, node)),
  ConvTranspose: transposed, MaxPool: largest, AveragePool: onTensors(1, ([x], attributes, node) => averaged(x!, attributes, node)), LpPool: lpPool,
  GlobalLpPool: globalLp, GlobalMaxPool: overSpace(amax), GlobalAveragePool: overSpace(mean),
}
