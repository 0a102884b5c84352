// Samples of reductions, scans, order statistics, norms, differences, segments, and of all these under a mask.

import { add, mul, type Tensor } from '@bp/core'
import {
  all, amin, aminmax, any, argMin, associativeScan, bincount, bucketize, cast, corrcoef, countNonzero, cov, cumMax, cumMin, cumProd, cumulativeTrapezoid, diff, dist,
  gradient, histc, kthValue, layerNorm, logCumSumExp, logSoftmax, maskedAmax, maskedAmin, maskedArgMax, maskedArgMin, maskedCumProd, maskedCumSum, maskedLogSoftmax,
  maskedLogSumExp, maskedMean, maskedMedian, maskedNorm, maskedNormalize, maskedProd, maskedSoftmax, maskedSoftmin, maskedStd, maskedSum, maskedVariance, max, mean,
  median, min, mode, msort, nanMean, nanMedian, nanQuantile, nanSum, norm, normalize, prod, quantile, type QuantileOptions, renorm, searchSorted, segmentReduce,
  type SegmentReduction, softmax, sort, std, stdMean, sum, topk, trapezoid, variance, varMean, vectorNorm,
} from '@bp/ops'
import type { FunctionSample } from '../functions.ts'
import { away, distinct, fixed, given, operand, uniform, whole } from '../sample.ts'

type Sampled = Readonly<Record<string, readonly FunctionSample[]>>

const matrix = operand([3, 4])
const cube = operand([2, 3, 2])
const spread = operand([3, 4], distinct(-2, 2))
const holed = operand([2, 4], given(0.5, NaN, -1, 1.5, 2, 0.25, NaN, NaN))
const zeros = operand([4, 3], given(1.5, 0, -2, 0.5, 0, 1, 0, 2, 1, 3, -1, 0))
const nonzero = operand([3, 4], away(-2, 2, [0], 0.3))
const positive = operand([3, 4], uniform(0.5, 2))
const mask = fixed([3, 4], 'bool', given(1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 0))
const column = fixed([3, 1], 'bool', given(1, 0, 1))

/** A function of one tensor at each of some operands. */
const at = (f: (x: Tensor) => Tensor | Tensor[], ...operands: readonly FunctionSample['operands'][number][]): FunctionSample[] =>
  operands.map(x => ({ f: y => f(y), operands: [x] }))

const reductions: Sampled = {
  sum: [...at(x => sum(x), matrix), ...at(x => sum(x, [0, 2], true), cube)],
  mean: [...at(x => mean(x), matrix), ...at(x => mean(x, [0, 2]), cube)],
  prod: [...at(x => prod(x), operand([7], nonzero.draw)), ...at(x => prod(x, 0), zeros), ...at(x => prod(x, [0, 2], true), cube), ...at(x => prod(x, 1), operand([2, 0]))],
  amin: [...at(x => amin(x, 1), spread), ...at(x => amin(x), fixed([4], 'int32'), fixed([4], 'uint8', whole(0, 9)), fixed([4], 'bool', given(1, 0)))],
  aminmax: at(x => aminmax(x, 0), spread),
  max: [...at(x => max(x), spread), ...at(x => max(x, 0), spread), ...at(x => max(x, -1, true), spread)],
  min: [...at(x => min(x), spread), ...at(x => min(x, 0, true), spread), ...at(x => min(x, 1), fixed([2, 3], 'int32'))],
  argMin: at(x => argMin(x, 0), spread, fixed([3, 2], 'uint8', whole(0, 9))),
  all: at(x => all(x, 0), fixed([3, 4], 'bool'), operand([2, 0])),
  any: at(x => any(x, 1, true), fixed([3, 4], 'bool'), operand([2, 0])),
  countNonzero: at(x => countNonzero(x, 0), fixed([3, 4], 'int32', whole(-1, 2))),
  nanSum: at(x => nanSum(x, 1), matrix, holed),
  nanMean: at(x => nanMean(x, 1), matrix, holed),
  variance: [...at(x => variance(x), matrix), ...at(x => variance(x, [0, 2], { correction: 0, keepDims: true }), cube)],
  std: [...at(x => std(x, 1), matrix), ...at(x => std(x, 0, { correction: 0 }), cube)],
  varMean: at(x => varMean(x, 0), matrix),
  stdMean: at(x => stdMean(x, 1, { keepDims: true }), matrix),
  layerNorm: [{ f: (x, w, b) => layerNorm(x, 1, w, b), operands: [matrix, operand([4]), operand([4])] }],
  cov: [
    ...at(x => cov(x), matrix, operand([5])),
    { f: (x, a, f) => cov(x, { correction: 0, aweights: a, fweights: f }), operands: [matrix, operand([4], uniform(0.5, 2)), fixed([4], 'int32', whole(1, 4))] },
    { f: (x, a) => cov(x, { aweights: a }), operands: [matrix, operand([4], uniform(0.5, 2))] },
  ],
  corrcoef: at(x => corrcoef(x), operand([2, 5]), operand([4])),
  softmax: at(x => softmax(x, 0, 'float64'), matrix),
  logSoftmax: at(x => logSoftmax(x, 1, 'float64'), matrix),
}

