// Which of a file's numbers are learned: parameters and buffers, told from literals and settings.

import { Variable } from '@bp/core'
import { isFloat } from '@bp/core/extend'
import { Parameter } from '@bp/nn'
import type { Literal, Stored } from '../proto/tensor.ts'
import { type Callees, everyNode } from './functions.ts'
import type { LoadedFunction, ModelNode } from './load.ts'
import { fromLiteral } from './module.ts'
import { StringTensor } from './value.ts'

/** A node that reads a value, and at which of its inputs. */
interface Reader {
  readonly operator: string
  readonly input: number
}

/** Who reads each value. */
export type Readers = ReadonlyMap<string, readonly Reader[]>

/** What of a file tells the purpose of a number in one of its graphs. */
export interface Place {
  /** Of the graph's nodes, and of those in graphs inside them. */
  readonly readers: Readers
  /** The program that wrote the file. */
  readonly producer: string
  /** Whether the graph stands in a node. */
  readonly nested: boolean
}

/** The readers among the nodes given and those inside them, and in the functions that these call: no other node of the file could be one. */
export function readersOf(nodes: readonly ModelNode[], callees: Callees, known = new Map<LoadedFunction, Readers>()): Readers {
  const out = new Map<string, Reader[]>()
  const add = (name: string, readers: readonly Reader[]): void => {
    const before = out.get(name)
    if (before) before.push(...readers)
    else out.set(name, [...readers])
  }
  for (const node of everyNode(nodes)) {
    const f = callees(node)
    const inner = f && (known.get(f) ?? readersOf(f.nodes, callees, known))
    if (f) known.set(f, inner!)
    node.inputs.forEach((name, input) => { add(name, inner ? inner.get(f.inputs[input]!) ?? [] : [{ operator: node.operator, input }]) })
  }
  return out
}

/** Inputs that tell an operator what to do rather than what to compute with. */
const settings: Table = {
  Resize: [1, 2], Upsample: [1], Dropout: [1, 2], Range: [0, 1, 2], Pad: [2], OneHot: [2], Clip: [1, 2], NonMaxSuppression: [3, 4], MelWeightMatrix: [3, 4], RotaryEmbedding: [1, 2],
  QuantizeLinear: [1], DequantizeLinear: [1], QLinearConv: [1, 4, 6], QLinearMatMul: [1, 4, 6],
  'com.microsoft:QuantizeLinear': [1], 'com.microsoft:QLinearAdd': [1, 4, 6], 'com.microsoft:QLinearMul': [1, 4, 6], 'com.microsoft:QGemm': [1, 4, 7],
}

/** Inputs where operators keep what they have learned. */
const learned: Table = {
  Conv: [1, 2], ConvTranspose: [1, 2], Gemm: [0, 1, 2], MatMul: [0, 1], LSTM: [1, 2, 3, 7], GRU: [1, 2, 3], RNN: [1, 2, 3], PRelu: [1], Gather: [0],
  BatchNormalization: [1, 2, 3, 4], InstanceNormalization: [1, 2], GroupNormalization: [1, 2], LayerNormalization: [1, 2], RMSNormalization: [1],
}

type Table = Readonly<Record<string, readonly number[]>>

/** Whether any node reads a value at one of the places that a table names for its operator. */
const readAt = (name: string, table: Table, readers: Readers): boolean =>
  readers.get(name)?.some(({ operator, input }) => Object.hasOwn(table, operator) && table[operator]!.includes(input)) ?? false

/** Running statistics. */
const statistics: Table = { BatchNormalization: [3, 4] }

/** The largest ε of a normalisation or quotient; layers of PyTorch and Keras have 1e-3 to 1e-12. */
const largestEpsilon = 1e-3

/** Operators through which nothing is learned. */
const comparisons = ['Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual']

/** Whether a number without axes is a constant of a formula: an exponent, a bound that something is compared with, or a small ε that is only added. */
function isFormula(name: string, { shape, data }: Literal, readers: Readers): boolean {
  const own = readers.get(name) ?? []
  if (shape.length > 0 || own.length === 0) return false
  if (own.some(({ operator }) => comparisons.includes(operator))) return true
  if (own.every(({ operator, input }) => operator === 'Pow' && input === 1)) return true
  return data[0]! > 0 && data[0]! <= largestEpsilon && own.every(({ operator }) => operator === 'Add' || operator === 'Max')
}

/**
 * Whether PyTorch's exporter, since 2.5, has made up a name. An initialiser of such a name holds what the exporter computed
 * before: where all its numbers are equal, a literal or a fill of the program; else weights that it has turned or joined,
 * which are to be trained.
 */
const isMadeUp = (name: string, producer: string): boolean => producer === 'pytorch' && /^(val|tmp|scalar_tensor_default|(new_)?(zeros|ones|full)(_like)?|\w+_cast)(_\d+)?$/.test(name)

/** Whether PyTorch's exporter has named an initialiser after a function whose values are tables of positions or masks, which it computed before. */
const isTable = (name: string, producer: string): boolean => producer === 'pytorch' && /^(cos|sin|triu|tril|arange|linspace|eye)(_\d+)?$/.test(name)

const isUniform = ({ data }: Literal): boolean => data.every((value: number | bigint) => value === data[0])

/** The name of a literal in a program of PyTorch's older exporter, which other tools keep when they join files. */
const isLiteralName = (name: string): boolean => /(^|\/)Constant(_\d+)?_output_\d+$|^onnx::/.test(name)

/**
 * Whether an initialiser, or the tensor of a Constant node, is learned. Floats are, but for
 * - those of 8 and 4 bits, which are codes of a quantised tensor;
 * - settings of operators, exponents, bounds in comparisons, and ε;
 * - literals, tables of positions and masks of programs of PyTorch, by their names;
 * - numbers without axes in Constant nodes, and in graphs inside nodes;
 * - in graphs inside the nodes of PyTorch's files, which hold the literals of the program, all that stands at no place where an operator keeps weights.
 */
function isLearned(name: string, literal: Literal, constant: boolean, { readers, producer, nested }: Place): boolean {
  if (!isFloat(literal.dtype) || (literal.type ?? 'bfloat16') !== 'bfloat16' || readAt(name, settings, readers) || isFormula(name, literal, readers)) return false
  if ((constant || nested) && literal.shape.length === 0) return false
  if (isTable(name, producer)) return false
  if (isMadeUp(name, producer) && (constant || isUniform(literal))) return false
  if (constant && isLiteralName(name)) return false
  return !nested || producer !== 'pytorch' || readAt(name, learned, readers)
}

/** What an initialiser, or the tensor of a Constant node, becomes: a parameter, a buffer if it is a running statistic, or `null`: a constant. */
export function variableOf(name: string, literal: Stored, constant: boolean, place: Place): Variable | null {
  if (literal instanceof StringTensor || !isLearned(name, literal, constant, place)) return null
  return readAt(name, statistics, place.readers) ? new Variable(fromLiteral(literal)) : new Parameter(fromLiteral(literal))
}
