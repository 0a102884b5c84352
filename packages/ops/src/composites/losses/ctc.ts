// Connectionist temporal classification: the likelihood of a sequence of labels under all its alignments.

import { add, broadcastTo, full, mul, tensor, type Tensor } from '@bp/core'
import { describe, fail, fullPrecision, isFloat, sameShape } from '@bp/core/extend'
import { div, maximum, minimum, neg, sub } from '../../rows/arithmetic.ts'
import { cast, equal, less, logicalAnd, logicalNot, logicalOr, select } from '../../rows/compare.ts'
import { take } from '../../rows/indexing.ts'
import { cumSum } from '../../rows/reduce.ts'
import { iota } from '../../rows/source.ts'
import { concat, narrow, reshape } from '../../rows/view.ts'
import { takeAlong } from '../along.ts'
import { stack, squeeze, unsqueeze } from '../arrange.ts'
import { logSumExp } from '../softmax.ts'
import { type LossOptions, reduce } from './reduction.ts'

/** How long each sequence of a batch is: whole numbers [n]. */
export type Lengths = Tensor | readonly number[]

/** Options of {@link ctcLoss}. */
export interface CtcLossOptions extends LossOptions {
  /** How many steps of each input count; all unless given. */
  readonly inputLengths?: Lengths
  /** How many labels of each target count; all unless given. Numbers make smaller programs than a tensor, whose values are not known to them. */
  readonly targetLengths?: Lengths
  /** The class that stands for no label; 0 unless given. */
  readonly blank?: number
  /** Makes the loss of a target that does not fit its input 0 instead of infinite. */
  readonly zeroInfinity?: boolean
}

/* The logarithm of a probability that is as good as 0: finite, so that differences of such have derivatives. */
const never = -1e30

/**
 * −log P(target | input), over all ways to align the labels with the steps (Graves et al. 2006, "Connectionist Temporal
 * Classification", eq. 6–8): log-probabilities [steps, n, classes] and labels [n, s], or the labels of all examples one after
 * the other with their `targetLengths`; or [steps, classes] and [s] for one example. The mean divides each loss by the number of
 * its labels first.
 *
 * @example
 * ```ts
 * import { full, tensor } from '@bp/core'
 * import { ctcLoss } from '@bp/ops'
 * ctcLoss(full([2, 2], Math.log(0.5)), tensor([1], { dtype: 'int32' })) // => tensor(0.287682, float32)
 * ```
 */
export function ctcLoss(logProbs: Tensor, target: Tensor, options: CtcLossOptions = {}): Tensor {
  if (logProbs.rank === 2 && target.rank === 1) {
    const losses = ctcLoss(unsqueeze(logProbs, 1), unsqueeze(target, 0), options)
    return reshape(losses, [])
  }
  if (logProbs.rank === 3 && target.rank === 1 && options.targetLengths) return ctcLoss(logProbs, inRows(target, options.targetLengths, logProbs.shape[1]!), options)
  const { blank = 0, zeroInfinity = false, reduction = 'mean' } = options
  const [steps, n, classes] = logProbs.shape as [number, number, number]
  if (logProbs.rank !== 3 || steps === 0 || target.rank !== 2 || target.shape[0] !== n || isFloat(target.dtype)) fail('shape', 'ctcLoss', `needs log-probabilities [steps, n, classes] and whole-number labels [n, s], or [steps, classes] and [s], or labels of one axis with targetLengths, got ${describe(logProbs)} and ${describe(target)}`)
  if (!(blank >= 0 && blank < classes)) fail('value', 'ctcLoss', `the blank ${blank} is outside 0 … ${classes - 1}, the classes of ${describe(logProbs)}`)
  const inputLengths = lengthsOf('inputLengths', options.inputLengths, n, steps, target)
  const targetLengths = lengthsOf('targetLengths', options.targetLengths, n, target.shape[1]!, target)
  const last = alphas(fullPrecision(logProbs), cast(target, 'int32'), inputLengths, blank)
  const end = mul(targetLengths, 2)
  const ending = takeAlong(last, stack([end, maximum(sub(end, 1), 0)], 1), 1)
  const ends = select(logicalAnd(equal(iota(2, 'int32', target.backend), 1), unsqueeze(equal(targetLengths, 0), 1)), never, ending)
  const found = neg(logSumExp(ends, 1))
  const losses = select(less(found, -never / 2), found, zeroInfinity ? 0 : Infinity)
  return reduce(reduction === 'mean' ? div(losses, cast(maximum(targetLengths, 1), losses.dtype)) : losses, options)
}

