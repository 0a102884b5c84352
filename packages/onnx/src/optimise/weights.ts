// Patterns that numbers known beforehand make one: what follows a convolution or product goes into its weights.

import { sizeOf } from '@bp/core/extend'
import { attributeType, type AttributeProto, type NodeProto } from '../proto/proto.ts'
import type { Literal } from '../proto/tensor.ts'
import { type Draft, is } from './draft.ts'
import type { Pass } from './simplify.ts'

/** A node like another, with other operands, under the name of another's result. */
const like = (node: NodeProto, input: string[], output: string): NodeProto => ({ ...node, input, output: [output] })

/** A linear node whose weights can be scaled by output channel: its weight, its bias, and which axis of the weight that is. */
interface Linear {
  readonly node: NodeProto
  readonly weight: Literal
  readonly bias: Literal | null
  /** The output channel that an element of the weight belongs to. */
  readonly channelOf: (index: number) => number
  readonly channels: number
}

/** The convolution or product that makes a value for one reader alone, where its weights are known. */
function linear(draft: Draft, name: string): Linear | null {
  const node = draft.maker(name)
  if (!is(node, 'Conv', 'ConvTranspose', 'Gemm') || !draft.soleReader(name)) return null
  const weight = draft.floats(node.input![1])
  const bias = node.input![2] ? draft.floats(node.input![2]) : null
  if (!weight || (node.input![2] && bias?.dtype !== weight.dtype)) return null
  const a = draft.attributes(node)
  const [rows, columns] = weight.shape as [number, number]
  const inner = sizeOf(weight.shape.slice(1))
  if (node.opType === 'Conv') return bias && bias.shape.length !== 1 ? null : { node, weight, bias, channels: rows, channelOf: i => Math.floor(i / inner) }
  if (node.opType === 'ConvTranspose') {
    const group = a.int('group', 1)
    const rest = sizeOf(weight.shape.slice(2))
    return { node, weight, bias, channels: columns * group, channelOf: i => Math.floor(i / inner / (rows / group)) * columns + Math.floor(i / rest) % columns }
  }
  if (a.float('alpha', 1) !== 1 || a.float('beta', 1) !== 1) return null
  const across = a.int('transB', 0) === 0
  const channels = across ? columns : rows
  return bias && bias.shape.length !== 1 ? null : { node, weight, bias, channels, channelOf: i => across ? i % columns : Math.floor(i / columns) }
}

/** The linear node with y·scale + shift in its weights, under the name of `output`. */
function absorb(draft: Draft, { node, weight, bias, channelOf, channels }: Linear, scale: (channel: number) => number, shift: (channel: number) => number, output: string): NodeProto {
  const scaled = weight.data.slice()
  for (let i = 0; i < scaled.length; i++) scaled[i] = Number(weight.data[i]) * scale(channelOf(i))
  const moved = weight.data.slice(0, 0).constructor as new (length: number) => typeof weight.data
  const offset = new moved(channels)
  for (let c = 0; c < channels; c++) offset[c] = Number(bias ? bias.data[bias.data.length === 1 ? 0 : c] : 0) * scale(c) + shift(c)
  const unchanged = Array.from({ length: channels }, (_, c) => scale(c)).every(s => s === 1)
  const w = unchanged ? node.input![1]! : draft.constant(node.input![1]!, { ...weight, data: scaled })
  return like(node, [node.input![0]!, w, draft.constant(node.input![2] ?? `${node.input![1]}_bias`, { dtype: weight.dtype, shape: [channels], data: offset })], output)
}

/** Takes a batch normalisation by running statistics into the convolution or product before it. */
const batchNorm: Pass = draft => {
  let count = 0
  for (const node of [...draft.nodes]) {
    if (!is(node, 'BatchNormalization') || (node.output ?? []).slice(1).some(name => name !== '') || draft.attributes(node).int('training_mode', 0) !== 0) continue
    const before = linear(draft, node.input![0]!)
    const [gamma, beta, mean, variance] = node.input!.slice(1).map(name => draft.floats(name))
    if (!before || !gamma || !beta || !mean || !variance || gamma.data.length !== before.channels) continue
    const eps = draft.attributes(node).float('epsilon', 1e-5)
    const scale = (c: number): number => Number(gamma.data[c]) / Math.sqrt(Number(variance.data[c]) + eps)
    draft.replace([before.node, node], [absorb(draft, before, scale, c => Number(beta.data[c]) - Number(mean.data[c]) * scale(c), node.output![0]!)])
    count++
  }
  return count
}

