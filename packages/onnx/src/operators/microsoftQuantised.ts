// Quantised operators of onnxruntime's own domain: codes in, floats between, codes out, and products with packed weights.

import { add, mul, type Tensor } from '@bp/core'
import { describe, fail, normaliseAxis } from '@bp/core/extend'
import { cast, concat, div, leakyRelu, matmul, matmulTransposed, matrixTranspose, mean, narrow, reshape, select, sigmoid, softmax, sub, transpose } from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import type { ModelNode } from '../import/load.ts'
import { elementTypeOf, Known, toNumbers, toTensor, type Value } from '../import/value.ts'
import { averaged } from './conv.ts'
import { onValues, type Operator, type Operators } from './operator.ts'
import { codeOf, codes, dynamically, quantisation, quantise } from './quantise.ts'
import { product, single } from './quantised.ts'

type Inputs = readonly (Value | undefined)[]

const given = (value: Value | undefined, node: ModelNode): Value => value ?? fail('data', node.operator, 'an input is missing. The file is damaged')

/** The number that inputs hold from a place on: codes, their scale and their zero point. */
function floats(inputs: Inputs, at: number, node: ModelNode): Tensor {
  const [value, scale, zero] = [given(inputs[at], node), toTensor(given(inputs[at + 1], node)), inputs[at + 2]]
  return mul(zero ? sub(codes(value), cast(single(toTensor(zero)), 'float32')) : codes(value), single(scale))
}

/** Numbers as codes of the type of others, by the scale and the zero point that inputs hold from a place on. */
function coded(y: Tensor, inputs: Inputs, at: number, like: Value, node: ModelNode): Value {
  const zero = inputs[at + 1]
  return quantise(div(y, single(toTensor(given(inputs[at], node)))), zero && single(toTensor(zero)), codeOf(node, elementTypeOf(zero ?? like)))
}

/** A function of one tensor of codes: the code, its scale and zero point, and those of the result. */
const unary = (f: (x: Tensor, attributes: Attributes, node: ModelNode) => Tensor): Operator => onValues(1, (inputs, attributes, node) =>
  coded(f(floats(inputs, 0, node), attributes, node), inputs, 3, inputs[0]!, node))

const binary = (f: (a: Tensor, b: Tensor) => Tensor): Operator => onValues(1, (inputs, _attributes, node) =>
  coded(f(floats(inputs, 0, node), floats(inputs, 3, node)), inputs, 6, inputs[0]!, node))

/** f over space, where channels come second or last. */
const overChannels = (f: (x: Tensor, attributes: Attributes, node: ModelNode) => Tensor): Operator => unary((x, attributes, node) => {
  if (attributes.int('channels_last', 0) === 0) return f(x, attributes, node)
  const axes = x.shape.map((_, i) => i)
  return transpose(f(transpose(x, [0, x.rank - 1, ...axes.slice(1, -1)]), attributes, node), [0, ...axes.slice(2), 1])
})

/** Softmax along one axis, or before version 13 of that operator along all from it on. */
function shares(x: Tensor, attributes: Attributes, node: ModelNode): Tensor {
  const axis = normaliseAxis(node.operator, attributes.int('axis', -1), x.rank)
  if (attributes.int('opset', 13) >= 13) return softmax(x, axis)
  const rows = x.shape.slice(0, axis).reduce((a, b) => a * b, 1)
  return reshape(softmax(reshape(x, [rows, x.size / Math.max(1, rows)]), 1), x.shape)
}

/** Scale and zero point of the result, then each operand with its own. */
const concatenated: Operator = onValues(5, (inputs, attributes, node) => {
  const parts = Array.from({ length: (inputs.length - 2) / 3 }, (_, i) => floats(inputs, 2 + 3 * i, node))
  return coded(concat(parts, normaliseAxis(node.operator, attributes.int('axis', 0), parts[0]!.rank)), inputs, 0, inputs[2]!, node)
})

/** α·A·B + C of codes, where C stands in steps of the product's scale; codes again if the result has a scale, else floats. */
const qGemm: Operator = onValues(6, (inputs, attributes, node) => {
  const read = (x: Tensor, name: string): Tensor => attributes.int(name, 0) === 0 ? x : matrixTranspose(x)
  const [a, b] = [read(floats(inputs, 0, node), 'transA'), read(floats(inputs, 3, node), 'transB')]
  const step = mul(mul(single(toTensor(inputs[1]!)), single(toTensor(inputs[4]!))), attributes.float('alpha', 1))
  const plain = mul(matmul(a, b), attributes.float('alpha', 1))
  const y = inputs[6] ? add(plain, mul(cast(toTensor(inputs[6]), 'float32'), step)) : plain
  return inputs[7] ? coded(y, inputs, 7, inputs[0]!, node) : y
})

const whereOf: Operator = onValues(7, (inputs, _attributes, node) =>
  coded(select(toTensor(inputs[0]!), floats(inputs, 1, node), floats(inputs, 4, node)), inputs, 7, inputs[1]!, node))