/** Labels one after the other as rows of labels, filled up with whatever there is. */
function inRows(target: Tensor, given: Lengths, n: number): Tensor {
  const lengths = lengthsOf('targetLengths', given, n, target.size, target)
  const known = lengths.storage && lengths.backend.readSync ? Array.from(lengths.dataSync() as Int32Array) : null
  const total = known?.reduce((a, b) => a + b, 0) ?? target.size
  if (total !== target.size) fail('shape', 'ctcLoss', `targetLengths add up to ${total}, but there are ${target.size} labels in ${describe(target)}`)
  const longest = known ? Math.max(0, ...known) : target.size
  if (target.size === 0) return reshape(target, [n, 0])
  const starts = unsqueeze(sub(cumSum(lengths, 0), lengths), 1)
  return take(target, minimum(add(starts, iota(longest, 'int32', target.backend)), target.size - 1))
}

/** Lengths as int32[n] beside the target. */
function lengthsOf(name: string, given: Lengths | undefined, n: number, longest: number, target: Tensor): Tensor {
  if (given === undefined) return full([n], longest, 'int32', target.backend)
  const lengths = Array.isArray(given) ? tensor(given as readonly number[], { dtype: 'int32', backend: target.backend }) : cast(given as Tensor, 'int32')
  if (!sameShape(lengths.shape, [n])) fail('shape', 'ctcLoss', `${name} must hold one number for each of the ${n} examples, got ${describe(lengths)}`)
  const bad = lengths.storage && lengths.backend.readSync ? (lengths.dataSync() as Int32Array).find(length => length < 0 || length > longest) : undefined
  if (bad !== undefined) fail('value', 'ctcLoss', `${name} must be whole numbers from 0 to ${longest}, got ${bad}`)
  return lengths
}

/**
 * log P of having come to each place of the labels, with a blank before, between and after them, by an input's last step:
 * α_t(s) = (α_{t−1}(s) + α_{t−1}(s − 1) + [s may follow s − 2]·α_{t−1}(s − 2))·p_t(label s). Returns [n, 2·labels + 1].
 */
function alphas(logProbs: Tensor, target: Tensor, inputLengths: Tensor, blank: number): Tensor {
  const [n, labels] = target.shape as [number, number]
  const [steps, , classes] = logProbs.shape as [number, number, number]
  const places = 2 * labels + 1
  const gap = full([n, 1], blank, 'int32', target.backend)
  const path = concat([reshape(stack([broadcastTo(gap, [n, labels]), select(logicalOr(less(target, 0), less(classes - 1, target)), blank, target)], 2), [n, 2 * labels]), gap], 1)
  const scores = maximum(takeAlong(logProbs, broadcastTo(path, [steps, n, places]), 2), never)
  const at = (t: number): Tensor => squeeze(narrow(scores, 0, t, 1), 0)
  /** Moved on by k places, with other values coming in. */
  const moved = (x: Tensor, k: number, fill: number): Tensor => k > places ? full([n, places], fill, x.dtype, x.backend)
    : concat([full([n, k], fill, x.dtype, x.backend), narrow(x, 1, 0, places - k)], 1)
  const skips = logicalNot(logicalOr(equal(path, blank), equal(path, moved(path, 2, blank))))
  let alpha = select(less(iota(places, 'int32', target.backend), 2), at(0), never)
  for (let t = 1; t < steps; t++) {
    const ways = stack([alpha, moved(alpha, 1, never), select(skips, moved(alpha, 2, never), never)])
    alpha = select(unsqueeze(less(t, inputLengths), 1), add(logSumExp(ways, 0), at(t)), alpha)
  }
  return alpha
}