/** A constant operand with one number for each channel, or one for all; `null` for any other. */
function perChannel(draft: Draft, name: string, { node, channels }: Linear): ((channel: number) => number) | null {
  const literal = draft.floats(name)
  if (!literal) return null
  const spatial = node.opType === 'Gemm' ? 0 : draft.floats(node.input![1])!.shape.length - 2
  const { shape, data } = literal
  if (data.length === 1 && shape.length <= spatial + 2) return () => Number(data[0])
  const at = shape.length - 1 - spatial
  const fits = data.length === channels && at >= 0 && at <= 1 && shape[at] === channels
  return fits ? c => Number(data[c]) : null
}

/** Takes a sum or product with one constant a channel into the convolution or product before it. */
const channelwise: Pass = draft => {
  let count = 0
  for (const node of [...draft.nodes]) {
    if (!is(node, 'Add', 'Sub', 'Mul', 'Div') || node.input!.length !== 2) continue
    const side = draft.isConstant(node.input![1]!) ? 0 : node.opType === 'Add' || node.opType === 'Mul' ? 1 : -1
    const before = side < 0 ? null : linear(draft, node.input![side]!)
    const numbers = before && perChannel(draft, node.input![1 - side]!, before)
    if (!before || !numbers) continue
    const scale = node.opType === 'Mul' ? numbers : node.opType === 'Div' ? (c: number) => 1 / numbers(c) : () => 1
    const shift = node.opType === 'Add' ? numbers : node.opType === 'Sub' ? (c: number) => -numbers(c) : () => 0
    draft.replace([before.node, node], [absorb(draft, before, scale, shift, node.output![0]!)])
    count++
  }
  return count
}

/** A product of matrices and the sum with a vector after it as a Gemm. */
const gemm: Pass = draft => {
  let count = 0
  for (const node of [...draft.nodes]) {
    if (!is(node, 'Add') || node.input!.length !== 2) continue
    const side = draft.isConstant(node.input![1]!) ? 0 : 1
    const product = draft.maker(node.input![side])
    const [weight, bias] = [draft.floats(product?.input?.[1]), draft.floats(node.input![1 - side])]
    if (!is(product, 'MatMul') || !draft.soleReader(node.input![side]!) || draft.ranks.get(product.input![0]!) !== 2 || weight?.shape.length !== 2) continue
    if (bias?.shape.length !== 1 || bias.dtype !== weight.dtype || ![1, weight.shape[1]].includes(bias.shape[0])) continue
    draft.replace([product, node], [{ name: product.name ?? '', opType: 'Gemm', input: [...product.input!, node.input![1 - side]!], output: node.output! }])
    count++
  }
  return count
}

/** Zeros around an image taken into the padding of the convolution that reads it. */
const padding: Pass = draft => {
  let count = 0
  for (const node of [...draft.nodes]) {
    const pad = draft.maker(node.input?.[0])
    if (!is(node, 'Conv') || !is(pad, 'Pad') || !draft.soleReader(node.input![0]!)) continue
    const [a, own] = [draft.attributes(pad), draft.attributes(node)]
    const pads = pad.input![1] ? draft.literal(pad.input![1])?.data : a.ints('pads')
    const value = pad.input![2] ? draft.number(pad.input![2]) : a.float('value', 0)
    if (!pads || pad.input![3] || value !== 0 || a.string('mode', 'constant') !== 'constant' || own.string('auto_pad', 'NOTSET') !== 'NOTSET') continue
    const widths = Array.from<number | bigint, number>(pads, Number)
    const rank = widths.length / 2
    if (widths.some(n => n < 0) || [0, 1, rank, rank + 1].some(i => widths[i] !== 0)) continue
    const spatial = [...widths.slice(2, rank), ...widths.slice(rank + 2)]
    const before = own.ints('pads') ?? spatial.map(() => 0)
    const around: AttributeProto = { name: 'pads', type: attributeType('INTS'), ints: spatial.map((n, i) => n + before[i]!) }
    draft.replace([pad, node], [{ ...node, input: [pad.input![0]!, ...node.input!.slice(1)], attribute: [...(node.attribute ?? []).filter(({ name }) => name !== 'pads'), around] }])
    count++
  }
  return count
}

/** The patterns by what a report calls them. */
export const intoWeights: Readonly<Record<string, Pass>> = {
  'normalisation into weights': batchNorm, 'constant into weights': channelwise, 'bias into Gemm': gemm, 'padding into Conv': padding,
}