/** A·B of codes as floats. */
const toFloats: Operator = onValues(4, ([a, b, scaleA, scaleB, zeroA, zeroB, bias], _attributes, node) => {
  const sums = product(given(a, node), given(b, node), zeroA && toTensor(zeroA), zeroB && toTensor(zeroB))
  const y = mul(cast(sums, 'float32'), mul(single(toTensor(scaleA!)), single(toTensor(scaleB!))))
  return bias ? add(y, toTensor(bias)) : y
})

/** A·B of floats and codes, where A is quantised by what it is. */
const dynamicProduct: Operator = onValues(3, ([a, b, scaleB, zeroB, bias]) => {
  const { code, scale, zero } = dynamically(toTensor(a!))
  const y = mul(cast(product(code, b!, zero, zeroB && toTensor(zeroB)), 'float32'), mul(scale, single(toTensor(scaleB!))))
  return bias ? add(y, toTensor(bias)) : y
})

/* Unpacked once for each weight. */
const unpackedCodes = /* @__PURE__ */ new WeakMap<Value, Known>()

/** Whole numbers of 2, 4 or 8 bits that bytes hold, the first in the lowest bits, as many more along the last axis. */
function unpacked(value: Value, bits: number): Known {
  const known = unpackedCodes.get(value)
  if (known) return known
  const per = 8 / bits
  const bytes = toNumbers(value)
  const out = new Uint8Array(bytes.length * per)
  for (let i = 0; i < out.length; i++) out[i] = bytes[Math.floor(i / per)]! >> bits * (i % per) & (1 << bits) - 1
  const made = new Known('uint8', [...value.shape.slice(0, -1), value.shape.at(-1)! * per], out)
  unpackedCodes.set(value, made)
  return made
}

/** A·Wᵀ + bias, where the rows of W are packed codes of 2, 4 or 8 bits in blocks that have a scale and a zero point each. */
const matMulNBits: Operator = onValues(3, ([x, packed, scale, zero, order, bias], attributes, node) => {
  const [bits, block] = [attributes.int('bits', 4), attributes.int('block_size', 32)]
  const [k, n] = [attributes.int('K', 0), attributes.int('N', 0)]
  const blocks = Math.ceil(k / block)
  if (order || ![2, 4, 8].includes(bits)) fail('value', node.operator, order ? 'g_idx is not read. Quantise the model without it' : `weights have 2, 4 or 8 bits, got ${bits}`)
  if (packed!.shape.reduce((a, b) => a * b, 1) !== n * blocks * block * bits / 8) fail('shape', node.operator, `weights of ${n} × ${k} in blocks of ${block} take [${n},${blocks},${block * bits / 8}], got ${describe(packed!)}. The file is damaged`)
  const a = toTensor(x!)
  const w = reshape(cast(toTensor(unpacked(packed!, bits)), a.dtype), [n, blocks, block])
  const perRow = (v: Tensor): Tensor => reshape(cast(v, a.dtype), [n, blocks, 1])
  const middle = zero === undefined ? 2 ** (bits - 1) : zero.dtype !== 'uint8' ? perRow(toTensor(zero)) : perRow(narrow(reshape(toTensor(unpacked(zero, bits)), [n, Math.ceil(blocks * bits / 8) * 8 / bits]), 1, 0, blocks))
  const weights = narrow(reshape(mul(sub(w, middle), perRow(toTensor(scale!))), [n, blocks * block]), 1, 0, k)
  const y = matmulTransposed(a, weights)
  return bias ? add(y, toTensor(bias)) : y
})

/** Quantised operators of the domain by name. */
export const microsoftQuantised: Operators = {
  'com.microsoft:QuantizeLinear': quantisation.QuantizeLinear!, 'com.microsoft:DequantizeLinear': quantisation.DequantizeLinear!,
  'com.microsoft:QLinearAdd': binary(add), 'com.microsoft:QLinearMul': binary(mul),
  'com.microsoft:QLinearSigmoid': unary(sigmoid), 'com.microsoft:QLinearLeakyRelu': unary((x, attributes) => leakyRelu(x, attributes.float('alpha', 0.01))), 'com.microsoft:QLinearSoftmax': unary(shares),
  'com.microsoft:QLinearReduceMean': unary((x, attributes) => mean(x, attributes.ints('axes') ?? undefined, attributes.int('keepdims', 1) !== 0)),
  'com.microsoft:QLinearGlobalAveragePool': overChannels(x => mean(x, x.shape.flatMap((_, i) => i < 2 ? [] : i), true)), 'com.microsoft:QLinearAveragePool': overChannels(averaged),
  'com.microsoft:QLinearConcat': concatenated, 'com.microsoft:QLinearWhere': whereOf, 'com.microsoft:QGemm': qGemm,
  'com.microsoft:MatMulIntegerToFloat': toFloats, 'com.microsoft:DynamicQuantizeMatMul': dynamicProduct, 'com.microsoft:MatMulNBits': matMulNBits,
}
