// Emitters of elementwise ops and contractions.

import type { DType } from '@bp/core'
import { fail } from '@bp/core/extend'
import type { ConvGeometry, ConvInputParams, ConvWeightParams, DotParams, PoolGeometry } from '@bp/ops/extend'
import { convSize } from '@bp/ops/extend'
import type { NarrowParams } from '../import/narrow.ts'
import type { BitFunction } from '../operators/bitwise.ts'
import { carrierOf, codeOf } from '../proto/elementType.ts'
import type { Builder } from './builder.ts'
import { type Emission, type Emitter, type Emitters, everyParams, fixedParams, fixedSizes, pads } from './emit.ts'
import type { Size } from './sizes.ts'

const same = (operator: string): Emitter => (b, e) => b.add(operator, e.inputs)

/** Arithmetic; on bytes only from operator set 14 on, before that on int32. */
const arithmetic = (operator: string): Emitter => (b, e) => {
  const { dtype } = e.ys[0]!
  if (dtype !== 'uint8' || b.opset >= 14) return b.add(operator, e.inputs)
  return b.cast(b.add(operator, e.inputs.map(x => b.cast(x, dtype, 'int32'))), 'int32', dtype)
}

/** a + b; of 0 + b and of (a − b) + b in whole numbers only b and a are left. */
function add(b: Builder, e: Emission): string | string[] | null {
  const [y] = e.ys as [Emission['ys'][number]]
  for (const [i, other] of [[0, 1], [1, 0]] as const) {
    const [x, z] = [e.inputs[i]!, e.inputs[other]!]
    if (b.origins.zeros.has(x) && b.origins.hasSizes(z, y.sizes)) return z
    const difference = y.dtype.startsWith('int') ? b.operandsOf(x, 'Sub') : null
    if (difference?.[1] === z && b.origins.hasSizes(difference[0]!, y.sizes)) return difference[0]!
  }
  return arithmetic('Add')(b, e)
}

/** x = x, which is false of NaN alone. */
const equal: Emitter = (b, e) => e.inputs[0] === e.inputs[1] && e.xs[0]!.dtype.startsWith('float') ? b.add('Not', [b.add('IsNaN', [e.inputs[0]!])]) : b.add('Equal', e.inputs)

/** A choice. An index that has been counted from the end already, where it was negative, is left as it is. */
function select(b: Builder, e: Emission): string {
  const fromEnd = (condition: string, moved: string, x: string): string | null => {
    const [less, add] = [b.operandsOf(condition, 'Less'), b.operandsOf(moved, 'Add')]
    return less?.[0] === x && add?.[0] === x ? `${less[1]} ${add[1]}` : null
  }
  const [condition, moved, x] = e.inputs as [string, string, string]
  const inner = b.operandsOf(b.origins.unshaped(x, []).x, 'Where') as [string, string, string] | null
  const way = fromEnd(condition, moved, x)
  return inner && way !== null && fromEnd(...inner) === way ? x : b.add('Where', e.inputs)
}

/** eˣ − 1 = tanh(x/2)·(eˣ + 1), which is exact near 0 where eˣ − 1 is not. */
function expm1(b: Builder, e: Emission): string {
  const { dtype } = e.xs[0]!
  const x = e.inputs[0]!
  const t = b.add('Tanh', [b.add('Mul', [x, b.scalar(0.5, dtype)])])
  return b.add('Mul', [t, b.add('Add', [b.add('Exp', [x]), b.scalar(1, dtype)])])
}

/** log(1 + x) = x·log u/(u − 1) with u = 1 + x rounded, and x where u = 1 (Kahan; Higham 2002, "Accuracy and Stability", §1.14). */
function log1p(b: Builder, e: Emission): string {
  const { dtype } = e.xs[0]!
  const x = e.inputs[0]!
  const one = b.scalar(1, dtype)
  const u = b.add('Add', [x, one])
  const small = b.add('Equal', [u, one])
  const log = b.add('Log', [u])
  const scale = b.add('Where', [small, one, b.add('Sub', [u, one])])
  const exact = b.add('Where', [small, x, b.add('Mul', [x, b.add('Div', [log, scale])])])
  return b.add('Where', [b.add('Equal', [u, x]), log, exact])
}

