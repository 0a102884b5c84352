// Operators of onnxruntime's own domain that its optimiser writes in place of several ordinary ones: products, activations and norms in one.

import { add, mul, type Tensor } from '@bp/core'
import { clamp, gelu, matmul, matrixTranspose } from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import { type ModelNode, opsets } from '../import/load.ts'
import { swish } from './activation.ts'
import { convolved } from './conv.ts'
import { activationOf } from './gates.ts'
import { gemm } from './matrix.ts'
import { layerNormalised, rmsNormalised, scaled } from './norm.ts'
import { only, onTensors, type Operator, type Operators } from './operator.ts'
import { shape } from './shape.ts'

/** The activation that an attribute names, with its numbers; Clip is known here too. */
function activated(x: Tensor, numbers: readonly number[], attributes: Attributes, node: ModelNode): Tensor {
  const name = attributes.string('activation', '')
  if (name === '') return x
  if (name === 'Clip') return clamp(x, numbers[0], numbers[1])
  return activationOf(node, name, [...numbers.slice(0, 1)], [...numbers.slice(1, 2)])(x)
}

/** α·A·B, either read transposed where asked. */
const fusedMatMul: Operator = onTensors(2, ([a, b], attributes, node) => {
  for (const name of ['transBatchA', 'transBatchB']) only(node, name, attributes.int(name, 0), 0)
  const read = (x: Tensor, name: string): Tensor => attributes.int(name, 0) === 0 ? x : matrixTranspose(x)
  return mul(matmul(read(a!, 'transA'), read(b!, 'transB')), attributes.float('alpha', 1))
})

/** A Gemm of today and its activation. */
const fusedGemm: Operator = onTensors(2, ([a, b, c], attributes, node) => {
  const numbers = ['activation_alpha', 'activation_beta'].flatMap(name => attributes.has(name) ? attributes.float(name, 0) : [])
  return activated(gemm(a!, b!, c, attributes, { ...node, opset: opsets[1] }), numbers, attributes, node)
})

/** A convolution, to which another tensor may be added before its activation. */
const fusedConv: Operator = onTensors(2, ([x, w, bias, other], attributes, node) => {
  const y = convolved(x!, w!, bias, attributes, node)
  return activated(other ? add(y, other) : y, attributes.floats('activation_params') ?? [], attributes, node)
})

const last = (x: Tensor): readonly number[] => [x.rank - 1]

/** The norm of a sum, of x and what skipped a layer, by the last axis; the sum is its fourth result. */
const skipLayerNormalization: Operator = onTensors(3, ([x, skip, scale, shift, bias], attributes, node) => {
  const sum = scaled(add(x!, skip!), undefined, bias)
  const { y, statistics } = layerNormalised(sum, last(sum), attributes.float('epsilon', 1e-12))
  return [scaled(y, scale, shift), ...node.outputs.length < 2 ? [] : statistics(), sum]
})

const skipRmsNormalization: Operator = onTensors(3, ([x, skip, scale, bias], attributes) => {
  const sum = scaled(add(x!, skip!), undefined, bias)
  const { y, inverse } = rmsNormalised(sum, last(sum), attributes.float('epsilon', 1e-12))
  return [mul(y, scale!), undefined, inverse(), sum]
})

/** Fused operators by name. */
export const microsoft: Operators = {
  'com.microsoft:Gelu': onTensors(1, ([x]) => gelu(x!)),
  'com.microsoft:BiasGelu': onTensors(2, ([x, bias]) => gelu(add(x!, bias!))),
  'com.microsoft:FastGelu': onTensors(1, ([x, bias]) => gelu(scaled(x!, undefined, bias), { approximate: 'tanh' })),
  'com.microsoft:QuickGelu': onTensors(1, ([x], attributes) => swish(x!, attributes.float('alpha', 1.702))),
  'com.microsoft:FusedMatMul': fusedMatMul, 'com.microsoft:TransposeMatMul': fusedMatMul, 'com.microsoft:FusedGemm': fusedGemm, 'com.microsoft:FusedConv': fusedConv,
  'com.microsoft:SkipLayerNormalization': skipLayerNormalization, 'com.microsoft:SkipSimplifiedLayerNormalization': skipRmsNormalization,
  'com.microsoft:Trilu': shape.Trilu!,
}
