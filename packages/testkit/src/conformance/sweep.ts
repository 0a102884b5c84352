// What sweeps go over: shapes of every rank with sizes odd beside the usual ones, and elements that give a misplaced one away.

import type { DType } from '@bp/core'
import { sizeOf } from '@bp/core/extend'
import { eachIndex, flatAt } from '../reference/indices.ts'
import type { Elements } from './check.ts'

/** Ranks 0 to 6, empty axes, and sizes around multiples of 4. */
export const shapes: readonly (readonly number[])[] = [
  [], [0], [1], [2], [3], [4], [5], [7], [8], [9], [17], [0, 3], [3, 0, 2], [1, 1], [2, 3], [3, 4], [4, 5], [5, 1], [7, 9], [8, 3], [17, 4], [2, 33],
  [2, 3, 4], [3, 1, 5], [5, 4, 3], [2, 3, 2, 3], [1, 4, 1, 5], [1, 2, 3, 1, 2], [2, 2, 1, 3, 2, 2],
]

const unusual = [NaN, Infinity, -Infinity, -0, 0.1]

/** Elements that are all over a dtype's range, as its storage rounds them: a float that stands for the bits, a whole number of all bits. */
export function tokens(count: number, dtype: DType): Elements {
  return Array.from({ length: count }, (_, i) => {
    const hash = Math.imul(i + 1, 0x9e3779b1)
    switch (dtype) {
      case 'int32': return hash
      case 'int64': return BigInt.asIntN(64, BigInt(i + 1) * 0x9e3779b97f4a7c15n)
      case 'uint8': return (i * 37 + 11) & 255
      case 'bool': return hash >>> 13 & 1
      case 'float64': return i % 6 === 5 ? unusual[Math.floor(i / 6) % 5]! : i + 0.25
      case 'float32': return i % 6 === 5 ? Math.fround(unusual[Math.floor(i / 6) % 5]!) : i + 0.25
      case 'float16': return i % 6 === 5 ? [NaN, Infinity, -Infinity, -0, 1.5][Math.floor(i / 6) % 5]! : i % 512 + 0.25
    }
  })
}

/** Whole numbers from −5 to 5 (0 to 5 where there are no others) with many ties, whose sums no dtype rounds. */
export const small = (count: number, seed = 7): number[] => Array.from({ length: count }, (_, i) => (Math.imul(i + 1, seed * 2654435761) >>> 8) % 11 - 5)

/** The same in a dtype. */
export function smallIn(dtype: DType, count: number, seed = 7): Elements {
  const values = small(count, seed)
  if (dtype === 'int64') return values.map(BigInt)
  return dtype === 'uint8' ? values.map(Math.abs) : dtype === 'bool' ? values.map(x => Number(x > 0)) : values
}

/** The zero of a dtype. */
export const zero = (dtype: DType): number | bigint => dtype === 'int64' ? 0n : 0

/** Lists of flat places that share their index but for `axes`, in the order of the result that has those axes at size 1. */
export function lines(shape: readonly number[], axes: readonly number[]): number[][] {
  const kept = shape.map((size, axis) => axes.includes(axis) ? 1 : size)
  const groups = Array.from({ length: sizeOf(kept) }, (): number[] => [])
  eachIndex(shape, (index, flat) => { groups[flatAt(kept, index.map((n, axis) => axes.includes(axis) ? 0 : n))]!.push(flat) })
  return groups
}

/** All sets of axes of a rank. */
export const subsets = (rank: number): number[][] => Array.from({ length: 2 ** rank }, (_, bits) => Array.from({ length: rank }, (_, axis) => axis).filter(axis => bits >> axis & 1))