/** sin(πx)/(πx), 1 at 0; its derivatives have no counterpart. */
const sinc: Emitter = (b, e) => {
  if (fixedParams<{ readonly order: number }>(e).order > 0) return null
  const { dtype } = e.xs[0]!
  const z = b.add('Mul', [e.inputs[0]!, b.scalar(Math.PI, dtype)])
  const zero = b.add('Equal', [z, b.scalar(0, dtype)])
  const one = b.scalar(1, dtype)
  return b.add('Where', [zero, one, b.add('Div', [b.add('Sin', [z]), b.add('Where', [zero, one, z])])])
}

/** A·B with either read transposed. */
function dot(b: Builder, e: Emission): string {
  const { ta, tb } = fixedParams<DotParams>(e)
  const rank = e.xs[0]!.sizes.length
  if (rank === 2 && (ta || tb) && e.xs[0]!.dtype.startsWith('float')) return b.add('Gemm', e.inputs, { transA: Number(ta), transB: Number(tb) })
  const perm = Array.from({ length: rank }, (_, i) => i < rank - 2 ? i : 2 * rank - 3 - i)
  const turned = (x: string, on: boolean): string => on ? b.add('Transpose', [x], { perm }) : x
  return b.add('MatMul', [turned(e.inputs[0]!, ta), turned(e.inputs[1]!, tb)])
}

/** The attributes of a convolution. */
export const convAttributes = (p: ConvGeometry, kernel: readonly number[]): Record<string, readonly number[] | number> =>
  ({ dilations: p.dilation, group: p.groups, kernel_shape: kernel, pads: pads(p.padding), strides: p.stride })

const conv: Emitter = (b, e) => b.add('Conv', e.inputs, convAttributes(fixedParams<ConvGeometry>(e), fixedSizes(e, e.xs[1]!.sizes.slice(2))))

const convInput: Emitter = (b, e) => {
  const all = everyParams<ConvInputParams>(e)
  const [p] = all as [ConvInputParams]
  const kernel = fixedSizes(e, e.xs[1]!.sizes.slice(2))
  const least = (size: number, i: number): number => (size - 1) * p.stride[i]! - p.padding[i]![0] - p.padding[i]![1] + p.dilation[i]! * (kernel[i]! - 1) + 1
  const extra = fixedSizes(e, e.xs[0]!.sizes.slice(2).map((size, i) => size.map((n, point) => all[point]!.size[i]! - least(n, i))))
  return b.add('ConvTranspose', e.inputs, { ...convAttributes(p, kernel), ...extra.every(n => n === 0) ? {} : { output_padding: extra } })
}

/**
 * The correlation of x: [n, c, …] with y: [n, o, …] as a convolution in which channels are the batch: x turned to
 * [c, n, …], y to [o, n, …] as its kernel, stride and dilation exchanged; groups beside each other in the channels.
 */
const convWeight: Emitter = (b, e) => {
  const p = fixedParams<ConvWeightParams>(e)
  const [x, y] = e.xs as [Emission['xs'][number], Emission['xs'][number]]
  const [n, channels, ...open] = x.sizes as [Size, Size, ...Size[]]
  const [c, ...spatial] = fixedSizes(e, [channels, ...open]) as [number, ...number[]]
  const places = fixedSizes(e, y.sizes.slice(2))
  const g = p.groups
  const axes = spatial.map((_, i) => i)
  const fixed = (...sizes: number[]): Size[] => sizes.map(size => b.dims.open.fixed(size))
  const grouped = b.add('Transpose', [b.add('Reshape', [e.inputs[0]!, b.dims.list([n, ...fixed(g, c / g, ...spatial)], e.where)])], { perm: [2, 1, 0, ...axes.map(i => i + 3)] })
  const kernel = b.add('Transpose', [e.inputs[1]!], { perm: [1, 0, ...axes.map(i => i + 2)] })
  const geometry: ConvGeometry = { stride: p.dilation, dilation: p.stride, padding: p.padding, groups: g }
  const full = b.add('Conv', [b.add('Reshape', [grouped, b.dims.list([...fixed(c / g), n.map(size => g * size), ...fixed(...spatial)], e.where)]), kernel], convAttributes(geometry, places))
  const sizes = spatial.map((size, i) => convSize(size, places[i]!, p.dilation[i]!, p.padding[i]!, p.stride[i]!))
  const turned = b.add('Transpose', [full], { perm: [1, 0, ...axes.map(i => i + 2)] })
  if (sizes.every((size, i) => size === p.kernel[i])) return turned
  return b.add('Slice', [turned, b.list(axes.map(() => 0)), b.list(p.kernel), b.list(axes.map(i => i + 2))])
}

