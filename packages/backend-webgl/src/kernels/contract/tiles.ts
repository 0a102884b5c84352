// How much a fragment computes, and into how many fragments a sum is cut.

/** Fragments that keep a GPU busy. */
const enough = 4096

/** Steps of a sum that are worth a fragment. */
const fewestSteps = 8

/** The most parts of a sum. */
const mostParts = 32

/** Parts into which sums of so many steps are cut where there are so few fragments. */
export const partsFor = (fragments: number, steps: number): number =>
  Math.max(1, Math.min(mostParts, Math.floor(enough / fragments), Math.floor(steps / fewestSteps)))

/** Rows of a fragment: about equal groups of at most `most`; `whole` asks for whole texels of them where there are several groups. */
export function rowTileFor(rows: number, most: number, whole: boolean): number {
  if (rows <= Math.min(4, most)) return rows
  if (whole) return most < 8 || rows <= 4 ? 4 : 8
  return Math.ceil(rows / Math.ceil(rows / most))
}
