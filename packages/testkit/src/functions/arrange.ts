// Samples of the functions that arrange elements, and of those that read and write by index or mask.

import { type Tensor, tensor } from '@bp/core'
import { asStrided, asStridedScatter, at, atLeast1d, atLeast2d, atLeast3d, blockDiag, broadcastTensors, cartesianProd, chunk, columnStack, combinations, diag, diagEmbed, diagflat, diagonal, diagonalScatter, dsplit, dstack, embedding, embeddingBag, expand, fftShift, flatten, hsplit, hstack, ifftShift, index, indexAdd, indexCopy, indexFill, indexPut, indexReduce, indexSelect, maskedFill, maskedScatter, maskedSelect, matrixTranspose, meshgrid, moveAxis, nonzero, pad, putAlong, putFlat, ravel, repeatInterleave, roll, rot90, scatter, selectScatter, sliceScatter, stopGradient, sumToSize, swapAxes, takeAlongAxis, takeFlat, tensorSplit, trace, trilIndices, triuIndices, unbind, unflatten, unfold, vsplit, vstack } from '@bp/ops'
import type { FunctionSample } from '../functions.ts'
import { distinct, fixed, given, operand, type OperandSpec, uniform } from '../sample.ts'

const of = (f: (...xs: Tensor[]) => Tensor | Tensor[], ...operands: OperandSpec[]): FunctionSample => ({ f, operands })
const x = operand([3, 4])
const cube = operand([2, 3, 4])
const vector = operand([4])
const places = (...values: number[]): OperandSpec => fixed([values.length], 'int32', given(...values))
const int32 = (x: Tensor, ...values: number[]): Tensor => tensor(values, { dtype: 'int32', backend: x.backend })
const truth = (x: Tensor, values: readonly boolean[] | readonly (readonly boolean[])[]): Tensor => tensor(values, { dtype: 'bool', backend: x.backend })
const mask = fixed([3, 4], 'bool', given(1, 0, 0, 1, 1))

