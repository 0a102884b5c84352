// Medians of times.

/** The middle of the values, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Whether two lists of results agree to 1e-3 of the largest. */
export function agree(a: readonly number[], b: readonly number[]): boolean {
  const size = Math.max(1, ...a.map(Math.abs))
  return a.length === b.length && a.every((x, i) => Math.abs(x - b[i]!) <= 1e-3 * size)
}
