// Medians of times, and how far results are apart.

/** The middle of the values, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** How far two lists of results are apart, over the largest of the first or 1; NaN where one has a NaN, infinite where their lengths differ. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity
  let [size, apart] = [1, 0]
  for (let i = 0; i < a.length; i++) {
    size = Math.max(size, Math.abs(a[i]!))
    apart = Math.max(apart, Math.abs(a[i]! - b[i]!))
  }
  return apart / size
}

/** Whether two lists of results agree to 1e-3 of the largest. */
export const agree = (a: readonly number[], b: readonly number[]): boolean => difference(a, b) <= 1e-3
