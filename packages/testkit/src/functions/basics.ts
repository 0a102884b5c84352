// Samples of the small functions that the others are made of.

import { type Tensor } from '@bp/core'
import { ceil, celu, clamp, greater, greaterEqual, luFactor, luUnpack, narrow, notEqual, oneHot, reciprocal, rsqrt, selu, split, square, squeeze, stack, take, takeAlong, tile, tril, triu, unsqueeze } from '@bp/ops'
import type { FunctionSample } from '../functions.ts'
import { away, fixed, given, operand, type OperandSpec, uniform } from '../sample.ts'

const of = (f: (...xs: Tensor[]) => Tensor | Tensor[], ...operands: OperandSpec[]): FunctionSample => ({ f, operands })
const x = operand([3, 4])
const positive = operand([3, 4], uniform(0.2, 3))
const kinked = operand([3, 4], away(-2, 2, [0]))

/** By the name of the function. */
export const basicFunctions: Readonly<Record<string, readonly FunctionSample[]>> = {
  ceil: [of(a => ceil(a), operand([3, 4], away(-2.4, 2.4, [-2, -1, 0, 1, 2])))],
  celu: [of(a => celu(a, 0.7), kinked)],
  selu: [of(a => selu(a), kinked)],
  clamp: [of(a => clamp(a, -1, 1), operand([3, 4], away(-2, 2, [-1, 1])))],
  square: [of(a => square(a), x)],
  reciprocal: [of(a => reciprocal(a), positive)],
  rsqrt: [of(a => rsqrt(a), positive)],
  greater: [of((a, b) => greater(a, b), operand([3], given(1, 2, 3)), operand([3], given(2, 2, 1)))],
  greaterEqual: [of((a, b) => greaterEqual(a, b), operand([3], given(1, 2, 3)), operand([3], given(2, 2, 1)))],
  notEqual: [of((a, b) => notEqual(a, b), operand([3], given(1, 2, 3)), operand([3], given(2, 2, 1)))],
  luUnpack: [of(a => luUnpack(...luFactor(a)).slice(1), operand([3, 2], given(1, 0.5, -2, 1.5, 0.75, 3)))],
  narrow: [of(a => narrow(a, 1, 1, 2), x)],
  split: [of(a => split(a, [1, 3], 1), x)],
  stack: [of((a, b) => stack([a, b], 1), x, x)],
  squeeze: [of(a => squeeze(a), operand([1, 3, 1]))],
  unsqueeze: [of(a => unsqueeze(a, 1), x)],
  take: [of((a, i) => take(a, i, 1), x, fixed([2, 2], 'int32', given(3, 0, -1, 3)))],
  takeAlong: [of((a, i) => takeAlong(a, i, 1), x, fixed([3, 2], 'int32', given(3, 0, 1, 2, 2, 1)))],
  tile: [of(a => tile(a, [2, 1, 2]), x)],
  tril: [of(a => tril(a, 1), x)],
  triu: [of(a => triu(a, -1), x)],
  oneHot: [of(i => oneHot(i, 4), fixed([3], 'int32', given(3, 0, 1)))],
}
