// Linear models of ai.onnx.ml: LinearRegressor and LinearClassifier.

import { add, type Tensor } from '@bp/core'
import { argMax, cast, greater, matmul, reshape, transpose } from '@bp/ops'
import type { Attributes } from '../../import/attributes.ts'
import type { ModelNode } from '../../import/load.ts'
import { onTensors, type Operators } from '../operator.ts'
import { bothScores, constant, given, labelled, labelsOf, rows, transformed, transformOf } from './scores.ts'

/** x·Wᵀ + b */
function scoresOf(x: Tensor, count: number, attributes: Attributes, node: ModelNode): Tensor {
  const weights = given(attributes.floats('coefficients'), 'coefficients', node)
  const y = matmul(x, transpose(constant(weights, [count, weights.length / count], x)))
  const bias = attributes.floats('intercepts')
  return bias?.length ? add(y, constant(bias, [bias.length], x)) : y
}

/** Linear models by name. */
export const linearModels: Operators = {
  'ai.onnx.ml:LinearRegressor': onTensors(1, ([x], attributes, node) =>
    cast(transformed(scoresOf(rows(x!), attributes.int('targets', 1), attributes, node), transformOf(attributes, node)), 'float32')),
  'ai.onnx.ml:LinearClassifier': onTensors(1, ([x], attributes, node) => {
    const values = rows(x!)
    const labels = labelsOf(attributes, 'classlabels_ints')
    const weights = given(attributes.floats('coefficients'), 'coefficients', node)
    const count = Math.round(weights.length / values.shape[1]!)
    const scores = scoresOf(values, count, attributes, node)
    const name = transformOf(attributes, node)
    if (count > 1) return [labelled(argMax(scores, 1), labels), cast(transformed(scores, name), 'float32')]
    const positive = cast(greater(reshape(scores, [scores.shape[0]!]), 0), 'int32')
    const y = labels.length === 2 ? bothScores(scores, name) : transformed(scores, name)
    return [labelled(positive, labels.length === 2 ? labels : []), cast(y, 'float32')]
  }),
}
