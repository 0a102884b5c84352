// Probabilities of classes from those of each pair of them, as support vector machines give them.

import { add, full, mul, type Tensor } from '@bp/core'
import { allocate, Aval, bind, defineOp } from '@bp/core/extend'
import { cast, concat, detach, narrow, neg, reshape, solve, square, stack, sub } from '@bp/ops'
import { entries } from '../../import/budget.ts'

/** One example's Q[t][j] = −r[j][t]·r[t][j] and Q[t][t] = Σᵢ r[i][t]² (Wu, Lin & Weng 2004, eq. 41). */
const quadratic = (r: readonly (readonly number[])[]): number[][] => r.map((row, t) => row.map((value, j) => t === j ? r.reduce((sum, other, i) => i === t ? sum : sum + other[t]! ** 2, 0) : -r[j]![t]! * value))

/** Minimises pᵀ·Q·p over probabilities, one after the other, until it is within 0.005/k (the same, algorithm 2); other runtimes stop there too. */
function descend(q: readonly (readonly number[])[]): number[] {
  const k = q.length
  const p = new Array<number>(k).fill(1 / k)
  for (let step = 0; step < Math.max(100, k); step++) {
    const qp = q.map(row => row.reduce((sum, entry, j) => sum + entry * p[j]!, 0))
    let all = p.reduce((sum, entry, t) => sum + entry * qp[t]!, 0)
    if (qp.every(entry => Math.abs(entry - all) < 0.005 / k)) break
    for (let t = 0; t < k; t++) {
      const own = q[t]![t]!
      const d = (all - qp[t]!) / own
      all = (all + d * (d * own + 2 * qp[t]!)) / (1 + d) ** 2
      p[t]! += d
      for (let j = 0; j < k; j++) {
        p[j]! /= 1 + d
        qp[j] = (qp[j]! + d * q[t]![j]!) / (1 + d)
      }
    }
  }
  return p
}

/** The places of pairs (i, j), i < j, in the order in which they stand. */
const pairsOf = (k: number): (readonly [number, number])[] => Array.from({ length: entries('SVMClassifier', k * k) / k }, (_, i) => Array.from({ length: k - i - 1 }, (__, j) => [i, i + 1 + j] as const)).flat()

/** y[n, k] from x[n, pairs]; its derivative is that of the minimum itself, which {@link coupled} adds. */
const coupleRow = /* @__PURE__ */ defineOp({
  name: 'onnx/couple', arity: 1, fuse: 'opaque',
  infer: ([x], { k }: { readonly k: number }) => new Aval([x.shape[0]!, k], x.dtype),
  diff: { kind: 'zero' },
  host: ([x], { k }, [out]) => {
    const y = allocate(out!.dtype, x.shape[0]! * k)
    const pairs = pairsOf(k)
    for (let n = 0; n < x.shape[0]!; n++) {
      const r = Array.from({ length: k }, () => new Array<number>(k).fill(0))
      pairs.forEach(([i, j], at) => {
        const value = Number(x.data[n * pairs.length + at])
        r[i]![j] = value
        r[j]![i] = 1 - value
      })
      descend(quadratic(r)).forEach((value, i) => { y[n * k + i] = value })
    }
    return y
  },
})

/** The minimum itself: Q·p + λ·1 = 0 with Σ p = 1, a linear system. */
export function minimum(x: Tensor, k: number): Tensor {
  const [n, none] = [x.shape[0]!, full([x.shape[0]!], 0, x.dtype, x.backend)]
  const one = add(none, 1)
  const r = Array.from({ length: k }, () => new Array<Tensor>(k).fill(none))
  pairsOf(k).forEach(([i, j], at) => {
    r[i]![j] = reshape(narrow(x, 1, at, 1), [n])
    r[j]![i] = sub(1, r[i]![j])
  })
  const rows = r.map((row, t) => stack([...row.map((value, j) => t === j ? r.flatMap((other, i) => i === t ? [] : square(other[t]!)).reduce((a, b) => add(a, b)) : neg(mul(r[j]![t]!, value))), one], 1))
  const right = concat([full([n, k, 1], 0, x.dtype, x.backend), full([n, 1, 1], 1, x.dtype, x.backend)], 1)
  return reshape(narrow(solve(stack([...rows, stack([...r.map(() => one), none], 1)], 1), right), 1, 0, k), [n, k])
}

/**
 * Probabilities [n, k] of classes from those, [n, pairs], that an example is of class i rather than of class j > i: those that
 * contradict them least (Wu, Lin & Weng 2004, "Probability Estimates for Multi-class Classification by Pairwise Coupling", method 2).
 */
export function coupled(x: Tensor, k: number): Tensor {
  const exact = cast(minimum(cast(x, 'float64'), k), x.dtype)
  return add(exact, detach(sub(bind(coupleRow, [x], { k }), exact)))
}
