// Features made ready: Scaler, Normalizer, Imputer, Binarizer, FeatureVectorizer and ArrayFeatureExtractor of ai.onnx.ml.

import { mul, type Tensor } from '@bp/core'
import { describe, fail, isFloat } from '@bp/core/extend'
import { abs, amax, cast, concat, div, equal, greater, notEqual, reshape, select, sqrt, square, sub, sum, take } from '@bp/ops'
import { unsupported } from '../../import/errors.ts'
import { onTensors, type Operator, type Operators } from '../operator.ts'
import { extended } from '../fourier.ts'
import { constant, features, given } from './scores.ts'

/** (x − offset)·scale, of each feature or of all alike. */
const scaler: Operator = onTensors(1, ([x], attributes) => {
  const [offset, scale] = ['offset', 'scale'].map(name => attributes.floats(name)) as [number[] | null, number[] | null]
  const values = features(x!)
  const moved = offset?.length ? sub(values, constant(offset, [offset.length], values)) : values
  return cast(scale?.length ? mul(moved, constant(scale, [scale.length], values)) : moved, 'float32')
})

const lengths: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  MAX: x => amax(x, [-1], true), L1: x => sum(abs(x), [-1], true), L2: x => sqrt(sum(square(x), [-1], true)),
}

/** Rows divided by their largest element, the sum of their sizes, or their length; a row of which that is 0 stays as it is. */
const normalizer: Operator = onTensors(1, ([x], attributes, node) => {
  const name = attributes.string('norm', 'MAX')
  const length = lengths[name] ?? unsupported(node.operator, `norm ${JSON.stringify(name)}`)
  const values = features(x!)
  const size = length(values)
  return cast(div(values, select(equal(size, 0), 1, size)), 'float32')
})

/** A value, which may be NaN, replaced by that of its feature or by one for all. */
const imputer: Operator = onTensors(1, ([x], attributes, node) => {
  const whole = !isFloat(x!.dtype)
  const values = given(whole ? attributes.ints('imputed_value_int64s') : attributes.floats('imputed_value_floats'), 'imputed values', node)
  const replaced = whole ? attributes.int('replaced_value_int64', 0) : attributes.float('replaced_value_float', 0)
  if (values.length !== 1 && values.length !== x!.shape.at(-1)) fail('shape', node.operator, `${values.length} values for ${describe(x!)}`)
  return select(Number.isNaN(replaced) ? notEqual(x!, x!) : equal(x!, replaced), constant(values, [values.length], x!), x!)
})

const vectorizer: Operator = onTensors(1, (xs, attributes) => {
  const sizes = attributes.ints('inputdimensions') ?? []
  const columns = xs.map((x, i): Tensor => {
    const n = x.shape[0] ?? 1
    const flat = reshape(cast(x, 'float32'), [n, n === 0 ? 0 : x.size / n])
    return extended(flat, 1, sizes[i] ?? flat.shape[1]!)
  })
  return concat(columns, 1)
})

/** Entries of the last axis by index; a vector gives a row. */
const extractor: Operator = onTensors(2, ([x, index]) => {
  const at = reshape(index!, [index!.size])
  return take(x!.rank === 1 ? reshape(x!, [1, x!.size]) : x!, at, -1)
})

/** Preparation of features by name. */
export const preparation: Operators = {
  'ai.onnx.ml:Scaler': scaler, 'ai.onnx.ml:Normalizer': normalizer, 'ai.onnx.ml:Imputer': imputer, 'ai.onnx.ml:FeatureVectorizer': vectorizer,
  'ai.onnx.ml:ArrayFeatureExtractor': extractor,
  'ai.onnx.ml:Binarizer': onTensors(1, ([x], attributes) => cast(greater(x!, attributes.float('threshold', 0)), x!.dtype)),
}
