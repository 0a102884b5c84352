// The table of all primitives, by name; backends type their kernel tables by it.

import { addRow, broadcastToRow, fillRow, type Kernel, mulRow, sumToRow } from '@bp/core/extend'
import { absRow, divRow, floorRow, maximumRow, minimumRow, negRow, roundRow, signRow, subRow } from './rows/arithmetic.ts'
import { castRow, equalRow, lessEqualRow, lessRow, logicalAndRow, logicalNotRow, logicalOrRow, selectRow } from './rows/compare.ts'
import { convInputRow, convRow, convWeightRow, dotRow } from './rows/contract.ts'
import { erfRow, expm1Row, expRow, log1pRow, logRow, powRow, reluRow, sigmoidRow, sqrtRow, tanhRow } from './rows/exponential.ts'
import { gatherRow, poolArgMaxRow, scatterAddRow } from './rows/indexing.ts'
import { amaxRow, argMaxRow, argSortRow, cumSumRow } from './rows/reduce.ts'
import { iotaRow, randomBitsRow } from './rows/source.ts'
import { acosRow, asinRow, atanRow, cosRow, sinRow, tanRow } from './rows/trigonometric.ts'
import { concatRow, detachRow, flipRow, padRow, reshapeRow, sliceRow, transposeRow } from './rows/view.ts'

/** Every primitive under its own name. Import rows one by one in code that bundlers should shake. */
export const primitives = {
  fill: fillRow, add: addRow, mul: mulRow, broadcastTo: broadcastToRow, sumTo: sumToRow,
  neg: negRow, sub: subRow, div: divRow, pow: powRow, maximum: maximumRow, minimum: minimumRow, abs: absRow, sign: signRow, floor: floorRow, round: roundRow,
  exp: expRow, log: logRow, expm1: expm1Row, log1p: log1pRow, sqrt: sqrtRow, tanh: tanhRow, sigmoid: sigmoidRow, erf: erfRow, relu: reluRow,
  sin: sinRow, cos: cosRow, tan: tanRow, asin: asinRow, acos: acosRow, atan: atanRow,
  equal: equalRow, less: lessRow, lessEqual: lessEqualRow, logicalNot: logicalNotRow, logicalAnd: logicalAndRow, logicalOr: logicalOrRow, select: selectRow, cast: castRow,
  reshape: reshapeRow, transpose: transposeRow, slice: sliceRow, pad: padRow, concat: concatRow, flip: flipRow, detach: detachRow,
  amax: amaxRow, argMax: argMaxRow, argSort: argSortRow, cumSum: cumSumRow,
  dot: dotRow, conv: convRow, convInput: convInputRow, convWeight: convWeightRow,
  gather: gatherRow, scatterAdd: scatterAddRow, poolArgMax: poolArgMaxRow,
  iota: iotaRow, randomBits: randomBitsRow,
}

/** The type of {@link primitives}. */
export type Primitives = typeof primitives

/** The name of a primitive. */
export type PrimitiveName = keyof Primitives

/** The names of the elementwise primitives, which a backend serves from its scalar table. */
export type MapName = { [K in PrimitiveName]: Primitives[K]['fuse'] extends 'map' ? K : never }[PrimitiveName]

/** A kernel for every primitive, with the types of its parameters: a backend that forgets one does not compile. */
export type KernelTable<S extends object> = { readonly [K in PrimitiveName]: Kernel<S, Primitives[K]['params']> }
