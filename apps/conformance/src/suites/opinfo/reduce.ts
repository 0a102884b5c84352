// Reductions, scans, order statistics, norms, differences and segments.

import type { Tensor } from '@bp/core'
import {
  all, amax, amin, aminmax, any, argMax, argMin, argSort, bincount, bucketize, cast, corrcoef, countNonzero, cov, cumMax, cumMin, cumProd, cumSum, cumulativeTrapezoid, diff, dist, gradient, histc, kthValue,
  logCumSumExp, logSoftmax, logSumExp, max, mean, median, min, mode, msort, nanMean, nanMedian, nanQuantile, nanSum, normalize, prod, quantile, type QuantileOptions,
  renorm, reshape, searchSorted, segmentReduce, type SegmentReduction, softmax, sort, std, stdMean, sum, topk, trapezoid, variance, varMean, type VarianceOptions, vectorNorm,
} from '@bp/ops'
import { Unsupported } from '../../compare.ts'
import type { Adapter, Arguments, Value } from './arguments.ts'

type Axes = number | readonly number[] | undefined

/** The axes of a reduction: all where none are given, or an empty list; a scalar is a vector of one element to PyTorch. */
export function axesOf(call: Arguments, place: number, keyword = 'dim'): Axes {
  const axes = call.maybeNumbers(place, keyword)
  return axes === undefined || axes.length === 0 ? undefined : call.input.rank === 0 ? [] : axes
}

/** Applies a function along an axis; a scalar is a vector of one element to PyTorch. */
export function along(x: Tensor, axis: number, f: (x: Tensor, axis: number) => Tensor | readonly Tensor[]): readonly Tensor[] {
  const ys = x.rank > 0 ? f(x, axis) : [f(reshape(x, [1]), 0)].flat().map(y => reshape(y, []))
  return [ys].flat()
}

/** The input in the dtype asked for. */
export function inputAs(call: Arguments, place = -1): Tensor {
  const dtype = call.dtype(place, 'dtype')
  return dtype ? cast(call.input, dtype) : call.input
}

type Reduction = (x: Tensor, axes?: Axes, keepDims?: boolean) => Tensor

/** `f(input, dim, keepdim, *, dtype)` */
const reduction = (f: Reduction): Adapter => call => f(inputAs(call), axesOf(call, 1), call.flag(2, 'keepdim'))

type Pair = readonly [Tensor, Tensor]

/** `f(input)` to a value, or `f(input, dim, keepdim)` to values and places. */
const chosen = (ofAll: (x: Tensor) => Tensor, alongOne: (x: Tensor, axis: number, keepDims: boolean) => Pair): Adapter => call => {
  const axis = call.maybeNumber(1, 'dim')
  const keepDims = call.flag(2, 'keepdim')
  return axis === undefined ? ofAll(call.input) : along(call.input, axis, (x, at) => alongOne(x, at, keepDims))
}

/** `f(input, dim, unbiased, keepdim)`, `f(input, unbiased)` or `f(input, dim, *, correction, keepdim)` */
const spread = (f: (x: Tensor, axes: Axes, options: VarianceOptions) => Tensor | Pair): Adapter => call => {
  const short = typeof call.value(1, 'dim') === 'boolean'
  const unbiased = short ? call.flag(1, 'unbiased') : call.flag(2, 'unbiased', true)
  const correction = call.number(-1, 'correction', unbiased ? 1 : 0)
  return f(call.input, short ? undefined : axesOf(call, 1), { correction, keepDims: call.flag(3, 'keepdim') })
}

/** `f(input, q, dim, keepdim, *, interpolation)` */
const quantiles = (f: (x: Tensor, q: number | Tensor, options: QuantileOptions) => Tensor): Adapter => call => {
  const q = call.operand(1, 'q')
  const axis = call.maybeNumber(2, 'dim')
  const scalar = call.input.rank === 0
  const interpolation = call.text(-1, 'interpolation', 'linear') as NonNullable<QuantileOptions['interpolation']>
  return f(call.input, q, { axis: scalar ? undefined : axis, keepDims: call.flag(3, 'keepdim'), interpolation })
}

/** `f(input, dim, dtype)`: softmax and its logarithm. */
const soft = (f: typeof softmax): Adapter => call => along(call.input, call.number(1, 'dim'), (x, axis) => f(x, axis, call.dtype(2, 'dtype')))

/** `f(y, x, *, dx, dim)` */
const integral = (f: typeof trapezoid): Adapter => call =>
  f(call.input, { x: call.maybeTensor(1, 'x'), dx: call.number(-1, 'dx', 1), axis: call.number(-1, 'dim', -1) })

/** `sort(input, dim, descending, stable)`: a stable order is one that an unstable sort may give. */
const ordering = (f: (x: Tensor, axis: number, descending: boolean) => Tensor | Pair): Adapter => call => {
  call.flag(3, 'stable')
  return along(call.input, call.number(1, 'dim', -1), (x, axis) => f(x, axis, call.flag(2, 'descending')))
}

/** `norm(input, p, dim, keepdim, dtype)` and `vector_norm(input, ord, dim, keepdim, *, dtype)` */
const lengthOf = (order: string): Adapter => call =>
  vectorNorm(inputAs(call, 4), { p: call.number(1, order, 2), axes: axesOf(call, 2), keepDims: call.flag(3, 'keepdim') })

const isSpacing = (value: Value | undefined): value is number | readonly (number | Tensor)[] => typeof value === 'number' || Array.isArray(value)

const reductions: readonly SegmentReduction[] = ['sum', 'mean', 'prod', 'max', 'min']

