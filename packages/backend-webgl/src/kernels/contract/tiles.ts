// How much a fragment computes, and into how many fragments a sum is cut.

import { mostTurns } from '../../device/gpu.ts'
import { type Axis, Taps } from './space.ts'
import { weightTexels } from './weights.ts'

/** Fragments that keep a GPU busy. */
const enough = 4096

/** The most parts of a sum. */
const mostParts = 32

/**
 * Parts into which sums of so many steps are cut where there are so few fragments, for adding parts is a sum too, and takes longer for each;
 * and where there are more steps than a fragment may take.
 */
export const partsFor = (fragments: number, steps: number): number =>
  Math.max(1, Math.min(mostParts, Math.floor(enough / fragments), Math.floor(Math.sqrt(steps) / 2)), Math.ceil(2 * steps / mostTurns))

/** Rows of a fragment: about equal groups of at most `most`; `whole` asks for whole texels of them where there are several groups. */
export function rowTileFor(rows: number, most: number, whole: boolean): number {
  if (rows <= Math.min(4, most)) return rows
  if (whole) return most < 8 || rows <= 4 ? 4 : 8
  return Math.ceil(rows / Math.ceil(rows / most))
}

/** What fetching a texel costs, in multiply-adds of four lanes. */
const fetchCost = 20

/** Output channels, and texels of outputs, of a fragment of a convolution: those that cost least over all channels and outputs. */
export function convTile(most: number, channels: number, last: Axis): readonly [rowTile: number, columnTile: number] {
  let best: readonly [number, number] = [1, 1]
  let least = Infinity
  for (const columnTile of [1, 2, 4]) {
    const loads = new Taps(last, columnTile).loads.size
    for (let rowTile = 1; rowTile * columnTile <= most; rowTile++) {
      const fragments = Math.ceil(channels / rowTile) * Math.ceil(last.out / 4 / columnTile)
      const cost = fragments * (fetchCost * (loads + weightTexels(rowTile, last.kernel)) + rowTile * columnTile * last.kernel)
      if (cost < least) {
        least = cost
        best = [rowTile, columnTile]
      }
    }
  }
  return best
}
