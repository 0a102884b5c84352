// What the classifiers and regressors of ai.onnx.ml share: their numbers, their labels, and what is done to scores at the end.

import { mul, type Tensor, tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { abs, add, amax, cast, concat, div, equal, exp, greater, log, neg, reshape, select, sigmoid, sign, softmax, sqrt, sub, sum, take } from '@bp/ops'
import type { Attributes } from '../../import/attributes.ts'
import { unsupported } from '../../import/errors.ts'
import type { ModelNode } from '../../import/load.ts'
import { StringTensor, toNumbers, type Value } from '../../import/value.ts'

/** Numbers as a constant beside a tensor. */
export const constant = (values: readonly number[], shape: readonly number[], { dtype, backend }: Tensor): Tensor => tensor(values, { shape, dtype, backend })

/** Features as floats: of float64 as they are, all else as float32. */
export const features = (x: Tensor): Tensor => x.dtype === 'float64' ? x : cast(x, 'float32')

/** Features [n, count]; a vector is one example. */
export const rows = (x: Tensor): Tensor => {
  const y = features(x)
  return y.rank === 1 ? reshape(y, [1, y.size]) : y.rank === 2 ? y : reshape(y, [y.shape[0] ?? 1, y.shape[0] ? y.size / y.shape[0] : 0])
}

/** A list that the file must have. */
export const given = <T>(list: readonly T[] | null, name: string, node: ModelNode): readonly T[] => list ?? fail('data', node.operator, `it has no ${name}. The file is damaged`)

/** Winitzki's inverse of the error function (2008, "A handy approximation for the error function and its inverse"), as other runtimes have it: right to 0.2 %. */
function probit(p: Tensor): Tensor {
  const x = sub(mul(p, 2), 1)
  const l = log(mul(sub(1, x), add(1, x)))
  const v = add(mul(l, 0.5), 2 / (Math.PI * 0.147))
  const y = mul(sign(x), sqrt(sub(sqrt(sub(mul(v, v), div(l, 0.147))), v)))
  return mul(y, Math.SQRT2)
}

/** Softmax in which a score of 0 stays 0. */
function softmaxZero(x: Tensor): Tensor {
  const most = amax(x, [1], true)
  const y = select(greater(abs(x), 1e-7), exp(sub(x, most)), mul(x, exp(neg(most))))
  const total = sum(y, [1], true)
  return select(equal(total, 0), 0.5, div(y, select(equal(total, 0), 1, total)))
}

const transforms: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  NONE: x => x, LOGISTIC: sigmoid, SOFTMAX: x => softmax(x, 1), SOFTMAX_ZERO: softmaxZero, PROBIT: probit,
}

/** The names of the transformations by their numbers in TreeEnsemble. */
export const transformNames: readonly string[] = ['NONE', 'SOFTMAX', 'LOGISTIC', 'SOFTMAX_ZERO', 'PROBIT']

/** The name of a node's transformation. */
export function transformOf(attributes: Attributes, node: ModelNode): string {
  const name = attributes.string('post_transform', 'NONE')
  return Object.hasOwn(transforms, name) ? name : unsupported(node.operator, `post_transform ${JSON.stringify(name)}`)
}

/** Scores [n, classes] as the transformation of that name makes them. */
export const transformed = (scores: Tensor, name: string): Tensor => transforms[name]!(scores)

/** The scores of both classes from that of the second, [n, 1], by its sign. */
export const bothScores = (score: Tensor, name: string): Tensor => transformed(concat([neg(score), score], 1), name)

/** Labels of classes, numbers or strings; where the file names none, their indices. */
export function labelsOf(attributes: Attributes, ints: string): readonly number[] | readonly string[] {
  return attributes.strings('classlabels_strings') ?? attributes.ints(ints) ?? []
}

const isText = (labels: readonly number[] | readonly string[]): labels is readonly string[] => typeof labels[0] === 'string'

/** The label of each index [n], int64 or strings; strings are looked up on the host. */
export function labelled(index: Tensor, labels: readonly number[] | readonly string[]): Value {
  if (isText(labels)) return new StringTensor(index.shape, toNumbers(index).map(i => labels[i] ?? ''))
  return labels.length === 0 ? cast(index, 'int64') : take(tensor(labels, { dtype: 'int64', backend: index.backend }), index)
}