const norms: Sampled = {
  vectorNorm: [
    ...[0, 0.5, 1, 1.5, 2, 3, -1].flatMap(p => at(x => vectorNorm(x, { p, axes: 1 }), nonzero)),
    ...[Infinity, -Infinity].flatMap(p => at(x => vectorNorm(x, { p, axes: [0], keepDims: true }), operand([3, 4], given(0.25, -0.5, 0.75, -1, 1.25, 1.5, -1.75, 2, -2.25, 2.5, 2.75, 3)))),
  ],
  norm: at(x => norm(x, 1), nonzero),
  dist: [{ f: (a, b) => dist(a, b, 3), operands: [nonzero, operand([4], uniform(3, 4))] }],
  renorm: [2, 1].flatMap(p => at(x => renorm(x, p, 0, 2.5), nonzero)),
  normalize: [...at(x => normalize(x), nonzero), ...at(x => normalize(x, { p: 1, axes: 0 }), nonzero), ...at(x => normalize(x, { eps: 100 }), nonzero)],
}

const scans: Sampled = {
  // the recurrence y = a·y + b, as pairs
  associativeScan: [false, true].map(reverse => ({
    f: (...xs: Tensor[]) => associativeScan(([a, b], [c, d]) => [mul(a!, c!), add(mul(c!, b!), d!)], xs, 1, reverse), operands: [matrix, matrix],
  })),
  cumProd: [...at(x => cumProd(x, 0), zeros), ...at(x => cumProd(x), operand([2, 7]), operand([1]), operand([0])), ...at(x => cumProd(x, 1, true), cube)],
  cumMax: [...at(x => cumMax(x, 0), spread), ...at(x => cumMax(x), operand([7], distinct(-2, 2)), fixed([5], 'int32'))],
  cumMin: [...at(x => cumMin(x, 1), spread), ...at(x => cumMin(x), operand([6], distinct(-2, 2)), fixed([5], 'uint8', whole(0, 9)))],
  logCumSumExp: [...at(x => logCumSumExp(x, 0), matrix), ...at(x => logCumSumExp(x), operand([5]))],
}

const interpolations = ['linear', 'lower', 'higher', 'nearest', 'midpoint'] satisfies NonNullable<QuantileOptions['interpolation']>[]

const order: Sampled = {
  sort: [...at(x => sort(x, 0), spread), ...at(x => sort(x, 1, true), spread)],
  topk: [...at(x => topk(x, 2, 0), spread), ...at(x => topk(x, 3, 1, false), spread)],
  msort: at(msort, spread),
  kthValue: [...at(x => kthValue(x, 2), spread), ...at(x => kthValue(x, 3, 0, true), spread)],
  median: [...at(x => median(x), spread), ...at(x => median(x, 0), spread), ...at(x => median(x, 1, true), spread)],
  nanMedian: [...at(x => nanMedian(x), spread), ...at(x => nanMedian(x, 1), spread, holed)],
  mode: [...at(x => mode(x, 0), spread), ...at(x => mode(x), fixed([3, 7], 'int32', whole(0, 3)), operand([2, 1]))],
  quantile: [
    ...interpolations.flatMap(interpolation => at(x => quantile(x, [0.3, 0.9], { axis: 1, interpolation }), spread)),
    ...at(x => quantile(x, 0.4, { axis: 0, keepDims: true }), spread),
    { f: (x, q) => quantile(x, q), operands: [spread, operand([2], given(0.33, 0.72))] },
  ],
  nanQuantile: [...at(x => nanQuantile(x, 0.4, { axis: 1 }), holed), ...at(x => nanQuantile(x, [0.2, 0.6], { keepDims: true }), spread)],
}