/** MaxPool's attributes. */
export const poolAttributes = (p: PoolGeometry): Record<string, readonly number[]> =>
  ({ kernel_shape: p.kernel, pads: pads(p.padding), strides: p.stride, ...p.dilation.every(n => n === 1) ? {} : { dilations: p.dilation } })

const bitwise: Readonly<Partial<Record<BitFunction, string>>> = { and: 'BitwiseAnd', or: 'BitwiseOr', xor: 'BitwiseXor' }

/** Functions of bit patterns; shifts are of unsigned numbers in ONNX, so that those that keep the sign have no counterpart. */
function bits(b: Builder, e: Emission): string {
  const { f } = fixedParams<{ readonly f: BitFunction }>(e)
  const operator = bitwise[f]
  if (operator) return b.opset >= 18 ? b.add(operator, e.inputs) : fail('value', 'exportOnnx', `${e.where} is ${operator}, which operator set ${b.opset} has not. Export with opset 18 or later`)
  if (f === 'right') return fail('value', 'exportOnnx', `${e.where} shifts signed numbers to the right, which ONNX has no operator for. Divide by a power of two`)
  const { dtype } = e.ys[0]!
  const unsigned = codeOf(dtype === 'int32' ? 'uint32' : dtype === 'int64' ? 'uint64' : dtype)
  const shifted = b.add('BitShift', e.inputs.map(x => b.add('Cast', [x], { to: unsigned })), { direction: f === 'left' ? 'LEFT' : 'RIGHT' })
  return b.add('Cast', [shifted], { to: codeOf(dtype) })
}

/** Elementwise ops and contractions. */
export const maps: Emitters = {
  add, sub: arithmetic('Sub'), mul: arithmetic('Mul'), div: arithmetic('Div'), pow: same('Pow'), maximum: same('Max'), minimum: same('Min'),
  neg: same('Neg'), abs: same('Abs'), sign: same('Sign'), floor: same('Floor'), round: same('Round'),
  exp: same('Exp'), log: same('Log'), sqrt: same('Sqrt'), tanh: same('Tanh'), sigmoid: same('Sigmoid'), erf: same('Erf'), relu: same('Relu'), expm1, log1p,
  sin: same('Sin'), cos: same('Cos'), tan: same('Tan'), asin: same('Asin'), acos: same('Acos'), atan: same('Atan'),
  equal, less: same('Less'), lessEqual: same('LessOrEqual'),
  logicalNot: (b, e) => b.operandsOf(e.inputs[0]!, 'Not')?.[0] ?? b.add('Not', e.inputs),
  logicalAnd: same('And'), logicalOr: same('Or'), select,
  cast: (b, e) => b.cast(e.inputs[0]!, e.xs[0]!.dtype, fixedParams<{ readonly dtype: DType }>(e).dtype),
  dot, conv, convInput, convWeight, sinc, det: same('Det'),
  erfc: (b, e) => b.add('Sub', [b.scalar(1, e.xs[0]!.dtype), b.add('Erf', e.inputs)]),
  poolArgMax: (b, e) => b.cast(b.addMany('MaxPool', e.inputs, 2, poolAttributes(fixedParams<PoolGeometry>(e)))[1]!, 'int64', 'int32'),
  'onnx/narrow': (b, e) => {
    const { type, rounding } = fixedParams<NarrowParams>(e)
    const least = type.startsWith('float8e8') ? 24 : type.startsWith('float8') ? 19 : type.endsWith('int2') ? 25 : type.endsWith('int4') ? 21 : type.startsWith('float4') ? 23 : 13
    if (b.opset < least) fail('value', 'exportOnnx', `${e.where} rounds to ${type}, which operator set ${b.opset} has not. Export with opset ${least} or later`)
    const attributes = type.startsWith('float8') ? { saturate: Number(rounding.saturate), ...type === 'float8e8m0' ? { round_mode: rounding.round } : {} } : {}
    return b.add('Cast', [b.add('Cast', e.inputs, { to: codeOf(type), ...attributes })], { to: codeOf(carrierOf(type)) })
  },
  'onnx/bits': bits,
  'onnx/bounded': (_b, e) => e.inputs[0]!,
}
