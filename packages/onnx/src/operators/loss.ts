// The losses that training graphs hold: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss.

import { mul, onesLike, type Tensor } from '@bp/core'
import { cast, div, logSoftmax, mean, neg, notEqual, reshape, select, sum, take, takeAlong, unsqueeze } from '@bp/ops'
import type { Attributes } from '../import/attributes.ts'
import type { ModelNode } from '../import/load.ts'
import { only, onTensors, type Operators } from './operator.ts'

/** −w[t]·log p[t] for log-probabilities [n, c, …] and class indices [n, …], reduced as the attribute says. */
function negativeLogLikelihood(logp: Tensor, target: Tensor, weight: Tensor | undefined, attributes: Attributes, node: ModelNode): Tensor {
  const reduction = attributes.string('reduction', 'mean')
  only(node, 'reduction', reduction, 'none', 'sum', 'mean')
  const index = cast(target, 'int32')
  const counts = attributes.has('ignore_index') ? notEqual(index, attributes.int('ignore_index', 0)) : null
  const at = counts ? select(counts, index, 0) : index
  const picked = reshape(takeAlong(logp, unsqueeze(at, 1), 1), index.shape)
  const given = weight ? take(weight, at) : onesLike(picked)
  const w = counts ? select(counts, given, 0) : given
  const loss = neg(counts ? mul(select(counts, picked, 0), w) : mul(picked, w))
  if (reduction === 'none') return loss
  if (reduction === 'sum') return sum(loss)
  return weight || counts ? div(sum(loss), sum(w)) : mean(loss)
}

/** Losses by name. */
export const loss: Operators = {
  NegativeLogLikelihoodLoss: onTensors(2, ([logp, target, weight], attributes, node) => negativeLogLikelihood(logp!, target!, weight, attributes, node)),
  SoftmaxCrossEntropyLoss: onTensors(2, ([x, target, weight], attributes, node) => {
    const logp = logSoftmax(x!, 1)
    return [negativeLogLikelihood(logp, target!, weight, attributes, node), logp]
  }),
}
