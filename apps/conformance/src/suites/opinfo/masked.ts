// Reductions and normalisations under a mask: `torch.masked`.

import type { Tensor } from '@bp/core'
import {
  maskedAmax, maskedAmin, maskedArgMax, maskedArgMin, maskedCumProd, maskedCumSum, maskedLogAddExp, maskedLogSoftmax, maskedLogSumExp, maskedMean, maskedMedian,
  maskedNorm, maskedNormalize, maskedProd, maskedSoftmax, maskedSoftmin, maskedStd, maskedSum, maskedVariance, type Mask,
} from '@bp/ops'
import type { Adapter, Arguments } from './arguments.ts'
import { along, axesOf, inputAs } from './reduce.ts'

const maskOf = (call: Arguments): Mask => call.maybeTensor(-1, 'mask') ?? null

/** `f(input, dim, *, keepdim, dtype, mask)` */
const reduction = (f: typeof maskedSum): Adapter => call => f(inputAs(call), maskOf(call), axesOf(call, 1), call.flag(-1, 'keepdim'))

/** `f(input, dim, unbiased, *, keepdim, dtype, mask)` */
const spread = (f: typeof maskedVariance): Adapter => call => {
  const correction = call.number(-1, 'correction', call.flag(2, 'unbiased', true) ? 1 : 0)
  return f(inputAs(call), maskOf(call), axesOf(call, 1), { correction, keepDims: call.flag(-1, 'keepdim') })
}

/** `f(input, dim, *, dtype, mask)`, of the input's shape. */
const alongOne = (f: (x: Tensor, mask: Mask, axis: number) => Tensor): Adapter => call =>
  along(inputAs(call), call.number(1, 'dim'), (x, axis) => f(x, maskOf(call), axis))

/** The adapters of this family. */
export const masked: Readonly<Record<string, Adapter>> = {
  'masked.sum': reduction(maskedSum), 'masked.prod': reduction(maskedProd), 'masked.mean': reduction(maskedMean),
  'masked.amax': reduction(maskedAmax), 'masked.amin': reduction(maskedAmin), 'masked.logsumexp': reduction(maskedLogSumExp),
  'masked.var': spread(maskedVariance), 'masked.std': spread(maskedStd),
  'masked.argmax': alongOne(maskedArgMax), 'masked.argmin': alongOne(maskedArgMin),
  'masked.median': call => along(inputAs(call), call.number(1, 'dim', -1), (x, axis) => maskedMedian(x, maskOf(call), axis, call.flag(-1, 'keepdim'))),
  'masked.norm': call => maskedNorm(inputAs(call), maskOf(call), { p: call.number(1, 'ord', 2), axes: axesOf(call, 2), keepDims: call.flag(-1, 'keepdim') }),
  'masked.softmax': alongOne(maskedSoftmax), 'masked.log_softmax': alongOne(maskedLogSoftmax), 'masked.softmin': alongOne(maskedSoftmin),
  'masked.cumsum': alongOne(maskedCumSum), 'masked.cumprod': alongOne(maskedCumProd),
  'masked.logaddexp': call => maskedLogAddExp(inputAs(call), call.tensor(1, 'other'), call.maybeTensor(-1, 'input_mask') ?? null, call.maybeTensor(-1, 'other_mask') ?? null),
  'masked.normalize': call => {
    const [p, eps] = [call.number(1, 'ord', 2), call.number(-1, 'eps', 1e-12)]
    return along(inputAs(call), call.number(2, 'dim'), (x, axes) => maskedNormalize(x, maskOf(call), { p, axes, eps }))
  },
}
