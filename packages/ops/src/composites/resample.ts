// Resampling an axis: each new entry a weighted sum of a few old ones, so that all orders of derivative follow.

import { mul, type Tensor, tensor } from '@bp/core'
import { take } from '../rows/indexing.ts'
import { sum } from '../rows/reduce.ts'

/** Where an axis is read and with what weights: for each new entry a row of old places, and as many weights. */
export interface Taps {
  readonly places: readonly (readonly number[])[]
  readonly weights: readonly (readonly number[])[]
}

/** y[…, i, …] = Σⱼ weights[i][j] · x[…, places[i][j], …] along an axis; the rows of the taps may differ in length. */
export function resample(x: Tensor, axis: number, { places, weights }: Taps): Tensor {
  const width = Math.max(1, ...places.map(row => row.length))
  const padded = (rows: readonly (readonly number[])[]): number[] => rows.flatMap(row => Array.from({ length: width }, (_, j) => row[j] ?? 0))
  const shape = [places.length, width]
  if (width === 1 && weights.every(([w]) => w === 1)) return pick(x, axis, padded(places))
  const read = take(x, tensor(Int32Array.from(padded(places)), { shape, backend: x.backend }), axis)
  const factors = tensor(padded(weights), { shape: [...shape, ...new Array<number>(x.rank - 1 - axis).fill(1)], dtype: x.dtype, backend: x.backend })
  return sum(mul(read, factors), axis + 1)
}

/** The entries of an axis at the given places. */
export const pick = (x: Tensor, axis: number, places: readonly number[]): Tensor => take(x, tensor(Int32Array.from(places), { backend: x.backend }), axis)
