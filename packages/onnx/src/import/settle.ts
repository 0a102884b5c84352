// Element types that are no dtypes, around every operator: what it is given in place of them, and what its results are.

import { Tensor } from '@bp/core'
import { bounded, narrowTo } from './narrow.ts'
import { Carried, Known, Optional, Sequence, StringTensor, toNumbers, type Value } from './value.ts'

type Values = readonly (Value | undefined)[]

/** The operators whose results, by their places, do not have the type of the first operand, and the operand whose type they have: `null` for a type of their own. */
const sources: Readonly<Record<string, readonly (number | null)[]>> = {
  Shape: [null], Size: [null], ArgMax: [null], ArgMin: [null], NonZero: [null], TopK: [0, null], MaxPool: [0, null], Unique: [0, null, null, null],
  Cast: [null], CastLike: [null], BitCast: [null], Where: [1], OneHot: [2], EyeLike: [null], ConstantOfShape: [null], SequenceLength: [null], Bernoulli: [null], RandomNormalLike: [null], RandomUniformLike: [null], MelWeightMatrix: [null],
  Equal: [null], LayerNormalization: [0, null, null], BatchNormalization: [0, 3, 4, 3, 4], RMSNormalization: [1], Attention: [0, 1, 2, 0], LinearAttention: [0, 3],
  'com.microsoft:DequantizeLinear': [null], QuantizeLinear: [null], DequantizeLinear: [null], QLinearMatMul: [null], QLinearConv: [null], MatMulInteger: [null], ConvInteger: [null],
}

/** Operators that move elements and compute none, so that what they give is of the type already. They take strings too. */
const moving: ReadonlySet<string> = /* @__PURE__ */ new Set([
  'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Transpose', 'Concat', 'Split', 'Slice', 'Gather', 'GatherElements', 'GatherND', 'Expand', 'Tile', 'Pad', 'Where', 'OneHot',
  'Compress', 'ReverseSequence', 'DepthToSpace', 'SpaceToDepth', 'CenterCropPad', 'Trilu', 'Unique', 'TensorScatter', 'Identity',
  'ConcatFromSequence', 'SplitToSequence', 'SequenceEmpty', 'SequenceLength', 'Shape', 'Size', 'NonZero', 'Equal',
])

/** Operators that take strings where they do not compute with them. */
const codable = (operator: string): boolean => moving.has(operator) || operator === 'ScatterElements' || operator === 'ScatterND' || operator === 'Scatter'

/** Operators whose results are right in all bits whatever the sign of the carrier of uint64. */
const modular: ReadonlySet<string> = /* @__PURE__ */ new Set(['Add', 'Sub', 'Mul', 'Sum', 'MatMul', 'ReduceSum', 'CumSum', 'BitwiseAnd', 'BitwiseOr', 'BitwiseXor', 'BitwiseNot', 'BitShift', 'BitCast'])

/** An operator's operands, and the texts whose places stand in for them. */
export interface Prepared {
  readonly inputs: Values
  readonly texts: readonly string[] | null
}

const isText = (value: Value | undefined): boolean =>
  value instanceof StringTensor || (value instanceof Sequence && value.items.some(isText))

/**
 * The operands as an operator is to see them. To one that moves elements or compares them for equality, strings are the places that
 * they have in a sorted list of all of them, which the empty string opens: the one that such operators fill with. One that asks how
 * large numbers of uint64 are must not be given any that int64 cannot hold.
 */
export function prepare(operator: string, inputs: Values): Prepared {
  if (codable(operator) && inputs.some(isText)) {
    const texts = [...new Set(['', ...inputs.flatMap(textsIn)])].sort()
    const places = new Map(texts.map((text, i) => [text, i]))
    const code = (value: Value): Value => {
      if (value instanceof Sequence) return new Sequence(value.items.map(code))
      return value instanceof StringTensor ? new Known('int32', value.shape, Int32Array.from(value.data, text => places.get(text)!)) : value
    }
    return { inputs: inputs.map(value => value && code(value)), texts }
  }
  const exact = moving.has(operator) || modular.has(operator)
  return { inputs: exact ? inputs : inputs.map(value => value instanceof Carried && value.type === 'uint64' ? bounded(value) : value), texts: null }
}

const textsIn = (value: Value | undefined): readonly string[] => value instanceof StringTensor ? value.data : value instanceof Sequence ? value.items.flatMap(textsIn) : []

/** The value that tells the element type of another: the first that a sequence holds. */
function example(value: Value | undefined): Value | undefined {
  if (value instanceof Sequence) return example(value.items[0])
  return value instanceof Optional ? example(value.value ?? undefined) : value
}

/**
 * The results of an operator that computed on carriers, or on places in a list of texts. A result in the carrier's dtype has the
 * element type of the operand that the operator's schema names for it, the first unless the table says otherwise, and is brought into
 * it; operators that state a type themselves return a {@link Carried}, which is left as it is.
 */
export function settle(operator: string, inputs: Values, results: Values, texts: readonly string[] | null): Values {
  if (texts === null && !inputs.some(value => example(value) instanceof Carried)) return results
  return results.map((result, i) => {
    const source = sources[operator]?.[i] === null ? undefined : example(inputs[sources[operator]?.[i] ?? 0])
    return result && source ? typed(operator, source, result, texts) : result
  })
}

function typed(operator: string, source: Value, result: Value, texts: readonly string[] | null): Value {
  if (result instanceof Sequence) return new Sequence(result.items.map(item => typed(operator, source, item, texts)))
  if (!(result instanceof Tensor || result instanceof Known)) return result
  if (texts && source instanceof StringTensor) return new StringTensor(result.shape, toNumbers(result).map(place => texts[place]!))
  if (!(source instanceof Carried) || result.dtype !== source.dtype) return result
  return moving.has(operator) ? new Carried(source.type, result) : narrowTo(source.type, result)
}