/** `f(input, dim)`, of the flat input where no axis is given */
const place = (f: (x: Tensor, axis: number) => Tensor): Adapter => call => {
  const axis = call.maybeNumber(1, 'dim')
  return axis === undefined ? f(reshape(call.input, [call.input.size]), 0) : along(call.input, axis, f)
}

/** The adapters of this family. */
export const reduce: Readonly<Record<string, Adapter>> = {
  sum: reduction(sum), mean: reduction(mean), nansum: reduction(nanSum), nanmean: reduction(nanMean), prod: reduction(prod),
  amax: reduction(amax), amin: reduction(amin), count_nonzero: reduction(countNonzero), all: reduction(all), any: reduction(any),
  argmax: place(argMax), argmin: place(argMin),
  aminmax: call => aminmax(call.input, axesOf(call, -1), call.flag(-1, 'keepdim')),
  logsumexp: reduction(logSumExp),
  'max/reduction_no_dim': chosen(max, max), 'max/reduction_with_dim': chosen(max, max),
  'min/reduction_no_dim': chosen(min, min), 'min/reduction_with_dim': chosen(min, min),
  median: chosen(median, median), nanmedian: chosen(nanMedian, nanMedian),
  var: spread(variance), std: spread(std), var_mean: spread(varMean), std_mean: spread(stdMean),
  quantile: quantiles(quantile), nanquantile: quantiles(nanQuantile),
  kthvalue: call => along(call.input, call.number(2, 'dim', -1), (x, axis) => kthValue(x, call.number(1, 'k'), axis, call.flag(3, 'keepdim'))),
  mode: call => along(call.input, call.number(1, 'dim', -1), (x, axis) => mode(x, axis, call.flag(2, 'keepdim'))),
  sort: ordering(sort), argsort: ordering(argSort), msort: call => along(call.input, 0, msort),
  topk: call => {
    if (!call.flag(4, 'sorted', true)) throw new Unsupported('sorted = false, whose order is not specified')
    return along(call.input, call.number(2, 'dim', -1), (x, axis) => topk(x, call.number(1, 'k'), axis, call.flag(3, 'largest', true)))
  },
  cumsum: call => along(inputAs(call), call.number(1, 'dim'), (x, axis) => cumSum(x, axis)),
  cumprod: call => along(inputAs(call), call.number(1, 'dim'), (x, axis) => cumProd(x, axis)),
  cummax: call => along(call.input, call.number(1, 'dim'), cumMax),
  cummin: call => along(call.input, call.number(1, 'dim'), cumMin),
  logcumsumexp: call => along(call.input, call.number(1, 'dim'), logCumSumExp),
  softmax: soft(softmax), log_softmax: soft(logSoftmax),
  norm: lengthOf('p'), 'linalg.vector_norm': lengthOf('ord'),
  dist: call => dist(call.input, call.tensor(1, 'other'), call.number(2, 'p', 2)),
  renorm: call => renorm(call.input, call.number(1, 'p'), call.number(2, 'dim'), call.number(3, 'maxnorm')),
  'nn.functional.normalize': call => {
    const [p, eps] = [call.number(1, 'p', 2), call.number(3, 'eps', 1e-12)]
    return along(call.input, call.number(2, 'dim', 1), (x, axes) => normalize(x, { p, axes, eps }))
  },
  cov: call => {
    const [fweights, aweights] = [call.maybeTensor(-1, 'fweights'), call.maybeTensor(-1, 'aweights')]
    return cov(call.input, { correction: call.number(-1, 'correction', 1), ...fweights && { fweights }, ...aweights && { aweights } })
  },
  corrcoef: call => corrcoef(call.input),
  diff: call => diff(call.input, { n: call.number(1, 'n', 1), axis: call.number(2, 'dim', -1), prepend: call.maybeTensor(3, 'prepend'), append: call.maybeTensor(4, 'append') }),
  gradient: call => {
    const spacing = call.value(-1, 'spacing') ?? 1
    if (!isSpacing(spacing)) throw new Unsupported('argument spacing')
    const order = call.number(-1, 'edge_order', 1)
    return gradient(call.input, { spacing, axes: call.maybeNumbers(-1, 'dim'), edgeOrder: order === 2 ? 2 : 1 })
  },
  searchsorted: call => {
    const side = call.text(-1, 'side', 'left')
    return searchSorted(call.input, call.operand(1, 'input'), { right: call.flag(-1, 'right') || side === 'right', sorter: call.maybeTensor(-1, 'sorter') })
  },
  bucketize: call => bucketize(call.input, call.tensor(1, 'boundaries'), call.flag(-1, 'right')),
  bincount: call => {
    const weights = call.maybeTensor(1, 'weights')
    return bincount(call.input, { minLength: call.number(2, 'minlength', 0), ...weights && { weights } })
  },
  histc: call => histc(call.input, { bins: call.number(1, 'bins', 100), min: call.number(2, 'min', 0), max: call.number(3, 'max', 0) }),
  trapezoid: integral(trapezoid), trapz: integral(trapezoid), cumulative_trapezoid: integral(cumulativeTrapezoid),
  segment_reduce: call => {
    call.flag(-1, 'unsafe')
    const name = call.text(1, 'reduce', '')
    const reduction = reductions.find(one => one === name)
    if (!reduction) throw new Unsupported(`argument reduce = ${name}`)
    return segmentReduce(call.input, reduction, {
      lengths: call.maybeTensor(-1, 'lengths'), offsets: call.maybeTensor(-1, 'offsets'), axis: call.number(-1, 'axis', 0), initial: call.maybeNumber(-1, 'initial'),
    })
  },
}
