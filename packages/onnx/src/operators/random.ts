// Random numbers: RandomNormal, RandomUniform, their -Like, Bernoulli, Multinomial, and the generators that seeds in files make.

import type { DType, Shape, Tensor } from '@bp/core'
import { describe, fail, outside } from '@bp/core/extend'
import { defaultGenerator } from '@bp/nn'
import { cast, clampMax, cumSum, Generator, greaterEqual, less, reshape, softmax, sum } from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import type { ModelNode } from '../import/load.ts'
import { toTensor, type Value } from '../import/value.ts'
import { onTensors, onValues, type Operator, type Operators } from './operator.ts'
import { inTypeOf } from './result.ts'

/* A seeded node draws on from run to run. */
const seeded = /* @__PURE__ */ new WeakMap<ModelNode, Generator>()

/**
 * Where a node's random numbers come from: the generator of `manualSeed`, or where the file gives a seed one of the node's own,
 * which starts there when the model is loaded. No standard says which numbers a seed gives, so that they are not another
 * runtime's.
 */
export function generatorOf(node: ModelNode, attributes: Attributes): Generator {
  if (!attributes.has('seed')) return defaultGenerator()
  const known = seeded.get(node)
  if (known) return known
  const seed = node.opset < 12 || node.operator !== 'Dropout' ? attributes.float('seed', 0) : attributes.int('seed', 0)
  const made = outside(() => new Generator(Number.isInteger(seed) && Math.abs(seed) < 2 ** 31 ? seed : bitsOf(seed)))
  seeded.set(node, made)
  return made
}

/** The bits of a number as a whole one. */
const bitsOf = (x: number): number => new Int32Array(Float32Array.of(x).buffer)[0]!

/** Draws numbers of a shape in float32, or float64 where those are asked for. */
type Draw = (shape: Shape, dtype: DType, attributes: Attributes, generator: Generator) => Tensor

const working = (dtype: DType): DType => dtype === 'float64' ? dtype : 'float32'

const uniform: Draw = (shape, dtype, attributes, generator) => generator.uniform(shape, { low: attributes.float('low', 0), high: attributes.float('high', 1), dtype })

const normal: Draw = (shape, dtype, attributes, generator) => generator.normal(shape, { mean: attributes.float('mean', 0), std: attributes.float('scale', 1), dtype })

/** ONNX's number for float64. */
const double = 11

const drawn = (draw: Draw, shape: Shape, fallback: DType, attributes: Attributes, node: ModelNode): Value => {
  const dtype = attributes.has('dtype') ? attributes.int('dtype', 1) === double ? 'float64' : 'float32' : working(fallback)
  return inTypeOf(draw(shape, dtype, attributes, generatorOf(node, attributes)), 'dtype', fallback, attributes, node)
}

const ofShape = (draw: Draw): Operator => (_inputs, attributes, node) =>
  drawn(draw, attributes.ints('shape') ?? fail('data', node.operator, 'it has no shape. The file is damaged'), 'float32', attributes, node)

const like = (draw: Draw): Operator => onValues(1, ([x], attributes, node) => drawn(draw, x!.shape, x!.dtype, attributes, node))

/** 1 with the probability that each element gives, else 0. */
const bernoulli: Operator = onTensors(1, ([p], attributes, node) => {
  const dtype = working(p!.dtype)
  return inTypeOf(less(generatorOf(node, attributes).uniform(p!.shape, { dtype }), cast(p!, dtype)), 'dtype', p!.dtype, attributes, node)
})

/** Classes drawn by unnormalised log-probabilities [n, classes]: the first whose running sum of probabilities exceeds a number even in [0, 1). */
const multinomial: Operator = onValues(1, ([x], attributes, node) => {
  const logits = toTensor(x!)
  if (logits.rank !== 2) fail('shape', node.operator, `needs log-probabilities [n, classes], got ${describe(logits)}`)
  const [n, classes] = logits.shape as [number, number]
  const count = attributes.int('sample_size', 1)
  const dtype = working(logits.dtype)
  const sums = reshape(cumSum(softmax(cast(logits, dtype), 1), 1), [n, 1, classes])
  const even = reshape(generatorOf(node, attributes).uniform([n, count], { dtype }), [n, count, 1])
  return inTypeOf(clampMax(sum(cast(greaterEqual(even, sums), 'int32'), 2), classes - 1), 'dtype', 'int32', attributes, node)
})

/** Random operators by name. */
export const random: Operators = {
  RandomUniform: ofShape(uniform), RandomNormal: ofShape(normal), RandomUniformLike: like(uniform), RandomNormalLike: like(normal),
  Bernoulli: bernoulli, Multinomial: multinomial,
}