const sequences: Sampled = {
  diff: [
    ...at(x => diff(x), matrix, fixed([5], 'bool'), operand([1])),
    ...at(x => diff(x, { n: 2, axis: 0 }), matrix),
    { f: (x, a, b) => diff(x, { prepend: a, append: b }), operands: [matrix, operand([3, 1]), operand([3, 2])] },
  ],
  gradient: [
    ...at(x => gradient(x), operand([2]), cube),
    ...at(x => gradient(x, { spacing: [0.5, 2], axes: [1, 0], edgeOrder: 2 }), operand([4, 3])),
    ...([1, 2] as const).map((edgeOrder): FunctionSample => ({ f: (x, c) => gradient(x, { spacing: [c], axes: 1, edgeOrder }), operands: [operand([2, 5]), operand([5], given(0, 1, 2.5, 3, 4.5))] })),
  ],
  trapezoid: [
    ...at(x => trapezoid(x, { dx: 0.5, axis: 0 }), matrix),
    { f: (y, x) => trapezoid(y, { x: x }), operands: [matrix, operand([4])] },
    { f: (y, x) => trapezoid(y, { x: x, axis: 0 }), operands: [matrix, operand([3, 1])] },
  ],
  cumulativeTrapezoid: [...at(x => cumulativeTrapezoid(x), matrix), { f: (y, x) => cumulativeTrapezoid(y, { x: x, axis: 0 }), operands: [matrix, operand([3])] }],
  searchSorted: [
    { f: (list, x) => searchSorted(list, x), operands: [fixed([5], 'int32', given(-3, -1, -1, 0, 4)), fixed([2, 4], 'int32')] },
    { f: (list, x) => searchSorted(list, x, { right: true }), operands: [fixed([2, 3], 'float32', given(-1, 0, 1)), fixed([2, 4], 'float32')] },
  ],
  bucketize: [{ f: (x, edges) => bucketize(x, edges, true), operands: [fixed([2, 4], 'int32'), fixed([3], 'int32', given(-2, 0, 2))] }],
  bincount: [{ f: (x, weights) => bincount(cast(x, 'int32'), { weights: weights, length: 4 }), operands: [fixed([6], 'int64', whole(0, 6)), operand([6])] }],
  histc: [...at(x => histc(x, { bins: 5 }), matrix), ...at(x => histc(x, { bins: 3, min: -1, max: 1 }), matrix)],
  segmentReduce: (['sum', 'mean', 'prod', 'max', 'min'] satisfies SegmentReduction[]).flatMap(reduction => [
    { f: (x: Tensor, lengths: Tensor) => segmentReduce(x, reduction, { lengths }), operands: [operand([6, 2], distinct(-2, 2)), fixed([3], 'int32', given(2, 1, 3))] },
    { f: (x: Tensor, offsets: Tensor) => segmentReduce(x, reduction, { offsets, axis: 1, initial: 0.125 }), operands: [operand([2, 5], distinct(-2, 2)), fixed([2, 4], 'int64', given(0, 2, 2, 5, 1, 2, 4, 4))] },
  ]),
}

/** A function under a mask of the operand's shape, of one that broadcasts, and under none. */
const under = (f: (x: Tensor, mask: Tensor | null) => Tensor, operandSpec = nonzero): FunctionSample[] => [
  { f: (x, m) => f(x, m), operands: [operandSpec, mask] },
  ...at(x => f(x, null), operandSpec),
]

const masks: Sampled = {
  maskedSum: [...under((x, m) => maskedSum(x, m, 1)), { f: (x, m) => maskedSum(x, m), operands: [matrix, column] }],
  maskedProd: under((x, m) => maskedProd(x, m, 0)),
  maskedMean: under((x, m) => maskedMean(x, m, 1, true)),
  maskedAmax: [...under((x, m) => maskedAmax(x, m, 1), spread), { f: (x, m) => maskedAmax(x, m), operands: [fixed([3, 4], 'int32'), mask] }],
  maskedAmin: [...under((x, m) => maskedAmin(x, m, 1), spread), { f: (x, m) => maskedAmin(x, m), operands: [fixed([3, 4], 'int32'), mask] }],
  maskedArgMax: under((x, m) => maskedArgMax(x, m, 1), spread),
  maskedArgMin: under((x, m) => maskedArgMin(x, m, 0), spread),
  maskedMedian: under((x, m) => maskedMedian(x, m, 1), spread),
  maskedNorm: [...under((x, m) => maskedNorm(x, m, { axes: 1 })), ...under((x, m) => maskedNorm(x, m, { p: -1 }), positive)],
  maskedVariance: under((x, m) => maskedVariance(x, m, 1)),
  maskedStd: under((x, m) => maskedStd(x, m, 1, { correction: 0 })),
  maskedLogSumExp: under((x, m) => maskedLogSumExp(x, m, 1)),
  maskedSoftmax: under((x, m) => maskedSoftmax(x, m, 1)),
  maskedLogSoftmax: under((x, m) => maskedSum(maskedLogSoftmax(x, m, 1), m)),
  maskedSoftmin: under((x, m) => maskedSoftmin(x, m, 1)),
  maskedNormalize: under((x, m) => maskedNormalize(x, m, { p: 3 })),
  maskedCumSum: under((x, m) => maskedCumSum(x, m, 0)),
  maskedCumProd: under((x, m) => maskedCumProd(x, m, 1)),
}

/** Samples by the name of the function. */
export const reduceFunctions: Sampled = { ...reductions, ...norms, ...scans, ...order, ...sequences, ...masks }
