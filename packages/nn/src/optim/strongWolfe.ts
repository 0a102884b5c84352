// A line search for the strong Wolfe conditions, by cubic interpolation.

/** A point on the line: the step, the loss there, its slope along the line, and whatever goes with it. */
export interface LinePoint<G> {
  readonly t: number
  readonly f: number
  readonly slope: number
  readonly at: G
}

/** What {@link strongWolfe} is to keep to. */
export interface LineSearchOptions {
  /** The largest magnitude of the direction's elements. */
  readonly size: number
  readonly maxEvaluations: number
  /** The search stops where the bracket, times `size`, is narrower than this. */
  readonly tolerance?: number
}

/** Armijo's and the curvature condition's constants, as usual for quasi-Newton steps (Nocedal & Wright 2006, section 3.1). */
const c1 = 1e-4
const c2 = 0.9

/**
 * Finds a step t along a descent direction with f(t) ≤ f(0) + c₁·t·f′(0) and |f′(t)| ≤ c₂·|f′(0)|: brackets it, then narrows the
 * bracket (Nocedal & Wright 2006, "Numerical optimization", algorithms 3.5 and 3.6). Returns the best point where it runs out
 * of evaluations. The number of evaluations comes along.
 */
export function strongWolfe<G>(evaluate: (t: number) => LinePoint<G>, start: LinePoint<G>, first: number, { size, maxEvaluations, tolerance = 1e-9 }: LineSearchOptions): { readonly best: LinePoint<G>; readonly evaluations: number } {
  const tooHigh = (x: LinePoint<G>): boolean => x.f > start.f + c1 * x.t * start.slope
  const flat = (x: LinePoint<G>): boolean => Math.abs(x.slope) <= -c2 * start.slope

  let point = evaluate(first)
  let before = start
  let iterations = 0
  let bracket: [LinePoint<G>, LinePoint<G>] | null = null
  for (; iterations < maxEvaluations; iterations++) {
    if (tooHigh(point) || iterations > 1 && point.f >= before.f) bracket = [before, point]
    else if (flat(point)) return { best: point, evaluations: iterations + 1 }
    else if (point.slope >= 0) bracket = [before, point]
    if (bracket) break
    const t = cubicMinimum(before, point, point.t + 0.01 * (point.t - before.t), point.t * 10)
    before = point
    point = evaluate(t)
  }
  let evaluations = iterations + 1
  const ends = bracket ?? [start, point]
  let low: 0 | 1 = ends[0].f <= ends[1].f ? 0 : 1
  let stalled = false
  while (iterations < maxEvaluations && Math.abs(ends[1].t - ends[0].t) * size >= tolerance) {
    const [left, right] = ends[0].t <= ends[1].t ? [ends[0].t, ends[1].t] : [ends[1].t, ends[0].t]
    let t = cubicMinimum(ends[0], ends[1], left, right)
    // a step that hardly leaves an end of the bracket is moved inwards, the second time at the latest
    const margin = 0.1 * (right - left)
    const near = Math.min(right - t, t - left) < margin
    const moved: boolean = near && (stalled || t >= right || t <= left)
    if (moved) t = Math.abs(t - right) < Math.abs(t - left) ? right - margin : left + margin
    stalled = near && !moved
    point = evaluate(t)
    evaluations++
    iterations++
    const high = 1 - low as 0 | 1
    if (tooHigh(point) || point.f >= ends[low].f) {
      ends[high] = point
      low = ends[0].f <= ends[1].f ? 0 : 1
    } else {
      if (flat(point)) return { best: point, evaluations }
      if (point.slope * (ends[high].t - ends[low].t) >= 0) ends[high] = ends[low]
      ends[low] = point
    }
  }
  return { best: ends[low], evaluations }
}

/** Where the cubic through two points with their slopes is least, within bounds; their middle where it has no minimum (eq. 3.59). */
function cubicMinimum<G>(p: LinePoint<G>, q: LinePoint<G>, least: number, most: number): number {
  const [a, b] = p.t <= q.t ? [p, q] : [q, p]
  const d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
  const square = d1 ** 2 - a.slope * b.slope
  if (!(square >= 0)) return (least + most) / 2
  const d2 = Math.sqrt(square)
  const t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
  return Math.min(Math.max(t, least), most)
}
