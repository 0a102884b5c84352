// Support vector machines of ai.onnx.ml: SVMRegressor and SVMClassifier.

import { add, mul, type Tensor } from '@bp/core'
import { argMax, cast, clamp, exp, greater, matmul, neg, pow, reshape, select, sigmoid, square, stack, sub, sum, tanh, transpose } from '@bp/ops'
import type { Attributes } from '../../import/attributes.ts'
import { unsupported } from '../../import/errors.ts'
import type { ModelNode } from '../../import/load.ts'
import { onTensors, type Operator, type Operators } from '../operator.ts'
import { coupled } from './coupling.ts'
import { bothScores, constant, given, labelled, labelsOf, rows, transformed, transformOf } from './scores.ts'

/** k(x, s) for each pair of examples [n, f] and support vectors [m, f]: [n, m] (Cortes & Vapnik 1995). */
function kernel(x: Tensor, vectors: Tensor, name: string, attributes: Attributes, node: ModelNode): Tensor {
  const [gamma = 0, offset = 0, degree = 0] = attributes.floats('kernel_params') ?? []
  const products = (): Tensor => matmul(x, transpose(vectors))
  if (name === 'LINEAR') return products()
  if (name === 'POLY') return pow(add(mul(products(), gamma), offset), degree)
  if (name === 'SIGMOID') return tanh(add(mul(products(), gamma), offset))
  if (name !== 'RBF') return unsupported(node.operator, `kernel_type ${JSON.stringify(name)}`)
  const apart = sub(reshape(x, [x.shape[0]!, 1, x.shape[1]!]), vectors)
  return exp(mul(sum(square(apart), [2]), -gamma))
}

const regressor: Operator = onTensors(1, ([x], attributes, node) => {
  const values = rows(x!)
  const count = attributes.int('n_supports', 0)
  const weights = given(attributes.floats('coefficients'), 'coefficients', node)
  const rho = attributes.floats('rho')?.[0] ?? 0
  const vectors = count > 0 ? given(attributes.floats('support_vectors'), 'support_vectors', node) : weights
  const similar = kernel(values, constant(vectors, [Math.max(1, count), vectors.length / Math.max(1, count)], values), count > 0 ? attributes.string('kernel_type', 'LINEAR') : 'LINEAR', attributes, node)
  const y = add(count > 0 ? matmul(similar, constant(weights, [count, 1], values)) : similar, rho)
  return cast(attributes.int('one_class', 0) !== 0 ? select(greater(y, 0), 1, -1) : transformed(y, transformOf(attributes, node)), 'float32')
})

/** A machine for each pair of classes: their scores [n, pairs], class i against class j > i, and the votes of each class. */
function duels(x: Tensor, sizes: readonly number[], attributes: Attributes, node: ModelNode): { readonly scores: Tensor; readonly votes: Tensor } {
  const total = sizes.reduce((a, b) => a + b, 0)
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0))
  const vectors = given(attributes.floats('support_vectors'), 'support_vectors', node)
  const weights = given(attributes.floats('coefficients'), 'coefficients', node)
  const rho = given(attributes.floats('rho'), 'rho', node)
  const similar = kernel(x, constant(vectors, [total, vectors.length / total], x), attributes.string('kernel_type', 'LINEAR'), attributes, node)
  // how each support vector counts in each duel: those of class i by row j − 1 of the coefficients, those of class j by row i
  const pairs = sizes.flatMap((_, i) => sizes.flatMap((__, j) => j > i ? [[i, j] as const] : []))
  const columns = pairs.flatMap(([i, j]) => Array.from({ length: total }, (_, v) => {
    const of = (which: number): boolean => v >= starts[which]! && v < starts[which]! + sizes[which]!
    return of(i) ? weights[(j - 1) * total + v]! : of(j) ? weights[i * total + v]! : 0
  }))
  const scores = add(matmul(similar, transpose(constant(columns, [pairs.length, total], x))), constant(pairs.map((_, p) => rho[p] ?? 0), [pairs.length], x))
  const won = cast(greater(scores, 0), x.dtype)
  const votes = sizes.map((_, c) => {
    const sides = pairs.map(([i, j]) => i === c ? 1 : j === c ? -1 : 0)
    return add(sum(mul(won, constant(sides, [pairs.length], x)), [1]), sides.filter(side => side < 0).length)
  })
  return { scores, votes: stack(votes, 1) }
}

/** Probabilities of classes from the scores of each pair: Platt's sigmoids (1999), coupled. */
const probabilities = (scores: Tensor, k: number, a: readonly number[], b: readonly number[]): Tensor =>
  coupled(clamp(sigmoid(neg(add(mul(scores, constant(a, [a.length], scores)), constant(b, [b.length], scores)))), 1e-7, 1 - 1e-7), k)

const classifier: Operator = onTensors(1, ([x], attributes, node) => {
  const values = rows(x!)
  const labels = labelsOf(attributes, 'classlabels_ints')
  const sizes = attributes.ints('vectors_per_class') ?? []
  const name = transformOf(attributes, node)
  const weights = given(attributes.floats('coefficients'), 'coefficients', node)
  const rho = attributes.floats('rho') ?? []
  const out = (index: Tensor, scores: Tensor, names = labels): ReturnType<Operator> => [labelled(index, names), cast(scores, 'float32')]
  if (sizes.length === 0) {
    const count = Math.max(1, labels.length)
    const scores = add(kernel(values, constant(weights, [count, weights.length / count], values), 'LINEAR', attributes, node), rho[0] ?? 0)
    if (count > 1) return out(argMax(scores, 1), transformed(scores, name))
    return out(cast(greater(reshape(scores, [scores.shape[0]!]), 0), 'int32'), transformed(scores, name), [])
  }
  const { scores, votes } = duels(values, sizes, attributes, node)
  const [a, b] = [attributes.floats('prob_a') ?? [], attributes.floats('prob_b') ?? []]
  // labels go by the votes also where there are probabilities
  const index = argMax(votes, 1)
  if (a.length > 0) return out(index, transformed(probabilities(scores, sizes.length, a, b), name))
  return out(index, sizes.length > 2 ? transformed(scores, name) : bothScores(scores, name))
})

/** Support vector machines by name. */
export const vectorMachines: Operators = { 'ai.onnx.ml:SVMRegressor': regressor, 'ai.onnx.ml:SVMClassifier': classifier }