/** By the name of the function. */
export const arrangeFunctions: Readonly<Record<string, readonly FunctionSample[]>> = {
  flatten: [of(a => flatten(a, 1), cube), of(a => flatten(a), operand([]))],
  ravel: [of(a => ravel(a), x)],
  unflatten: [of(a => unflatten(a, -1, [2, -1]), x)],
  moveAxis: [of(a => moveAxis(a, [0, 1], [-1, 0]), cube)],
  swapAxes: [of(a => swapAxes(a, 0, -1), cube)],
  matrixTranspose: [of(a => matrixTranspose(a), cube)],
  expand: [of(a => expand(a, [2, -1, 3]), operand([2, 1]))],
  broadcastTensors: [of((a, b) => broadcastTensors(a, b), operand([3, 1]), vector)],
  sumToSize: [of(a => sumToSize(a, [1, 4]), x)],
  atLeast1d: [of(a => atLeast1d(a), operand([]))],
  atLeast2d: [of(a => atLeast2d(a), vector)],
  atLeast3d: [of(a => atLeast3d(a), vector), of(a => atLeast3d(a), x)],
  rot90: [of(a => rot90(a), x), of(a => rot90(a, -1, [0, 2]), cube), of(a => rot90(a, 2), x)],
  hstack: [of((a, b) => hstack([a, b]), x, operand([3, 1])), of((a, b) => hstack([a, b]), vector, operand([]))],
  vstack: [of((a, b) => vstack([a, b]), x, vector)],
  dstack: [of((a, b) => dstack([a, b]), x, x)],
  columnStack: [of((a, b) => columnStack([a, b]), operand([3]), x)],
  unbind: [of(a => unbind(a, 1), x)],
  chunk: [of(a => chunk(a, 3, 1), x)],
  tensorSplit: [of(a => tensorSplit(a, 3, 1), x), of(a => tensorSplit(a, [1, -1], 1), x)],
  hsplit: [of(a => hsplit(a, 2), x)], vsplit: [of(a => vsplit(a, 3), x)], dsplit: [of(a => dsplit(a, [1]), cube)],
  meshgrid: [of((a, b) => meshgrid([a, b]), operand([2]), operand([3])), of((a, b) => meshgrid([a, b], 'xy'), operand([2]), operand([3]))],
  cartesianProd: [of((a, b) => cartesianProd(a, b), operand([2]), operand([3]))],
  combinations: [of(a => combinations(a, 2), vector), of(a => combinations(a, 2, true), vector)],
  blockDiag: [of((a, b) => blockDiag(a, b), operand([2, 1]), x)],
  diagonal: [of(a => diagonal(a, { offset: 1, axes: [-2, -1] }), cube), of(a => diagonal(a, { offset: -2 }), x)],
  diagEmbed: [of(a => diagEmbed(a, { offset: -1 }), x), of(a => diagEmbed(a, { offset: 1, axes: [1, 0] }), operand([2, 3]))],
  diag: [of(a => diag(a, 1), vector), of(a => diag(a), x)],
  diagflat: [of(a => diagflat(a), operand([2, 2]))],
  diagonalScatter: [of((a, b) => diagonalScatter(a, b, { offset: 1 }), x, operand([3]))],
  trace: [of(a => trace(a), x)],
  trilIndices: [of(() => trilIndices(3, 4, 1))], triuIndices: [of(() => triuIndices(3, 4, -1))],
  unfold: [of(a => unfold(a, 1, 2, 1), x)],
  asStrided: [of(a => asStrided(a, [2, 2], [1, 3], 1), x)],
  asStridedScatter: [of((a, b) => asStridedScatter(a, b, [2, 2], [1, 3], 1), x, operand([2, 2]))],
  at: [of(a => at(a, -1, 1), x)],
  selectScatter: [of((a, b) => selectScatter(a, b, 1, 2), x, operand([3]))],
  sliceScatter: [of((a, b) => sliceScatter(a, b, [0, 1], [3, 4], [1, 2]), x, operand([3, 2]))],
  repeatInterleave: [of(a => repeatInterleave(a, 2), x), of(a => repeatInterleave(a, [1, 0, 2], 0), x)],
  pad: [of(a => pad(a, [[1, 2], [0, 3]], { mode: 'circular' }), x), of(a => pad(a, [[1, 2], [0, 3]], { mode: 'replicate' }), x), of(a => pad(a, [[-1, 2], [0, 3]], { mode: 'reflect' }), x), of(a => pad(a, [[1, 0], [-1, 1]], { value: 2 }), x)],
  roll: [of(a => roll(a, [1, -2], [0, 1]), x), of(a => roll(a, 5), x)],
  fftShift: [of(a => fftShift(a, 1), operand([2, 5]))], ifftShift: [of(a => ifftShift(a), operand([3, 5]))],
  stopGradient: [of(a => stopGradient(a), fixed([3], 'int32'))],
  index: [
    of(a => index(a, [1, { start: 2, end: 0, step: -1 }, '...', null]), cube),
    of(a => index(a, [[0, 1], { step: 2 }, [1, -1]]), cube),
    of((a, i) => index(a, ['...', i]), cube, places(0, 2, -1)),
    of(a => index(a, ['...', truth(a, [true, false, true, true])]), cube),
    of((a, i) => index(a, [{ end: -1 }, i, i]), cube, places(0, 2)),
    of(a => index(a, [true, { start: 1 }, [[0], [2]]]), x),
  ],
  indexPut: [
    of((a, b) => indexPut(a, [{ start: 1 }, [0, 3]], b), x, operand([2, 2])),
    of((a, b) => indexPut(a, [int32(a, 1, 1, 0)], b, { accumulate: true }), x, vector),
    of((a, b) => indexPut(a, [int32(a, 1, 1, 0)], b), x, operand([3, 4])),
    of(a => indexPut(a, ['...', { step: 2 }], 1.5), x),
  ],
  scatter: [
    of((a, i, b) => scatter(a, 1, i, b), x, fixed([2, 2], 'int32', given(3, 0, 1, 2)), x),
    of((a, i) => scatter(a, 0, i, 2.5), x, fixed([2, 3], 'int32', given(2, 0, 1, 0, 2, 2))),
    ...(['sum', 'mean', 'prod', 'amax', 'amin'] as const).flatMap(reduce => [true, false].map(includeSelf =>
      of((a, i, b) => scatter(a, 1, i, b, { reduce, includeSelf }), operand([3, 4], distinct(-2, 1.9)), fixed([2, 3], 'int32', given(3, 0, 3, 1, 1, 1)), operand([2, 3], distinct(-1.8, 2))))),
  ],
  putAlong: [of((a, i, b) => putAlong(a, i, b, 1), x, fixed([3, 2], 'int32', given(3, 0, 1, 2)), operand([3, 2])), of((a, i, b) => putAlong(a, i, b, 0, 'add'), x, fixed([2, 4], 'int32', given(2, 0, 1, 2)), operand([2, 4]))],
  takeAlongAxis: [of((a, i) => takeAlongAxis(a, i, 1), x, fixed([1, 2], 'int32', given(3, 0))), of((a, i) => takeAlongAxis(a, i), x, places(11, 0, -1))],
  indexAdd: [of((a, i, b) => indexAdd(a, 1, i, b, 2), x, places(0, 3, 0), operand([3, 3]))],
  indexCopy: [of((a, i, b) => indexCopy(a, 0, i, b), x, places(2, 0), operand([2, 4]))],
  indexFill: [of((a, i) => indexFill(a, 1, i, 3), x, places(1, 3)), of((a, i, v) => indexFill(a, 0, i, v), x, places(1, 1), operand([]))],
  indexReduce: [of((a, i, b) => indexReduce(a, 0, i, b, 'mean', false), x, places(2, 0, 2), operand([3, 4]))],
  indexSelect: [of((a, i) => indexSelect(a, 1, i), x, places(3, 0, 3))],
  takeFlat: [of((a, i) => takeFlat(a, i), x, places(11, 0, -1))],
  putFlat: [of((a, i, b) => putFlat(a, i, b), x, places(11, 0, 5), operand([3])), of((a, i, b) => putFlat(a, i, b, true), x, places(11, 0, 0), operand([3]))],
  maskedFill: [of((a, m) => maskedFill(a, m, -1), x, mask)],
  maskedScatter: [of((a, m, b) => maskedScatter(a, m, b), x, mask, operand([12]))],
  maskedSelect: [of(a => maskedSelect(a, truth(a, [true, false, false, true])), x)],
  nonzero: [of(a => nonzero(truth(a, [[true, false], [true, true]])), x)],
  embedding: [of((w, i) => embedding(i, w), x, places(2, 0, 2)), of((w, i) => embedding(i, w, { scaleGradByFreq: false, paddingIdx: 1 }), x, places(2, 0, 2)), of((w, i) => embedding(i, w), x, fixed([2, 2], 'int32', given(0, 2, 1, 1)))],
  embeddingBag: [
    of((w, i) => embeddingBag(i, w, { mode: 'sum' }), x, fixed([2, 2], 'int32', given(0, 2, 1, 1))),
    of((w, i) => embeddingBag(i, w, { offsets: int32(w, 0, 1) }), x, places(2, 0, 2)),
    of((w, i) => embeddingBag(i, w, { mode: 'max' }), operand([3, 4], distinct(-2, 2)), fixed([2, 2], 'int32', given(0, 2, 1, 0))),
    of((w, i, s) => embeddingBag(i, w, { mode: 'sum', offsets: int32(w, 0, 1), perSampleWeights: s }), x, places(2, 0, 2), operand([3], uniform(0.5, 2))),
  ],
}
