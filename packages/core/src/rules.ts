// The derived rules: from a row's one word, what its VJP and its JVP are. Broadcasting is undone here and nowhere else.

import type { Abstract } from './aval.ts'
import { bind, bindMany } from './interpreter.ts'
import type { Row, AnyRow } from './row.ts'
import type { Tensor } from './tensor.ts'
import { add, mul, sumTo, zerosLike } from './vector.ts'

/**
 * The cotangents of a primitive's operands: `null` where not wanted, or where the op is constant in the operand.
 * A cotangent `null` stands for a result that the loss does not depend on.
 */
export function vjpRule(row: AnyRow, xs: Abstract[], ys: Abstract[], params: unknown, cts: (Tensor | null)[], want: readonly boolean[], fill: (aval: Abstract) => Tensor): (Tensor | null)[] {
  const diff = row.diff
  const out = new Array<Tensor | null>(xs.length).fill(null)
  if (diff.kind === 'custom') return diff.vjp(cts.map((ct, i) => ct ?? fill(ys[i]!)), xs, ys, params, want)
  if (diff.kind === 'zero' || diff.kind === 'composite') return out
  const ct = cts[0]!
  for (let i = 0; i < xs.length; i++) {
    if (!want[i]) continue
    if (diff.kind === 'map') {
      out[i] = unbroadcast(mul(ct, partial(diff.d[i]!, xs, ys[0]!, params)), xs[i]!)
    } else if (diff.kind === 'multilinear') {
      out[i] = unbroadcast(diff.transpose[i]!(ct, xs, params), xs[i]!)
    } else {
      const transpose = diff.transpose[row.arity === 'n' ? 0 : i]
      if (transpose) out[i] = unbroadcast(transpose(ct, xs, params, i), xs[i]!)
    }
  }
  return out
}

/** Sums a cotangent down to the shape of the operand it belongs to. */
const unbroadcast = (ct: Tensor, x: Abstract): Tensor => ct.aval === x.aval ? ct : sumTo(ct, x.shape)

/** ∂y/∂xᵢ; written out by arity, for eager mode passes here once an op. */
function partial(d: (...a: unknown[]) => Tensor | number, xs: Abstract[], y: Abstract, params: unknown): Tensor | number {
  switch (xs.length) {
    case 1: return d(xs[0], y, params)
    case 2: return d(xs[0], xs[1], y, params)
    default: return d(...xs, y, params)
  }
}

/**
 * The tangents of a primitive's results, `null` where they are zero. `ts` has `null` for operands without a tangent;
 * `custom` ops without a `jvp` are left to the caller, who can pull back twice.
 */
export function jvpRule(row: AnyRow, xs: Tensor[], ys: Tensor[], params: unknown, ts: (Tensor | null)[], transposed: (row: AnyRow) => Tensor[]): (Tensor | null)[] {
  const diff = row.diff
  if (ts.every(t => t === null)) return ys.map(() => null)
  switch (diff.kind) {
    case 'zero':
    case 'composite':
      return ys.map(() => null)
    case 'custom':
      return diff.jvp ? diff.jvp(ts, xs, ys, params) : transposed(row)
    case 'linear':
      return linearJvp(row, xs, params, ts)
    case 'multilinear':
      return [total(ts.map((t, i) => t && bind(row as Row, xs.map((x, j) => j === i ? t : x), params)))]
    case 'map':
      return [total(ts.map((t, i) => t && mul(t, partial(diff.d[i]!, xs, ys[0]!, params))))]
  }
}

/** A linear op on the tangents: zeros stand for missing ones, fixed operands stay. */
function linearJvp(row: AnyRow, xs: Tensor[], params: unknown, ts: (Tensor | null)[]): (Tensor | null)[] {
  const transpose = row.diff.kind === 'linear' ? row.diff.transpose : []
  const moving = (i: number): boolean => transpose[row.arity === 'n' ? 0 : i] !== null
  const operands = xs.map((x, i) => moving(i) ? ts[i] ?? zerosLike(x) : x)
  if (!ts.some((t, i) => t !== null && moving(i))) return [null]
  const result = bindMany(row as Row, operands, params) as Tensor | Tensor[]
  return Array.isArray(result) ? result : [result]
}

const total = (parts: (Tensor | null)[]): Tensor | null =>
  parts.reduce((sum, part) => sum && part ? add(sum, part) : sum ?? part, null)
